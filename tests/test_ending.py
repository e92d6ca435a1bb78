"""A session whose performer was a file ends when the file has, and so has the answer to it."""

from __future__ import annotations

from antiphon.daemon.player.config import longest_tail_s
from antiphon.daemon.player.ending import Ending
from hypothesis import given
from hypothesis import strategies as st

S = 1_000_000_000
_TAIL_S, _LONGEST_S, _OVER_S = 4.0, 12.0, 50.0


def _end_s(busy: list[tuple[float, float]], longest_s: float = _LONGEST_S) -> float:
    """Turn as the player does, at every change and when it asked to be, and give when it stopped."""
    ending = Ending(_TAIL_S, longest_s)
    changes = sorted({_OVER_S, *(moment for span in busy for moment in span)})
    now_s = 0.0
    while True:
        sounds = any(begin <= now_s < end for begin, end in busy)
        if now_s == _OVER_S:
            ending.begin(round(now_s * S))
        if ending.reached(round(now_s * S), busy=sounds):
            return now_s
        moments = [moment for moment in changes if moment > now_s]
        if ending.begun:
            asked_s = ending.next_ns() / S
            assert asked_s > now_s  # else it would turn for ever
            moments.append(asked_s)
        now_s = min(moments)


def test_silence_ends_after_the_tail() -> None:
    assert _end_s([]) == _OVER_S + 4
    assert _end_s([(49.0, 52.0)]) == _OVER_S + 4


def test_an_answer_is_played_to_its_end_and_a_breath_more() -> None:
    assert 56.0 <= _end_s([(51.0, 56.0)]) <= 57.0
    assert 56.5 <= _end_s([(51.0, 52.0), (53.5, 56.5)]) <= 57.5


def test_what_never_ends_is_ended() -> None:
    assert _end_s([(0.0, 1e3)]) == _OVER_S + 12
    assert _end_s([(0.0, 1e3)], longest_s=_TAIL_S) == _OVER_S + 4
    assert _end_s([(0.0, 1e3)], longest_s=1.0) == _OVER_S + 4


@given(st.lists(st.tuples(st.floats(0, 70), st.floats(0.001, 9)), max_size=8))
def test_it_is_within_its_bounds_and_never_cuts_what_it_could_await(spans: list[tuple[float, float]]) -> None:
    busy = [(begin, begin + length) for begin, length in spans]
    end_s = _end_s(busy)
    assert _OVER_S + 4 <= end_s <= _OVER_S + 12
    if end_s < _OVER_S + 12:
        assert not any(begin <= end_s - 1e-6 < end for begin, end in busy)


def test_an_accompaniment_does_not_play_on_alone() -> None:
    assert longest_tail_s("answer") == longest_tail_s("continue") == 12.0
    assert longest_tail_s("accompany") == longest_tail_s("follow") == 4.0
