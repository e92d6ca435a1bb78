"""Keeps what a reply needs in the processor's caches while there is something to answer.

While the performer plays and each note is to be answered at once, a reply is rehearsed between notes too, its result
thrown away: after 20 ms of rest a call costs 2-3 times as much, and half as much again after 2 ms. Where inputs come in
cycles (JACK), there is one rehearsal in each cycle, as soon as the inputs of that cycle have been heard: it is over
before those of the next one come, and no note waits for it.
"""

from __future__ import annotations

from collections.abc import Callable

from antiphon.daemon.brain.arrivals import Arrivals

_EVERY_NS, _FOR_NS = 2_000_000, 1_500_000_000
#: So long after they may have come, the inputs of a cycle that had any have been heard.
_HEARD_NS = 300_000
#: What takes longer than this is not run for nothing most of the time: so many times as long it rests.
_SLOW_NS, _REST = 5_000_000, 10


class Warming:
    """Belongs to the brain's one thread.

    Args:
        run: rehearses, and changes nothing.
    """

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        #: Where in a cycle inputs come; another MIDI system has another.
        self.arrivals = Arrivals()
        self._from_ns = self._until_ns = self._began_ns = 0

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
        if not self._from_ns <= now_ns < self._until_ns:
            return None
        came_ns = self.arrivals.after(max(self._began_ns, now_ns - _HEARD_NS))
        return now_ns + _EVERY_NS if came_ns is None else came_ns + _HEARD_NS

    def ran(self, began_ns: int, ended_ns: int) -> None:
        """It ran."""
        took_ns = ended_ns - began_ns
        self._began_ns = began_ns
        self._from_ns = began_ns if took_ns < _SLOW_NS else ended_ns + _REST * took_ns
