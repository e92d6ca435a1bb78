"""Clocks: beats at times and times of beats; MIDI clock through jitter, stops, jumps and losses."""

from __future__ import annotations

import random

import numpy as np
import pytest
from antiphon.daemon.brain.clock import FreeClock, InternalClock
from antiphon.daemon.brain.midi_clock import ClockEvent, MidiClock
from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.performer import Transport
from antiphon.daemon.messages import Record
from antiphon.daemon.settings import Settings
from hypothesis import assume, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.engine_rig import MS, S, clock_ticks, midi, ns

CLOCK, START, CONTINUE, STOP, POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2


def feed(clock: MidiClock, *records: Record) -> list[ClockEvent]:
    events = [clock.feed(r.a, r.b, r.c, r.id >> 8, r.t_ns) for r in records]
    return [event for event in events if event is not ClockEvent.NONE]


def running(bpm: float = 120.0, beats: float = 4.0, start_s: float = 0.0) -> MidiClock:
    clock = MidiClock(4)
    assert feed(clock, midi(start_s, START), *clock_ticks(start_s, beats, bpm)) == [ClockEvent.STARTED]
    return clock


def test_free_time_is_two_beats_a_second_without_a_pulse() -> None:
    clock = FreeClock(S)
    assert clock.beat_at(2 * S) == 2.0
    assert clock.time_of(2.0) == 2 * S
    assert clock.beats_per_bar is None


@given(st.integers(0, 10**12), st.floats(30, 300), st.integers(0, 16), st.floats(-100, 10_000))
def test_internal_time_and_beat_are_inverse(start: int, bpm: float, count_in: int, beat: float) -> None:
    clock = InternalClock(start, bpm, 4, -count_in)
    assert clock.beat_at(start) == -count_in
    assert clock.beat_at(clock.time_of(beat)) == pytest.approx(beat, abs=1e-6)


@given(st.lists(st.tuples(st.integers(1, 10 * S), st.floats(30, 300)), max_size=20))
def test_the_tempo_changes_without_a_jump(changes: list[tuple[int, float]]) -> None:
    clock, now = InternalClock(0, 120.0, 4), 0
    for wait, bpm in changes:
        now += wait
        before = clock.beat_at(now)
        clock.set_tempo(now, bpm)
        assert clock.beat_at(now) == pytest.approx(before, abs=1e-9)
        assert clock.beat_at(now + S) == pytest.approx(before + bpm / 60, abs=1e-6)


@pytest.mark.parametrize("bpm", [60.0, 120.0, 174.0])
def test_the_beat_is_found_through_jitter(bpm: float) -> None:
    rng = random.Random(3)
    clock = MidiClock(4)
    feed(clock, midi(0, START))
    errors_ms: list[float] = []
    for tick in range(24 * 40):
        exact_ns = tick * 60e9 / bpm / 24
        feed(clock, midi((exact_ns + rng.uniform(-3, 3) * MS + 10 * S) / S, CLOCK))
        if tick > 24 * 2:
            for ahead in (0.0, 0.25):  # now, and as far ahead as notes are handed over
                truth_ns = exact_ns + ahead * 60e9 / bpm + 10 * S
                errors_ms.append((clock.time_of((tick / 24) + ahead) - truth_ns) / MS)
    assert np.sqrt(np.mean(np.square(errors_ms))) < 1.5
    assert clock.bpm == pytest.approx(bpm, rel=0.01)


def test_a_new_tempo_is_followed_within_two_beats() -> None:
    clock = running(120.0, 8)
    feed(clock, *clock_ticks(4.0, 2, 150.0))
    assert clock.bpm == pytest.approx(150.0, rel=0.01)
    assert clock.beat_at(ns(4.0 + 2 * 60 / 150)) == pytest.approx(10.0, abs=0.02)


def test_start_puts_beat_0_on_the_next_tick() -> None:
    clock = running(120.0, 4, start_s=5.0)
    assert clock.running
    assert clock.beat_at(ns(5.0)) == pytest.approx(0.0, abs=1e-3)
    assert clock.beat_at(ns(7.0)) == pytest.approx(4.0, abs=1e-3)


