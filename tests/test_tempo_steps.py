"""A MIDI clock whose tempo steps: no tick of it was lost, and the beat is right again within a beat of the step."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from antiphon.daemon.brain.midi_clock import MidiClock
from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.performer import CLOCK, START, Transport
from antiphon.daemon.brain.tick_line import TickLine
from antiphon.daemon.settings import Settings
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.engine_rig import MS, S, ns

_TEMPI = range(60, 201, 20)


def _played(segments: Sequence[tuple[float, int]], jitter_ms: float, seed: int) -> tuple[MidiClock, list[float]]:
    """Play some ticks at each tempo; gives the clock, and each tick's error in beats."""
    rng, clock, errors = random.Random(seed), MidiClock(4), list[float]()
    clock.feed(START, 0, 0, 0, 0)
    now_ns, last_ns, tick = 10.0 * S, 0, 0
    for bpm, ticks in segments:
        for _ in range(ticks):
            last_ns = max(last_ns + 1, round(now_ns + rng.uniform(-jitter_ms, jitter_ms) * MS))
            clock.feed(CLOCK, 0, 0, 0, last_ns)
            errors.append(clock.beat_at(round(now_ns)) - tick / 24)
            now_ns += 60e9 / bpm / 24
            tick += 1
    return clock, errors


@pytest.mark.parametrize("jitter_ms", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("before", _TEMPI)
@pytest.mark.parametrize("after", _TEMPI)
def test_after_a_step_the_beat_is_right_within_a_beat_and_stays_so(before: int, after: int, jitter_ms: float) -> None:
    for seed in range(4):
        settled = 24 * 12 + 5 * seed  # the step comes anywhere in a beat
        clock, errors = _played([(before, settled), (after, 24 * 12)], jitter_ms, seed)
        missed, taken_back = clock.corrections
        assert missed == taken_back
        assert max(map(abs, errors[settled + 24 :])) < 0.03
        assert clock.bpm == pytest.approx(after, rel=0.01)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.floats(60, 200), st.floats(60, 200), st.integers(24 * 8, 24 * 16), st.integers(0, 9))
@example(140.0, 120.0, 24 * 8, 0)
def test_a_step_of_any_size_loses_no_tick(before: float, after: float, settled: int, seed: int) -> None:
    clock, errors = _played([(before, settled), (after, 24 * 12)], 2.0, seed)
    missed, taken_back = clock.corrections
    assert missed == taken_back
    assert abs(errors[-1]) < 0.02


@pytest.mark.parametrize(("tempo", "meanwhile"), [(120, 100), (120, 90), (140, 100), (100, 130)])
@pytest.mark.parametrize("beats", [1, 2, 3, 4, 8])
def test_bars_of_another_tempo_and_back_leave_the_count_as_it_was(tempo: int, meanwhile: int, beats: int) -> None:
    clock, errors = _played([(tempo, 24 * 12), (meanwhile, 24 * beats), (tempo, 24 * 16)], 1.0, beats)
    missed, taken_back = clock.corrections
    assert missed == taken_back
    assert abs(errors[-1]) < 0.02


def test_ticks_lost_through_jitter_at_a_fast_tempo_are_no_other_tempo() -> None:
    rng, clock = random.Random(5), MidiClock(4)
    clock.feed(START, 0, 0, 0, 0)
    ticks = range(24 * 40)
    lost = set(rng.sample(range(100, 24 * 36), 6))
    for tick in ticks:
        if tick not in lost:
            clock.feed(CLOCK, 0, 0, 0, round(10 * S + tick * 60e9 / 180 / 24 + rng.uniform(-2, 2) * MS))
    missed, taken_back = clock.corrections
    assert missed - taken_back == 6
    assert clock.beat_at(round(10 * S + ticks[-1] * 60e9 / 180 / 24)) == pytest.approx(ticks[-1] / 24, abs=0.02)


def test_musical_time_follows_a_tempo_that_goes_down() -> None:
    chosen = Settings().with_value("mode", "accompany").with_value("clock", "midi")
    time, now_s = MusicalTime(0, chosen), 1.0
    time.feed(Transport(START, 0, 0, 0, ns(now_s)), chosen)
    first = 0.0
    for tick in range(24 * 90):
        time.feed(Transport(CLOCK, 0, 0, 0, ns(now_s)), chosen)
        first = time.position(ns(now_s)) if tick == 0 else first
        now_s += 60 / (120 if tick < 24 * 40 else 100) / 24
    assert time.position(ns(now_s)) - first == pytest.approx(24 * 90, abs=0.5)


def test_what_a_line_remembers_is_bounded() -> None:
    line, now_ns = TickLine(), 0.0
    for tick in range(24 * 40):  # off all the time, and never regular
        now_ns += 60e9 / 120 / 24 * (1.0 if tick < 48 else 1.3 if tick % 2 else 2.2)
        line.take(round(now_ns))
    assert len(line._off) <= 4
    assert len(line._counted._gaps_ns) <= 24
    assert len(line._counted._counted) <= 24
