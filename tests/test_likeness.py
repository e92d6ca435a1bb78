"""What an answer takes from a phrase: register, lengths, rhythm."""

from __future__ import annotations

import numpy as np
from antiphon.daemon.brain.likeness import Likeness, liken
from antiphon.models.generator import HeldNote


def two_hands() -> list[HeldNote]:
    """Melody on the beat and half of it, a low note on every beat."""
    notes = []
    for beat in range(8):
        low = HeldNote(beat * 24, 5, 45 + beat % 3, 60, off_tick=beat * 24 + 24)
        notes += [low, *(HeldNote(beat * 24 + half, 5, 74 + beat % 4, 80, off_tick=beat * 24 + half + 9)
                         for half in (0, 12))]  # fmt: skip
    return notes


def like(notes: list[HeldNote], shift: int = 0, pulse: tuple[float, float] | None = (0.0, 24.0)) -> Likeness:
    found = liken(notes, 1000, shift, pulse)
    assert found is not None
    return found


def test_a_register_that_is_left_out_becomes_likelier_and_one_that_is_overdone_less() -> None:
    likeness = like(two_hands())
    only_low, only_high = likeness.pitch_bias([46] * 10), likeness.pitch_bias([75] * 10)
    assert only_low[75] - only_low[46] > only_high[75] - only_high[46] + 3.0
    assert only_low[75] > 0 > only_low[46]


def test_what_is_answered_in_the_phrases_own_proportion_is_left_alone() -> None:
    notes = two_hands()
    bias = like(notes).pitch_bias([note.pitch for note in notes[:15]])
    assert np.abs(bias[[45, 46, 47, 74, 75, 76]]).max() < 0.5


def test_between_two_hands_little_is_played() -> None:
    bias = like(two_hands()).pitch_bias([])
    assert bias[60] < min(bias[46], bias[75]) - 1.0


def test_a_line_moves_by_the_phrases_own_steps() -> None:
    line = [HeldNote(12 * index, 0, 60 + index % 4, 80, off_tick=12 * index + 10) for index in range(12)]
    likeness = like(line)
    assert likeness.voices == 1
    bias = likeness.pitch_bias([62])
    assert bias[64] > bias[70] > bias[78]


def test_the_spread_lies_where_the_answer_does() -> None:
    notes = two_hands()
    higher = like(notes, shift=12)
    np.testing.assert_allclose(higher.spread[12:], like(notes).spread[:-12], atol=1e-6)


def test_lengths_are_the_phrases_and_a_held_note_ends_now() -> None:
    notes = two_hands()
    likeness = like(notes)
    assert (likeness.shortest, likeness.usual, likeness.longest) == (6, 9, 24)
    held = [*notes[:-1], HeldNote(notes[-1].tick, 5, 60, 80)]
    assert like(held).longest <= 24


def test_onsets_lean_to_where_in_the_pulse_they_fell() -> None:
    bias = like(two_hands()).gap_bias(24)
    assert bias is not None
    assert bias[0] == bias[24] == 0.0
    assert bias[12] > -0.8 > -2.0 > bias[6]
    swung = [HeldNote(beat * 24 + place, 0, 60, 80, off_tick=beat * 24 + place + 5) for beat in range(4)
             for place in (0, 16)]  # fmt: skip
    swing = like(swung).gap_bias(0)
    assert swing is not None
    assert swing[16] == 0.0 > swing[12]


def test_a_pulse_may_have_any_length() -> None:
    notes = [HeldNote(round(3 + 17.5 * index), 0, 60 + index, 80, off_tick=20 + 18 * index) for index in range(9)]
    bias = like(notes, pulse=(3.0, 17.5)).gap_bias(3)
    assert bias is not None
    assert bias[35] > -0.5
    assert bias[9] < -2.0


def test_without_a_pulse_or_a_phrase_there_is_no_rhythm() -> None:
    assert like(two_hands(), pulse=None).gap_bias(0) is None
    assert liken(two_hands()[:3], 100, 0, None) is None
