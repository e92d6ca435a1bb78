"""Tap tempo: taps become a tempo and a place for the beat. Pure: time is a parameter.

A line is laid through the taps (Theil and Sen: the median of all slopes, which a few bad taps do not move), what lies
far off it is dropped, and the line is laid again through the rest by least squares.
"""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

#: Beats that the internal clock may be nudged by at a time, up or down: no more than half can be made up in one beat.
NUDGE_BEATS = 0.5
#: Taps that say a tempo, and taps that are remembered.
FEWEST, MOST = 4, 8
#: A tap sooner after the last one is a pedal that bounced; a pause of so long begins anew (30 to 300 bpm, with room).
_BOUNCE_NS, _PAUSE_NS = 120_000_000, 2_400_000_000
#: So does one of so many beats: a tap may be missed, not two.
_PAUSE_BEATS = 2.5
#: A tap further off the line than this (beats) was none of the beat's.
_OFF_BEATS = 0.15
_NS_A_MINUTE = 60e9


class Tapped(NamedTuple):
    """What taps say."""

    bpm: float
    beat_ns: int  # when a beat was, near the last tap


class Tapping:
    """Collects taps. A tap that was left out counts as a beat without a tap."""

    def __init__(self) -> None:
        self._taps: deque[int] = deque(maxlen=MOST)

    def tap(self, t_ns: int) -> Tapped | None:
        """Take one in; from the fourth on give what they say, None while they say nothing."""
        if self._taps:
            pause_ns = t_ns - self._taps[-1]
            if pause_ns < _BOUNCE_NS:
                return None
            if pause_ns > min(_PAUSE_NS, _PAUSE_BEATS * self._usual_ns()):
                self._taps.clear()
        self._taps.append(t_ns)
        return _line(list(self._taps)) if len(self._taps) >= FEWEST else None

    def _usual_ns(self) -> float:
        return _usual_ns(self._taps) if len(self._taps) > 1 else _PAUSE_NS


def _usual_ns(taps: Iterable[int]) -> float:
    return statistics.median(later - sooner for sooner, later in itertools.pairwise(taps))


def _line(taps: list[int]) -> Tapped | None:
    """Lay a line through taps, oldest first; None where too few lie on one."""
    usual_ns = _usual_ns(taps)
    last_ns = taps[-1]
    points = [(round((tap - last_ns) / usual_ns), tap - last_ns) for tap in taps]  # (beat, ns), from the last tap
    slopes = [
        (ns - other_ns) / (beat - other)
        for index, (beat, ns) in enumerate(points)
        for other, other_ns in points[:index]
        if beat != other
    ]
    if not slopes:
        return None
    period_ns = statistics.median(slopes)
    start_ns = statistics.median(ns - beat * period_ns for beat, ns in points)
    kept = [(beat, ns) for beat, ns in points if abs(ns - start_ns - beat * period_ns) <= _OFF_BEATS * period_ns]
    if len(kept) < FEWEST - 1 or len({beat for beat, _ in kept}) < FEWEST - 1:
        return None
    period_ns, start_ns = statistics.linear_regression(*zip(*kept, strict=True))
    return Tapped(round(_NS_A_MINUTE / period_ns, 2), last_ns + round(start_ns))
