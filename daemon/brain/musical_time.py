"""Musical time: the engine's one row of ticks, whatever clock they come from.

Ticks never run backwards (but for the little by which a MIDI clock's count is put right): when the clock is swapped,
located or looped, they go on from where they were, moved by a whole number of ticks so that beats stay where the clock
says. `epoch` counts these breaks.
"""

from __future__ import annotations

import math

from antiphon.daemon.brain.beat_tracker import BeatTracker
from antiphon.daemon.brain.clock import Clock, FreeClock, InternalClock
from antiphon.daemon.brain.midi_clock import ClockEvent, MidiClock
from antiphon.daemon.brain.performer import Transport
from antiphon.daemon.brain.told_clock import Source, Told, ToldClock
from antiphon.daemon.settings import Settings
from antiphon.models.generator import (
    MAX_BEATS_IN_BAR,
    TICKS_PER_BEAT,
    UNKNOWN_BEAT_IN_BAR,
    UNKNOWN_TICK_IN_BEAT,
)

#: The internal clock's first beat is this far off: near enough to be at once, far enough to be played on.
_LEAD_IN_NS = 100_000_000
#: Ticks that a clock's jitter moves the position back by, at most.
_RUN_BACK = 1.25
#: Wakes are asked for this much after a tick's time, so that rounding never finds them just before it.
WAKE_LATE_NS = 2_000


