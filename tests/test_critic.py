"""What the critic hears, the continuations it learns from, its folder, and the figures it is measured by."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from antiphon.models.continuations import held_notes
from antiphon.models.critic.evaluation import Counted, compare, degrees, intervals, show, wasserstein
from antiphon.models.critic.judge import FACTS, GRAPH, Critic, shipped_critic
from antiphon.models.critic.pairs import Making, Pairs, make_pairs
from antiphon.models.critic.rows import FIRST, HEARD, LATELY, NEVER, SIZES, WIDEST, Field, cut, held_rows, table_rows
from antiphon.models.errors import DataError, ModelError
from antiphon.models.excerpt_choice import Excerpt
from antiphon.models.generator import UNKNOWN_TICK_IN_BEAT
from antiphon.models.notes import Column, NoteTable
from antiphon.models.parts import Part
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fake_generator import FakeGenerator


def table(count: int, seed: int = 0, parts: tuple[int, ...] = (0, 3, 5)) -> NoteTable:
    rng = np.random.default_rng(seed)
    rows = np.zeros((count, len(Column)), np.int32)
    rows[:, Column.ONSET] = np.cumsum(rng.choice([0, 6, 12, 30], count))
    rows[:, Column.DURATION] = rng.integers(1, 120, count)
    rows[:, Column.PITCH] = rng.integers(40, 80, count)
    rows[:, Column.VELOCITY] = rng.integers(1, 128, count)
    rows[:, Column.PART] = rng.choice(parts, count)
    rows[:, Column.BAR_POSITION] = rows[:, Column.ONSET] % 96
    rows[:, Column.PROGRAM] = -1
    return rows


def excerpts(count: int, heard: int = 20, after: int = 6) -> list[Excerpt]:
    whole = [table(heard + after, seed) for seed in range(count)]
    return [Excerpt(one[:heard], one[heard:]) for one in whole]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 30), st.integers(1, 12))
def test_live_notes_are_heard_as_tables_are(seed: int, before: int, judged: int) -> None:
    notes = table(before + judged, seed)
    held = held_notes(notes)
    rows = table_rows(notes[:before], notes[before:])
    assert np.array_equal(held_rows(held[:before], held[before:]), rows)
    assert rows.shape == (min(before, HEARD) + judged, len(SIZES))
    assert (rows >= 0).all()
    assert (rows < np.array(SIZES)).all()


def test_a_row_tells_steps_and_what_comes_back() -> None:
    notes = table(6)
    notes[:, Column.PART] = [0, 0, 1, 0, 3, 0]
    notes[:, Column.PITCH] = [60, 64, 30, 68, 40, 60]
    notes[:, Column.ONSET] = [0, 12, 13, 24, 30, 90]
    rows = table_rows(notes[:0], notes)
    assert rows[:, Field.STEP].tolist() == [FIRST, WIDEST + 4, FIRST, WIDEST + 4, FIRST, WIDEST - 8]
    assert rows[:, Field.LATELY].tolist() == [NEVER, NEVER, NEVER, NEVER, NEVER, LATELY.index(6)]
    assert rows[:, Field.MOVED].tolist() == [0, 0, 0, 1, 0, 0]
    later = cut(rows, 3, 6)
    assert later[0, Field.GAP] == 0
    assert later[:, Field.STEP].tolist() == [FIRST, FIRST, WIDEST - 8]
    assert later[:, Field.LATELY].tolist() == [NEVER] * 3


def test_loudness_is_not_heard() -> None:
    loud, soft = table(30), table(30)
    soft[:, Column.VELOCITY] = 1
    assert np.array_equal(table_rows(loud[:20], loud[20:]), table_rows(soft[:20], soft[20:]))


def test_without_a_bar_the_place_is_unknown() -> None:
    notes = table(20)
    notes[:, Column.BAR_POSITION] = -1
    assert set(table_rows(notes[:10], notes[10:])[:, Field.TICK].tolist()) == {UNKNOWN_TICK_IN_BEAT}


def test_continuations_are_made_once_and_are_the_same_again(tmp_path: Path) -> None:
    made, told = FakeGenerator(), list[int]()
    making = Making(candidates=3, seed=5)
    pairs = make_pairs(made, excerpts(20), making, tmp_path, told.append)
    assert told == [16, 20]
    assert (pairs.prompts.shape, pairs.real.shape, pairs.made.shape) == ((20, 20, 8), (20, 6, 8), (20, 3, 6, 8))
    work = len(made.samples)
    assert work == 20 * 3 * 6
    again = make_pairs(made, excerpts(20), making, tmp_path)
    assert len(made.samples) == work
    assert np.array_equal(again.made, pairs.made)
    other = make_pairs(made, excerpts(20), Making(candidates=3, seed=6), tmp_path)
    assert not np.array_equal(other.made, pairs.made)
    assert {constraints.temperature for constraints, _ in made.samples} == {0.9}
    first = pairs.made[..., 0, Column.ONSET] - pairs.prompts[:, None, -1, Column.ONSET]
    assert (first >= 0).all()
    assert (pairs.made[..., Column.BAR_POSITION] >= 0).all()


def test_what_holds_no_continuations_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no excerpt is long enough"):
        make_pairs(FakeGenerator(), [], Making(), tmp_path)
    path = tmp_path / "broken.npz"
    path.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="holds no continuations"):
        Pairs.load(path)
    np.savez(path, prompts=np.zeros((2, 3)), real=np.zeros((2, 3, 8)), made=np.zeros((2, 1, 3, 8)))
    with pytest.raises(DataError, match="not of notes"):
        Pairs.load(path)


def test_the_critic_that_ships_is_whole_and_hears_live_notes_as_tables() -> None:
    critic = Critic()
    assert critic.facts["judges"]["name"] == "antiphon"
    assert (shipped_critic() / GRAPH).stat().st_size < 2_000_000
    tune = np.zeros((48, len(Column)), np.int32)
    steps = np.arange(48)
    tune[:, Column.ONSET] = steps * 12
    tune[:, Column.DURATION] = 12
    tune[:, Column.PITCH] = np.array([60, 64, 67, 72, 67, 64])[steps % 6] + np.array([0, 5, 7, 0])[steps // 12]
    tune[:, Column.VELOCITY], tune[:, Column.PART] = 80, Part.PIANO
    tune[:, Column.BAR_POSITION] = tune[:, Column.ONSET] % 96
    noise = tune.copy()
    noise[16:, Column.PITCH] = np.random.default_rng(1).integers(30, 100, 32)
    scores = critic.score_tables(tune[:16], [tune[16:], noise[16:]])
    assert scores[0] != scores[1]
    live = critic.score_notes(held_notes(tune[:16]), [held_notes(tune[16:]), held_notes(noise[16:])])
    assert np.array_equal(live, scores)


def test_a_broken_folder_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "critic"
    with pytest.raises(ModelError, match=r"holds no critic\.json"):
        Critic(folder)
    shutil.copytree(shipped_critic(), folder)
    facts = json.loads((folder / FACTS).read_text())
    whole = (folder / GRAPH).read_bytes()
    (folder / GRAPH).write_bytes(whole[:-1])
    with pytest.raises(ModelError, match="truncated or changed"):
        Critic(folder)
    (folder / GRAPH).unlink()
    with pytest.raises(ModelError, match="not readable"):
        Critic(folder)
    (folder / FACTS).write_text(json.dumps(facts | {"format": 99}))
    with pytest.raises(ModelError, match="has format 99"):
        Critic(folder)
    (folder / FACTS).write_text("{")
    with pytest.raises(ModelError, match="not readable"):
        Critic(folder)
    other = (shipped_critic().parent / "neurotune" / "draw.onnx").read_bytes()
    (folder / GRAPH).write_bytes(other)
    (folder / FACTS).write_text(json.dumps(facts | {"files": {GRAPH: hashlib.sha256(other).hexdigest()}}))
    with pytest.raises(ModelError, match="this Antiphon feeds notes"):
        Critic(folder)


def test_distances_are_nothing_to_itself_and_grow() -> None:
    real = np.stack([table(40, seed) for seed in range(12)])
    flat = real.copy()
    flat[..., Column.PITCH] = 60
    flat[..., Column.PART] = 0
    keys = [0] * 12
    chosen = np.arange(12)
    itself, apart = (Counted.of(tables, keys).distances(Counted.of(real, keys), chosen) for tables in (real, flat))
    assert itself.tolist() == [0.0] * 4
    assert (apart[[0, 1]] > 0.3).all()
    assert wasserstein(np.array([0.0, 1.0]), np.array([2.0, 3.0, np.nan])) == pytest.approx(2.0)
    assert wasserstein(np.array([1.0, 1.0, 1.0]), np.array([0.0, 3.0])) == pytest.approx(1.5)
    notes = table(3)
    notes[:, Column.PART], notes[:, Column.PITCH] = 0, [62, 66, 30]
    assert np.flatnonzero(degrees(notes, 2)).tolist() == [0, 4]  # D and two F sharps, over D major
    assert degrees(notes, 2)[4] == 2.0
    assert np.flatnonzero(degrees(notes, 14)).tolist() == [12, 16]
    assert np.flatnonzero(intervals(notes)).tolist() == [0, 28]


def test_the_better_choice_is_told() -> None:
    real = np.stack([table(40, seed) for seed in range(30)])
    wild = real.copy()
    wild[..., Column.PITCH] = np.where(np.arange(40) % 2, 45, 75)
    made = np.stack([wild, real, wild], axis=1)
    scores = np.tile(np.array([0.0, 1.0, -1.0], np.float32), (30, 1))
    told = compare(Pairs(real, real, made), scores, rounds=60)
    best = told["distances"]["best of 3 by the critic"]
    assert all(figure["value"] == 0.0 for figure in best.values())
    assert told["distances"]["best of 3 by the critic - first"]["interval"]["high"] < 0.0
    assert "| best of 3 by the critic - first | " in show(told)
