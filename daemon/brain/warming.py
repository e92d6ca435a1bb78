"""Keeps the reply's graph warm while there is something to answer.

While the performer plays and each note is to be answered at once, the graph runs between notes too, its result thrown
away: after 20 ms of rest its weights are out of the processor's caches, and a call costs 2-3 times as much.
"""

from __future__ import annotations

from collections.abc import Callable

_EVERY_NS, _FOR_NS = 2_000_000, 1_500_000_000
#: A graph that takes longer than this is not run for nothing most of the time: so many times as long it rests.
_SLOW_NS, _REST = 5_000_000, 10


class Warming:
    """Belongs to the brain's one thread.

    Args:
        run: the call that runs the graph and changes nothing.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        #: What is called; another model has another.
        self.run = run
        self._from_ns = self._until_ns = 0

    def played(self, t_ns: int) -> None:
        """The performer did something at a time: more is to come."""
        self._until_ns = t_ns + _FOR_NS

    def next_ns(self, now_ns: int) -> int | None:
        """When the graph is to run next, if nothing comes before; None: it need not."""
        return now_ns + _EVERY_NS if self._from_ns <= now_ns < self._until_ns else None

    def ran(self, began_ns: int, ended_ns: int) -> None:
        """It ran."""
        took_ns = ended_ns - began_ns
        self._from_ns = began_ns if took_ns < _SLOW_NS else ended_ns + _REST * took_ns
