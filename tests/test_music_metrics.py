"""Figures of takes whose answers are known by heart."""

from __future__ import annotations

import numpy as np
import pytest
from antiphon.models.music_metrics import (
    bars,
    groove_consistency,
    key_fits,
    music_metrics,
    notes_a_beat,
    pitch_class_entropy,
    pitch_classes,
    repetition,
    scale_consistency,
    tonal_stability,
)
from antiphon.models.notes import NoteTable
from antiphon.models.overlap import FEATURES, overlapped_area, overlapped_areas

from tests.tables import wide

C_MAJOR = (60, 62, 64, 65, 67, 69, 71, 72)


def _line(pitches: list[int], gap: int = 12, part: int = 0, bar: bool = True) -> NoteTable:
    rows = [(n * gap, gap - 1, pitch, 80, part, n * gap % 96 if bar else -1) for n, pitch in enumerate(pitches)]
    return wide(rows)


def test_bars_are_the_known_ones_or_of_four_beats() -> None:
    waltz = _line([60] * 12, gap=24)
    waltz[:, 5] = waltz[:, 0] % 72
    assert bars(waltz)[0].tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    free = _line([60] * 8, gap=24, bar=False)
    free[:, 0] += 7
    assert bars(free)[0].tolist() == [0] * 4 + [1] * 4
    assert bars(free)[1].tolist() == [0, 24, 48, 72] * 2


def test_pitch_class_entropy_is_in_bits_over_windows() -> None:
    assert pitch_class_entropy(_line([60, 72, 48] * 8)) == pytest.approx(0.0)
    assert pitch_class_entropy(_line([60, 62, 64, 66] * 8)) == pytest.approx(2.0)
    assert pitch_class_entropy(_line(list(range(60, 72)) * 8, gap=16)) == pytest.approx(np.log2(12))
    # each bar has one pitch class of its own: nothing within a bar, something within four
    held = _line([60] * 8 + [65] * 8)
    assert pitch_class_entropy(held, bars_long=1) == pytest.approx(0.0)
    assert pitch_class_entropy(held, bars_long=4) == pytest.approx(1.0)
    assert np.isnan(pitch_class_entropy(_line([36] * 8, part=3)))


def test_scale_consistency_takes_the_best_scale() -> None:
    assert scale_consistency(_line([pitch + 3 for pitch in C_MAJOR])) == pytest.approx(1.0)
    assert scale_consistency(_line([*C_MAJOR, 61, 66])) < 1.0
    assert scale_consistency(_line(list(range(60, 72)))) == pytest.approx(7 / 12)


def test_the_key_finder_finds_keys() -> None:
    fits = key_fits(pitch_classes(_line([60, 64, 67, 60, 65, 69, 67, 71, 62, 60])))
    assert int(fits.argmax()) == 0
    minor = key_fits(pitch_classes(_line([57, 60, 64, 57, 62, 65, 64, 68, 71, 57, 57])))
    assert int(minor.argmax()) == 12 + 9
    assert np.isnan(key_fits(np.zeros(12))).all()


def test_a_take_that_wanders_through_keys_is_less_stable() -> None:
    home = list(C_MAJOR) * 8
    wander = [pitch + shift for shift in (0, 6, 1, 8, 3, 10, 5, 2) for pitch in C_MAJOR]
    assert tonal_stability(_line(home)) == pytest.approx(1.0)
    assert tonal_stability(_line(wander, gap=24)) < 0.6
    assert np.isnan(tonal_stability(_line([36] * 20, part=3)))


def test_groove_consistency_compares_all_pairs_of_bars() -> None:
    steady = _line([60] * 16, gap=24)
    assert groove_consistency(steady) == pytest.approx(1.0)
    # bar one on the four beats, bar two on the four off-beats: eight of 64 places differ
    off = _line([60] * 8, gap=24)
    off[4:, 0] += 12
    off[4:, 5] += 12
    assert groove_consistency(off) == pytest.approx(1 - 8 / 64)
    three = np.concatenate([off, _line([60] * 4, gap=24) + wide([192, 0, 0, 0, 0, 0])])
    assert groove_consistency(three) == pytest.approx(1 - (8 + 0 + 8) / 3 / 64)
    assert np.isnan(groove_consistency(steady[:4]))


def test_repetition_finds_figures_in_any_key_and_only_in_one_part() -> None:
    rng = np.random.default_rng(0)
    figure = rng.integers(50, 70, 12).tolist()
    once, twice = _line(figure), _line(figure + [pitch + 5 for pitch in figure])
    assert repetition(once) == pytest.approx(0.0)
    assert repetition(twice) == pytest.approx(9 / 21)  # nine figures of four notes come back, three bridge the seam
    apart = np.concatenate([_line(figure), _line(figure, part=2)])
    assert repetition(apart) == pytest.approx(0.0)
    late = twice.copy()
    late[::2, 0] += 1  # a tick late is the same figure
    assert repetition(late) == pytest.approx(9 / 21)
    assert np.isnan(repetition(once[:3]))


def test_density_counts_drums_too() -> None:
    assert notes_a_beat(_line([36] * 9, gap=6, part=3)) == pytest.approx(9 * 24 / 48)
    assert notes_a_beat(_line([60] * 4), ticks=96) == pytest.approx(1.0)


def test_every_figure_of_an_empty_take_is_nan_and_not_a_number_that_looks_like_one() -> None:
    for values in music_metrics([wide([])]).values():
        assert np.isnan(values).all()


def test_overlapped_area_is_one_for_the_same_and_none_for_far_apart() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(0, 1, 400)
    assert overlapped_area(one, one) == pytest.approx(1.0, abs=1e-3)
    assert overlapped_area(one, one + 100) == pytest.approx(0.0, abs=1e-6)
    # two unit normals two apart share 2 Phi(-1) = 0.317; smoothing widens both a little
    assert overlapped_area(rng.normal(0, 1, 4000), rng.normal(2, 1, 4000)) == pytest.approx(0.317, abs=0.04)
    assert overlapped_area(np.zeros(5), np.zeros(5)) == pytest.approx(1.0, abs=1e-2)
    assert overlapped_area(np.zeros(5), np.ones(5)) == pytest.approx(0.0, abs=1e-2)


def _walks(seed: int, low: int, high: int, count: int = 16) -> list[NoteTable]:
    rng = np.random.default_rng(seed)
    return [_line(rng.integers(low, high, 40).tolist(), int(rng.integers(6, 13))) for _ in range(count)]


def test_takes_like_the_real_ones_overlap_more_than_others() -> None:
    real = _walks(0, 50, 70)
    alike, other = overlapped_areas(_walks(1, 50, 70), real), overlapped_areas(_walks(2, 20, 110), real)
    assert set(alike) == {*FEATURES, "mean"}
    assert alike["mean"] > 0.8
    assert other["mean"] < alike["mean"] - 0.1
    assert other["pitch range"] < 0.2
    assert np.isnan(overlapped_areas([], real)["mean"])
