"""Sees that the machine was suspended: one clock stood still meanwhile, another went on.

``time.perf_counter_ns`` and ``CLOCK_BOOTTIME`` run alike, but for the time that the machine sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable

#: The clocks drift apart by less than this; a sleep is longer.
LEAST_NS = 500_000_000


class Suspension:
    """Asked now and then, tells for how long the machine has slept since.

    A process that stands still between two readings takes nothing for a sleep: the one clock is read before and after
    the other, and what they differ by is known within that.

    Args:
        boot_ns: reads the clock that goes on while the machine sleeps; None: this system has none, and nothing is seen.
        now_ns: reads the one that does not.
    """

    def __init__(self, boot_ns: Callable[[], int] | None, now_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._boot_ns, self._now_ns = boot_ns, now_ns
        self._most_ahead_ns = 0
        self.slept_ns()

    def slept_ns(self) -> int:
        """For how long it has slept since this was asked last, at least; 0: it has not. Takes about a microsecond."""
        if self._boot_ns is None:
            return 0
        before_ns = self._now_ns()
        boot_ns = self._boot_ns()
        slept_ns = boot_ns - self._now_ns() - self._most_ahead_ns
        self._most_ahead_ns = boot_ns - before_ns
        return slept_ns if slept_ns >= LEAST_NS else 0


def boot_clock() -> Callable[[], int] | None:
    """Give the clock that goes on while the machine sleeps; None where the system has none (only Linux has)."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return None if boottime is None else lambda: time.clock_gettime_ns(boottime)
