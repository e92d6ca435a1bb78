"""The tempo map of a take: from a clock that was told, the MIDI clock that came in, or the engine's marks. Pure.

The beats of a clock jitter by a millisecond or more; written down one by one they would make a tempo map of
noise. So straight pieces are laid through them, as long as every beat stays within `_TOLERANCE_S`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from antiphon.daemon.unheard_ticks import unheard_ticks
from antiphon.models.tempo_map import TempoMap

CLOCKS_PER_BEAT = 24
#: How far a beat of the map may lie from the clock's own: nobody hears it, and a USB port jitters half of it.
_TOLERANCE_S = 0.004
#: A clock silent for this long has stopped, told or not (24 a beat at 20 bpm come every 0.125 s).
_GAP_S = 0.5
#: A bridge's tempo is at most so many times the run's, or one in so many.
_WILD = 4.0
_START, _CONTINUE, _STOP, _CLOCK, _POSITION = 0xFA, 0xFB, 0xFC, 0xF8, 0xF2

#: (seconds, beat of the song), both rising.
Beats = list[tuple[float, float]]
#: A stretch without a break: its mean bpm, and its beats.
Run = tuple[float, Beats]


@dataclass(slots=True)
class _Run:
    """A stretch of clock without a break: ``phase`` is the song's beat at its first clock."""

    phase: float
    clocks: list[float] = field(default_factory=list)


class ClockLog:
    """Collects the clock and transport bytes of a session, in their order."""

    __slots__ = ("_next_phase", "_port", "_rolling", "_stopped", "_unheard", "runs")

    def __init__(self) -> None:
        self.runs: list[_Run] = []
        self._next_phase = 0.0
        self._port: int | None = None
        self._rolling = False
        self._stopped = False
        self._unheard = False

    def not_heard(self) -> None:
        """Nobody has heard the clock for a while, in which it may have gone on; what comes next tells."""
        self._unheard = True

    def take_in(self, t_s: float, data: bytes, port: int = 0) -> None:
        """Take one system message; what is neither clock nor transport is ignored, and a second clock too."""
        status = data[0]
        if status == _CLOCK:
            # many masters keep ticking while they are stopped; the song stands still then
            if self._stopped or port != (self._port if self._port is not None else port):
                return
            self._port = port
            if self._unheard and self._rolling:
                heard = self.runs[-1].clocks[-CLOCKS_PER_BEAT - 1 :]
                self._next_phase += unheard_ticks(heard, t_s) / CLOCKS_PER_BEAT
                self._rolling = False
            self._unheard = False
            if not self._rolling or t_s - self.runs[-1].clocks[-1] > _GAP_S:
                self.runs.append(_Run(self._next_phase))
                self._rolling = True
            self.runs[-1].clocks.append(t_s)
            self._next_phase += 1 / CLOCKS_PER_BEAT
        elif status == _START:
            self._next_phase, self._rolling, self._stopped = 0.0, False, False
        elif status == _POSITION and len(data) == 3:
            # in sixteenths, low byte first
            self._next_phase, self._rolling = (data[1] | data[2] << 7) / 4, False
        elif status in (_STOP, _CONTINUE):
            self._rolling, self._stopped = False, status == _STOP

    def beats(self) -> list[Run]:
        """Give each run of a beat or more as its bpm and its beats: (seconds, beat of the song)."""
        found = []
        for run in self.runs:
            if len(run.clocks) <= CLOCKS_PER_BEAT:
                continue
            ends = (run.clocks[0], run.clocks[-1])
            bpm = 60.0 * (len(run.clocks) - 1) / CLOCKS_PER_BEAT / max(1e-3, ends[1] - ends[0])
            # one point a beat, the first clock, and the last so that a piece of a beat is not lost
            picked = sorted({*range(0, len(run.clocks), CLOCKS_PER_BEAT), len(run.clocks) - 1})
            found.append((bpm, [(run.clocks[i], run.phase + i / CLOCKS_PER_BEAT) for i in picked]))
        return found


def tempo_map(
    clock: ClockLog, marks: Iterable[tuple[float, float, bool]], beats_per_bar: int, told: Sequence[Run] = ()
) -> TempoMap:
    """Give the tempo map of a take.

    Args:
        clock: what came in; where it ran for a beat or more, and nothing was told, it alone counts.
        marks: the engine's (seconds, bpm, whether a bar starts here), in order of time.
        beats_per_bar: of the session, or of what told.
        told: runs of a clock that was told (`take_told.py`); where there are any, they alone count.
    """
    runs = list(told) or clock.beats() or _runs_of_marks(list(marks))
    if not runs:
        return TempoMap(beats_per_bar=beats_per_bar)
    knots: Beats = [(0.0, 0.0)]
    for bpm, beats in runs:
        _make_room(knots, beats[0], bpm, beats_per_bar)
        points, shift = _joined(knots[-1], beats, bpm, beats_per_bar)
        knots += [(t, beat + shift) for t, beat in _straightened(points)]
    return TempoMap.through(knots, runs[-1][0], beats_per_bar)