def test_a_clock_that_comes_in_mid_song_runs_from_its_first_tick() -> None:
    clock = MidiClock(4)
    assert feed(clock, *clock_ticks(3.0, 2)) == [ClockEvent.STARTED]
    assert clock.beat_at(ns(4.0)) == pytest.approx(2.0, abs=1e-3)


def test_ticks_of_a_stopped_song_do_not_move_it() -> None:
    clock = running(120.0, 4)
    assert feed(clock, midi(2.0, STOP), *clock_ticks(2.0, 4)) == [ClockEvent.STOPPED]
    assert not clock.running
    assert feed(clock, midi(4.0, CONTINUE), *clock_ticks(4.0, 1)) == [ClockEvent.STARTED]
    assert clock.beat_at(ns(4.0)) == pytest.approx(4.0, abs=1e-2)


def test_position_and_continue_locate() -> None:
    clock = running(120.0, 4)
    feed(clock, midi(2.0, STOP), midi(2.1, POSITION, 32, 0), midi(2.2, CONTINUE), *clock_ticks(2.5, 2))
    assert clock.beat_at(ns(3.5)) == pytest.approx(10.0, abs=1e-2)


def test_a_jump_while_running_is_told_and_taken_at_the_next_tick() -> None:
    clock = running(120.0, 4)
    events = feed(clock, midi(1.995, POSITION, 0, 0), *clock_ticks(2.0, 1))
    assert events == [ClockEvent.LOCATED]
    assert clock.beat_at(ns(2.5)) == pytest.approx(1.0, abs=1e-2)


def test_a_position_that_is_where_it_is_anyway_is_no_jump() -> None:
    clock = running(120.0, 4)
    assert feed(clock, midi(1.995, POSITION, 16, 0), *clock_ticks(2.0, 1)) == []


def test_a_lost_clock_stops_after_a_beat_and_ticks_bring_it_back_in_phase() -> None:
    clock = running(120.0, 4)
    lost_at = clock.lost_at_ns
    assert lost_at is not None
    assert lost_at == pytest.approx(ns(2.0 - 0.5 / 24 + 0.5), abs=5 * MS)
    assert clock.check(lost_at - 1) is ClockEvent.NONE
    assert clock.check(lost_at) is ClockEvent.STOPPED
    assert feed(clock, *clock_ticks(3.0, 1)) == [ClockEvent.STARTED]
    assert clock.beat_at(ns(3.5)) == pytest.approx(7.0, abs=0.02)


def test_a_second_master_is_not_mixed_in() -> None:
    clock = MidiClock(4)
    both = [r._replace(id=port << 8 | 1) for r in clock_ticks(0.0, 4) for port in (0, 1)]
    feed(clock, *both)
    assert clock.bpm == pytest.approx(120.0, rel=0.01)


def musical(mode: str, **changes: object) -> tuple[MusicalTime, Settings]:
    settings = Settings().with_value("mode", mode)
    for name, value in changes.items():
        settings = settings.with_value(name, value)
    time = MusicalTime(0, settings)
    time.select(settings, 0)
    return time, settings


def tell(time: MusicalTime, settings: Settings, *records: Record) -> list[ClockEvent]:
    for r in records:
        time.feed(Transport(r.a, r.b, r.c, 0, r.t_ns), settings)
    return time.take_events()


def test_auto_is_free_to_answer_and_internal_to_accompany() -> None:
    assert musical("answer")[0].grid is None
    time, _ = musical("accompany", tempo=90.0)
    assert time.bpm == 90.0
    assert time.grid is not None


def test_auto_takes_midi_clock_while_it_runs() -> None:
    time, settings = musical("answer")
    assert tell(time, settings, *clock_ticks(1.0, 2)) == [ClockEvent.STARTED]
    assert time.grid is not None
    assert tell(time, settings, midi(2.0, STOP)) == [ClockEvent.STOPPED]
    assert time.grid is None
    assert time.running  # free time never stops