class MusicalTime:
    """The clock in use, and the ticks that it makes."""

    def __init__(self, origin_ns: int, settings: Settings) -> None:
        self.epoch = 0
        self._free = FreeClock(origin_ns)
        self._midi = MidiClock(settings.beats_per_bar)
        self._followed = BeatTracker(origin_ns, settings.beats_per_bar)
        self._told = {source: ToldClock(origin_ns, settings.tempo, settings.beats_per_bar) for source in Source}
        self._internal: InternalClock | None = None
        self._clock: Clock = self._free
        self._follows = settings.clock == "followed"
        self._shift = 0  # ticks of the engine at the clock's beat 0
        self._events: list[ClockEvent] = []
        #: (tick of a downbeat, ticks a beat, beats a bar), or None without a running clock.
        self.grid: tuple[int, int, int] | None = None

    @property
    def running(self) -> bool:
        """Whether the clock in use moves on."""
        return self._clock.running

    @property
    def bpm(self) -> float:
        """Tempo of the clock in use."""
        return self._clock.bpm

    @property
    def tempo_known(self) -> bool:
        """Whether `bpm` is a tempo, and settled."""
        if self._clock is self._midi:
            return self._midi.steady
        return self._clock is not self._free and self._clock.running

    @property
    def beat_zero_tick(self) -> int:
        """The tick of the clock's beat 0: after the count-in, or the song's start."""
        return self._shift

    @property
    def clock_corrections(self) -> tuple[int, int]:
        """Ticks of the MIDI clock that were counted though never heard, and how many of them were taken back."""
        return self._midi.corrections

    @property
    def confidence(self) -> float | None:
        """How sure a clock that follows the playing is of its beat, 0 to 1; None while it is not asked for."""
        return self._followed.confidence if self._follows else None

    @property
    def looks_at_ns(self) -> int | None:
        """When `check` is wanted: a clock that says nothing more would be lost, or the playing is followed."""
        first = self._followed.looks_ns if self._follows else self._midi.lost_at_ns
        wishes = (first, *(told.lost_at_ns for told in self._told.values()))
        return min((wish for wish in wishes if wish is not None), default=None)

    def position(self, t_ns: int) -> float:
        """The tick at a time, with its fraction."""
        return self._clock.beat_at(t_ns) * TICKS_PER_BEAT + self._shift

    def tick_at(self, t_ns: int) -> int:
        """The nearest tick."""
        return math.floor(self.position(t_ns) + 0.5)

    def time_of(self, tick: float) -> int:
        """When a tick is, in nanoseconds."""
        return self._clock.time_of((tick - self._shift) / TICKS_PER_BEAT)

    def place(self, tick: int) -> tuple[int, int]:
        """``tick_in_beat`` and ``beat_in_bar``, or the unknown classes."""
        if self.grid is None:
            return UNKNOWN_TICK_IN_BEAT, UNKNOWN_BEAT_IN_BAR
        beat, tick_in_beat = divmod(tick - self.grid[0], TICKS_PER_BEAT)
        return tick_in_beat, min(beat % self.grid[2], MAX_BEATS_IN_BAR - 1)

    def next_on_grid(self, tick: int, step: int) -> int:
        """The first tick from ``tick`` on that is a whole number of steps from a downbeat."""
        downbeat = self.grid[0] if self.grid else 0
        return tick + (downbeat - tick) % step

    def select(self, settings: Settings, t_ns: int) -> None:
        """Use the clock that the settings ask for, and its tempo and metre."""
        self._midi.beats_per_bar = self._followed.beats_per_bar = settings.beats_per_bar
        self._follows = settings.clock == "followed"
        for told in self._told.values():
            told.metre = settings.beats_per_bar
        wanted = self._wanted(settings)
        if wanted == "internal":
            if self._internal is None or self._clock is not self._internal:
                count_in = settings.count_in * settings.beats_per_bar if settings.mode == "accompany" else 0
                start_ns = t_ns + _LEAD_IN_NS
                self._internal = InternalClock(start_ns, settings.tempo, settings.beats_per_bar, -count_in)
            elif self._internal.bpm != settings.tempo:
                self._internal.set_tempo(t_ns, settings.tempo)
            self._internal.beats_per_bar = settings.beats_per_bar
        clocks: dict[str, Clock | None] = {
            "internal": self._internal, "midi": self._midi, "followed": self._followed, "free": self._free,
            "link": self._told[Source.LINK], "jack": self._told[Source.JACK],
        }  # fmt: skip
        self._use(clocks[wanted], t_ns)

    def internal_beat(self, t_ns: int) -> float | None:
        """The beat of the internal clock at a time; None while another is in use."""
        return self._clock.beat_at(t_ns) if self._clock is self._internal else None

    def go_on(self, settings: Settings, t_ns: int, beat: float) -> None:
        """Use the internal clock from ``beat`` at ``t_ns`` on: a lost brain had come so far."""
        self._internal = InternalClock(t_ns, settings.tempo, settings.beats_per_bar, beat)
        self._use(self._internal, t_ns)

    def feed(self, message: Transport, settings: Settings) -> None:
        """Take a clock or transport message in, and use the clock that is right from then on."""
        midi, t_ns = self._midi, message.t_ns
        before, seen, taken_back = self.position(t_ns), midi.seen, midi.corrections[1]
        event = midi.feed(message.status, message.data_1, message.data_2, message.port, t_ns)
        if event is not ClockEvent.NONE or midi.seen != seen:
            self._moved(midi, event, before, settings, t_ns)
        elif self._clock is midi and self.position(t_ns) < before - _RUN_BACK - (midi.corrections[1] - taken_back):
            self._continue_from(before, t_ns)  # it went by a tempo that was none: a burst of ticks

    def tell(self, told: Told, settings: Settings, t_ns: int) -> None:
        """Take in what a source outside says, at ``t_ns`` or before."""
        clock, before = self._told[told.source], self.position(t_ns)
        event = clock.tell(told, t_ns)
        if event is not ClockEvent.NONE:
            self._moved(clock, event, before, settings, t_ns)
        elif clock is self._clock:
            self._regrid()  # it may have told another metre

    def nudge(self, beats: float, t_ns: int) -> None:
        """Move the internal clock's beat, where that is in use."""
        if self._internal is not None and self._clock is self._internal:
            self._internal.nudge(t_ns, beats)

    def put_beat(self, at_ns: int, t_ns: int) -> None:
        """Move the internal clock's nearest beat to a time, where that is in use."""
        if self._internal is not None and self._clock is self._internal:
            self._internal.put_beat(t_ns, at_ns)

    def hear(self, pitch: int, velocity: int, settings: Settings, t_ns: int) -> None:
        """Take a note of the performer's in, where the beat is found in what they play."""
        if self._follows:
            before, was_running = self.position(t_ns), self._followed.running
            self._followed.hear(t_ns, pitch, velocity)
            self._followed_moved(was_running, before, settings, t_ns)

    def check(self, settings: Settings, t_ns: int) -> None:
        """See whether a clock has been lost, and where the followed beat is."""
        before = self.position(t_ns)
        if self._follows:
            was_running = self._followed.running
            self._followed.check(t_ns)
            self._followed_moved(was_running, before, settings, t_ns)
        clocks: tuple[MidiClock | ToldClock, ...] = (self._midi, *self._told.values())
        for clock in clocks:
            event = clock.check(t_ns)
            if event is not ClockEvent.NONE:
                self._moved(clock, event, before, settings, t_ns)

    def take_events(self) -> list[ClockEvent]:
        """What happened to the clock in use since this was asked last."""
        events, self._events = self._events, []
        return events

    def _moved(
        self, clock: MidiClock | ToldClock, event: ClockEvent, before: float, settings: Settings, t_ns: int
    ) -> None:
        was_used = self._clock is clock
        if was_used:
            self._continue_from(before, t_ns)
        self.select(settings, t_ns)
        if event is not ClockEvent.NONE and (was_used or self._clock is clock):
            self._events.append(event)

    def _followed_moved(self, was_running: bool, before: float, settings: Settings, t_ns: int) -> None:
        """Use the followed clock from where it found a beat, and no more where it lost it."""
        if self._followed.running == was_running:
            return
        if self._clock is self._followed:
            self._continue_from(before, t_ns)
        self.select(settings, t_ns)
        self._events.append(ClockEvent.STOPPED if was_running else ClockEvent.STARTED)

    def _wanted(self, settings: Settings) -> str:
        if settings.clock == "followed":  # an accompaniment waits for the beat, the others play without it
            return "followed" if self._followed.running or settings.mode == "accompany" else "free"
        if settings.clock != "auto":
            return settings.clock
        if self._midi.running:
            return "midi"
        if settings.mode == "accompany":  # a master that stopped is still the master
            return "midi" if self._midi.seen else "internal"
        return "free"

    def _use(self, clock: Clock | None, t_ns: int) -> None:
        assert clock is not None
        if clock is self._clock:
            self._regrid()
            return
        before = self.position(t_ns)
        self._clock = clock
        self._continue_from(before, t_ns)

    def _continue_from(self, before: float, t_ns: int) -> None:
        """Move the clock's ticks so that at ``t_ns`` they are at ``before`` or just after."""
        self._shift = math.ceil(before - self._clock.beat_at(t_ns) * TICKS_PER_BEAT - 1e-6)
        self.epoch += 1
        self._regrid()

    def _regrid(self) -> None:
        beats = self._clock.beats_per_bar
        self.grid = (self._shift, TICKS_PER_BEAT, beats) if beats and self._clock.running else None
