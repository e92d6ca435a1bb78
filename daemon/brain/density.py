"""Steering how many onsets a beat there are, by tilting the draw of the gap. Notes struck together are one."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import NamedTuple

import numpy as np
from antiphon.models.generator import MAX_TICKS, TICKS_PER_BEAT, TIME_CLASSES
from numpy.typing import NDArray

#: Looked back over: two bars of four.
_SPAN_TICKS = 8 * TICKS_PER_BEAT
#: Logits between a gap of half a beat and one of four beats when a target is missed wholly.
_STRONGEST_TILT = 12.0
#: Error is judged over at least this, so that the first notes of all are not "too many".
_LEAST_SPAN_TICKS = TICKS_PER_BEAT
_SIXTEENTH = TICKS_PER_BEAT // 4
#: Steps of the tilt: each needs its array only once.
_STEP = 0.25

#: Tilted about half a beat, by octaves of the gap: -2/3 at three ticks and less, 1 at four beats. A gap of nothing
#: stays as it is, or a denser target would pile up chords instead of onsets.
_TILT = np.log2(np.maximum(np.arange(TIME_CLASSES), 3) / 12) / np.log2(MAX_TICKS / 12)
_TILT[0] = 0.0


class Steering(NamedTuple):
    """How to draw the next gap. ``pressure``: 0 as the model feels, 1 a target missed wholly."""

    gap_bias: NDArray[np.float32] | None
    pressure: float


class Density:
    """Counts onsets, planned ones too, and steers towards a target."""

    def __init__(self, start_tick: int) -> None:
        self.start_tick = start_tick
        self._ticks: deque[int] = deque()
        self._tilted: dict[int, NDArray[np.float32]] = {}

    def twin(self) -> Density:
        """Give one that counts on by itself from where this one is."""
        other = Density(self.start_tick)
        other._ticks = self._ticks.copy()
        other._tilted = self._tilted  # depends on nothing that was counted
        return other

    def add(self, tick: int) -> None:
        """Count an onset."""
        if not self._ticks or self._ticks[-1] < tick:
            self._ticks.append(tick)
        while self._ticks[0] < tick - 2 * _SPAN_TICKS:
            self._ticks.popleft()

    def forget_from(self, tick: int) -> None:
        """Uncount the onsets from a tick on: they were planned and are not any more."""
        while self._ticks and self._ticks[-1] >= tick:
            self._ticks.pop()

    def rate(self, tick: int) -> float:
        """Onsets a beat over the two bars before a tick (or since the start, if that is later)."""
        since = max(self.start_tick, tick - _SPAN_TICKS)
        span = max(_LEAST_SPAN_TICKS, tick - since)
        onsets = bisect_left(self._ticks, tick) - bisect_left(self._ticks, since)  # they are in order
        return max(0, onsets) * TICKS_PER_BEAT / span

    def longest_gap(self, floor: float, shortest: int) -> int:
        """How long after the last onset the next may come (ticks) without the rate falling below a floor.

        Never less than ``shortest``: the pace at which a rate that is too low is mended.
        """
        last = self.last_tick
        gap = shortest
        while gap < MAX_TICKS and self.rate(last + gap + _SIXTEENTH) >= floor:
            gap += _SIXTEENTH
        return gap

    def shortest_gap(self, tick: int, ceiling: float, longest: int) -> int:
        """How long after a tick (ticks) the next onset must not come, for the rate to stay below a ceiling.

        Never more than ``longest``: the pace at which a rate that is too high is mended.
        """
        gap = _SIXTEENTH
        while gap < longest and self.rate(tick + gap) > ceiling:
            gap += _SIXTEENTH
        return gap

    @property
    def last_tick(self) -> int:
        """The last onset counted, or the start."""
        return self._ticks[-1] if self._ticks else self.start_tick

    def steer(self, tick: int, target: float, *, floor_only: bool = False) -> Steering:
        """How to draw the gap after ``tick``; ``floor_only``: never make it sparser."""
        if target <= 0.0 or tick - self.start_tick < _LEAST_SPAN_TICKS // 2:
            return Steering(None, 0.0)
        error = (target - self.rate(tick)) / target
        error = max(0.0 if floor_only else -1.0, min(1.0, error))
        step = round(error * _STRONGEST_TILT / _STEP)
        if not step:
            return Steering(None, max(0.0, error))
        if step not in self._tilted:
            self._tilted[step] = (-step * _STEP * _TILT).astype(np.float32)
        return Steering(self._tilted[step], max(0.0, error))
