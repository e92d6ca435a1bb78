"""Where notes are put beside the grid: swing, and the performer's own timing taken over."""

from __future__ import annotations

import dataclasses

import pytest
from antiphon.daemon.brain.feel import Feel, swung
from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.pocket import Pocket
from antiphon.daemon.settings import Settings
from antiphon.models.generator import TICKS_PER_BEAT, HeldNote
from antiphon.models.notes import SHIFTS
from antiphon.models.parts import Part
from hypothesis import given
from hypothesis import strategies as st

_BEAT_MS = 500.0
_STRAIGHT = Settings(clock="internal", mode="accompany", tempo=120.0, tightness=1.0)


def on_a_beat(settings: Settings) -> tuple[MusicalTime, Feel]:
    time = MusicalTime(0, settings)
    time.select(settings, 0)
    return time, Feel(time, 1)


def note(time: MusicalTime, beats: float, part: int = Part.DRUMS, shift: int = SHIFTS // 2) -> HeldNote:
    assert time.grid is not None
    tick = time.grid[0] + round(beats * TICKS_PER_BEAT)
    return HeldNote(tick, part, 60, 80, *time.place(tick), tick + 6.0, shift)


def off_ms(feel: Feel, held: HeldNote, settings: Settings) -> float:
    return feel.off_ns(held, settings) / 1e6


def play(time: MusicalTime, feel: Feel, behind: dict[int, float], beats: int = 16) -> None:
    """Strike on some sixteenths of every beat, each by so many beats behind."""
    assert time.grid is not None
    for beat in range(beats):
        for place, off in behind.items():
            feel.hear(time.grid[0] + (beat + place / 4 + off) * TICKS_PER_BEAT)


def test_without_anything_a_tight_note_is_on_its_tick() -> None:
    time, feel = on_a_beat(_STRAIGHT)
    assert [off_ms(feel, note(time, place / 24), _STRAIGHT) for place in range(48)] == [0.0] * 48


def test_swing_moves_the_second_eighth_and_the_sixteenths_but_no_triplet() -> None:
    settings = dataclasses.replace(_STRAIGHT, swing=0.6)
    time, feel = on_a_beat(settings)
    beat = [off_ms(feel, note(time, 1 + tick / 24), settings) for tick in range(24)]
    expected = {6: 0.05, 12: 0.1, 18: 0.05}
    assert beat == pytest.approx([expected.get(tick, 0.0) * _BEAT_MS for tick in range(24)], abs=0.01)


@given(st.floats(0.5, 0.75))
def test_swung_places_stay_in_order(swing: float) -> None:
    places = [place / 4 + swung(place, swing) for place in range(4)]
    assert places == sorted(places)
    assert places[0] == 0.0
    assert places[2] == pytest.approx(swing)
    assert places[3] < 1.0


def test_a_performer_who_lays_back_is_leant_with_and_not_at_all_at_tightness_1() -> None:
    loose = dataclasses.replace(_STRAIGHT, tightness=0.8)
    time, feel = on_a_beat(loose)
    play(time, feel, {0: 0.04, 2: 0.08})
    tight = [off_ms(feel, note(time, place / 4), _STRAIGHT) for place in range(4)]
    assert tight == [0.0] * 4
    # a part's own drift is added: its mean over many notes is none
    means = []
    for place in range(4):
        fresh = [off_ms(feel, note(time, 20 + place / 4, part=Part.LEAD), loose) for _ in range(3000)]
        means.append(sum(fresh) / len(fresh))
    full = 12 / 14  # of what twelve onsets and two of doubt say
    assert means == pytest.approx([0.04 * full * _BEAT_MS, 0.0, 0.08 * full * _BEAT_MS, 0.0], abs=1.0)


def test_no_feel_takes_nothing_over() -> None:
    settings = dataclasses.replace(_STRAIGHT, tightness=0.8, feel=0.0)
    time, feel = on_a_beat(settings)
    other_time, other = on_a_beat(settings)
    play(time, feel, dict.fromkeys(range(4), 0.1))
    held = note(time, 3.5)
    assert [off_ms(feel, held, settings) for _ in range(9)] == [off_ms(other, held, settings) for _ in range(9)]
    assert time.grid == other_time.grid


def test_where_swing_is_set_the_performers_lean_is_not_added() -> None:
    settings = dataclasses.replace(_STRAIGHT, tightness=0.999999, swing=0.66)
    time, feel = on_a_beat(settings)
    play(time, feel, {2: 0.12})
    assert off_ms(feel, note(time, 4.5), settings) == pytest.approx(0.16 * _BEAT_MS, abs=0.1)


def test_without_a_beat_there_is_no_line_to_lean_from_but_what_was_drawn_is_played() -> None:
    settings = dataclasses.replace(_STRAIGHT, clock="free", mode="answer", swing=0.7)
    time, feel = on_a_beat(settings)
    feel.hear(17.3)
    held = HeldNote(40, Part.PIANO, 60, 80, 24, 15, 50.0, SHIFTS - 1)
    place = time.time_of(40 + (SHIFTS - 1 - SHIFTS // 2) / SHIFTS) - time.time_of(40)
    assert feel.off_ns(held, settings) == place


def test_the_same_seed_wanders_the_same_way() -> None:
    settings = dataclasses.replace(_STRAIGHT, tightness=0.0)
    time, feel = on_a_beat(settings)
    first = [feel.off_ns(note(time, beat), settings) for beat in range(20)]
    feel.reseed(1)
    assert [feel.off_ns(note(time, beat), settings) for beat in range(20)] == first
    assert len(set(first)) == 20
    feel.reseed(2)
    assert [feel.off_ns(note(time, beat), settings) for beat in range(20)] != first


@given(st.lists(st.floats(0.0, 64.0), max_size=60))
def test_a_pocket_never_leans_beyond_half_a_sixteenth(onsets: list[float]) -> None:
    pocket = Pocket()
    for beat in onsets:
        pocket.hear(beat)
    assert all(abs(pocket.lean(place)) <= 1 / 8 + 1e-9 for place in range(4))


def test_a_pocket_forgets_what_is_long_ago() -> None:
    pocket = Pocket()
    for beat in range(100):
        pocket.hear(beat + 0.1)
    for beat in range(40):
        pocket.hear(beat - 0.05)
    assert pocket.lean(0) == pytest.approx(-0.05 * 12 / 14, abs=0.006)
