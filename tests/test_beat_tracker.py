"""The beat found in what is played: steady, rubato, lost, and a clock all the while."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from antiphon.daemon.brain.beat_model import BEATS, BeatModel, kind_of
from antiphon.daemon.brain.beat_tracker import BeatTracker
from antiphon.daemon.messages import Kind
from antiphon.daemon.offline import run_offline
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine_rig import S, engine, in_order, ns, off, on

_LOOK_NS = 20_000_000


def comping(beats_s: list[float]) -> list[tuple[int, int]]:
    """Give onsets (ns, pitch) of a plain pop accompaniment: a bass and a chord on beats, a note between them."""
    onsets = []
    for number, (beat, after) in enumerate(pairwise(beats_s)):
        chord = (60, 64, 67) if number % 2 == 0 else (67,)
        onsets += [(ns(beat), pitch) for pitch in ((36, *chord) if number % 2 == 0 else chord)]
        onsets.append((ns((beat + after) / 2), 72))
    return sorted(onsets)


def heard(clock: BeatTracker, onsets: list[tuple[int, int]], end_ns: int, start_ns: int = 0) -> list[float]:
    """Let a clock hear onsets and look at itself; give its beat at each look."""
    waiting, told = list(onsets), []
    for now in range(start_ns, end_ns, _LOOK_NS):
        while waiting and waiting[0][0] <= now:
            at, pitch = waiting.pop(0)
            clock.hear(at, pitch, 80)
        clock.check(now)
        told.append(clock.beat_at(now))
    return told


@pytest.mark.parametrize("bpm", [66.0, 84.0, 100.0, 124.0])
def test_a_steady_pulse_is_found(bpm: float) -> None:
    beats = [1.0 + number * 60 / bpm for number in range(32)]
    clock = BeatTracker(0)
    heard(clock, comping(beats), ns(beats[-1]))
    assert clock.running
    assert clock.confidence > 0.8
    assert clock.bpm == pytest.approx(bpm, rel=0.03)
    off_beat = [(clock.beat_at(ns(beat)) + 0.5) % 1.0 - 0.5 for beat in beats[-3:]]
    assert max(map(abs, off_beat)) * 60 / bpm < 0.05


def test_a_slowing_player_is_followed() -> None:
    beats, beat = [], 1.0
    for number in range(60):
        beats.append(beat)
        beat += 60 / (100.0 - 0.4 * number)
    clock = BeatTracker(0)
    heard(clock, comping(beats), ns(beats[-1]))
    assert clock.running
    assert clock.bpm == pytest.approx(76.4, rel=0.06)
    assert abs((clock.beat_at(ns(beats[-1])) + 0.5) % 1.0 - 0.5) < 0.15


def test_silence_loses_the_pulse_and_another_tempo_is_found_after_it() -> None:
    clock = BeatTracker(0)
    first = [1.0 + number * 0.6 for number in range(24)]
    heard(clock, comping(first), ns(first[-1]))
    assert clock.running
    assert clock.looks_ns is not None
    quiet_ns = ns(first[-1] + 8.0)
    before = clock.beat_at(quiet_ns)
    clock.check(quiet_ns)
    assert not clock.running
    assert clock.confidence == 0.0
    assert clock.looks_ns is None
    assert clock.beat_at(quiet_ns) == pytest.approx(before)
    second = [first[-1] + 9.0 + number * 0.8 for number in range(24)]
    heard(clock, comping(second), ns(second[-1]), quiet_ns)
    assert clock.running
    assert clock.bpm == pytest.approx(75.0, rel=0.03)


def test_nothing_is_believed_of_a_few_notes() -> None:
    clock = BeatTracker(0)
    heard(clock, [(ns(1.0 + 0.5 * number), 60) for number in range(4)], ns(3.0))
    assert not clock.running


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1500), st.integers(21, 108)), min_size=1, max_size=60),
    st.lists(st.integers(1, 400), min_size=1, max_size=30),
)
def test_a_running_clock_never_jumps_or_goes_back(gaps: list[tuple[int, int]], looks_ms: list[int]) -> None:
    """Whatever is played, however often it is looked at."""
    clock, now, last = BeatTracker(0), 0, None
    for index, (gap_ms, pitch) in enumerate(gaps):
        now += gap_ms * 1_000_000
        for action in ("check", "hear"):
            was_running, before = clock.running, clock.beat_at(now)
            if action == "check":
                clock.check(now)
                now += looks_ms[index % len(looks_ms)] * 1_000_000
            else:
                clock.hear(now, pitch, 80)
                if was_running and clock.running:
                    assert clock.beat_at(now) == pytest.approx(before, abs=1e-6)
        if last is not None and was_running and clock.running:
            assert clock.beat_at(now) >= last
        last = clock.beat_at(now) if clock.running else None
        assert clock.beat_at(clock.time_of(12.25)) == pytest.approx(12.25, abs=1e-6)
        assert 0.0 <= clock.confidence <= 1.0 + 1e-9


def test_the_same_notes_are_the_same_beat() -> None:
    beats = [0.5 + number * 0.55 for number in range(20)]
    assert heard(BeatTracker(0), comping(beats), ns(11.0)) == heard(BeatTracker(0), comping(beats), ns(11.0))


def test_what_is_struck_together_is_one_onset() -> None:
    assert [kind_of(1, 60), kind_of(2, 60), kind_of(3, 60), kind_of(8, 60)] == [1, 3, 5, 5]
    assert kind_of(1, 40) == 2
    spread, block = BeatTracker(0), BeatTracker(0)
    beats = [1.0 + number * 0.6 for number in range(24)]
    for clock, apart in ((spread, 0.006), (block, 0.0)):
        onsets = [(ns(beat + apart * note), 48 + 4 * note) for beat in beats for note in range(4)]
        heard(clock, onsets, ns(beats[-1]))
        assert clock.running
        assert clock.bpm == pytest.approx(100.0, rel=0.03)


def test_the_model_is_a_distribution() -> None:
    model = BeatModel()
    random = np.random.default_rng(0)
    for _ in range(300):
        model.hear(int(random.integers(0, 7)))
        belief = model.belief()
        assert 0.3 < belief.period_s < 1.2
        assert 0.0 <= belief.place < BEATS
        assert 0.0 <= belief.confidence <= 1.0 + 1e-9


def test_a_pianist_with_no_click_is_accompanied() -> None:
    """On the beat that was found, and no more once they stop."""
    beats = [1.0 + number * 0.64 for number in range(40)]
    played = [
        record
        for at, pitch in comping(beats)
        for record in (on(at / S, pitch), off(at / S + 0.2, pitch))
    ]  # fmt: skip
    brain = engine("accompany", clock="followed", tightness=1.0)
    log = run_offline(brain, in_order(played), ns(beats[-1] + 14.0))
    onsets = np.array([record.t_ns / S for record in log if record.kind == Kind.SENT and record.b])
    assert len(onsets) > 20
    assert onsets.min() > beats[4]  # nobody comes in before there is a beat
    assert onsets.max() < beats[-1] + 9.0
    settled = onsets[(onsets > beats[12]) & (onsets < beats[-1])]
    sixteenth = 0.16
    off_grid = np.abs((settled - beats[0]) / sixteenth - np.round((settled - beats[0]) / sixteenth)) * sixteenth
    triplet = 0.64 / 3
    off_triplet = np.abs((settled - beats[0]) / triplet - np.round((settled - beats[0]) / triplet)) * triplet
    assert np.percentile(np.minimum(off_grid, off_triplet), 75) < 0.04
    assert "beat_confidence" in brain.status(ns(1.0))
