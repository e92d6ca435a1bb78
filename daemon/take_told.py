"""The beats of a take whose clock was told by a source outside (Ableton Link, JACK's transport). Pure.

A session may join a song in the middle of a bar, and a source moves its beat by little all the time; both are in the
engine's log as they were told, so that the take's bars are the song's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from antiphon.daemon.brain.midi_clock import ClockEvent
from antiphon.daemon.brain.told_clock import LOST_NS, Source, Told, ToldClock
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.take_tempo import Beats, Run
from antiphon.models.tempo_map import NOMINAL_BPM


class ToldLog:
    """Collects what sources told, in its order.

    Args:
        seconds: gives the take's time of a time of the journal.
    """

    def __init__(self, seconds: Callable[[int], float]) -> None:
        #: Beats a bar as a source knew it first; 0 where none did.
        self.beats_per_bar = 0
        self._seconds = seconds
        self._runs: list[Beats] = []
        self._clocks = {source: ToldClock(0, NOMINAL_BPM, 4) for source in Source}
        self._last: Told | None = None

    def take_in(self, record: Record) -> None:
        """Take one record of the engine's log; what is not `Kind.TOLD_BEAT` is ignored."""
        told = Told.of(record) if record.kind == Kind.TOLD_BEAT else None
        if told is None:
            return
        was, self._last = self._last, told
        event = self._clocks[told.source].tell(told, told.t_ns)
        at_once = was is not None and was.running and told.t_ns - was.t_ns < LOST_NS and was.source == told.source
        if was is not None and at_once and event is not ClockEvent.NONE:
            self._add(was, told.t_ns)  # the song went on like this until it was located or stopped
        if not told.running:
            return
        self.beats_per_bar = self.beats_per_bar or told.beats_per_bar
        if event is not ClockEvent.NONE or not at_once:
            self._runs.append([])
        self._add(told, told.t_ns)

    def runs(self) -> list[Run]:
        """Give each run of a beat or more."""
        found = []
        for beats in self._runs:
            (first_s, first), (last_s, last) = beats[0], beats[-1]
            if last - first >= 1.0:
                found.append((60.0 * (last - first) / max(1e-3, last_s - first_s), beats))
        return found

    def _add(self, told: Told, t_ns: int) -> None:
        beats, point = self._runs[-1], (self._seconds(t_ns), told.beat_at(t_ns))
        # a source may put its beat back by a little: the line through the others says the same
        if not beats or (point[0] > beats[-1][0] and point[1] > beats[-1][1]):
            beats.append(point)


def told_runs(engine: Iterable[Record], seconds: Callable[[int], float]) -> ToldLog:
    """Collect all that an engine's log was told."""
    log = ToldLog(seconds)
    for record in engine:
        log.take_in(record)
    return log
