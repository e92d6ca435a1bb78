"""How soon a note can be planned, from how long drawing took."""

from __future__ import annotations

from antiphon.daemon.brain.drawing_pace import DrawingPace

MS = 1_000_000


def after(*wakes: tuple[int, int]) -> DrawingPace:
    """Give the pace after wakes of so many milliseconds and calls."""
    pace, now = DrawingPace(), 0
    for took_ms, calls in wakes:
        pace.end(now, calls, again=True)
        now += took_ms * MS
        pace.begin(now)
    return pace


def test_a_fast_generator_plans_as_soon_as_ever() -> None:
    assert after(*[(4, 4)] * 50).ready_ns == 15 * MS
    assert after().ready_ns == 15 * MS


def test_a_slow_one_is_known_by_its_first_note() -> None:
    assert after((200, 1)).ready_ns == 405 * MS


def test_the_wake_with_the_most_calls_is_what_has_to_be_waited_for() -> None:
    assert after(*[(10, 1)] * 40, (60, 6)).ready_ns == 125 * MS
    assert after(*[(10, 1)] * 40, (60, 6), *[(10, 1)] * 40).ready_ns > 85 * MS


def test_what_a_flood_took_is_not_the_generators() -> None:
    quick = [(4, 4)] * 20
    assert after(*quick, (1900, 4), (1500, 2), (900, 4), *quick).ready_ns == 15 * MS


def test_one_that_becomes_slow_is_found_slow() -> None:
    assert after(*[(4, 4)] * 40, *[(400, 4)] * 20).ready_ns == 805 * MS


def test_what_was_not_wanted_at_once_tells_nothing() -> None:
    pace = DrawingPace()
    pace.end(0, 4, again=False)
    pace.begin(900 * MS)
    pace.end(0, 0, again=True)
    pace.begin(900 * MS)
    assert pace.ready_ns == 15 * MS
