"""Accompaniments whose agreement with a melody is known by heart."""

from __future__ import annotations

import numpy as np
import pytest
from antiphon.models.harmony import agreement, centroids, chord_tone_ratio, chords_under, pitch_consonance, unison_rate
from antiphon.models.notes import NoteTable

from tests.tables import wide


def _notes(*rows: tuple[int, int, int], part: int = 0) -> NoteTable:
    return wide([(onset, length, pitch, 80, part, -1) for onset, length, pitch in rows])


TRIAD = _notes((0, 96, 48), (0, 96, 52), (0, 96, 55), part=1)


def test_what_sounds_under_a_note_is_its_first_beat() -> None:
    under = _notes((0, 24, 48), (24, 24, 53), (60, 12, 55), part=1)
    chords = chords_under(_notes((0, 24, 60), (24, 72, 65), (120, 24, 60)), under)
    assert [np.flatnonzero(row).tolist() for row in chords] == [[0], [5], []]


def test_chord_tones_and_proper_tones_beside_them() -> None:
    scale = _notes((0, 24, 60), (24, 24, 62), (48, 24, 64), (72, 24, 67))
    chords = chords_under(scale, TRIAD)
    assert chord_tone_ratio(scale[:, 2], chords) == pytest.approx(1.0)  # D passes to E
    leap = _notes((0, 24, 60), (24, 24, 62), (48, 24, 67), (72, 24, 66))
    assert chord_tone_ratio(leap[:, 2], chords_under(leap, TRIAD)) == pytest.approx(0.5)


def test_consonance_is_worth_of_intervals_weighed_by_duration() -> None:
    over = _notes((0, 24, 67))  # over C, E and G: fifth, third, unison
    assert pitch_consonance(over, chords_under(over, TRIAD)) == pytest.approx(1.0)
    fourth = _notes((0, 24, 65))  # over C a fourth, over E a second, over G a seventh
    assert pitch_consonance(fourth, chords_under(fourth, TRIAD)) == pytest.approx(-2 / 3)
    both = _notes((0, 24, 67), (24, 72, 65))
    assert pitch_consonance(both, chords_under(both, TRIAD)) == pytest.approx(0.25 * 1 + 0.75 * -2 / 3)


def test_tonal_distance_is_the_same_in_every_key_and_a_fifth_is_near() -> None:
    one = np.eye(12, dtype=bool)
    apart = np.linalg.norm(centroids(one)[:, None] - centroids(one)[None], axis=-1)
    for shift in range(12):
        np.testing.assert_allclose(np.diag(np.roll(apart, -shift, axis=1)), apart[0, shift])
    assert apart[0, 7] < apart[0, 1]
    assert apart[0, 7] < apart[0, 6]


def test_unisons_are_struck_together_at_the_same_pitch() -> None:
    tune = _notes((0, 24, 60), (24, 24, 64))
    under = _notes((1, 24, 60), (0, 24, 48), (30, 24, 64), (24, 24, 60), part=1)
    assert unison_rate(tune, under) == pytest.approx(0.25)


def test_the_real_accompaniment_agrees_more_than_another_keys() -> None:
    steps = [60, 64, 67, 72, 65, 69, 72, 69, 67, 71, 74, 71]
    tune = _notes(*[(24 * n, 24, pitch) for n, pitch in enumerate(steps)])
    chords = [
        (96 * bar, 96, pitch) for bar, triad in enumerate([(48, 52, 55), (53, 57, 60), (55, 59, 62)]) for pitch in triad
    ]
    real = agreement(tune, _notes(*chords, part=1), 288)
    wrong = agreement(tune, _notes(*[(o, d, p + 6) for o, d, p in chords], part=1), 288)
    assert real.chord_tones == pytest.approx(1.0)
    assert real.chord_tones > wrong.chord_tones
    assert real.consonance == pytest.approx(8 / 9)  # four roots, each a fourth above the chord's fifth
    assert wrong.consonance < 0.0
    assert real.tonal_distance < wrong.tonal_distance
    assert real.density == pytest.approx(9 / 12)
    assert real.covered == pytest.approx(1.0)


def test_silence_and_drums_have_no_harmony() -> None:
    tune = _notes((0, 24, 60), (24, 24, 64))
    for under in (_notes(), _notes((0, 12, 36), part=3)):
        told = agreement(tune, under, 96)
        assert np.isnan([told.chord_tones, told.consonance, told.tonal_distance, told.unison]).all()
        assert (told.density, told.covered) == (0.0, 0.0)
    assert np.isnan(agreement(_notes(), TRIAD, 96).covered)
