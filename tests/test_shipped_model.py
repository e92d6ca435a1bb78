"""The model that ships: causal, its state the window's, one row alone equal to the row in a batch, forced at will."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from antiphon.models import onnx_generator
from antiphon.models.alone import Rows, is_another_alone
from antiphon.models.asking import (
    AT_ONCE_KNOWN,
    KNOWN,
    asked_of,
    at_once_asked,
    at_once_known,
    places_of,
    recent_rows,
)
from antiphon.models.controls import UNTOLD
from antiphon.models.errors import ModelError
from antiphon.models.events import CYCLE, TOLD
from antiphon.models.generator import MAX_TICKS, UNIFORMS, Constraints, HeldNote
from antiphon.models.model_files import check_model, find_model, shipped_models
from antiphon.models.onnx_generator import OnnxGenerator, place_in_bar
from antiphon.models.onnx_session import open_session
from antiphon.models.onnx_state import ROLL, OnnxState, StateLayout, layout_of
from antiphon.models.parts import Part
from antiphon.models.recent import Recent
from numpy.typing import NDArray


@pytest.fixture(scope="module")
def generator() -> OnnxGenerator:
    return OnnxGenerator.load("antiphon")


def phrase(rng: np.random.Generator, notes: int = 40) -> list[HeldNote]:
    tick, made = 0, []
    for _ in range(notes):
        tick += int(rng.integers(0, 20))
        made.append(
            HeldNote(
                tick, int(rng.integers(0, 6)), int(rng.integers(30, 90)), int(rng.integers(1, 128)),
                tick % 24, tick // 24 % 4, off_tick=tick + int(rng.integers(1, 60)),
            )
        )  # fmt: skip
    return made


def outputs(generator: OnnxGenerator, state: OnnxState) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return [state.hidden, state.context, state.features, *generator.time_logits(state)]


def test_the_future_changes_no_earlier_state(generator: OnnxGenerator) -> None:
    """Notes later than one, and ends after its onset, are changed: every state up to it stays bit-equal."""
    rng = np.random.default_rng(3)
    notes = phrase(rng)
    for place in (5, 20, 39):
        now = notes[place].tick
        other = [replace_end(note, now, rng) for note in notes[: place + 1]] + phrase(rng)
        mine, theirs = generator.initial(), generator.initial()
        for a, b in zip(notes[: place + 1], other, strict=False):
            mine, theirs = generator.step(mine, a), generator.step(theirs, b)
            for x, y in zip(outputs(generator, mine), outputs(generator, theirs), strict=True):
                np.testing.assert_array_equal(x, y)


def replace_end(note: HeldNote, now: int, rng: np.random.Generator) -> HeldNote:
    end = note.off_tick if note.off_tick <= now else now + int(rng.integers(1, 200))
    return replace(note, off_tick=end)


#: How many of each class there are, of what a step is told.
_HIGHEST = (6, 97, 128, 16, 25, 9, 9, 8, *[97] * 6, *[1] * len(UNTOLD), CYCLE)


def _random(random: np.random.Generator, graph: str, size: int) -> dict[str, NDArray[Any]]:
    """Give what a graph is told and given, but for the state, a row each; shares are its last columns."""
    assert len(_HIGHEST) == TOLD
    told = np.stack([random.integers(0, high, size) for high in _HIGHEST], axis=1)
    roll = random.random((size, 1, ROLL), np.float32)
    recent, known, asked = Recent.nothing(), np.zeros(0, np.int64), np.zeros(0, np.float32)
    if graph == "reply":
        known, asked = np.zeros(sum(AT_ONCE_KNOWN), np.int64), at_once_asked(Constraints(), 5)
        at_once_known((5, 12, 24, 8), recent, known)
    elif graph == "next":
        known, asked = np.zeros(sum(KNOWN), np.int64), asked_of(Constraints(top_p=0.95))
        known[: KNOWN[0]] = places_of(0, (0, 24, 4), Constraints())
        recent_rows(recent, known[KNOWN[0] :])
    every = np.repeat(asked[None], size, axis=0)[:, None]
    if asked.size:
        every[:, :, -2:] = random.random((size, 1, 2))  # shares
    return {"told": np.concatenate([told, np.repeat(known[None], size, axis=0)], axis=1), "roll": roll, "asked": every}


@pytest.mark.parametrize("graph", ["step", "reply", "next"])
@pytest.mark.parametrize("never_alone", [False, True])
def test_a_row_alone_equals_the_row_in_a_batch(graph: str, never_alone: bool) -> None:
    """With the 8-bit graphs that ship, states carried over many notes: rollback and best-of-N must agree with live.

    Where a processor multiplies a row alone otherwise, a row is never alone: the same holds then.
    """
    files = find_model("antiphon")
    session = open_session(files.graph(graph), remedy="")
    rows = Rows(session, never_alone or is_another_alone(session))
    layout = layout_of(open_session(files.graph("step"), remedy=""), open_session(files.graph("pitch"), remedy=""))
    rng = np.random.default_rng(4)
    size, notes = 5, 150 if not never_alone else 20
    whole = {
        "hidden": np.zeros((size, layout.hidden.stop), np.float32),
        "keys": np.zeros((size, 0, layout.recalled), np.float32),
        "values": np.zeros((size, 1, layout.recalled), np.float32),
    }
    alone = [{name: value[row : row + 1] for name, value in whole.items()} for row in range(size)]
    for _ in range(notes):
        given = _random(rng, graph, size)
        (together,) = rows.run(_fed(given, whole))
        whole = _went_on(together, layout, whole)
        for row, own in enumerate(alone):
            (out,) = rows.run(_fed({name: value[row : row + 1] for name, value in given.items()}, own))
            alone[row] = _went_on(out, layout, own)
            np.testing.assert_array_equal(together[row], out[0])


def _fed(given: dict[str, NDArray[Any]], state: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    numbers = np.concatenate([given["roll"], state["hidden"][:, None], given["asked"]], axis=2)
    return {"told": given["told"], "given": numbers, "keys": state["keys"], "values": state["values"]}


def _went_on(
    row: NDArray[np.float32], layout: StateLayout, before: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Give the state after a step."""
    return {
        "hidden": np.ascontiguousarray(row[:, 0, layout.hidden]),
        "keys": np.concatenate([before["keys"], row[:, :, layout.key]], axis=1),
        "values": np.concatenate([before["values"], row[:, :, layout.value]], axis=1),
    }


