"""A soak's schedule follows from its seed alone, is allowed, and spares what is measured at its end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from antiphon.daemon.settings import parameter
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.soak.schedule import FAULTS, LEFT, ONCE, REPLACING, SHORTEST_S, last_part_s, schedule

_SEEDS = st.integers(0, 2**32 - 1)
_LENGTHS = st.floats(SHORTEST_S, 3600.0)


@given(_SEEDS, _LENGTHS)
@settings(max_examples=40, deadline=None)
def test_the_same_seed_gives_the_same_schedule(seed: int, seconds: float) -> None:
    assert schedule(seed, seconds) == schedule(seed, seconds)
    assert schedule(seed, seconds) != schedule(seed + 1, seconds)


@given(_SEEDS, _LENGTHS)
@settings(max_examples=40, deadline=None)
def test_turns_come_one_after_the_other_and_fill_the_time(seed: int, seconds: float) -> None:
    turns = schedule(seed, seconds)
    for turn, following in pairwise(turns):
        assert turn.at_s + turn.play_s + FAULTS[turn.fault] == pytest.approx(following.at_s)
    assert turns[0].at_s == 0.0
    last = turns[-1]
    assert last.at_s < seconds or len(turns) == len(FAULTS)
    assert last.at_s + last.play_s + FAULTS[last.fault] >= seconds - 1e-6


@given(_SEEDS, _LENGTHS)
@settings(max_examples=40, deadline=None)
def test_every_fault_comes_once_before_any_comes_again(seed: int, seconds: float) -> None:
    turns = schedule(seed, seconds)
    early = [turn.fault for turn in turns if not turn.last_part]
    first, later = early[: len(FAULTS)], early[len(FAULTS) :]
    assert set(first) == FAULTS.keys()
    assert not ONCE & set(later)
    again = len(FAULTS.keys() - ONCE)
    for start in range(0, len(later), again):
        in_round = later[start : start + again]
        assert len(set(in_round)) == len(in_round)


@given(_SEEDS, _LENGTHS)
@settings(max_examples=40, deadline=None)
def test_in_the_last_part_no_brain_is_replaced_and_nothing_is_new(seed: int, seconds: float) -> None:
    for turn in schedule(seed, seconds):
        assert turn.last_part or turn.at_s < max(last_part_s(seconds), sum(FAULTS.values()) + 4.0 * len(FAULTS))
        if turn.last_part:
            assert turn.fault not in REPLACING
            assert not turn.model
            assert dict(turn.settings)["candidates"] == 1
            assert dict(turn.settings)["window"] == parameter("window").default


@given(_SEEDS)
@settings(max_examples=40, deadline=None)
def test_all_that_is_set_is_allowed_and_spares_what_the_books_lean_on(seed: int) -> None:
    set_by_turns = LEFT & {"mode", "clock", "tempo", "low", "high", "candidates"}
    for turn in schedule(seed, SHORTEST_S):
        for name, value in turn.settings:
            parameter(name).check(value)
            assert name not in LEFT or name in set_by_turns
        assert 0.0 <= turn.jitter_ms <= 3.0
        assert turn.clock_bpm == 0.0 or 60.0 <= turn.clock_bpm <= 200.0


@given(_SEEDS, st.sets(st.sampled_from(sorted(FAULTS)), min_size=1))
@settings(max_examples=40, deadline=None)
def test_only_the_faults_asked_for_come(seed: int, faults: set[str]) -> None:
    assert {turn.fault for turn in schedule(seed, 10.0, sorted(faults))} == faults


@pytest.mark.parametrize("faults", [(), ("brain killed", "brain eaten")])
def test_faults_that_are_not_known_are_refused(faults: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="is not allowed; give some of player killed"):
        schedule(1, SHORTEST_S, faults)
