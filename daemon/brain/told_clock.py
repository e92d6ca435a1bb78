"""A clock that goes by what a source outside says: Ableton Link, JACK's transport. Pure.

Each record tells the whole of it: whether the song runs, which beat it is, how fast, how many beats a bar. The clock
goes on from the last of them. Where the next one differs by little, the beat goes there without a jump; where it
differs by more than any change of tempo explains, the song was located.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from antiphon.daemon.brain.midi_clock import ClockEvent
from antiphon.daemon.brain.slewed_line import SlewedLine
from antiphon.daemon.messages import Kind, Record

#: A source that runs and says nothing for this long is lost.
LOST_NS = 2_000_000_000
#: A source says something at least this often while it runs.
TOLD_EVERY_NS = 100_000_000
#: Beats: what is off by more was located.
_SIXTEENTH = 0.25
#: Small differences are made up for in this many beats.
_WITHIN = 0.25
_SLOWEST_BPM, _FASTEST_BPM = 5.0, 1000.0
_MOST_IN_BAR = 64
#: A difference in beat or tempo (a share of it) that is worth telling before the time has come.
_MOVED_BEATS, _TEMPO = 0.01, 1e-4


class Source(IntEnum):
    """Who tells; stored in journals."""

    LINK = 1
    JACK = 2


class Told(NamedTuple):
    """Where a source is at a time."""

    source: Source
    t_ns: int
    beat: float  # beat 0 starts a bar
    beat_ns: int  # length of a beat
    running: bool = True
    beats_per_bar: int = 0  # 0: the source does not know

    @property
    def bpm(self) -> float:
        """Tempo, beats a minute."""
        return 60e9 / self.beat_ns

    def beat_at(self, t_ns: int) -> float:
        """The beat at another time, were the tempo to stay."""
        return self.beat + (t_ns - self.t_ns) / self.beat_ns

    def record(self) -> Record:
        """Give its form for the engine and the journal."""
        return Record(
            Kind.TOLD_BEAT, self.source, self.running, self.beats_per_bar, 0, self.t_ns, self.beat_ns, self.beat
        )

    @classmethod
    def of(cls, record: Record) -> Told | None:
        """Undo `record`; None for what no source says: an unknown one, or a beat or tempo that is none."""
        if record.a not in tuple(Source) or not math.isfinite(record.value) or record.c > _MOST_IN_BAR:
            return None
        if not 60e9 / _FASTEST_BPM <= record.u_ns <= 60e9 / _SLOWEST_BPM:
            return None
        return cls(Source(record.a), record.t_ns, record.value, record.u_ns, bool(record.b), record.c)


class Teller:
    """Picks the readings of one source that are worth a record: a change, and one every `TOLD_EVERY_NS`."""

    def __init__(self) -> None:
        self._last: Told | None = None

    def worth(self, told: Told) -> bool:
        """Whether to tell this; if so it counts as told."""
        if not self._differs(told):
            return False
        self._last = told
        return True

    def _differs(self, told: Told) -> bool:
        last = self._last
        if last is None or told.running != last.running:
            return True
        if not told.running:
            return False
        return (
            told.t_ns - last.t_ns >= TOLD_EVERY_NS
            or told.beats_per_bar != last.beats_per_bar
            or abs(told.beat_ns / last.beat_ns - 1.0) > _TEMPO
            or abs(told.beat - last.beat_at(told.t_ns)) > _MOVED_BEATS
        )


class ToldClock:
    """A `clock.Clock` that goes by `Told`.

    Args:
        origin_ns: beat 0, until something is told.
        bpm: the tempo until then.
        metre: beats a bar where the source does not know.
    """

    def __init__(self, origin_ns: int, bpm: float, metre: int) -> None:
        self.metre = metre
        self.running = False
        self.seen = False
        self._line = SlewedLine(origin_ns, 0.0, bpm)
        self._told_metre = 0
        self._told_ns = origin_ns

    @property
    def bpm(self) -> float:
        """See `clock.Clock`."""
        return self._line.bpm

    @property
    def beats_per_bar(self) -> int | None:
        """See `clock.Clock`."""
        return self._told_metre or self.metre

    @property
    def lost_at_ns(self) -> int | None:
        """When, if nothing more is told, the source counts as lost; None where it does not run."""
        return self._told_ns + LOST_NS if self.running else None

    def beat_at(self, t_ns: int) -> float:
        """See `clock.Clock`."""
        return self._line.beat_at(t_ns)

    def time_of(self, beat: float) -> int:
        """See `clock.Clock`."""
        return self._line.time_of(beat)

    def check(self, t_ns: int) -> ClockEvent:
        """Stop when nothing is told any more."""
        if self.lost_at_ns is None or t_ns < self.lost_at_ns:
            return ClockEvent.NONE
        self.running = False
        return ClockEvent.STOPPED

    def tell(self, told: Told, now_ns: int) -> ClockEvent:
        """Go by this from ``now_ns`` on, which is no sooner than it was told."""
        was_running, since_ns, self._told_ns = self.running, now_ns - self._told_ns, now_ns
        self.seen, self.running, self._told_metre = True, told.running, told.beats_per_bar
        if not told.running:
            return ClockEvent.STOPPED if was_running else ClockEvent.NONE
        beat = told.beat_at(now_ns)
        off = beat - self._line.beat_at(now_ns)
        # the tempo may have changed at any moment since it was told last: the beat is off by so much then, at most
        by_tempo = since_ns / told.beat_ns - since_ns * self._line.bpm / 60e9
        if was_running and min(0.0, by_tempo) - _SIXTEENTH <= off <= max(0.0, by_tempo) + _SIXTEENTH:
            self._line.bend(now_ns, told.bpm, off, _WITHIN)
            return ClockEvent.NONE
        self._line = SlewedLine(now_ns, beat, told.bpm)
        return ClockEvent.LOCATED if was_running else ClockEvent.STARTED


def told_context(log: Iterable[Record]) -> list[Record]:
    """Give what each source said last, to begin a new engine with after a lost brain.

    Args:
        log: the engine's inputs so far, `Kind.TOLD_BEAT` among them.
    """
    last = {record.a: record for record in log if record.kind == Kind.TOLD_BEAT}
    return list(last.values())
