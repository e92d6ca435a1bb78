"""Keeps what a reply needs in the processor's caches while there is something to answer.

While the performer plays and each note is to be answered at once, a reply is rehearsed between notes too, its result
thrown away: after 20 ms of rest a call costs 2-3 times as much. Where inputs come in cycles (JACK), a rehearsal ends
just before the next cycle begins: the caches are fresh then, and no note waits for a rehearsal under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from antiphon.daemon.brain.arrivals import Arrivals

_EVERY_NS, _FOR_NS = 2_000_000, 1_500_000_000
#: A rehearsal is done so long before an input may come, and rests at least so long before the next begins.
_AHEAD_NS, _PAUSE_NS = 100_000, 250_000
#: What takes longer than this is not run for nothing most of the time: so many times as long it rests.
_SLOW_NS, _REST = 5_000_000, 10
#: One of the longer ones of the last few is reckoned with.
_LAST, _RECKONED = 5, 3


class Warming:
    """Belongs to the brain's one thread.

    Args:
        run: rehearses, and changes nothing.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        #: Where in a cycle inputs come; another MIDI system has another.
        self.arrivals = Arrivals()
        self._from_ns = self._until_ns = 0
        self._planned_ns: int | None = None
        self._took: deque[int] = deque(maxlen=_LAST)

    def heard(self, t_ns: int, *, played: bool) -> None:
        """An input came.

        Args:
            t_ns: when.
            played: the performer did something, so that more is to come: no clock's tick.
        """
        self.arrivals.came(t_ns)
        if played:
            self._until_ns = t_ns + _FOR_NS

    def next_ns(self, now_ns: int) -> int | None:
        """When to rehearse next, if nothing comes before; None: there is no need."""
        self._planned_ns = self._next_ns(now_ns) if self._from_ns <= now_ns < self._until_ns else None
        return self._planned_ns

    def ran(self, began_ns: int, ended_ns: int) -> None:
        """It ran. What it began too late by counts: the next one is begun sooner."""
        took_ns = ended_ns - began_ns
        self._took.append(ended_ns - (began_ns if self._planned_ns is None else min(began_ns, self._planned_ns)))
        self._from_ns = began_ns if took_ns < _SLOW_NS else ended_ns + _REST * took_ns

    def _next_ns(self, now_ns: int) -> int:
        needs_ns = _AHEAD_NS + (sorted(self._took)[_RECKONED] if len(self._took) == _LAST else 0)
        may_come_ns = self.arrivals.after(now_ns + needs_ns + _PAUSE_NS)
        return now_ns + _EVERY_NS if may_come_ns is None else may_come_ns - needs_ns
