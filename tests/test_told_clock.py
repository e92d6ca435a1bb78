"""Clocks told from outside: going on from what was told, tempo and place told apart, stops, losses; the engine."""

from __future__ import annotations

import math
from typing import Any

import pytest
from antiphon.daemon.brain.midi_clock import ClockEvent
from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.slewed_line import SlewedLine
from antiphon.daemon.brain.told_clock import LOST_NS, Source, Teller, Told, ToldClock, told_context
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.replay import stripped
from antiphon.daemon.settings import Settings
from hypothesis import given
from hypothesis import strategies as st

from tests.engine_rig import MS, S, change, engine, in_order, marks, ns, of, on, onsets_s, run

NONE, STARTED, STOPPED, LOCATED = ClockEvent.NONE, ClockEvent.STARTED, ClockEvent.STOPPED, ClockEvent.LOCATED


def told(t_s: float, beat: float, bpm: float = 120.0, source: Source = Source.JACK, **changes: Any) -> Told:
    return Told(source, ns(t_s), beat, round(60e9 / bpm), **changes)


def song(
    start_s: float, end_s: float, bpm: float = 120.0, beat: float = 0.0, source: Source = Source.JACK, metre: int = 0
) -> list[Record]:
    """What a source tells of a song that runs."""
    steps = round((end_s - start_s) * 10)
    return [
        told(start_s + n / 10, beat + n / 10 * bpm / 60, bpm, source, beats_per_bar=metre).record()
        for n in range(steps)
    ]


def halt(t_s: float, beat: float = 0.0, source: Source = Source.JACK) -> Record:
    return told(t_s, beat, source=source, running=False).record()


def heard(clock: ToldClock, *said: Told) -> list[ClockEvent]:
    return [clock.tell(one, one.t_ns) for one in said]


# ---- the line ---------------------------------------------------------------------------------------------------


_BENDS = st.lists(
    st.tuples(st.integers(0, 3 * S), st.floats(20, 400), st.floats(-3, 3), st.floats(0.25, 2)), max_size=12
)


