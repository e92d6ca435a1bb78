"""How long drawing takes, as the engine can know without a clock: by when it is woken again that asked to be at once.

A generator that is too slow for what is asked of it must thin the music, never delay it: nothing is planned for sooner
than it can be drawn. Times are those of records, so a session made again from its journal plans the same.
"""

from __future__ import annotations

import statistics
from collections import deque

#: Nothing is planned for sooner than this: time to draw it where that is fast, and to get it to the player.
_LEAST_NS = 15_000_000
#: Beside the drawing itself: to the player, and into its queue.
_ON_THE_WAY_NS = 5_000_000
#: Some draws take longer than those before: so much is left for them.
_MARGIN = 2.0
#: A call takes what the median of so many wakes says: something else had the processor in some of them (a flood of
#: input, another program), and an accompaniment that came in four seconds late for minutes, because once it had to wait
#: for two, would be the worse fault.
_LAST = 31
#: A wake with more calls in it counts at once, fewer ones by this share each: one good moment is no reason to plan
#: tighter.
_FORGET = 0.01
#: A longer time between two wakes was something else: the machine slept, or the process stood still.
_LONGEST_NS = 2_000_000_000


class DrawingPace:
    """What a wake with draws in it takes: as long as a call of the generator's, as often as one is called."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._calls = 0
        self._call_ns: deque[float] = deque(maxlen=_LAST)
        self._most_calls = 0.0

    @property
    def ready_ns(self) -> int:
        """How far off a note must be, at least, to be drawn and handed over in time."""
        return max(_LEAST_NS, round(_ON_THE_WAY_NS + _MARGIN * self._takes_ns))

    @property
    def busy_ns(self) -> int:
        """How long nothing may be handed over because of drawing, beyond what is usual: hand over so much sooner."""
        return self.ready_ns - _LEAST_NS

    @property
    def _takes_ns(self) -> float:
        return statistics.median(self._call_ns) * self._most_calls if self._call_ns else 0.0

    def begin(self, now_ns: int) -> None:
        """A wake has come."""
        if self._since_ns is None:
            return
        took = min(max(0, now_ns - self._since_ns), _LONGEST_NS)
        self._since_ns = None
        self._call_ns.append(took / self._calls)
        self._most_calls = max(float(self._calls), self._most_calls + _FORGET * (self._calls - self._most_calls))

    def end(self, now_ns: int, calls: int, *, again: bool) -> None:
        """It is over, after so many calls of the generator; ``again``: the next is wanted at once."""
        self._since_ns = now_ns if again and calls else None
        self._calls = calls