def _joined(last: tuple[float, float], points: Beats, bpm: float, beats_per_bar: int) -> tuple[Beats, float]:
    """Give the first point of a run, and those after it, that a tempo near ``bpm`` leads to, and the shift there.

    Where hardly any time lies before a run that starts in the middle of a bar (it is as old as the take), the bridge
    is laid over its first beats.
    """
    left = [point for point in points if point[0] > last[0]]
    for i, (t, beat) in enumerate(left):
        shift = _bridge(last, (t, beat), bpm, beats_per_bar)
        if bpm / _WILD <= 60.0 * (beat + shift - last[1]) / (t - last[0]) <= bpm * _WILD:
            return left[i:], shift
    return left[-1:], _bridge(last, left[-1], bpm, beats_per_bar) if left else 0.0


def _bridge(last: tuple[float, float], first: tuple[float, float], bpm: float, beats_per_bar: int) -> float:
    """Give what to add to a run's beats: its bars then fall on the take's, after a tempo near ``bpm``."""
    natural = last[1] + (first[0] - last[0]) * bpm / 60.0
    shift = float(round((natural - first[1]) / beats_per_bar) * beats_per_bar)
    while first[1] + shift <= last[1]:
        shift += beats_per_bar
    return shift


def _make_room(knots: Beats, first: tuple[float, float], bpm: float, beats_per_bar: int) -> None:
    """Cut the map back by as little as lets the bridge to a run keep within half and twice its tempo.

    Bars that start anew in the middle of one have to be bridged somewhere: in the silence before them where it is
    long enough, else over as many beats before them as it takes, two bars at most.
    """
    for halves in range(4 * beats_per_bar + 1):
        until_s = first[0] - halves * 30.0 / bpm
        last = _point_at(knots, until_s)
        if last[0] < first[0]:
            span = first[1] + _bridge(last, first, bpm, beats_per_bar) - last[1]
            if bpm / 2 <= 60.0 * span / (first[0] - last[0]) <= bpm * 2:
                break
    while len(knots) > 1 and knots[-1][0] > last[0]:
        knots.pop()
    if last[0] > knots[-1][0]:
        knots.append(last)


def _point_at(knots: Beats, t_s: float) -> tuple[float, float]:
    """Give the map's beat at a time; where it ends sooner, its end."""
    if t_s >= knots[-1][0] or len(knots) == 1:
        return knots[-1]
    index = max(1, bisect_left(knots, t_s, key=lambda knot: knot[0]))
    (t, beat), (next_t, next_beat) = knots[index - 1 : index + 1]
    at_s = max(t_s, t)
    return at_s, beat + (next_beat - beat) * (at_s - t) / (next_t - t)


def _straightened(points: Sequence[tuple[float, float]]) -> Beats:
    """Leave out the points that straight lines between those kept pass within `_TOLERANCE_S`."""
    if not points:
        return []
    kept = [points[0]]
    low, high = 0.0, float("inf")
    previous = points[0]
    for t, beat in points[1:]:
        (t0, beat0) = kept[-1]
        pace = (t - t0) / (beat - beat0)
        if not low <= pace <= high:
            kept.append(previous)
            (t0, beat0) = previous
            low, high = 0.0, float("inf")
        span = beat - beat0
        low = max(low, (t - t0 - _TOLERANCE_S) / span)
        high = min(high, (t - t0 + _TOLERANCE_S) / span)
        previous = (t, beat)
    if len(points) > 1:
        kept.append(points[-1])
    return kept


def _runs_of_marks(marks: list[tuple[float, float, bool]]) -> list[Run]:
    """Turn the engine's marks into runs; the first mark, and each that starts a bar, starts one."""
    runs: list[Run] = []
    for t, bpm, is_bar in marks:
        if not runs:
            runs.append((bpm, [(t, 0.0)]))
            continue
        bpm_before, points = runs[-1]
        last_t, last_beat = points[-1]
        if t <= last_t:
            runs[-1] = (bpm, points)  # the same moment: the later word counts
        elif is_bar:
            runs.append((bpm, [(t, 0.0)]))
        else:
            points.append((t, last_beat + (t - last_t) * bpm_before / 60.0))
            runs[-1] = (bpm, points)
    return runs