@given(_BENDS)
def test_a_line_that_is_put_right_neither_jumps_nor_runs_backwards(
    bends: list[tuple[int, float, float, float]],
) -> None:
    line, now = SlewedLine(0, 0.0, 120.0), 0
    for wait_ns, bpm, owed, within in bends:
        looks = sorted({now, now + wait_ns // 3, now + wait_ns})
        beats = [line.beat_at(at) for at in looks]
        assert beats == sorted(beats)
        for at, beat in zip(looks, beats, strict=True):
            assert line.time_of(beat) == pytest.approx(at, abs=2)
        now += wait_ns
        before = line.beat_at(now)
        line.bend(now, bpm, owed, within)
        assert line.beat_at(now) == pytest.approx(before, abs=1e-6)
        done = now + round(max(within, 2 * abs(owed)) * 60e9 / bpm)
        span = (done - now) * bpm / 60e9
        assert line.beat_at(done) == pytest.approx(before + span + owed, abs=1e-6)
        assert line.settled_at(done) == pytest.approx(line.beat_at(done), abs=1e-6)
        half = (now + done) // 2
        assert 0.49 * span / 2 <= line.beat_at(half) - before <= 1.51 * span / 2


# ---- the clock --------------------------------------------------------------------------------------------------


def test_it_goes_on_from_what_was_told() -> None:
    clock = ToldClock(0, 97.0, 4)
    assert (clock.running, clock.seen, clock.bpm, clock.lost_at_ns) == (False, False, 97.0, None)
    assert heard(clock, told(5.0, 13.5, 90.0)) == [STARTED]
    assert clock.beat_at(ns(7.0)) == pytest.approx(16.5, abs=1e-6)
    assert clock.time_of(16.5) == pytest.approx(ns(7.0), abs=10)
    assert clock.bpm == pytest.approx(90.0)


def test_a_small_difference_is_made_up_for_without_a_jump() -> None:
    clock = ToldClock(0, 120.0, 4)
    heard(clock, told(1.0, 0.0))
    assert heard(clock, told(2.0, 2.1)) == [NONE]
    assert clock.beat_at(ns(2.0)) == pytest.approx(2.0, abs=1e-6)
    assert clock.beat_at(ns(2.125)) == pytest.approx(2.35, abs=1e-6)  # a quarter of a beat later all is made up
    assert clock.beat_at(ns(3.0)) == pytest.approx(4.1, abs=1e-6)


@pytest.mark.parametrize(
    ("beat", "event"), [(2.24, NONE), (1.76, NONE), (2.26, LOCATED), (1.74, LOCATED), (0.0, LOCATED)]
)
def test_more_than_a_sixteenth_is_another_place(beat: float, event: ClockEvent) -> None:
    clock = ToldClock(0, 120.0, 4)
    heard(clock, told(1.0, 0.0))
    assert heard(clock, told(2.0, beat)) == [event]
    if event is LOCATED:
        assert clock.beat_at(ns(2.0)) == pytest.approx(beat, abs=1e-6)


def test_a_tempo_that_changed_unheard_is_no_place() -> None:
    clock = ToldClock(0, 60.0, 4)
    heard(clock, told(1.0, 0.0, 60.0))
    assert heard(clock, told(2.0, 1.9, 120.0)) == [NONE]  # it doubled 0.1 s after it was told last
    assert clock.beat_at(ns(2.0)) == pytest.approx(1.0, abs=1e-6)
    assert clock.beat_at(ns(4.0)) == pytest.approx(5.9, abs=1e-6)
    assert heard(clock, told(4.0, 8.0, 120.0)) == [LOCATED]


def test_the_source_knows_the_metre_or_the_settings_do() -> None:
    clock = ToldClock(0, 120.0, 4)
    heard(clock, told(1.0, 0.0))
    assert clock.beats_per_bar == 4
    clock.metre = 5
    assert clock.beats_per_bar == 5
    heard(clock, told(1.1, 0.2, beats_per_bar=3))
    assert clock.beats_per_bar == 3


def test_a_source_that_says_nothing_is_lost() -> None:
    clock = ToldClock(0, 120.0, 4)
    heard(clock, told(1.0, 0.0))
    assert clock.lost_at_ns == ns(1.0) + LOST_NS
    assert clock.check(ns(1.0) + LOST_NS - 1) is NONE
    assert clock.check(ns(1.0) + LOST_NS) is STOPPED
    assert not clock.running
    assert clock.lost_at_ns is None
    assert clock.check(ns(9.0)) is NONE
    assert heard(clock, told(10.0, 18.0)) == [STARTED]


def test_a_stop_is_told_once() -> None:
    clock = ToldClock(0, 120.0, 4)
    stop = told(2.0, 2.0, running=False)
    assert heard(clock, told(1.0, 0.0), stop, stop._replace(t_ns=ns(3)), told(4.0, 0.0)) == [
        STARTED, STOPPED, NONE, STARTED,
    ]  # fmt: skip


_SAID = st.builds(
    Told, st.sampled_from(Source), st.integers(0, 10**15), st.floats(-1e6, 1e6), st.integers(60_000_000, 12 * S),
    st.booleans(), st.integers(0, 64),
)  # fmt: skip


@given(_SAID)
def test_what_is_told_survives_the_journal(said: Told) -> None:
    assert Told.of(Record.unpack(said.record().pack())) == said


@pytest.mark.parametrize(
    "change",
    [
        {"a": 0},
        {"a": 9},
        {"value": math.nan},
        {"value": math.inf},
        {"u_ns": 0},
        {"u_ns": -5},
        {"u_ns": 10**12},
        {"c": 65},
    ],
)
def test_nonsense_is_counted_and_changes_nothing(change: dict[str, Any]) -> None:
    chosen = engine("accompany", clock="jack")
    nonsense = told(1.0, 0.0).record()._replace(**change)
    assert Told.of(nonsense) is None
    chosen.handle(nonsense)
    assert chosen.counters.malformed == 1
    assert chosen.status(ns(1.0))["turn"] == "waiting"


# ---- what is worth telling --------------------------------------------------------------------------------------


def test_a_change_is_told_at_once_and_the_same_every_tenth() -> None:
    teller = Teller()
    readings = [told(n / 100, n / 50) for n in range(31)]
    assert [r.t_ns // MS for r in readings if teller.worth(r)] == [0, 100, 200, 300]
    assert teller.worth(told(0.31, 0.62, 121.0))
    assert not teller.worth(told(0.32, 0.62 + 0.01 * 121 / 60, 121.0))
    assert teller.worth(told(0.33, 8.0, 121.0))
    assert teller.worth(told(0.34, 8.02, 121.0, beats_per_bar=3))
    assert teller.worth(told(0.35, 8.04, 121.0, running=False))
    assert not teller.worth(told(7.0, 8.04, 121.0, running=False))
    assert teller.worth(told(7.1, 8.04, 121.0))


# ---- musical time -----------------------------------------------------------------------------------------------


_HAPPENING = st.one_of(
    st.tuples(st.just("go"), st.floats(0.001, 3.0)),
    st.tuples(st.just("place"), st.floats(-50, 50)),
    st.tuples(st.just("tempo"), st.floats(30, 300)),
    st.tuples(st.sampled_from(["stop", "link", "jack", "internal", "free"]), st.just(0.0)),
    st.tuples(st.just("nudge"), st.floats(-0.5, 0.5)),
)


@given(st.lists(_HAPPENING, max_size=40))
def test_ticks_never_run_backwards(happenings: list[tuple[str, float]]) -> None:
    settings = Settings().with_value("clock", "jack")
    time = MusicalTime(0, settings)
    time.select(settings, 0)
    now, last, beat, bpm = 0, time.position(0), 0.0, 120.0
    for what, amount in happenings:
        running = True
        if what == "go":
            now += ns(amount)
            beat += amount * bpm / 60
            assert time.position(now) >= last - 1e-6
            last = time.position(now)
            time.check(settings, now)
        elif what == "place":
            beat = amount
        elif what == "tempo":
            bpm = amount
        elif what == "nudge":
            time.nudge(amount, now)
        elif what == "stop":
            running = False
        else:
            settings = settings.with_value("clock", what)
            time.select(settings, now)
        time.tell(Told(Source.JACK, now, beat, round(60e9 / bpm), running), settings, now)
        assert time.position(now) >= last - 1e-6
        last = time.position(now)
    if settings.clock == "jack":
        time.tell(Told(Source.JACK, now, beat, round(60e9 / bpm)), settings, now)
        later = now + 200 * S
        assert time.grid is not None
        where = (time.position(later) - time.grid[0]) / time.grid[1]
        assert where == pytest.approx(beat + 200 * bpm / 60, abs=0.01)


def test_only_the_clock_in_use_is_gone_by() -> None:
    settings = Settings().with_value("clock", "link")
    time = MusicalTime(0, settings)
    time.select(settings, 0)
    time.tell(told(1.0, 0.0, 90.0, Source.JACK), settings, ns(1))
    assert not time.running
    assert time.take_events() == []
    time.tell(told(1.0, 7.0, 100.0, Source.LINK), settings, ns(1))
    assert time.running
    assert time.bpm == pytest.approx(100.0)
    assert time.take_events() == [STARTED]
    settings = settings.with_value("clock", "jack")
    time.select(settings, ns(1.5))
    assert time.bpm == pytest.approx(90.0)
    assert time.take_events() == []


# ---- the engine -------------------------------------------------------------------------------------------------


def test_an_accompaniment_plays_on_the_beat_that_it_is_told() -> None:
    log = run(engine("accompany", clock="jack", tightness=1.0), song(2.0, 12.0, 100.0), 12.0)
    assert marks(log)[:2] == [Mark.CLOCK_START, Mark.TEMPO]
    played = [t for t in onsets_s(log) if t < 12.0]
    assert len(played) > 10
    assert min(played) >= 2.0
    ticks = [(t - 2.0) * 100 / 60 * 24 for t in played]
    assert max(abs(tick - round(tick)) for tick in ticks) < 1e-3


def test_a_stop_silences_at_once_and_a_start_brings_it_back() -> None:
    inputs = [*song(1.0, 5.0), halt(5.0), *song(8.0, 12.0, beat=40.0)]
    log = run(engine("accompany", clock="jack"), inputs, 12.0)
    assert [mark for mark in marks(log) if mark in (Mark.CLOCK_START, Mark.CLOCK_STOP, Mark.LOCATE)] == [
        Mark.CLOCK_START, Mark.CLOCK_STOP, Mark.CLOCK_START,
    ]  # fmt: skip
    sounding = [r for r in of(log, Kind.SENT, Kind.ENDED, Kind.CUT) if r.u_ns <= ns(5.0)]
    assert sum(1 if r.kind == Kind.SENT else -1 for r in sounding) == 0
    assert not [r for r in of(log, Kind.SENT) if ns(5.0) < r.u_ns < ns(8.0)]
    assert [t for t in onsets_s(log) if t >= 8.0]


def test_a_source_that_falls_silent_silences_the_band() -> None:
    log = run(engine("accompany", clock="link"), song(1.0, 4.0, source=Source.LINK), 12.0)
    stopped = [r.t_ns / S for r in log if r.kind == Kind.MARK and r.a == Mark.CLOCK_STOP]
    assert stopped == [pytest.approx(3.9 + 2.0, abs=1e-3)]
    assert not [r for r in of(log, Kind.SENT) if r.u_ns > ns(5.91)]


def test_a_loop_is_a_new_plan_at_its_place() -> None:
    inputs = [*song(1.0, 5.0), *song(5.0, 9.0, beat=0.0)]
    log = run(engine("accompany", clock="jack", tightness=1.0), inputs, 9.0)
    assert marks(log).count(Mark.LOCATE) == 1
    chosen = engine("accompany", clock="jack")
    for record in inputs[:45]:
        chosen.handle(record)
    assert (chosen.status(ns(5.5))["bar"], chosen.status(ns(5.5))["beat"]) == (1, 2)


def test_bars_are_the_sources() -> None:
    chosen = engine("accompany", clock="jack")
    for record in song(1.0, 3.0, metre=3):
        chosen.handle(record)
    status = chosen.status(ns(1.0 + 3.5 * 0.5))
    assert (status["bar"], status["beat"], status["tempo_bpm"]) == (2, 1, 120.0)


def test_the_clock_may_change_while_it_plays() -> None:
    inputs = in_order(
        song(0.5, 12.0, 90.0, source=Source.LINK), song(0.5, 12.0, 140.0),
        [change(4.0, "clock", "jack"), change(8.0, "clock", "internal"), on(9.0, 60)],
    )  # fmt: skip
    log = run(engine("accompany", clock="link"), inputs, 12.0)
    tempi = [(r.t_ns / S, round(r.value, 1)) for r in log if r.kind == Kind.MARK and r.a == Mark.TEMPO]
    assert tempi == [(0.5, 90.0), (4.0, 140.0), (8.0, 120.0)]


@pytest.mark.parametrize("mode", ["accompany", "answer"])
def test_it_plays_the_same_again_from_its_log(mode: str) -> None:
    inputs = in_order(
        song(1.0, 4.0), song(4.0, 6.0, 131.7, 20.3), [halt(6.0)], song(7.0, 9.0), [on(2.0, 60), on(2.5, 64)],
        [Record(Kind.NUDGE, t_ns=ns(9.6), value=0.3), change(9.5, "clock", "internal")],
    )  # fmt: skip
    log = run(engine(mode, clock="jack"), inputs, 12.0)
    again = engine(mode, clock="jack")
    fed = [r for r in stripped(log) if not _order(r)]
    remade = [result for record in fed for result in again.handle(record)]
    assert [r for r in remade if r.kind == Kind.NOTE] == [r for r in log if r.kind == Kind.NOTE]
    assert mode == "answer" or len(of(log, Kind.NOTE)) > 20


def _order(record: Record) -> bool:
    from antiphon.daemon.offline import is_order

    return is_order(record) or record.kind == Kind.OUT


def test_a_lost_brain_begins_where_the_sources_were() -> None:
    log = in_order(song(1.0, 8.0, 97.0), song(1.0, 8.0, source=Source.LINK), [change(2.0, "mute", True)])
    context = told_context(log)
    assert {(r.a, r.t_ns) for r in context} == {(Source.JACK, ns(7.9)), (Source.LINK, ns(7.9))}
    back = engine("accompany", clock="jack")
    for record in (Record(Kind.RESTART, t_ns=ns(9.0), id=1, u_ns=5), *context):
        back.handle(record)
    assert back.status(ns(9.0))["bar"] == math.floor(8 * 97 / 60) // 4 + 1
