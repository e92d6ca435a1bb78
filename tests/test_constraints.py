"""From settings and the key heard to what a generator may play."""

from __future__ import annotations

import numpy as np
import pytest
from antiphon.daemon.brain.constraints import OUTSIDE_HEARD_KEY, Palette, allowed_range, without
from antiphon.daemon.brain.key import HeardKey, hear_key
from antiphon.daemon.settings import KEYS, SCALES, Settings
from antiphon.models.parts import Part
from hypothesis import given
from hypothesis import strategies as st

C_MAJOR = [60, 64, 67, 72, 71, 69, 67, 65, 64, 62, 60, 67, 64, 60, 65, 69, 60]


def allowed(settings: Settings, part: Part, heard: HeardKey | None = None) -> list[int]:
    return [int(pitch) for pitch in np.flatnonzero(np.isfinite(Palette(settings, heard).pitch[int(part)]))]


def test_each_part_lies_where_it_belongs_within_what_is_asked_for() -> None:
    assert allowed_range(Part.BASS, 28, 100) == (28, 55)
    assert allowed_range(Part.BASS, 36, 100) == (36, 55)
    assert allowed_range(Part.PIANO, 28, 100) == (28, 100)
    assert allowed_range(Part.LEAD, 28, 72) == (60, 72)


def test_a_part_outside_what_is_asked_for_plays_the_nearest_octave() -> None:
    assert allowed_range(Part.BASS, 60, 90) == (60, 71)
    assert allowed_range(Part.LEAD, 30, 50) == (39, 50)


def test_drums_are_no_pitches() -> None:
    assert allowed_range(Part.DRUMS, 60, 61) == (35, 81)
    settings = Settings().with_value("key", "C").with_value("scale", "pentatonic")
    assert len(allowed(settings, Part.DRUMS)) == 81 - 35 + 1


def test_a_named_key_forbids_what_is_outside_it() -> None:
    settings = Settings().with_value("key", "D").with_value("scale", "major")
    assert {pitch % 12 for pitch in allowed(settings, Part.PIANO)} == {2, 4, 6, 7, 9, 11, 1}


def test_a_range_without_a_note_of_the_scale_is_played_all_the_same() -> None:
    settings = Settings().with_value("key", "C").with_value("low", 61).with_value("high", 61)
    assert allowed(settings, Part.PIANO) == [61]


def test_a_heard_key_makes_the_rest_unlikely_only() -> None:
    bias = Palette(Settings(), HeardKey(0, False)).pitch[int(Part.PIANO)]
    assert bias[60] == 0.0
    assert bias[61] == OUTSIDE_HEARD_KEY
    free = Palette(Settings().with_value("key", "off"), HeardKey(0, False)).pitch[int(Part.PIANO)]
    assert free[61] == 0.0


def test_a_key_is_heard_in_any_transposition_and_minor_told_from_major() -> None:
    for shift in range(12):
        assert hear_key([pitch + shift for pitch in C_MAJOR]) == HeardKey(shift, False)
    minor = [57, 60, 64, 69, 68, 69, 64, 62, 60, 59, 57, 64, 60, 57, 62, 65, 64, 57]
    assert hear_key(minor) == HeardKey(9, True)


def test_no_key_is_heard_in_little_or_in_everything() -> None:
    assert hear_key(C_MAJOR[:8]) is None
    assert hear_key(list(range(48, 96))) is None


def test_later_notes_count_more() -> None:
    moved = [pitch + 6 for pitch in C_MAJOR]
    assert hear_key(C_MAJOR * 4 + moved * 6) == HeardKey(6, False)


def test_pitches_can_be_forbidden_unless_nothing_is_left() -> None:
    bias = Palette(Settings().with_value("low", 60).with_value("high", 61), None).pitch[int(Part.PIANO)]
    assert np.flatnonzero(np.isfinite(without(bias, [60]))).tolist() == [61]
    assert np.flatnonzero(np.isfinite(without(bias, [60, 61]))).tolist() == [60, 61]


@given(st.integers(0, 127), st.integers(0, 127), st.sampled_from(KEYS), st.sampled_from(SCALES), st.integers(-1, 23))
def test_something_is_always_allowed_and_in_range(low: int, high: int, key: str, scale: str, heard: int) -> None:
    settings = Settings().with_value("low", low).with_value("high", high)
    settings = settings.with_value("key", key).with_value("scale", scale)
    key_heard = None if heard < 0 else HeardKey(heard % 12, heard >= 12)
    for part in Part:
        pitches = allowed(settings, part, key_heard)
        assert pitches
        if part is not Part.DRUMS:
            assert min(low, high) <= pitches[0] <= pitches[-1] <= max(low, high)


@pytest.mark.parametrize("name", ["temperature", "top_p"])
def test_sampling_settings_reach_the_generator(name: str) -> None:
    palette = Palette(Settings().with_value(name, 0.5), None)
    assert getattr(palette.at_once, name) == 0.5
    assert getattr(palette.constraints(min_gap=3), name) == 0.5
