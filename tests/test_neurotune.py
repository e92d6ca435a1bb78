"""Neurotune without torch: pre-processing, post-processing, metrics, pictures, samples, recipe."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from antiphon.export.neurotune_curves import Panel, averaged, axis_of, draw_curves, draw_rolls
from antiphon.export.neurotune_papers import main
from antiphon.models.errors import DataError
from antiphon.models.midi_read import read_midi
from antiphon.models.neurotune import metrics
from antiphon.models.neurotune.post import in_scale, tidied, without_long_rests, without_overlaps
from antiphon.models.neurotune.recipe import Recipe
from antiphon.models.neurotune.samples import write_midi
from antiphon.models.neurotune.sequences import (
    Field,
    SequenceConfig,
    Sequences,
    normalise,
    notes_of,
    quantise,
    rows_of,
    tick_after,
    why_not,
)
from antiphon.models.notes import COLUMNS, Column, NoteTable, Piece, ordered
from antiphon.models.parts import Part
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

note = st.tuples(
    st.integers(0, 960), st.integers(1, 120), st.integers(0, 127), st.integers(1, 127), st.integers(0, 5), st.just(-1)
)
tables = st.lists(note, min_size=1, max_size=40).map(lambda rows: ordered(np.array(rows, np.int32)))


def melody(notes: int = 80, first: int = 60, part: int = Part.PIANO, every: int = 12) -> NoteTable:
    steps = np.array([0, 2, 4, 5, 7, 5, 4, 2])
    table = np.zeros((notes, COLUMNS), np.int32)
    table[:, Column.ONSET] = np.arange(notes) * every
    table[:, Column.DURATION] = every
    table[:, Column.PITCH] = first + steps[np.arange(notes) % 8] + (np.arange(notes) // 8) % 3
    table[:, Column.VELOCITY] = 60 + np.arange(notes) % 5
    table[:, Column.PART] = part
    table[:, Column.BAR_POSITION] = table[:, Column.ONSET] % 96
    return table


def test_a_piece_that_teaches_nothing_is_filtered_out_and_told_why() -> None:
    good = melody()
    silent, drone, wall = good.copy(), good.copy(), good.copy()
    silent[:, Column.VELOCITY] = 0
    drone[:, Column.PITCH] = 60
    wall[:, Column.ONSET] = 0
    stuck = good.copy()
    stuck[:-3, Column.PITCH] = 60
    assert why_not(good, 64) is None
    for piece, why in ((good[:20], "too short: 20"), (silent, "silent"), (drone, "1 different"), (wall, "80.0 notes"),
                       (stuck, "are the same one")):  # fmt: skip
        told = why_not(piece, 64)
        assert told is not None
        assert why in told


def test_onsets_move_to_sixteenths_and_triplets() -> None:
    played = melody(8)
    played[:, Column.BAR_POSITION] = played[:, Column.ONSET] = [0, 5, 7, 11, 15, 17, 23, 95]
    moved = quantise(played, (6, 8))
    assert moved[:, Column.ONSET].tolist() == [0, 6, 6, 12, 16, 18, 24, 96]
    assert moved[:, Column.DURATION].tolist() == played[:, Column.DURATION].tolist()


def test_without_a_bar_nothing_is_quantised() -> None:
    played = melody(8)
    played[:, Column.ONSET] += 1
    played[:, Column.BAR_POSITION] = -1
    assert quantise(played, (6, 8))[:, Column.ONSET].tolist() == played[:, Column.ONSET].tolist()


def test_of_two_notes_that_fall_together_the_longer_stays() -> None:
    twice = melody(2)
    twice[:, Column.PITCH] = 60
    twice[:, Column.ONSET] = twice[:, Column.BAR_POSITION] = [12, 13]
    twice[:, Column.DURATION] = [3, 20]
    assert quantise(twice, (6, 8))[:, Column.DURATION].tolist() == [20]


@given(tables, st.sampled_from([(1,), (6, 8), (3,), (24,)]))
def test_quantising_keeps_order_and_moves_no_onset_by_more_than_half_a_step(
    table: NoteTable, grid: tuple[int, ...]
) -> None:
    table[:, Column.BAR_POSITION] = table[:, Column.ONSET] % 96
    moved = quantise(table, grid)
    assert np.array_equal(moved, ordered(moved))
    assert all(any(onset % step == 0 for step in grid) for onset in moved[:, Column.ONSET].tolist())
    for onset in moved[:, Column.ONSET]:
        assert np.abs(table[:, Column.ONSET] - onset).min() <= max(grid) / 2


def test_normalising_evens_velocity_and_cuts_silence() -> None:
    loud = melody(64)
    loud[:, Column.VELOCITY] += 50
    loud[32:, Column.ONSET] += 5000
    even = normalise(loud)
    assert int(np.median(even[:, Column.VELOCITY])) == 76
    assert int(np.diff(even[:, Column.ONSET]).max()) == 96
    assert even[0, Column.ONSET] == 0


def test_rows_and_notes_are_each_others_inverse() -> None:
    piece = normalise(melody(40))
    back = notes_of(rows_of(piece))
    for column in (Column.ONSET, Column.DURATION, Column.PITCH, Column.PART):
        assert back[:, column].tolist() == piece[:, column].tolist()
    assert np.abs(back[:, Column.VELOCITY] - piece[:, Column.VELOCITY]).max() <= 4


def test_sequences_have_one_length_and_true_ticks() -> None:
    drums = melody(100, part=Part.DRUMS, first=36)
    config = SequenceConfig(length=16, fewest_notes=16, free_time=0.0)
    music = Sequences((Piece("a", "x", melody()), Piece("b", "x", drums), Piece("c", "x", melody(5))), config, {})
    rows = music.draw(np.random.default_rng(0), 50)
    assert rows.shape == (50, 16, 6)
    assert not rows[:, 0, Field.GAP].any()
    follows = tick_after(rows[:, :-1, Field.TICK], rows[:, 1:, Field.GAP])
    assert np.array_equal(follows, rows[:, 1:, Field.TICK])
    moved = rows[rows[:, 0, Field.PART] == Part.PIANO]
    still = rows[rows[:, 0, Field.PART] == Part.DRUMS]
    assert len({int(pitch) for pitch in moved[:, :, Field.PITCH].min(axis=1)}) > 4
    assert set(still[:, :, Field.PITCH].ravel().tolist()) <= set(drums[:, Column.PITCH].tolist())
    assert music.dropped == [("c", "too short: 5 notes, at least 16 are needed")]


def test_a_source_of_weight_0_is_left_out_and_no_music_is_an_error() -> None:
    pieces = (Piece("a", "x", melody()), Piece("b", "y", melody(first=40)))
    music = Sequences(pieces, SequenceConfig(length=16), {"y": 0.0})
    assert music.notes == 80
    with pytest.raises(DataError, match="none of 2 pieces"):
        Sequences(pieces, SequenceConfig(length=200), {})


@given(tables)
def test_no_key_is_struck_while_it_sounds_after_post_processing(table: NoteTable) -> None:
    neat = without_overlaps(table)
    for part, pitch in {(row[Column.PART], row[Column.PITCH]) for row in neat.tolist()}:
        same = neat[(neat[:, Column.PART] == part) & (neat[:, Column.PITCH] == pitch)]
        ends = same[:-1, Column.ONSET] + same[:-1, Column.DURATION]
        assert (ends <= same[1:, Column.ONSET]).all()
    assert (neat[:, Column.DURATION] >= 1).all()
    struck = {tuple(row) for row in table[:, [Column.ONSET, Column.PART, Column.PITCH]].tolist()}
    assert struck == {tuple(row) for row in neat[:, [Column.ONSET, Column.PART, Column.PITCH]].tolist()}


def test_wrong_notes_move_to_the_scale_and_drums_stay() -> None:
    tune = melody(40)
    tune[:, Column.PITCH] = np.resize([60, 62, 64, 65, 67, 69, 71, 72], 40)
    tune[3, Column.PITCH] = 61
    drums = melody(4, part=Part.DRUMS, first=37)
    both = ordered(np.concatenate([tune, drums]))
    fixed = in_scale(both, None)
    assert set((fixed[fixed[:, Column.PART] == Part.PIANO][:, Column.PITCH] % 12).tolist()) <= {0, 2, 4, 5, 7, 9, 11}
    kept = fixed[fixed[:, Column.PART] == Part.DRUMS][:, Column.PITCH]
    assert kept.tolist() == drums[:, Column.PITCH].tolist()
    assert in_scale(tune, 9 + 12).shape == tune.shape
    with pytest.raises(DataError, match="not 24"):
        in_scale(tune, 24)


@given(tables, st.integers(0, 96))
def test_no_rest_is_longer_than_asked_for(table: NoteTable, longest: int) -> None:
    cut = without_long_rests(table, longest)
    ends = np.maximum.accumulate(cut[:, Column.ONSET] + cut[:, Column.DURATION])
    assert (cut[1:, Column.ONSET] - ends[:-1] <= longest).all()
    assert cut[:, Column.PITCH].tolist() == ordered(table)[:, Column.PITCH].tolist()
    assert len(tidied(table)) <= len(table)


def test_metrics_tell_a_tune_from_noise() -> None:
    tune = rows_of(melody(32))
    noise = tune.copy()
    rng = np.random.default_rng(0)
    noise[:, Field.PITCH], noise[:, Field.GAP] = rng.integers(30, 90, 32), rng.integers(0, 48, 32)
    assert metrics.repetition(tune) > 0.5 > metrics.repetition(noise)
    assert metrics.tonal_stability(tune) > metrics.tonal_stability(noise)
    c_major = np.bincount([0, 4, 7, 0, 5, 9, 7, 11, 2, 0], minlength=12).astype(float)
    assert metrics.key_of(c_major) == 0
    assert metrics.key_of(np.roll(c_major, 3)) == 3
    assert metrics.tonal_stability(tune[:0]) == 0.0
    assert metrics.repetition(tune[:2]) == 0.0


def test_distances_are_0_for_the_same_and_1_for_the_unlike() -> None:
    a, b = np.array([3.0, 1.0, 0.0]), np.array([0.0, 0.0, 5.0])
    assert metrics.divergence(a, 7 * a) == pytest.approx(0.0, abs=1e-7)
    assert metrics.divergence(a, b) == pytest.approx(1.0)
    assert metrics.divergence(a, b) == metrics.divergence(b, a)
    assert metrics.earth_mover(np.array([0.0, 1.0]), np.array([1.5, 0.5])) == pytest.approx(0.5)


def mean_of(sample: metrics.Floats, chosen: NDArray[np.int64]) -> metrics.Floats:
    return np.array([sample[chosen].mean()])


def test_a_bootstrap_interval_holds_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(100):
        sample = rng.normal(2.0, 1.0, 50)
        found = metrics.bootstrapped(partial(mean_of, sample), 50, 200)[0]
        hits += found.low <= 2.0 <= found.high
    assert 85 <= hits <= 100


def test_axes_have_round_steps_and_hold_every_value() -> None:
    for values in ([1.0, 7.3], [0.0001, 0.0003], [5.0, 5.0], [-3.0, 12.0], []):
        low, high, step = axis_of(values)
        assert low < high
        assert step > 0
        assert all(low - 1e-9 <= value <= high + 1e-9 for value in values)
    assert len(averaged([(i / 1000, float(i)) for i in range(1000)])) <= 120
    assert averaged([(0.0, float("nan")), (1.0, 2.0)]) == [(1.0, 2.0)]


def test_pictures_show_their_lines_and_notes(tmp_path: Path) -> None:
    path = draw_curves([Panel("loss", {"a": [(0.0, 3.0), (1.0, 1.0)], "b": [(0.5, 2.0)]})], tmp_path / "curves.png")
    with Image.open(path) as picture:
        colours = picture.convert("RGB").getcolors(1 << 20)
    assert colours is not None
    drawn = {colour for _, colour in colours}
    assert {(0, 114, 178), (213, 94, 0)} <= drawn
    rolls = {"one": melody(16, part=Part.CHORDS), "two": melody(16, part=Part.LEAD)}
    with Image.open(draw_rolls(rolls, tmp_path / "rolls.png")) as picture:
        found = picture.convert("RGB").getcolors(1 << 20)
    assert found is not None
    by_colour = {colour: count for count, colour in found}
    # parts have colours of their own, and the same tune takes the same room in each
    assert by_colour[(0, 114, 178)] == by_colour[(213, 94, 0)] > 100
    with pytest.raises(DataError, match="nothing to draw"):
        draw_curves([Panel("loss", {"a": []})], path)
    with pytest.raises(DataError, match="cannot write"):
        draw_rolls({"one": melody(16)}, tmp_path / "missing" / "rolls.png")


def test_a_sample_is_a_midi_file_with_the_same_notes(tmp_path: Path) -> None:
    tune = melody(32)
    back = read_midi(write_midi(tune, tmp_path / "a.mid").read_bytes(), "a.mid").notes
    for column in (Column.ONSET, Column.DURATION, Column.PITCH, Column.VELOCITY):
        assert back[:, column].tolist() == tune[:, column].tolist()


def test_the_shipped_recipe_loads_and_bad_ones_are_told(tmp_path: Path) -> None:
    assert Recipe.load().sequences.grid == (6, 8)
    for text, told in (
        ("[training]\npretrain = 1.5", "training.pretrain: 0 to 1, not 1.5"),
        ("[training]\nfree_to = 64", "training.free_to: below sequences.length"),
        ("[training]\nspeed = 1", "speed"),
        ("[network]\nhidden = 1", r"no table \[network\]"),
        ("[sequences]\ngrid = [0]", "sequences.grid"),
        ("[sequences", "test"),
    ):
        with pytest.raises(DataError, match=told):
            Recipe.parse(text, "test")
    with pytest.raises(DataError, match="does not exist"):
        Recipe.load(str(tmp_path / "none.toml"))
    with pytest.raises(DataError, match="there is no recipe 'none'"):
        Recipe.load("none")


def test_bad_flags_are_told_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--threads"):
        main(["--run", str(tmp_path), "--out", str(tmp_path), "--threads", "0"])
    with pytest.raises(DataError, match=r"training\.minutes"):
        main(["--run", str(tmp_path), "--out", str(tmp_path), "--minutes", "-1"])
