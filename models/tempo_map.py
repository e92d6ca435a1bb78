"""A tempo map: which beat of a take it is at a time, and at what time a beat is. Pure data."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

#: What a take without a clock is written down at; beats mean nothing there.
NOMINAL_BPM = 120.0


@dataclass(frozen=True, slots=True)
class TempoChange:
    """From ``t_s`` (seconds into the take) on, the tempo is ``bpm``."""

    t_s: float
    bpm: float


@dataclass(frozen=True, slots=True)
class TempoMap:
    """Piecewise constant tempo. Beat 0 is the first beat of a bar, at 0 s.

    Attributes:
        changes: the first one at 0 s, times strictly rising, every tempo above 0.
        beats_per_bar: of the whole take.
        clocked: the beats are real (a clock ran); False: `NOMINAL_BPM` only stands in for one.

    Raises:
        ValueError: changes that break the rules above.
    """

    changes: tuple[TempoChange, ...] = (TempoChange(0.0, NOMINAL_BPM),)
    beats_per_bar: int = 4
    clocked: bool = False

    def __post_init__(self) -> None:
        if not self.changes or self.changes[0].t_s != 0.0:
            raise ValueError("changes: the first must be at 0 s")
        if any(later.t_s <= earlier.t_s for earlier, later in pairwise(self.changes)):
            raise ValueError("changes: times must rise")
        if any(change.bpm <= 0 for change in self.changes):
            raise ValueError("changes: every tempo must be above 0 bpm")
        if self.beats_per_bar < 1:
            raise ValueError(f"beats_per_bar: 1 or more, not {self.beats_per_bar}")

    @classmethod
    def through(cls, knots: Sequence[tuple[float, float]], last_bpm: float, beats_per_bar: int = 4) -> TempoMap:
        """Give the clocked map that is at beat ``knots[i][1]`` at ``knots[i][0]`` seconds.

        Args:
            knots: (seconds, beat), both strictly rising, the first (0, 0).
            last_bpm: tempo after the last knot.
            beats_per_bar: of the whole take.
        """
        changes = [
            TempoChange(t, 60.0 * (next_beat - beat) / (next_t - t))
            for (t, beat), (next_t, next_beat) in pairwise(knots)
        ]
        changes.append(TempoChange(knots[-1][0], last_bpm))
        return cls(tuple(changes), beats_per_bar, clocked=True)

    def beats_at_changes(self) -> list[float]:
        """Give the beat of every change."""
        beats = [0.0]
        for change, following in pairwise(self.changes):
            beats.append(beats[-1] + (following.t_s - change.t_s) * change.bpm / 60.0)
        return beats

    def beats_at(self, times_s: Sequence[float]) -> list[float]:
        """Give the beat at each time."""
        starts, beats = [change.t_s for change in self.changes], self.beats_at_changes()
        found = []
        for t in times_s:
            i = max(0, bisect_right(starts, t) - 1)
            found.append(beats[i] + (t - starts[i]) * self.changes[i].bpm / 60.0)
        return found

    def seconds_at(self, beats: Sequence[float]) -> list[float]:
        """Give the time of each beat."""
        starts = self.beats_at_changes()
        found = []
        for beat in beats:
            i = max(0, bisect_right(starts, beat) - 1)
            found.append(self.changes[i].t_s + (beat - starts[i]) * 60.0 / self.changes[i].bpm)
        return found


#: The map of a take without a clock.
FREE_TIME = TempoMap()
