"""MIDI clock in: 24 jittery ticks a beat become a steady beat with a position.

The filter is a second-order tracker (time and period of the tick) whose gains are those of a least-squares
line through the ticks so far, up to `_MEMORY_TICKS` of them; then it forgets at that pace. Several ticks in a
row that are off in one direction are a new tempo, not jitter, and shorten its memory.

A tick that is lost on the way would move every beat after it. So a gap of just so many periods, of a steady clock,
counts as the ticks lost in it; should they only have been late, they come after it and are passed over; and where
such gaps go on, it is a slower tempo, and what was counted is taken back.
"""

from __future__ import annotations

from enum import Enum

from antiphon.daemon.brain.performer import CLOCK, CONTINUE, SONG_POSITION, START, TRANSPORT_STOP

CLOCKS_A_BEAT = 24
_CLOCKS_A_SIXTEENTH = 6
_DEFAULT_PERIOD_NS = 60e9 / 120 / CLOCKS_A_BEAT
#: Position error about 0.3 of the jitter; two beats to forget an old tempo.
_MEMORY_TICKS = 48
#: A tick further off than any jitter met on USB and JACK, this many times in one direction: a new tempo.
_OFF_NS, _OFF_TICKS, _SHORT_MEMORY_TICKS = 5e6, 3, 6
#: 30 to 300 bpm with room: a gap that is no tempo is a pause.
_LONGEST_PERIOD_NS = 60e9 / 20 / CLOCKS_A_BEAT
_SHORTEST_PERIOD_NS = 60e9 / 400 / CLOCKS_A_BEAT
#: A gap is ticks that were lost where it is a whole number of periods, within this; what comes sooner than half a
#: period after such a gap is one of them; and so many such gaps in a row, all alike, are a slower tempo.
_WHOLE, _SOON, _GAPS_OF_A_TEMPO = 0.25, 0.5, 3
#: A clock of a fast song that stumbles for less than this is not lost.
_SHORTEST_PATIENCE_NS = 300_000_000


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
        self._port = -1
        self._commanded = False  # a start, stop, continue or position came: position is the master's to tell
        self._armed = False  # start or continue came: the next tick moves
        self._next = 0  # position (clocks) of the next tick
        self._jump = False  # `_next` was set while running
        self._lost = False  # the ticks stayed away while running
        self._tick_ns = 0.0  # filtered time of the last tick
        self._heard_ns = 0  # when the last tick came
        self._period_ns = _DEFAULT_PERIOD_NS
        self._count = 0  # ticks in the filter's memory
        self._off = 0  # ticks in a row off to one side, signed
        self._bridged: list[int] = []  # ticks lost in each of the latest gaps, all alike, with no tick between them
        self._late = 0  # of them, how many may yet come
        # what `beat_at` goes by: the last tick that moved the song, and the period then
        self._anchor_ns, self._anchor_clocks, self._anchor_period_ns = 0.0, 0.0, _DEFAULT_PERIOD_NS

    @property
    def bpm(self) -> float:
        """See `clock.Clock`."""
        return 60e9 / (self._period_ns * CLOCKS_A_BEAT)

    @property
    def steady(self) -> bool:
        """Whether the tempo has been followed long enough to be told."""
        return self._count >= CLOCKS_A_BEAT

    @property
    def lost_at_ns(self) -> int | None:
        """When, without another tick, the clock counts as lost: a beat after the last; None if not running."""
        if not self.running:
            return None
        return self._heard_ns + max(_SHORTEST_PATIENCE_NS, round(self._period_ns * CLOCKS_A_BEAT))

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
        self._armed = self._lost = True  # nobody stopped it: ticks alone bring it back
        return ClockEvent.STOPPED

    def feed(self, status: int, data_1: int, data_2: int, port: int, t_ns: int) -> ClockEvent:
        """Take one clock or transport message in."""
        if status == CLOCK:
            if self._port not in (-1, port) and t_ns - self._heard_ns < 2 * _SHORTEST_PATIENCE_NS:
                return ClockEvent.NONE  # a second master: the first has the beat
            self._port = port
            return self._tick(t_ns)
        self._commanded, self._lost = True, False
        if status == SONG_POSITION:
            position = (data_1 | data_2 << 7) * _CLOCKS_A_SIXTEENTH
            self._jump = self.running and position != self._next
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
        if self._lost:  # as many ticks went by as the tempo says
            self._next += max(0, round((t_ns - self._tick_ns) / self._period_ns) - 1)
            self._lost = False
        if not self.seen and not self._commanded:
            self._armed = True  # it comes in mid-song: its first tick is called a beat
        if self._was_late(t_ns):
            return ClockEvent.NONE
        if not self._bridge(t_ns) and (not self.seen or t_ns - self._heard_ns > _LONGEST_PERIOD_NS):
            self._tick_ns, self._count, self._off = float(t_ns), 1, 0
        else:
            self._track(t_ns)
        self.seen, self._heard_ns = True, t_ns
        event = ClockEvent.NONE
        if self._armed and not self.running:
            self.running, event = True, ClockEvent.STARTED
        elif self._jump:
            event = ClockEvent.LOCATED
        self._armed = self._jump = False
        if self.running:
            self._anchor_ns, self._anchor_clocks = self._tick_ns, float(self._next)
            self._anchor_period_ns = self._period_ns
            self._next += 1
        return event

    def _was_late(self, t_ns: int) -> bool:
        """Whether this tick is one of those that were counted as lost."""
        if not self._late or t_ns - self._tick_ns > _SOON * self._period_ns:
            self._late = 0
            return False
        self._late -= 1
        return True

    def _bridge(self, t_ns: int) -> bool:
        """Count the ticks that were lost before this one. True where there were any."""
        passed = (t_ns - self._tick_ns) / self._period_ns
        lost = round(passed) - 1
        if not (self.running and self.steady) or self._jump or lost < 1 or abs(passed - lost - 1) > _WHOLE:
            self._bridged.clear()
            return False
        self._bridged = [*self._bridged, lost] if lost in self._bridged else [lost]
        if len(self._bridged) >= _GAPS_OF_A_TEMPO:
            self._next -= sum(self._bridged[:-1])
            self._period_ns, self._count, self._off = float(t_ns - self._heard_ns), 1, 0
            self._tick_ns = t_ns - self._period_ns
            self._bridged.clear()
            return True
        self._next += lost
        self._tick_ns += lost * self._period_ns
        self._late = lost
        return True

    def _track(self, t_ns: int) -> None:
        """Move the filtered time and period on to this tick."""
        error_ns = t_ns - (self._tick_ns + self._period_ns)
        side = (error_ns > _OFF_NS) - (error_ns < -_OFF_NS)
        self._off = self._off + side if side and side * self._off >= 0 else side
        if abs(self._off) >= _OFF_TICKS:
            self._count, self._off = min(self._count, _SHORT_MEMORY_TICKS), 0
        self._count = n = min(self._count + 1, _MEMORY_TICKS)
        self._tick_ns += self._period_ns + error_ns * (2 * (2 * n - 1) / (n * (n + 1)))
        self._period_ns += error_ns * (6 / (n * (n + 1)))
        self._period_ns = min(max(self._period_ns, _SHORTEST_PERIOD_NS), _LONGEST_PERIOD_NS)
