"""The tempo map of a take: from the MIDI clock that came in, else from the marks the engine made. Pure.

The beats of a clock jitter by a millisecond or more; written down one by one they would make a tempo map of
noise. So straight pieces are laid through them, as long as every beat stays within `_TOLERANCE_S`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from antiphon.models.tempo_map import TempoMap

CLOCKS_PER_BEAT = 24
#: How far a beat of the map may lie from the clock's own: nobody hears it, and a USB port jitters half of it.
_TOLERANCE_S = 0.004
#: A clock silent for this long has stopped, told or not (24 a beat at 20 bpm come every 0.125 s).
_GAP_S = 0.5
_START, _CONTINUE, _STOP, _CLOCK, _POSITION = 0xFA, 0xFB, 0xFC, 0xF8, 0xF2

Beats = list[tuple[float, float]]


@dataclass(slots=True)
class _Run:
    """A stretch of clock without a break: ``phase`` is the song's beat at its first clock."""

    phase: float
    clocks: list[float] = field(default_factory=list)


class ClockLog:
    """Collects the clock and transport bytes of a session, in their order."""

    __slots__ = ("_next_phase", "_port", "_rolling", "_stopped", "runs")

    def __init__(self) -> None:
        self.runs: list[_Run] = []
        self._next_phase = 0.0
        self._port: int | None = None
        self._rolling = False
        self._stopped = False

    def take_in(self, t_s: float, data: bytes, port: int = 0) -> None:
        """Take one system message; what is neither clock nor transport is ignored, and a second clock too."""
        status = data[0]
        if status == _CLOCK:
            # many masters keep ticking while they are stopped; the song stands still then
            if self._stopped or port != (self._port if self._port is not None else port):
                return
            self._port = port
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

    def beats(self) -> list[tuple[float, Beats]]:
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


def tempo_map(clock: ClockLog, marks: Iterable[tuple[float, float, bool]], beats_per_bar: int) -> TempoMap:
    """Give the tempo map of a take.

    Args:
        clock: what came in; where it ran for a beat or more, it alone counts.
        marks: the engine's (seconds, bpm, whether a bar starts here), in order of time.
        beats_per_bar: of the session.
    """
    runs = clock.beats() or _runs_of_marks(list(marks))
    if not runs:
        return TempoMap(beats_per_bar=beats_per_bar)
    knots: Beats = [(0.0, 0.0)]
    for bpm, points in runs:
        (first_t, phase), *rest = _straightened(points)
        if first_t <= knots[-1][0]:  # it starts with the take: nothing lies before it
            shift = knots[-1][1] - phase
        else:
            _make_room(knots, first_t - 2 * beats_per_bar * 60.0 / bpm)
            shift = _bridge(knots[-1], (first_t, phase), bpm, beats_per_bar)
            knots.append((first_t, phase + shift))
        knots += [(t, beat + shift) for t, beat in rest]
    return TempoMap.through(knots, runs[-1][0], beats_per_bar)


def _bridge(last: tuple[float, float], first: tuple[float, float], bpm: float, beats_per_bar: int) -> float:
    """Give what to add to a run's beats: its bars then fall on the take's, after a tempo near ``bpm``."""
    natural = last[1] + (first[0] - last[0]) * bpm / 60.0
    shift = float(round((natural - first[1]) / beats_per_bar) * beats_per_bar)
    while first[1] + shift <= last[1]:
        shift += beats_per_bar
    return shift


def _make_room(knots: Beats, until_s: float) -> None:
    """Cut the map back to ``until_s``, so that the bridge to a run that follows at once is two bars long.

    Bars that start anew in the middle of one have to be bridged somewhere; over two bars the tempo written
    down stays within half and twice the real one.
    """
    while len(knots) > 1 and knots[-2][0] >= until_s:
        knots.pop()
    if len(knots) > 1 and knots[-1][0] > until_s:
        (t, beat), (next_t, next_beat) = knots[-2:]
        knots[-1] = (until_s, beat + (next_beat - beat) * (until_s - t) / (next_t - t))


def _straightened(points: Sequence[tuple[float, float]]) -> Beats:
    """Leave out the points that straight lines between those kept pass within `_TOLERANCE_S`."""
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


def _runs_of_marks(marks: list[tuple[float, float, bool]]) -> list[tuple[float, Beats]]:
    """Turn the engine's marks into runs; the first mark, and each that starts a bar, starts one."""
    runs: list[tuple[float, Beats]] = []
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
