"""Rehearsals between the performer's notes: no note waits for one where inputs come in cycles."""

from __future__ import annotations

import numpy as np
from antiphon.daemon.brain.arrivals import Arrivals
from antiphon.daemon.brain.warming import Warming
from hypothesis import given
from hypothesis import strategies as st

_MS = 1_000_000
#: 64 frames at 48 kHz.
_PERIOD = 1_333_333


@given(
    st.integers(100_000, 50 * _MS), st.integers(0, 10**15), st.lists(st.integers(0, 60), min_size=4, max_size=30),
    st.lists(st.floats(0.0, 0.05), min_size=30, max_size=30), st.integers(-(10**9), 10**9),
)  # fmt: skip
def test_where_in_the_cycle_inputs_come_is_found(
    period: int, first: int, steps: list[int], late: list[float], since: int
) -> None:
    arrivals = Arrivals(period)
    starts = (first + period * np.cumsum(steps)).tolist()
    for start, share in zip(starts, late, strict=False):
        arrivals.came(start + round(share * period))
    asked = starts[-1] + since
    found = arrivals.after(asked)
    assert found is not None
    assert 0 <= found - asked < period
    assert (found - first) % period <= 0.05 * period + 2


def test_inputs_that_keep_to_no_cycle_may_come_at_any_time() -> None:
    arrivals = Arrivals(_PERIOD)
    for t_ns in np.random.default_rng(0).integers(0, 10**9, 200).cumsum().tolist():
        arrivals.came(t_ns)
    assert arrivals.after(0) is None
    for t_ns in range(0, 20 * _PERIOD, _PERIOD):
        arrivals.came(t_ns)
    assert arrivals.after(1) == _PERIOD


def test_three_inputs_tell_nothing_yet_and_without_a_cycle_nothing_ever() -> None:
    few, none = Arrivals(_PERIOD), Arrivals()
    for t_ns in range(0, 3 * _PERIOD, _PERIOD):
        few.came(t_ns)
        none.came(t_ns)
    none.came(3 * _PERIOD)
    assert few.after(0) is None
    assert none.after(0) is None


def _waits(warming: Warming, notes: int = 300) -> tuple[list[int], list[int]]:
    """Play notes at the start of cycles, as the brain's loop does.

    Returns:
        How long each note waits for a rehearsal, and how old the last rehearsal is when it comes, ns.
    """
    random = np.random.default_rng(1)
    waits, ages = [], []
    now_ns = ended_ns = 0
    for cycle in random.integers(8, 23, notes).cumsum().tolist():  # a note each 10 to 30 ms
        note_ns = cycle * _PERIOD + int(random.integers(20_000, 60_000))
        heard_ns = note_ns + 150_000  # two threads later
        while True:
            planned_ns = warming.next_ns(now_ns)
            if planned_ns is None or max(planned_ns, now_ns) >= heard_ns:
                break
            began_ns = max(planned_ns, now_ns) + int(random.integers(0, 60_000))  # the system wakes us a little late
            now_ns = ended_ns = began_ns + int(random.integers(450_000, 900_000))
            warming.ran(began_ns, ended_ns)
        waits.append(max(0, now_ns - heard_ns))
        ages.append(max(0, note_ns - ended_ns))
        now_ns = max(now_ns, heard_ns)
        warming.heard(note_ns, played=True)
        now_ns += 700_000  # the reply
    return waits, ages


def test_a_rehearsal_is_over_before_an_input_may_come() -> None:
    anyhow, aligned = Warming(lambda: None), Warming(lambda: None)
    aligned.arrivals = Arrivals(_PERIOD)
    waits, _ = _waits(anyhow)
    assert sum(wait > 0 for wait in waits) > len(waits) / 10  # by chance
    waits, ages = _waits(aligned)
    learnt = 12
    assert not any(waits[learnt:])
    assert max(ages[learnt:]) < _PERIOD


def test_there_is_one_rehearsal_a_cycle() -> None:
    """After its inputs have been heard; where it takes longer than the cycle, none of the next one's."""
    warming = Warming(lambda: None)
    warming.arrivals = Arrivals(_PERIOD)
    for cycle in range(6):
        warming.heard(cycle * _PERIOD, played=True)
    now_ns, began = 6 * _PERIOD, []
    for took_ns in [200_000] * 5 + [_PERIOD + 400_000] + [200_000] * 3:
        planned_ns = warming.next_ns(now_ns)
        assert planned_ns is not None
        began.append((planned_ns, took_ns))
        now_ns = planned_ns + took_ns
        warming.ran(planned_ns, now_ns)
    cycles = [(at_ns - 300_000) / _PERIOD for at_ns, _ in began]
    assert cycles == [6, 7, 8, 9, 10, 11, 13, 14, 15]


def test_a_clock_that_ticks_is_nobody_playing() -> None:
    warming = Warming(lambda: None)
    warming.heard(0, played=True)
    assert warming.next_ns(_MS) == 3 * _MS
    for tick_ns in range(0, 3000 * _MS, 20 * _MS):
        warming.heard(tick_ns, played=False)
    assert warming.next_ns(1600 * _MS) is None


def test_what_takes_long_is_rehearsed_rarely() -> None:
    warming = Warming(lambda: None)
    warming.heard(0, played=True)
    assert warming.next_ns(_MS) is not None
    warming.ran(_MS, 11 * _MS)
    assert warming.next_ns(12 * _MS) is None
    assert warming.next_ns(111 * _MS) == 113 * _MS
