"""Tap tempo and nudge: taps through people's jitter, bounces, misses; the internal clock moved without a jump."""

from __future__ import annotations

import random

import pytest
from antiphon.daemon.brain.clock import InternalClock
from antiphon.daemon.brain.tapping import Tapped, Tapping
from antiphon.daemon.messages import Kind, Record
from hypothesis import given
from hypothesis import strategies as st

from tests.engine_rig import MS, S, change, engine, ns, run


def taps(*at_s: float) -> list[Tapped | None]:
    tapping = Tapping()
    return [tapping.tap(ns(t)) for t in at_s]


def test_four_taps_say_tempo_and_place() -> None:
    assert taps(1.0, 1.5, 2.0, 2.5) == [None, None, None, Tapped(120.0, ns(2.5))]


@given(st.floats(31, 290), st.integers(4, 20), st.integers(0, 10**12))
def test_even_taps_say_their_tempo(bpm: float, count: int, start_ns: int) -> None:
    tapping = Tapping()
    said = [tapping.tap(start_ns + round(n * 60e9 / bpm)) for n in range(count)]
    assert said[:3] == [None] * 3
    for number, one in enumerate(said[3:], 3):
        assert one is not None
        assert one.bpm == pytest.approx(bpm, abs=0.01)
        assert one.beat_ns == pytest.approx(start_ns + number * 60e9 / bpm, abs=1000)


@pytest.mark.parametrize("seed", range(20))
def test_eight_human_taps_are_near(seed: int) -> None:
    rng = random.Random(seed)
    said = taps(*(n * 0.6 + rng.gauss(0, 0.012) for n in range(1, 9)))[-1]
    assert said is not None
    assert said.bpm == pytest.approx(100.0, rel=0.02)
    assert said.beat_ns == pytest.approx(ns(8 * 0.6), abs=25 * MS)


def test_one_tap_beside_the_beat_is_dropped() -> None:
    said = taps(0.0, 0.5, 1.0, 1.62, 2.0, 2.5)[-1]
    assert said == Tapped(120.0, ns(2.5))
    assert taps(0.0, 0.5, 1.0, 1.5, 2.0, 2.6)[-1] == Tapped(120.0, ns(2.5))  # also the last: the beat is where it was


def test_a_missed_tap_counts_as_a_beat() -> None:
    assert taps(0.0, 0.5, 1.0, 2.0, 2.5)[-1] == Tapped(120.0, ns(2.5))


def test_a_pedal_that_bounces_taps_once() -> None:
    assert taps(0.0, 0.02, 0.5, 0.53, 1.0, 1.5, 1.51)[-2:] == [Tapped(120.0, ns(1.5)), None]


def test_a_pause_begins_anew_and_a_new_tempo_is_found() -> None:
    assert taps(0.0, 0.5, 1.0, 1.5, 5.0, 6.0, 7.0, 8.0)[4:] == [None, None, None, Tapped(60.0, ns(8.0))]


def test_taps_without_a_pulse_say_nothing() -> None:
    assert taps(0.0, 0.3, 1.9, 2.15)[-1] is None


def test_a_nudge_moves_the_beat_in_the_course_of_one() -> None:
    clock = InternalClock(0, 120.0, 4)
    clock.nudge(ns(2.0), 0.25)
    assert clock.beat_at(ns(2.0)) == 4.0
    assert clock.beat_at(ns(2.25)) == pytest.approx(4.625)
    assert clock.beat_at(ns(2.5)) == pytest.approx(5.25)
    assert clock.beat_at(ns(3.0)) == pytest.approx(6.25)
    assert clock.bpm == 120.0


def test_nudges_add_up_and_a_tempo_keeps_them() -> None:
    clock = InternalClock(0, 120.0, 4)
    clock.nudge(ns(1.0), 0.5)
    clock.nudge(ns(1.0), -0.2)
    clock.set_tempo(ns(1.0), 60.0)
    assert clock.beat_at(ns(1.0)) == pytest.approx(2.0)
    assert clock.beat_at(ns(3.0)) == pytest.approx(4.3)


def test_a_tapped_beat_is_where_it_was_tapped() -> None:
    clock = InternalClock(0, 120.0, 4)
    clock.put_beat(ns(4.2), ns(4.1))  # it is at 8.2 there: back
    assert clock.beat_at(ns(6.1)) == pytest.approx(12.0)
    clock.put_beat(ns(8.0), ns(8.0))  # at 15.8: on
    assert clock.beat_at(ns(10.0)) == pytest.approx(20.0)


def test_the_engine_moves_its_internal_clock() -> None:
    chosen = engine("accompany", clock="internal")
    chosen.handle(Record(Kind.START, id=1))
    time = chosen._stage.time
    assert time.internal_beat(ns(3.1)) == pytest.approx(6.0)
    chosen.handle(Record(Kind.NUDGE, t_ns=ns(3.1), value=0.5))
    assert time.internal_beat(ns(6.1)) == pytest.approx(12.5)
    chosen.handle(Record(Kind.TAPPED, t_ns=ns(6.1), u_ns=ns(5.8)))  # it was at 11.9 there: a tenth further on
    assert time.internal_beat(ns(6.1)) == pytest.approx(12.5)
    assert time.internal_beat(ns(8.1)) == pytest.approx(16.6)


@pytest.mark.parametrize("kind", [Kind.NUDGE, Kind.TAPPED])
@pytest.mark.parametrize("clock", ["midi", "free", "link"])
def test_no_other_clock_is_moved(clock: str, kind: Kind) -> None:
    moved, left = engine("answer", clock=clock), engine("answer", clock=clock)
    moved.handle(Record(kind, t_ns=ns(3.1), u_ns=ns(3.05), value=0.4))
    assert moved._stage.time.position(ns(7)) == left._stage.time.position(ns(7))
    assert moved.counters.malformed == 0


@pytest.mark.parametrize("value", [0.51, -0.6, float("nan"), float("inf")])
def test_a_nudge_that_is_none_is_counted(value: float) -> None:
    chosen = engine("accompany", clock="internal")
    chosen.handle(Record(Kind.NUDGE, t_ns=ns(1.0), value=value))
    assert chosen.counters.malformed == 1


def test_taps_in_time_with_the_band_leave_its_notes_on_the_grid() -> None:
    inputs = [change(2.0, "tempo", 100.0), Record(Kind.TAPPED, t_ns=ns(2.0), u_ns=ns(2.0))]
    log = run(engine("accompany", clock="internal", tightness=1.0), inputs, 10.0)
    late = [r.t_ns for r in log if r.kind == Kind.NOTE and r.t_ns > 4 * S]
    assert len(late) > 5
    ticks = [(t - 2 * S) / 25e6 for t in late]  # a 24th of a beat at 100 bpm
    assert max(abs(tick - round(tick)) for tick in ticks) < 1e-3
