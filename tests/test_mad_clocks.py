"""Clocks that nobody should send: whatever a master does, nothing raises, sticks, runs back or is planned too late."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import Any

import pytest
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.brain.midi_clock import MidiClock
from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.performer import CLOCK, CONTINUE, SONG_POSITION, START, TRANSPORT_STOP, Transport
from antiphon.daemon.brain.told_clock import Source
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.settings import Settings
from antiphon.daemon.suspended import Suspension, boot_clock
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.engine_rig import MS, S, clock_ticks, engine, in_order, marks, midi, ns, of, on, run

_MODES = ("follow", "answer", "continue", "accompany")
#: (what, a number)
_DEED = st.one_of(
    st.tuples(st.just("ticks"), st.integers(1, 200)),
    st.tuples(st.just("burst"), st.integers(1, 100)),
    st.tuples(st.just("bpm"), st.sampled_from([0.001, 1, 20, 60, 120, 300, 400, 1000, 5000])),
    st.tuples(st.just("wait"), st.integers(0, 8000)),
    st.tuples(st.sampled_from(["start", "stop", "continue", "note"]), st.just(0)),
    st.tuples(st.just("position"), st.integers(0, 0x3FFF)),
    st.tuples(st.just("told"), st.tuples(
        st.sampled_from([*Source, 0, 9]), st.floats(allow_nan=True, allow_infinity=True), st.integers(-5, 10**12),
        st.booleans(), st.integers(0, 255), st.integers(-10**9, 10**9),
    )),
)  # fmt: skip


def _carried_out(deeds: Iterable[tuple[str, Any]]) -> tuple[list[Record], float]:
    """Give the records, and the second that they end at; no more than a minute of them."""
    now_ns, bpm, records = S, 120.0, list[Record]()
    for what, amount in deeds:
        if now_ns > 60 * S:
            break
        if what == "bpm":
            bpm = float(amount)
        elif what == "wait":
            now_ns += int(amount) * MS
        elif what in ("ticks", "burst"):
            for _ in range(int(amount)):
                now_ns += round(min(60e9 / bpm / 24, 5e9)) if what == "ticks" else 0
                records.append(midi(now_ns / S, CLOCK))
                if now_ns > 60 * S:
                    break
        elif what == "told":
            source, beat, beat_ns, running, metre, ahead_ns = amount
            records.append(Record(Kind.TOLD_BEAT, source, running, metre, 0, max(0, now_ns + ahead_ns), beat_ns, beat))
        elif what == "position":
            records.append(midi(now_ns / S, SONG_POSITION, int(amount) & 127, int(amount) >> 7))
        elif what == "note":
            records += [on(now_ns / S, 60), midi(now_ns / S + 0.05, 0x80, 60, 0)]
            now_ns += 50 * MS
        else:
            status = {"start": START, "stop": TRANSPORT_STOP, "continue": CONTINUE}[what]
            records.append(midi(now_ns / S, status))
        now_ns += 1
    return records, now_ns / S


def _is_sound(log: list[Record]) -> None:
    now_ns, fates = 0, dict[int, list[int]]()
    for record in log:
        if record.kind in (Kind.MIDI_IN, Kind.WAKE, Kind.STOP):
            now_ns = max(now_ns, record.t_ns)
        elif record.kind == Kind.NOTE:
            fates[record.id] = []
            assert record.t_ns >= now_ns  # nothing is planned in the past
            assert not record.u_ns or record.u_ns > record.t_ns
        elif record.kind in (Kind.SENT, Kind.DROPPED, Kind.CANCELLED, Kind.ENDED, Kind.CUT):
            fates[record.id].append(record.kind)
    ends = ([Kind.CANCELLED], [Kind.DROPPED], [Kind.SENT, Kind.ENDED], [Kind.SENT, Kind.CUT])
    assert all(fate in ends for fate in fates.values())


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(_MODES), st.sampled_from(["auto", "midi", "jack", "link", "followed"]),
       st.lists(_DEED, max_size=25))  # fmt: skip
def test_nothing_raises_sticks_or_is_late_whatever_the_master_does(
    mode: str, clock: str, deeds: list[tuple[str, Any]]
) -> None:
    records, end_s = _carried_out(deeds)
    records.sort(key=lambda record: record.t_ns)
    _is_sound(run(engine(mode, clock=clock), records, end_s + 2))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_DEED, max_size=30))
@example([("burst", 15), ("ticks", 10)])
def test_beats_never_run_back_unannounced(deeds: list[tuple[str, Any]]) -> None:
    chosen = Settings().with_value("mode", "accompany").with_value("clock", "midi")
    time, last, epoch = MusicalTime(0, chosen), -math.inf, -1
    records, _ = _carried_out([deed for deed in deeds if deed[0] not in ("told", "note")])
    for record in records:
        time.check(chosen, record.t_ns)
        time.feed(Transport(record.a, record.b, record.c, 0, record.t_ns), chosen)
        position = time.position(record.t_ns)
        assert math.isfinite(position)
        if time.epoch == epoch:
            # what jitter moves, and ticks that were taken for lost and came after all
            assert position >= last - 1.5 - time.clock_corrections[1]
        last, epoch = (max(last, position), epoch) if time.epoch == epoch else (position, time.epoch)


def test_a_clock_at_a_thousand_bpm_or_none_is_survived() -> None:
    for bpm in (1000.0, 0.01):
        chosen = engine("accompany", clock="midi")
        ticks = [midi(1, START), *clock_ticks(1, 100 if bpm > 1 else 0.1, bpm)]
        log = run(chosen, in_order(ticks, clock_ticks(30, 16, 120.0)), 38)
        _is_sound(log)
        again = [record for record in of(log, Kind.SENT) if record.t_ns > 34 * S]
        assert again  # a sane clock is followed again
        assert chosen.status(ns(37))["tempo_bpm"] == pytest.approx(120, rel=0.01)


def _with_a_gap(beats: float) -> tuple[Engine, list[Record], int]:
    """Eight beats of 120 bpm, a clock that stops for some, and eight more that go on where it would be by then."""
    chosen, half = engine("accompany", clock="midi"), 0.5
    gone = 1 + 8 * half
    ticks = [midi(1, START), *clock_ticks(1, 8), *clock_ticks(gone + beats * half, 8)]
    return chosen, run(chosen, ticks, gone + (beats + 8) * half - 0.1), ns(gone)


def test_half_a_beat_without_ticks_is_bridged() -> None:
    chosen, log, gone_ns = _with_a_gap(0.5)
    assert Mark.CLOCK_STOP not in marks(log)
    assert [record for record in of(log, Kind.SENT) if gone_ns < record.t_ns < gone_ns + 250 * MS]
    assert chosen.status(gone_ns + 3 * S)["clock_missed"] == 12
    _is_sound(log)


def test_ten_beats_without_ticks_stop_the_music_and_end_its_notes() -> None:
    _, log, gone_ns = _with_a_gap(10.0)
    (stopped,) = [record for record in of(log, Kind.MARK) if record.a == Mark.CLOCK_STOP]
    assert gone_ns + 400 * MS < stopped.t_ns <= gone_ns + 600 * MS  # a beat of patience
    came_back_ns = gone_ns + 5 * S
    assert not [r for r in of(log, Kind.SENT) if stopped.t_ns < r.u_ns < came_back_ns]
    assert not [r for r in of(log, Kind.ENDED, Kind.CUT) if stopped.t_ns < r.u_ns < came_back_ns]
    assert [r for r in of(log, Kind.SENT) if r.u_ns > came_back_ns]
    _is_sound(log)


def _beat_error_ms(bpm: float, ramp: float, seed: int) -> list[float]:
    """How far each beat's estimate lies from the truth, after 4 beats, with ±3 ms of jitter on every tick.

    The tempo goes from ``bpm`` by ``ramp`` (a share) and back, over 16 beats each way.
    """
    rng, clock = random.Random(seed), MidiClock(4)
    clock.feed(START, 0, 0, 0, 0)
    now_ns, errors = 10.0 * S, []
    for tick in range(24 * 48):
        beat = tick / 24
        clock.feed(CLOCK, 0, 0, 0, round(now_ns + rng.uniform(-3, 3) * MS))
        phase = beat % 32
        tempo = bpm * (1 + ramp * (phase / 16 if phase < 16 else 2 - phase / 16))
        if beat > 4:
            errors.append((clock.beat_at(round(now_ns)) - beat) * 60e3 / tempo)
        now_ns += 60e9 / tempo / 24
    return errors


def _rms(errors: list[float]) -> float:
    return math.sqrt(sum(error * error for error in errors) / len(errors))


@pytest.mark.parametrize("bpm", [60, 80, 100, 120, 140, 160, 180, 200])
@pytest.mark.parametrize("ramp", [0.0, 0.05, 0.1])
def test_through_3_ms_of_jitter_the_beat_is_within_1_5_ms_rms_after_4_beats(bpm: int, ramp: float) -> None:
    errors = [error for seed in range(4) for error in _beat_error_ms(bpm, ramp, seed)]
    print(f"{bpm} bpm, ramp {ramp:.0%} over 16 beats: {_rms(errors):.2f} ms RMS")
    assert _rms(errors) < 1.5


# ---- a machine that sleeps --------------------------------------------------------------------------------------


class _Machine:
    """Two clocks, and a pause before each reading."""

    def __init__(self) -> None:
        self.now_ns, self.boot_ns, self.pauses = S, 5 * S, list[int]()

    def pass_by(self, awake_ns: int, asleep_ns: int = 0) -> None:
        self.now_ns += awake_ns
        self.boot_ns += awake_ns + asleep_ns

    def now(self) -> int:
        self.pass_by(self.pauses.pop(0) if self.pauses else 100)
        return self.now_ns

    def boot(self) -> int:
        self.pass_by(self.pauses.pop(0) if self.pauses else 100)
        return self.boot_ns


def test_a_sleep_is_seen_once_and_for_how_long() -> None:
    machine = _Machine()
    seen = Suspension(machine.boot, machine.now)
    machine.pass_by(S)
    assert seen.slept_ns() == 0
    machine.pass_by(S, 3600 * S)
    assert seen.slept_ns() == pytest.approx(3600 * S, abs=1000)
    machine.pass_by(S)
    assert seen.slept_ns() == 0
    assert Suspension(None).slept_ns() == 0


@given(st.lists(st.tuples(st.integers(0, 10**12), st.lists(st.integers(0, 10**11), min_size=3, max_size=3))))
def test_standing_still_between_two_readings_is_no_sleep(story: list[tuple[int, list[int]]]) -> None:
    machine = _Machine()
    seen = Suspension(machine.boot, machine.now)
    for awake_ns, machine.pauses in story:
        machine.pass_by(awake_ns)
        assert seen.slept_ns() == 0


def test_this_machines_own_clocks_are_read() -> None:
    assert Suspension(boot_clock()).slept_ns() == 0


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("clock", ["auto", "internal", "midi"])
def test_after_a_sleep_everything_is_ended_and_it_begins_again(mode: str, clock: str) -> None:
    chosen = engine(mode, clock=clock)
    slept_ns = ns(6.03)
    before = [*([midi(1, START), *clock_ticks(1, 10)] if clock == "midi" else []), on(2, 60), on(5.8, 64)]
    after = [*(clock_ticks(6.1, 12) if clock == "midi" else []), on(8, 67), midi(8.2, 0x80, 67, 0)]
    triggers = [Record(Kind.TRIGGER, t_ns=5 * S), Record(Kind.TRIGGER, t_ns=9 * S)] if mode == "continue" else []
    log = run(chosen, in_order(before, triggers, [Record(Kind.SLEPT, t_ns=slept_ns, u_ns=3600 * S)], after), 12)
    assert chosen.counters.suspended == 1
    at = next(index for index, record in enumerate(log) if record.kind == Kind.SLEPT)
    sounding = {r.id for r in log[:at] if r.kind == Kind.NOTE} - {
        r.id for r in log[:at] if r.kind in (Kind.ENDED, Kind.CUT, Kind.CANCELLED, Kind.DROPPED)
    }
    gone = {r.id for r in log[at:] if r.kind in (Kind.CUT, Kind.CANCELLED, Kind.ENDED) and r.u_ns <= slept_ns}
    assert sounding <= gone
    assert not [r for r in of(log, Kind.SENT) if slept_ns <= r.u_ns < slept_ns + 10 * MS]  # no burst
    assert [r for r in of(log, Kind.SENT) if r.u_ns > slept_ns]
    assert list(chosen._stage.performer.held()) == []
    _is_sound(log)
