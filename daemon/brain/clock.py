"""Clocks: which beat it is at a time, and when a beat is. Times are always given, never read."""

from __future__ import annotations

from typing import Protocol

from antiphon.daemon.brain.slewed_line import SlewedLine

#: Tempo that stands for "no tempo": seconds become beats with it.
REFERENCE_BPM = 120.0
_NS_A_MINUTE = 60e9


class Clock(Protocol):
    """A source of beats. Beat 0 is a downbeat where `grid` says that there are any."""

    @property
    def bpm(self) -> float:
        """Tempo, beats a minute."""

    @property
    def running(self) -> bool:
        """Whether the music moves on."""

    @property
    def beats_per_bar(self) -> int | None:
        """Beats a bar counted from beat 0; None where there is no pulse to speak of."""

    def beat_at(self, t_ns: int) -> float:
        """The beat at a time."""

    def time_of(self, beat: float) -> int:
        """The time of a beat, as far as is known now."""


class FreeClock:
    """Seconds at the reference tempo, with no pulse: for playing without a clock."""

    running = True
    beats_per_bar = None
    bpm = REFERENCE_BPM

    def __init__(self, origin_ns: int) -> None:
        self._origin_ns = origin_ns

    def beat_at(self, t_ns: int) -> float:
        """See `Clock`."""
        return (t_ns - self._origin_ns) * (REFERENCE_BPM / _NS_A_MINUTE)

    def time_of(self, beat: float) -> int:
        """See `Clock`."""
        return self._origin_ns + round(beat * (_NS_A_MINUTE / REFERENCE_BPM))


class InternalClock(SlewedLine):
    """Antiphon's own clock, at a tempo that may change, and with a beat that may be moved, while it goes on.

    Args:
        start_ns: when it starts.
        bpm: its tempo.
        beats_per_bar: its metre.
        first_beat: the beat that it starts at; below 0 in a count-in.
    """

    running = True

    def __init__(self, start_ns: int, bpm: float, beats_per_bar: int, first_beat: float = 0.0) -> None:
        super().__init__(start_ns, first_beat, bpm)
        self.beats_per_bar: int | None = beats_per_bar

    def set_tempo(self, t_ns: int, bpm: float) -> None:
        """Go on at another tempo from here; the beat does not jump."""
        self.bend(t_ns, bpm, self._owed(t_ns))

    def nudge(self, t_ns: int, beats: float) -> None:
        """Be further on by so many beats, or below 0 less far, before the next beat is over."""
        self.bend(t_ns, self.bpm, self._owed(t_ns) + beats)

    def put_beat(self, t_ns: int, at_ns: int) -> None:
        """Move the nearest beat to a time, in the next beat."""
        beat = self.settled_at(at_ns)
        self.nudge(t_ns, round(beat) - beat)

    def _owed(self, t_ns: int) -> float:
        return self.settled_at(t_ns) - self.beat_at(t_ns)
