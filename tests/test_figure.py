"""The last bar again, where an accompaniment's generator fails."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from antiphon.daemon.brain.figure import MOST_BARS, Figure
from antiphon.daemon.brain.own_notes import OwnNote
from antiphon.daemon.messages import Kind, Trouble
from antiphon.models.generator import Draw, HeldNote
from antiphon.models.parts import Part
from hypothesis import given
from hypothesis import strategies as st

from tests.engine_rig import engine, of, run
from tests.fake_generator import FakeGenerator

_BAR = 96
_BAR_S = 2.0  # 120 bpm


def own(tick: int, pitch: int = 40, duration: int = 12, part: int = Part.DRUMS) -> OwnNote:
    return OwnNote(9, pitch, 80, HeldNote(tick, part, pitch, 80, tick % 24, tick // 24 % 4, tick + duration), duration)


def figure(*ticks: int) -> Figure:
    made = Figure()
    for tick in ticks:
        made.add(own(tick))
    return made


def test_a_bar_comes_again_a_bar_later() -> None:
    again = figure(0, 24, 48, 72).again(96, 144, _BAR)
    assert [(note.tick, note.off_tick, note.draw.pitch) for note in again] == [(96, 108, 40), (120, 132, 40)]


def test_what_is_about_to_be_handed_over_counts_and_what_was_taken_back_does_not() -> None:
    made = figure(0, 24)
    gone = own(48)
    gone.remembered = False
    made.add(gone)
    assert [note.tick for note in made.again(96, 192, _BAR, [own(72)])] == [96, 120, 168]


def test_it_does_not_go_on_for_ever_but_anew_after_something_new() -> None:
    made = figure(*range(0, 96, 24))
    ticks: list[int] = []
    for start in range(96, 96 * 9, 48):
        notes = made.again(start, start + 48, _BAR)
        ticks += [note.tick for note in notes]
        for note in notes:
            made.add(own(note.tick))
    assert len(ticks) == MOST_BARS * 4
    made.moved_on()
    assert made.again(ticks[-1] + 24, ticks[-1] + 48, _BAR)


def test_what_was_held_for_bars_is_held_for_one() -> None:
    made = Figure()
    made.add(own(0, duration=960, part=Part.PAD))
    (note,) = made.again(96, 192, _BAR)
    assert note.off_tick - note.tick == _BAR


@given(st.lists(st.integers(0, 2000), max_size=80), st.integers(0, 3000), st.integers(0, 300))
def test_what_comes_again_lies_where_it_was_asked_for(ticks: list[int], start: int, length: int) -> None:
    for note in figure(*sorted(ticks)).again(start, start + length, _BAR):
        assert start <= note.tick < start + length
        assert note.tick - _BAR in ticks


class Leaves(FakeGenerator):
    """Fails at some of its draws, counted."""

    def __init__(self, first: float = math.inf, last: float = math.inf) -> None:
        super().__init__()
        self._first, self._last = first, last
        self._asked = 0

    def sample(self, *given: Any, **more: Any) -> Draw:
        self._asked += 1
        if self._first <= self._asked <= self._last:
            raise RuntimeError("gone")
        return super().sample(*given, **more)


@pytest.mark.parametrize("parts", ["drums", "chords+bass+drums"])
def test_an_accompaniment_whose_generator_fails_for_good_plays_its_last_bar_again_and_stops(parts: str) -> None:
    before = engine("accompany", Leaves(), clock="internal", tempo=120.0, parts=parts, tightness=1.0)
    whole = run(before, [], 12.0)
    played = engine("accompany", Leaves(90), clock="internal", tempo=120.0, parts=parts, tightness=1.0)
    log = run(played, [], 40.0)
    failed_s = of(log, Kind.TROUBLE)[0].t_ns / 1e9
    assert of(log, Kind.TROUBLE)[0].a == Trouble.GENERATOR
    notes = [(round(r.t_ns / 1e6), r.a, r.b) for r in of(log, Kind.SENT)]
    assert notes[:20] == [(round(r.t_ns / 1e6), r.a, r.b) for r in of(whole, Kind.SENT)][:20]
    last_s = notes[-1][0] / 1e3
    assert failed_s + (MOST_BARS - 1) * _BAR_S <= last_s <= failed_s + (MOST_BARS + 2) * _BAR_S
    repeated = [note for note in notes if note[0] / 1e3 > failed_s + 2 * _BAR_S]
    assert repeated
    sent = set(notes)
    assert all((ms - round(_BAR_S * 1e3), channel, pitch) in sent for ms, channel, pitch in repeated)
    assert played.counters.repeated >= len(repeated)
    assert played.counters.dropped == played.counters.late_plans == 0
    assert {r.id for r in of(log, Kind.SENT)} == {r.id for r in of(log, Kind.ENDED, Kind.CUT)}


def test_a_generator_that_comes_back_goes_on_without_a_hole() -> None:
    played = engine("accompany", Leaves(90, 93), clock="internal", tempo=120.0, tightness=1.0)
    log = run(played, [], 24.0)
    troubles = of(log, Kind.TROUBLE)
    assert [r.a for r in troubles] == [Trouble.GENERATOR] * 4 + [Trouble.GENERATOR_BACK]
    assert troubles[-1].t_ns - troubles[0].t_ns > 3e9
    assert played.counters.repeated > 0
    sent_s = sorted(r.t_ns / 1e9 for r in of(log, Kind.SENT))
    assert sent_s[-1] > 22.0
    assert max(b - a for a, b in itertools.pairwise(sent_s)) <= 1.1
