"""A line through the ticks of a MIDI clock: when the last one really was, how far apart they are, how many there were.

The filter is a second-order tracker (time and period of the tick) whose gains are those of a least-squares
line through the ticks so far, up to `_MEMORY_TICKS` of them; then it forgets at that pace. A tick far off the line is
waited out; several in a row that are off in one direction, and come regularly, are a new tempo.

A tick that is lost on the way would move every beat after it. So a gap of just so many periods, of a steady clock,
counts as the ticks lost in it; should they only have been late, they come after it and are passed over; and where
such gaps go on, it is a slower tempo, and what was counted is taken back. Where jitter hides a loss, the ticks after
it are all off by about so many periods, and say so. A step of the tempo can look like either: what was counted then is
taken back as soon as the gaps show that no tick was lost (`tick_doubts`). And once the tempo is settled again after
any doubt, the count is held against the line from before it.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import NamedTuple

from antiphon.daemon.brain.tick_doubts import TickDoubts

CLOCKS_A_BEAT = 24
_DEFAULT_PERIOD_NS = 60e9 / 120 / CLOCKS_A_BEAT
#: Position error about 0.3 of the jitter; two beats to forget an old tempo.
_MEMORY_TICKS = 48
#: A tick further off than any jitter met on USB and JACK; so many of them to one side, with gaps that differ by no more
#: than this from their mean, mean something: ticks that were miscounted, if all are off by half a period and alike;
#: another pace, if the mean is further from the period than this; else a drift, and the memory is shortened to this.
_OFF_NS, _OFF_TICKS, _REGULAR = 5e6, 4, 0.2
_HALF, _ALIKE, _SAME_PACE, _DRIFT_MEMORY_TICKS = 0.55, 0.3, 0.03, 12
#: Two tempi that differ by less (or by less than can be told over so many ticks) are one; after so many quiet ticks
#: that do not fit the old line, it is another tempo.
_SAME_TEMPO, _MOST_DOUBTS = 0.001, 96
#: 30 to 300 bpm with room: a gap that is no tempo is a pause.
_LONGEST_PERIOD_NS = 60e9 / 20 / CLOCKS_A_BEAT
_SHORTEST_PERIOD_NS = 60e9 / 400 / CLOCKS_A_BEAT
#: A gap is ticks that were lost where it is a whole number of periods, within this; what comes sooner than half a
#: period after such a gap is one of them; and so many such gaps in a row, all alike, are a slower tempo.
_WHOLE, _SOON, _GAPS_OF_A_TEMPO = 0.25, 0.5, 3
#: Ticks that lie to one side by so much on average (over about so many), with none of them far off, are a tempo that
#: goes up or down: so many ticks are remembered while it does.
_LEAN_NS, _LEAN_TICKS, _RAMP_MEMORY_TICKS = 0.8e6, 16, 20
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
        #: The latest ticks that are off, all to one side: when, by how much; and how many there are by now.
        self._off: deque[tuple[int, float]] = deque(maxlen=_OFF_TICKS)
        self._off_ticks = 0
        self._counted = TickDoubts()
        self._bridged: list[int] = []  # ticks lost in each of the latest gaps, all alike, with no tick between them
        self._lean_ns = 0.0  # how far the latest ticks were off on average
        self._late = 0  # of them, how many may yet come
        self._disturbed = 0  # the last tick (its index) that was not where the line had it
        self._settled: _Settled | None = None  # where the line of this tempo began, and its period since
        self._doubts = 0  # quiet ticks in a row that do not fit that line

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
        self._counted.heard(t_ns)
        if self._late and t_ns - self.tick_ns <= _SOON * self.period_ns:
            self._late -= 1
            self._disturbed = self.index
            self._counted.counted(-1, self.period_ns)
            return False
        self._late = 0
        gap_ns, first = t_ns - self.heard_ns, self._count == 0
        if first or (gap_ns > _LONGEST_PERIOD_NS and (gap_ns > self.patience_ns or not self.steady)):
            self._restart(t_ns, 1 if first else max(1, round((t_ns - self.tick_ns) / self.period_ns)))
        elif not self._bridge(t_ns, pause=gap_ns > _LONGEST_PERIOD_NS):
            self._track(t_ns)
        self.heard_ns = t_ns
        self._take_back()
        return True

    def _restart(self, t_ns: int, passed: int) -> None:
        """Begin a new line; as many ticks went by as the old one says: after a moment, they may yet come."""
        if t_ns - self.heard_ns > self.patience_ns:
            self._settled = None
        else:
            self._late = passed - 1
        self.index += passed
        self.tick_ns, self._count, self._bridged = float(t_ns), 1, []
        self._off.clear()
        self._counted.forget()

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
        self._off.clear()
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
            self._disturbed = self.index
            if self._off and (self._off[-1][1] > 0) != (error_ns > 0):
                self._off.clear()
            self._off_ticks = self._off_ticks + 1 if self._off else 1
            self._off.append((t_ns, error_ns))
            if self.steady and not self._judged():
                return
            error_ns = t_ns - self.tick_ns
        self._lean_ns += (error_ns - self._lean_ns) / _LEAN_TICKS
        if abs(self._lean_ns) > _LEAN_NS and self.index - self._disturbed >= CLOCKS_A_BEAT:
            self._count = min(self._count, _RAMP_MEMORY_TICKS)
            self._settled = None  # the line of the tempo before says nothing of this one
        self._count = n = min(self._count + 1, _MEMORY_TICKS)
        self.tick_ns += error_ns * (2 * (2 * n - 1) / (n * (n + 1)))
        self.period_ns += error_ns * (6 / (n * (n + 1)))
        self.period_ns = min(max(self.period_ns, _SHORTEST_PERIOD_NS), _LONGEST_PERIOD_NS)
        if n == _MEMORY_TICKS and self.index - self._disturbed >= CLOCKS_A_BEAT:
            self._reconcile()

    def _take_back(self) -> None:
        """Take back what was counted, where it was another tempo and no tick was lost."""
        explained = self._counted.explained(self.period_ns if self._settled is None else self._settled.period_ns)
        if explained is None or not _SHORTEST_PERIOD_NS <= explained[1] <= _LONGEST_PERIOD_NS:
            return
        ticks, period_ns, gaps = explained
        self._count_on(-ticks)
        self.tick_ns, self.period_ns, self._count = float(self.heard_ns), period_ns, gaps
        self._off.clear()
        self._bridged.clear()

    def _correct(self, ticks: int, because_of: int = 1) -> None:
        """Put the count right: the line goes on as many ticks further, because of the latest so many ticks."""
        self._counted.counted(ticks, self.period_ns, because_of)
        self._count_on(ticks)
        self.tick_ns += ticks * self.period_ns

    def _count_on(self, ticks: int) -> None:
        self._disturbed = self.index
        self.index += ticks
        self.missed += max(0, ticks)
        self.taken_back += max(0, -ticks)

    def _judged(self) -> bool:
        """Decide what the latest ticks mean, which are all off to one side. False: nothing yet, they are waited out.

        Only ticks that come regularly mean anything: a wire that stumbles gives them late, all at once, or not at all.
        """
        latest = list(self._off)
        gaps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(latest)]
        mean_ns = (latest[-1][0] - latest[0][0]) / max(1, len(gaps))
        regular = len(latest) == _OFF_TICKS and max(abs(gap - mean_ns) for gap in gaps) <= _REGULAR * mean_ns
        if not regular or not _SHORTEST_PERIOD_NS <= mean_ns <= _LONGEST_PERIOD_NS:
            return False
        behind = [error_ns / self.period_ns for _, error_ns in latest]
        if max(behind) - min(behind) <= _ALIKE and min(map(abs, behind)) >= _HALF:
            self._correct(round(sum(behind) / _OFF_TICKS), self._off_ticks)
        elif abs(mean_ns / self.period_ns - 1.0) > _SAME_PACE:
            self.tick_ns, self.period_ns, self._count = float(latest[-1][0]), mean_ns, _OFF_TICKS
        else:  # it drifts
            self._count = min(self._count, _DRIFT_MEMORY_TICKS)
        self._off.clear()
        return True

    def _reconcile(self) -> None:
        """After a quiet beat, hold the count against the line that there has been since the tempo was set.

        A wire that stumbles for long can drag the line, or look like a tempo of its own.
        """
        now = _Settled(self.tick_ns, self.index, self.period_ns)
        settled = self._settled
        if settled is None:
            self._settled, self._counted.stumbled = now, False
            return
        passed = (now.tick_ns - settled.tick_ns) / settled.period_ns
        behind = passed - (now.nth - settled.nth)
        same = abs(now.period_ns / settled.period_ns - 1.0) <= max(_SAME_TEMPO, _WHOLE / passed)
        if not self._counted.stumbled and (not same or round(behind)):
            self._settled, self._doubts = now, 0  # no tick was lost or late: it was another tempo for a while, or is
            return
        if not same or abs(behind - round(behind)) > _WHOLE:
            self._doubts += 1
            if self._doubts > _MOST_DOUBTS:  # another tempo it is
                self._settled, self._doubts = now, 0
            return
        self._doubts, self._counted.stumbled = 0, False
        if round(behind):
            self._count_on(round(behind))
        elif now.nth - settled.nth >= _MEMORY_TICKS:  # the longer it lasts, the better it is known
            self._settled = settled._replace(period_ns=(now.tick_ns - settled.tick_ns) / (now.nth - settled.nth))
