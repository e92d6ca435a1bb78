"""A line through the ticks of a MIDI clock: when the last one really was, how far apart they are, how many there were.

The filter is a second-order tracker (time and period of the tick) whose gains are those of a least-squares
line through the ticks so far, up to `_MEMORY_TICKS` of them; then it forgets at that pace. A tick far off the line is
waited out; several in a row that are off in one direction are a new tempo, and shorten its memory.

A tick that is lost on the way would move every beat after it. So a gap of just so many periods, of a steady clock,
counts as the ticks lost in it; should they only have been late, they come after it and are passed over; and where
such gaps go on, it is a slower tempo, and what was counted is taken back. Where jitter hides a loss, the ticks after
it are all off by just so many periods, and say so. And once the tempo is settled again after any doubt, the count is
held against the line from before it.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

CLOCKS_A_BEAT = 24
_DEFAULT_PERIOD_NS = 60e9 / 120 / CLOCKS_A_BEAT
#: Position error about 0.3 of the jitter; two beats to forget an old tempo.
_MEMORY_TICKS = 48
#: A tick further off than any jitter met on USB and JACK; this many times in one direction: a new tempo.
_OFF_NS, _OFF_TICKS, _SHORT_MEMORY_TICKS = 5e6, 3, 6
#: At another tempo the longest gap is this many times the shortest, at most; after so many ticks it is one anyway.
_REGULAR, _MOST_OFF = 1.5, 12
#: Two settled tempi that differ by less are one.
_SAME_TEMPO = 0.005
#: A doubt that is not resolved after so many ticks was none.
_LONGEST_DOUBT = 4 * _MEMORY_TICKS
#: 30 to 300 bpm with room: a gap that is no tempo is a pause.
_LONGEST_PERIOD_NS = 60e9 / 20 / CLOCKS_A_BEAT
_SHORTEST_PERIOD_NS = 60e9 / 400 / CLOCKS_A_BEAT
#: A gap is ticks that were lost where it is a whole number of periods, within this; what comes sooner than half a
#: period after such a gap is one of them; and so many such gaps in a row, all alike, are a slower tempo.
_WHOLE, _SOON, _GAPS_OF_A_TEMPO = 0.25, 0.5, 3
#: A clock of a fast song that stumbles for less than this is not lost.
SHORTEST_PATIENCE_NS = 300_000_000


class _Settled(NamedTuple):
    tick_ns: float
    nth: int
    period_ns: float


class TickLine:
    """Takes the times of ticks in, in order."""

    def __init__(self) -> None:
        #: Which tick the last one was: counts those that were lost, too.
        self.index = 0
        self.tick_ns = 0.0  # its time, filtered
        self.period_ns = _DEFAULT_PERIOD_NS
        self.heard_ns = 0  # when it came
        #: Ticks that were counted and not heard, and ticks of those that were taken back; since the beginning.
        self.missed, self.taken_back = 0, 0
        self._count = 0  # ticks in the filter's memory
        self._off: list[tuple[int, float]] = []  # the latest ticks that are off, all to one side: when, by how much
        self._bridged: list[int] = []  # ticks lost in each of the latest gaps, all alike, with no tick between them
        self._late = 0  # of them, how many may yet come
        self._sure: _Settled | None = None  # the line when it was last beyond doubt
        self._before_doubt: _Settled | None = None

    @property
    def steady(self) -> bool:
        """Whether the tempo has been followed long enough to be told."""
        return self._count >= CLOCKS_A_BEAT

    @property
    def patience_ns(self) -> int:
        """How long a clock may stay away without being lost: a beat."""
        return max(SHORTEST_PATIENCE_NS, round(self.period_ns * CLOCKS_A_BEAT))

    def take(self, t_ns: int) -> bool:
        """Take a tick in. False: it is one of those that were counted as lost, and moves nothing."""
        if self._late and t_ns - self.tick_ns <= _SOON * self.period_ns:
            self._late -= 1
            return False
        self._late = 0
        gap_ns, first = t_ns - self.heard_ns, self._count == 0
        if first or (gap_ns > _LONGEST_PERIOD_NS and (gap_ns > self.patience_ns or not self.steady)):
            self._restart(t_ns, 1 if first else max(1, round((t_ns - self.tick_ns) / self.period_ns)))
        elif not self._bridge(t_ns, pause=gap_ns > _LONGEST_PERIOD_NS):
            self._track(t_ns)
        self.heard_ns = t_ns
        return True

    def _restart(self, t_ns: int, passed: int) -> None:
        """Begin a new line; as many ticks went by as the old one says: after a moment, they may yet come."""
        if t_ns - self.heard_ns > self.patience_ns:
            self._sure = self._before_doubt = None
        else:
            self._doubt()
            self._late = passed - 1
        self.index += passed
        self.tick_ns, self._count, self._off, self._bridged = float(t_ns), 1, [], []

    def _bridge(self, t_ns: int, *, pause: bool) -> bool:
        """Count the ticks that were lost before this one. True where that was all there is to it."""
        passed = (t_ns - self.tick_ns) / self.period_ns
        lost = round(passed) - 1
        whole = pause or abs(passed - lost - 1) <= _WHOLE
        if not self.steady or lost < 1 or not whole:
            self._bridged.clear()
            return False
        self._bridged = [*self._bridged, lost] if lost in self._bridged else [lost]
        if len(self._bridged) < _GAPS_OF_A_TEMPO:
            self._correct(lost)
            self._late = lost
            return False
        self._correct(-sum(self._bridged[:-1]))
        self._doubt()
        self.index += 1
        self.tick_ns, self.period_ns, self._count = float(t_ns), float(t_ns - self.heard_ns), 2
        self._bridged.clear()
        return True

    def _track(self, t_ns: int) -> None:
        """Move the filtered time and period on to this tick."""
        self.index += 1
        self.tick_ns += self.period_ns
        error_ns = t_ns - self.tick_ns
        if abs(error_ns) <= _OFF_NS:
            self._off.clear()
        else:
            one_side = bool(self._off) and (self._off[-1][1] > 0) == (error_ns > 0)
            self._off = [*self._off, (t_ns, error_ns)] if one_side else [(t_ns, error_ns)]
            slipped = self._slipped()
            if slipped:
                self._correct(slipped)
                error_ns -= slipped * self.period_ns
                self._off.clear()
            elif self._new_tempo():
                self._doubt()
                self._count = min(self._count, _SHORT_MEMORY_TICKS)
            elif self.steady:
                return
        self._count = n = min(self._count + 1, _MEMORY_TICKS)
        self.tick_ns += error_ns * (2 * (2 * n - 1) / (n * (n + 1)))
        self.period_ns += error_ns * (6 / (n * (n + 1)))
        self.period_ns = min(max(self.period_ns, _SHORTEST_PERIOD_NS), _LONGEST_PERIOD_NS)
        if n == _MEMORY_TICKS:
            self._reconcile()

    def _correct(self, ticks: int) -> None:
        """Put the count right: the line goes on as many ticks further."""
        self._count_on(ticks)
        self.tick_ns += ticks * self.period_ns

    def _count_on(self, ticks: int) -> None:
        self.index += ticks
        self.missed += max(0, ticks)
        self.taken_back += max(0, -ticks)

    def _doubt(self) -> None:
        self._before_doubt = self._before_doubt or self._sure
        self._off.clear()

    def _slipped(self) -> int:
        """By how many ticks the count is behind, where the latest ticks are all off by just so many; else 0."""
        if not self.steady or len(self._off) < _OFF_TICKS:
            return 0
        off = [error_ns / self.period_ns for _, error_ns in self._off[-_OFF_TICKS:]]
        behind = round(off[-1])
        alike = max(off) - min(off) <= _WHOLE
        return behind if alike and all(abs(one - behind) <= _WHOLE for one in off) else 0

    def _new_tempo(self) -> bool:
        """Whether the latest ticks are off because they come at another pace: regularly, and not all at once."""
        if len(self._off) < _OFF_TICKS:
            return False
        times = [t_ns for t_ns, _ in self._off[-_OFF_TICKS:]]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        regular = max(gaps) <= _REGULAR * min(gaps) and min(gaps) >= _SHORTEST_PERIOD_NS
        return regular or len(self._off) >= _MOST_OFF

    def _reconcile(self) -> None:
        """Look back once the tempo is settled again: at the old one, the count is where the old line says.

        What was taken for a new tempo may have been a wire that stumbled.
        """
        before = self._before_doubt
        if before is not None and abs(self.period_ns / before.period_ns - 1.0) < _SAME_TEMPO:
            behind = (self.tick_ns - before.tick_ns) / before.period_ns - (self.index - before.nth)
            if abs(behind - round(behind)) <= _WHOLE:
                self._count_on(round(behind))
            self._before_doubt = None
        elif before is not None and self.index - before.nth > _LONGEST_DOUBT:
            self._before_doubt = None  # another tempo it is
        if not self._off and self._before_doubt is None:
            self._sure = _Settled(self.tick_ns, self.index, self.period_ns)
