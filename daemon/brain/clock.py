"""Clocks: which beat it is at a time, and when a beat is. Times are always given, never read."""

from __future__ import annotations

from typing import Protocol

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


class InternalClock:
    """Antiphon's own clock, at a tempo that may change while the beat goes on.

    Args:
        start_ns: when it starts.
        bpm: its tempo.
        beats_per_bar: its metre.
        first_beat: the beat that it starts at; below 0 in a count-in.
    """

    running = True

    def __init__(self, start_ns: int, bpm: float, beats_per_bar: int, first_beat: float = 0.0) -> None:
        self._anchor_ns, self._anchor_beat = start_ns, float(first_beat)
        self._bpm = bpm
        self.beats_per_bar: int | None = beats_per_bar

    @property
    def bpm(self) -> float:
        """See `Clock`."""
        return self._bpm

    def set_tempo(self, t_ns: int, bpm: float) -> None:
        """Go on at another tempo from here; the beat does not jump."""
        self._anchor_beat, self._anchor_ns = self.beat_at(t_ns), t_ns
        self._bpm = bpm

    def beat_at(self, t_ns: int) -> float:
        """See `Clock`."""
        return self._anchor_beat + (t_ns - self._anchor_ns) * (self._bpm / _NS_A_MINUTE)

    def time_of(self, beat: float) -> int:
        """See `Clock`."""
        return self._anchor_ns + round((beat - self._anchor_beat) * (_NS_A_MINUTE / self._bpm))
