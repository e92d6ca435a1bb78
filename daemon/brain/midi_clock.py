"""MIDI clock in: 24 jittery ticks a beat, starts, stops and positions become a steady beat with a position."""

from __future__ import annotations

from enum import Enum

from antiphon.daemon.brain.performer import CLOCK, CONTINUE, SONG_POSITION, START, TRANSPORT_STOP
from antiphon.daemon.brain.tick_line import CLOCKS_A_BEAT, SHORTEST_PATIENCE_NS, TickLine

_CLOCKS_A_SIXTEENTH = 6


class ClockEvent(Enum):
    """What a clock message meant for the music."""

    NONE = 0
    STARTED = 1
    STOPPED = 2
    LOCATED = 3


class MidiClock:
    """Follows the first port that sends clock."""

    def __init__(self, beats_per_bar: int) -> None:
        self.beats_per_bar: int | None = beats_per_bar
        self.running = False
        self.seen = False
        self._line = TickLine()
        self._port = -1
        self._commanded = False  # a start, stop, continue or position came: position is the master's to tell
        self._armed = False  # start or continue came: the next tick moves
        self._next = 0  # position (clocks) of the next tick
        self._jump = False  # `_next` was set while running
        self._on = False  # the song goes on from its last tick: `_next` is not set by anybody
        # what `beat_at` goes by: the last tick that moved the song, the song's position then (clocks), and the period
        self._anchor_ns, self._anchor_clocks, self._anchor_period_ns = 0.0, 0.0, self._line.period_ns
        self._anchor_index = 0  # of that tick

    @property
    def bpm(self) -> float:
        """See `clock.Clock`."""
        return 60e9 / (self._line.period_ns * CLOCKS_A_BEAT)

    @property
    def steady(self) -> bool:
        """Whether the tempo has been followed long enough to be told."""
        return self._line.steady

    @property
    def corrections(self) -> tuple[int, int]:
        """Ticks that were counted and not heard, and ticks of those that were taken back; since the beginning."""
        return self._line.missed, self._line.taken_back

    @property
    def lost_at_ns(self) -> int | None:
        """When, without another tick, the clock counts as lost: a beat after the last; None if not running."""
        if not self.running:
            return None
        return self._line.heard_ns + self._line.patience_ns

    def beat_at(self, t_ns: int) -> float:
        """See `clock.Clock`."""
        return (self._anchor_clocks + (t_ns - self._anchor_ns) / self._anchor_period_ns) / CLOCKS_A_BEAT

    def time_of(self, beat: float) -> int:
        """See `clock.Clock`."""
        return round(self._anchor_ns + (beat * CLOCKS_A_BEAT - self._anchor_clocks) * self._anchor_period_ns)

    def check(self, t_ns: int) -> ClockEvent:
        """Stop when the ticks stay away."""
        lost_at_ns = self.lost_at_ns
        if lost_at_ns is None or t_ns < lost_at_ns:
            return ClockEvent.NONE
        self.running = False
        self._armed = self._on = True  # nobody stopped it: ticks alone bring it back, as many further as the tempo says
        return ClockEvent.STOPPED

    def feed(self, status: int, data_1: int, data_2: int, port: int, t_ns: int) -> ClockEvent:
        """Take one clock or transport message in."""
        if status == CLOCK:
            if self._port not in (-1, port) and t_ns - self._line.heard_ns < 2 * SHORTEST_PATIENCE_NS:
                return ClockEvent.NONE  # a second master: the first has the beat
            self._port = port
            return self._tick(t_ns)
        self._commanded, self._on = True, False
        if status == SONG_POSITION:
            position = (data_1 | data_2 << 7) * _CLOCKS_A_SIXTEENTH
            self._jump = self._jump or (self.running and position != self._next)
            self._next = position
        elif status == START:
            self._jump = self.running
            self._next, self._armed = 0, True
        elif status == CONTINUE:
            self._armed = True
        elif status == TRANSPORT_STOP:
            was_running, self.running = self.running, False
            self._armed = self._jump = False
            return ClockEvent.STOPPED if was_running else ClockEvent.NONE
        return ClockEvent.NONE

    def _tick(self, t_ns: int) -> ClockEvent:
        line = self._line
        if not line.take(t_ns):
            return ClockEvent.NONE
        if self._on:
            self._next = round(self._anchor_clocks) + line.index - self._anchor_index
        if not self.seen and not self._commanded:
            self._armed = True  # it comes in mid-song: its first tick is called a beat
        self.seen = True
        event = ClockEvent.NONE
        if self._armed and not self.running:
            self.running, event = True, ClockEvent.STARTED
        elif self._jump:
            event = ClockEvent.LOCATED
        self._armed = self._jump = False
        if self.running:
            self._anchor_ns, self._anchor_clocks = line.tick_ns, float(self._next)
            self._anchor_period_ns, self._anchor_index = line.period_ns, line.index
            self._next += 1
        self._on = self.running
        return event