def test_where_a_row_alone_is_another_it_is_told() -> None:
    """As some processors' 8-bit products are: of one row, and of the last of an odd number."""

    class Session:
        def __init__(self, odd: bool) -> None:
            self.odd = odd

        def get_inputs(self) -> list[Any]:
            shapes = {"told": ("tensor(int64)", ["b", 3]), "given": ("tensor(float)", ["b", 1, 4])}
            return [SimpleNamespace(name=name, type=kind, shape=shape) for name, (kind, shape) in shapes.items()]

        def run(self, _: None, feed: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
            rows = feed["given"][:, 0].copy()
            if len(rows) % 2 and self.odd:
                rows[-1] = np.nextafter(rows[-1], 9)
            return [rows]

    odd = Session(odd=True)
    assert is_another_alone(odd)
    assert not is_another_alone(Session(odd=False))
    feed: dict[str, NDArray[Any]] = {
        "told": np.zeros((3, 3), np.int64),
        "given": np.random.default_rng(0).random((3, 1, 4), np.float32),
    }
    never = Rows(odd, never_alone=True)
    together = never.run(feed)[0]
    assert together.shape == (3, 4)
    for row in range(3):
        alone = never.run({name: value[row : row + 1] for name, value in feed.items()})[0]
        np.testing.assert_array_equal(alone[0], together[row])


def test_a_generator_never_alone_plays_the_same(generator: OnnxGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_generator, "is_another_alone", lambda _: True)
    other = OnnxGenerator.load("antiphon")
    notes = phrase(np.random.default_rng(13), 20)
    for constraints in (Constraints(top_p=0.9), Constraints(part=5, gap=0, duration=6)):
        mine, theirs = generator.initial(), other.initial()
        for note in notes:
            uniforms = np.random.default_rng(note.tick).random(UNIFORMS)
            mine, drawn = generator.reply(mine, note, constraints, uniforms)
            theirs, drawn_too = other.reply(theirs, note, constraints, uniforms)
            assert drawn == drawn_too
            np.testing.assert_array_equal(mine.row, theirs.row)
        assert generator.sample(mine, constraints, uniforms) == other.sample(theirs, constraints, uniforms)


@pytest.mark.parametrize(
    "constraints",
    [
        Constraints(),
        Constraints(part=Part.CHORDS, temperature=0.8, top_p=0.9),
        Constraints(min_gap=110, max_duration=12),
        Constraints(min_gap=3, max_gap=20, gap_bias=np.linspace(0, -4, MAX_TICKS + 1, dtype=np.float32)),
        Constraints(part_bias=np.array([0, -1, 2, -np.inf, 0, 0], np.float32), temperature=0.0),
        Constraints(part=Part.BASS, gap=150),
        Constraints(gap=9, velocity_bias=np.linspace(0, 3, 16, dtype=np.float32)),
        Constraints(
            part=Part.PIANO, gap=0, duration=500, part_pitch_bias={5: np.where(np.arange(128) % 12, -np.inf, 0)}
        ),
        Constraints(part=Part.DRUMS, pitch_bias=np.full(128, -np.inf, np.float32)),  # never of drums
    ],
    ids=lambda constraints: "",
)
@pytest.mark.parametrize("grid", [None, (7, 24, 3)])
def test_a_note_taken_in_and_the_next_in_one_call_is_a_step_and_a_draw(
    generator: OnnxGenerator, constraints: Constraints, grid: tuple[int, int, int] | None
) -> None:
    rng = np.random.default_rng(11)
    notes = phrase(rng, 60)
    state = generator.initial()
    for note in notes:
        uniforms = rng.random(UNIFORMS)
        after, drawn = generator.reply(state, note, constraints, uniforms, grid)
        state = generator.step(state, note)
        np.testing.assert_array_equal(after.row[: len(state.row)], state.row)
        other = generator.sample(state, constraints, uniforms, grid)
        if None not in (constraints.part, constraints.gap, constraints.duration):
            # what sounds at once has no shift, and any velocity of its level
            level = max(1, other.velocity // 8 * 8 + int(uniforms[5] * 8))
            other = replace(other, shift=0, velocity=level)
        assert replace(other, log_prob=0.0) == replace(drawn, log_prob=0.0)
        assert other.log_prob == pytest.approx(drawn.log_prob, abs=1e-3)


@pytest.mark.parametrize("constraints", [Constraints(part=5, gap=0, duration=6), Constraints(top_p=0.9)])
def test_a_rehearsal_leaves_nothing_behind(generator: OnnxGenerator, constraints: Constraints) -> None:
    """The next note is written where the rehearsed one would be: without a copy of what is recalled."""
    rng = np.random.default_rng(12)
    *heard, note = phrase(rng, 30)
    uniforms = rng.random(UNIFORMS)
    wanted, drawn = generator.reply(generator.prime(heard), note, constraints, uniforms)
    state = generator.prime(heard)
    for _ in range(3):
        generator.rehearse(state, constraints)
    after, other = generator.reply(state, note, constraints, uniforms)
    assert other == drawn
    np.testing.assert_array_equal(after.row, wanted.row)
    assert after.memory is state.memory
    generator.rehearse(generator.initial(), constraints)


def test_a_draw_in_one_call_tells_where_everything_is_forbidden(generator: OnnxGenerator) -> None:
    note, state = HeldNote(0, 0, 60, 80), generator.initial()
    nothing = np.full(128, -np.inf, np.float32)
    for constraints in (
        Constraints(part=0, pitch_bias=nothing),
        Constraints(part=0, gap=0, duration=3, pitch_bias=nothing),
        Constraints(part_bias=np.full(6, -np.inf, np.float32)),
        Constraints(gap_bias=np.full(MAX_TICKS + 1, -np.inf, np.float32)),
        Constraints(velocity_bias=np.full(16, -np.inf, np.float32)),
        Constraints(min_duration=9, max_duration=4),
    ):
        with pytest.raises(ValueError, match="forbidden"):
            generator.reply(state, note, constraints, np.full(UNIFORMS, 0.5))


def test_the_last_uniform_below_one_is_a_class_still(generator: OnnxGenerator) -> None:
    """Rounded up to 1 it would be past every class."""
    almost = np.full(UNIFORMS, np.nextafter(1.0, 0.0))
    for constraints in (Constraints(), Constraints(part=5, gap=0, duration=6)):
        _, drawn = generator.reply(generator.initial(), HeldNote(0, 0, 60, 80), constraints, almost)
        assert 0 <= drawn.pitch < 128


def test_every_attribute_can_be_forced(generator: OnnxGenerator) -> None:
    state = generator.prime(phrase(np.random.default_rng(5)))
    only_c = np.full(128, -np.inf, np.float32)
    only_c[60] = 0.0
    soft = np.full(16, -np.inf, np.float32)
    soft[2] = 0.0  # 16 to 23
    forced = Constraints(part=Part.BASS, gap=7, pitch_bias=only_c, velocity_bias=soft, duration=9)
    drawn = generator.sample(state, forced, np.full(UNIFORMS, 0.3))
    assert (drawn.part, drawn.gap, drawn.pitch, drawn.duration) == (Part.BASS, 7, 60, 9)
    assert 16 <= drawn.velocity < 24
    assert -4 <= drawn.shift < 4


def test_gaps_stay_within_their_bounds(generator: OnnxGenerator) -> None:
    state = generator.prime(phrase(np.random.default_rng(6)))
    rng = np.random.default_rng(7)
    for low, high in ((0, 0), (5, 9), (30, MAX_TICKS), (96, 96)):
        bounds = Constraints(min_gap=low, max_gap=high, min_duration=3, max_duration=8)
        for _ in range(20):
            drawn = generator.sample(state, bounds, rng.random(UNIFORMS))
            assert low <= drawn.gap <= high
            assert 3 <= drawn.duration <= 8


def test_a_part_that_would_have_come_by_now_becomes_less_likely(generator: OnnxGenerator) -> None:
    """Masking early gaps reweighs the parts by what is left of each: the joint distribution, renormalised."""
    state = generator.prime(phrase(np.random.default_rng(8)))
    part_logits, gap_logits = generator.time_logits(state)
    joint = np.exp(part_logits - part_logits.max())
    joint /= joint.sum()
    gaps = np.exp(gap_logits - gap_logits.max(axis=1, keepdims=True))
    gaps /= gaps.sum(axis=1, keepdims=True)
    wanted = joint * gaps[:, 12:].sum(axis=1)
    wanted /= wanted.sum()
    at_least = Constraints(min_gap=12)
    rng = np.random.default_rng(9)
    count = 3000
    drawn = np.bincount(
        [generator.sample(state, at_least, _first(rng.random())).part for _ in range(count)], minlength=6
    )
    np.testing.assert_allclose(drawn / count, wanted, atol=0.04)


def _first(uniform: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([uniform, *[0.5] * (UNIFORMS - 1)])


def test_what_was_played_changes_the_distribution(generator: OnnxGenerator) -> None:
    """Another pitch, or another context before it, gives another distribution of the reply."""
    notes = phrase(np.random.default_rng(10), 12)
    last = HeldNote(notes[-1].tick + 12, Part.PIANO, 64, 80)
    states = [
        generator.step(generator.prime(notes), last),
        generator.step(generator.prime(notes), replace(last, pitch=67)),
        generator.step(generator.prime(notes[6:]), last),
    ]
    seen = []
    for state in states:
        counts = [
            generator.sample(state, Constraints(part=Part.PIANO, gap=0), np.array([0, 0, u / 200, *[0.5] * 4])).pitch
            for u in range(200)
        ]
        seen.append(np.bincount(counts, minlength=128) / 200)
    for one in range(3):
        for other in range(one):
            assert np.abs(seen[one] - seen[other]).sum() > 0.05


def test_places_in_the_bar() -> None:
    assert place_in_bar(100, None) == (24, 8)
    assert place_in_bar(24 * 5 + 3, (24, 24, 4)) == (3, 0)
    assert place_in_bar(23, (24, 24, 4)) == (23, 3)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(find_model("antiphon").folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_missing_and_truncated_models_are_plain_errors(copied: Path) -> None:
    with pytest.raises(ModelError, match="neither a model that ships"):
        find_model("no-such-model")
    graph = copied / "step.onnx"
    graph.write_bytes(graph.read_bytes()[:1000])
    with pytest.raises(ModelError, match="truncated or changed"):
        find_model(str(copied))
    graph.unlink()
    with pytest.raises(ModelError, match="is missing"):
        find_model(str(copied))
    (copied / "model.json").write_text("{")
    with pytest.raises(ModelError, match="not readable"):
        check_model(copied)


def _rehash(folder: Path) -> None:
    facts = json.loads((folder / "model.json").read_text())
    for file in facts["files"]:
        facts["files"][file] = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(facts))


@pytest.mark.train
def test_wrong_opset_and_wrong_shape_are_plain_errors(copied: Path) -> None:
    path = copied / "step.onnx"
    whole = path.read_bytes()
    model = onnx.ModelProto.FromString(whole)
    model.opset_import[0].version = 9999
    path.write_bytes(model.SerializeToString())
    _rehash(copied)
    with pytest.raises(ModelError, match="does not load"):
        OnnxGenerator.load(str(copied))
    path.write_bytes((copied / "touch.onnx").read_bytes())
    _rehash(copied)
    with pytest.raises(ModelError, match="takes"):
        OnnxGenerator.load(str(copied))


def test_asking_for_a_provider_that_is_not_there_is_told() -> None:
    with pytest.raises(ModelError, match="provider"):
        OnnxGenerator.load("antiphon", "directml")


def test_what_ships_is_named() -> None:
    assert "antiphon" in shipped_models()
