"""When the next input may come: a MIDI system that turns in cycles gives them at the start of one. Pure."""

from __future__ import annotations

from collections import deque
from statistics import median

#: So many arrivals are kept; from so many on there is something to go by.
_KEPT, _ENOUGH = 12, 4
#: They come at one place in the cycle when half of them are within this share of it.
_TOGETHER = 0.1


class Arrivals:
    """Learns where in the cycle inputs come. The system's own clock may drift: the newest of them tell.

    Args:
        period_ns: length of the cycle; 0: there is none.
    """

    def __init__(self, period_ns: int = 0) -> None:
        self._period_ns = max(0, period_ns)
        self._times: deque[int] = deque(maxlen=_KEPT)
        self._place_ns: int | None = None  # a time at which inputs may have come

    def came(self, t_ns: int) -> None:
        """An input came at a time."""
        if not self._period_ns:
            return
        self._times.append(t_ns)
        self._place_ns = self._found(t_ns) if len(self._times) >= _ENOUGH else None

    def after(self, t_ns: int) -> int | None:
        """Give the first time from ``t_ns`` on at which an input may come; None: at any."""
        if self._place_ns is None:
            return None
        return t_ns + (self._place_ns - t_ns) % self._period_ns

    def _found(self, newest_ns: int) -> int | None:
        period = self._period_ns
        off = [(t_ns - newest_ns + period // 2) % period - period // 2 for t_ns in self._times]
        middle = median(off)
        return newest_ns + round(middle) if median(abs(one - middle) for one in off) <= _TOGETHER * period else None