def test_a_master_that_stopped_is_still_the_master_of_an_accompaniment() -> None:
    time, settings = musical("accompany")
    tell(time, settings, midi(1.0, START), *clock_ticks(1.0, 2), midi(2.0, STOP))
    assert not time.running
    assert time.grid is None


def test_beats_lie_on_the_grid_of_the_master() -> None:
    time, settings = musical("accompany")
    tell(time, settings, midi(1.0, START), *clock_ticks(1.003, 8))
    downbeat, ticks, beats = time.grid or (0, 0, 0)
    assert (ticks, beats) == (24, 4)
    assert time.time_of(downbeat + 96) == pytest.approx(ns(3.003), abs=MS)
    assert time.place(downbeat + 24 * 6 + 5) == (5, 2)


def test_the_internal_clock_counts_in() -> None:
    time, _ = musical("accompany", count_in=1)
    assert time.time_of(time.beat_zero_tick) == ns(0.1 + 2.0)


_HAPPENING = st.one_of(
    st.tuples(st.just("ticks"), st.integers(1, 60)),
    st.tuples(st.just("wait"), st.integers(700, 3000)),  # in a shorter one the master only stumbled
    st.tuples(st.sampled_from(["start", "stop", "continue", "internal", "midi", "free", "auto"]), st.just(0)),
    st.tuples(st.just("position"), st.integers(0, 400)),
    st.tuples(st.just("tempo"), st.integers(30, 300)),
)


@given(st.lists(_HAPPENING, max_size=40))
def test_ticks_never_run_back_by_more_than_jitter(happenings: list[tuple[str, int]]) -> None:
    time, settings = musical("accompany")
    now, last = 0, time.position(0)

    def look(at: int) -> None:
        nonlocal last
        position = time.position(at)
        taken_back = time.clock_corrections[1]
        # a filtered tick may lie a little before where it was expected; what was taken for lost may be taken back
        assert position >= last - 1.5 - taken_back
        last = max(last, position)

    for what, amount in happenings:
        if what == "ticks":
            for _ in range(amount):
                now += 20 * MS
                look(now)
                time.feed(Transport(CLOCK, 0, 0, 0, now), settings)
                look(now)
            continue
        if what == "wait":
            now += amount * MS
            look(now)
            time.check(settings, now)
        elif what in ("internal", "midi", "free", "auto"):
            settings = settings.with_value("clock", what)
            time.select(settings, now)
        elif what == "tempo":
            settings = settings.with_value("tempo", amount)
            time.select(settings, now)
        else:
            status = {"start": START, "stop": STOP, "continue": CONTINUE, "position": POSITION}[what]
            time.feed(Transport(status, amount & 127, amount >> 7, 0, now), settings)
        look(now)


def lossy(rng: random.Random, ticks: int, losses: set[int], jitter_ms: float = 2.0) -> list[Record]:
    """120 bpm from second 0, with some ticks missing."""
    return [
        midi(tick * 0.5 / 24 + rng.uniform(0, jitter_ms) / 1e3, CLOCK) for tick in range(ticks) if tick not in losses
    ]


@examples(derandomize=True, max_examples=300)
@given(st.sets(st.integers(48, 470), max_size=40), st.integers(0, 5))
def test_lost_ticks_do_not_move_the_beat(lost: set[int], seed: int) -> None:
    """Any ticks of a steady clock may be missing, but for so many in a row that they look like a slower one."""
    alternating = any({tick, tick + 2, tick + 4} <= lost for tick in lost)
    threes = any({tick, tick + 1, tick + 3, tick + 4, tick + 6, tick + 7} <= lost for tick in lost)
    assume(not alternating and not threes)
    clock = MidiClock(4)
    feed(clock, midi(0, START), *lossy(random.Random(seed), 480, lost))
    missed, taken_back = clock.corrections
    assert missed - taken_back == len(lost)
    assert clock.beat_at(ns(10.0)) == pytest.approx(20.0, abs=0.02)
    assert clock.bpm == pytest.approx(120.0, rel=0.02)


@pytest.mark.parametrize("stall_s", [0.03, 0.0421, 0.05, 0.0627, 0.2])
def test_ticks_that_were_only_late_count_once(stall_s: float) -> None:
    """The wire stands still for a moment and then gives everything at once."""
    clock = MidiClock(4)
    from_s = 4.001
    stuck = [from_s + stall_s if from_s <= t < from_s + stall_s else t for t in (n * 0.5 / 24 for n in range(480))]
    feed(clock, midi(0, START), *(midi(t, CLOCK) for t in stuck))
    assert clock.beat_at(ns(10.0)) == pytest.approx(20.0, abs=0.02)


@pytest.mark.parametrize("bpm", [60.0, 40.0, 30.0])
def test_a_tempo_that_is_a_whole_part_of_the_old_one_is_no_loss(bpm: float) -> None:
    clock = running(120.0, 8)
    feed(clock, *clock_ticks(4.0, 4, bpm))
    assert clock.bpm == pytest.approx(bpm, rel=0.01)
    assert clock.beat_at(ns(4.0 + 4 * 60 / bpm)) == pytest.approx(12.0, abs=0.05)


@examples(derandomize=True, max_examples=300)  # any mixture can be made ambiguous in the end: the same ones each time
@given(st.lists(st.tuples(st.floats(1.1, 9.0), st.floats(0.02, 0.12), st.floats(0, 1)), max_size=12), st.integers(0, 9))
def test_a_busy_wire_does_not_move_the_beat_for_long(stalls: list[tuple[float, float, float]], seed: int) -> None:
    """While it stalls it loses some ticks and holds the others back; some quiet beats later the beat is right."""
    rng = random.Random(seed)
    arrivals = []
    for tick in range(720):
        at_s = tick * 0.5 / 24
        for start_s, length_s, losing in stalls:
            if start_s <= at_s < start_s + length_s and at_s < 9.5:
                at_s = -1.0 if rng.random() < losing else start_s + length_s
                break
        if at_s >= 0.0:
            arrivals.append(at_s + rng.uniform(0, 2e-3))
    clock = MidiClock(4)
    feed(clock, midi(0, START), *(midi(at_s, CLOCK) for at_s in sorted(arrivals)))
    assert clock.beat_at(ns(15)) == pytest.approx(30.0, abs=0.02)


@pytest.mark.parametrize(
    ("flows_ms", "stalls_ms", "lost"), [(200, 20, 0.05), (60, 30, 0.05), (30, 30, 0.1), (20, 40, 0)]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_of_a_minute_leaves_the_beat_where_it_was(
    flows_ms: float, stalls_ms: float, lost: float, seed: int
) -> None:
    """A machine that is taken away half of the time: two seconds after it is over, the beat is right."""
    rng, now_s, stalls = random.Random(seed), 10.0, []
    while now_s < 70.0:
        begin_s = now_s + rng.expovariate(1e3 / flows_ms)
        now_s = begin_s + rng.expovariate(1e3 / stalls_ms)
        stalls.append((begin_s, now_s))
    arrivals, index = [], 0
    for tick in range(48 * 73):
        at_s = tick * 0.5 / 24 + rng.uniform(0, 1e-3)
        while index < len(stalls) and stalls[index][1] < at_s:
            index += 1
        if index < len(stalls) and stalls[index][0] <= at_s:
            if rng.random() < lost:
                continue
            at_s = stalls[index][1] + rng.uniform(0, 1e-4)
        arrivals.append(at_s)
    clock = MidiClock(4)
    feed(clock, midi(0, START), *(midi(at_s, CLOCK) for at_s in sorted(arrivals)))
    assert clock.beat_at(ns(73.0)) == pytest.approx(146.0, abs=0.01)
    assert clock.bpm == pytest.approx(120.0, rel=0.001)
