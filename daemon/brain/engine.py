"""The engine: the pure core between the ports.

`Engine.handle` takes one record and gives the player's orders and the log's records. It has no clock, thread,
socket or file: time is only ever a record's time, randomness only ever the seed's. The same inputs give the
same outputs, live, offline and in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from antiphon.daemon.brain.click import Click
from antiphon.daemon.brain.engine_status import engine_status
from antiphon.daemon.brain.generator_watch import GeneratorFaultError
from antiphon.daemon.brain.intent import Intended, intended
from antiphon.daemon.brain.metrics import Metrics
from antiphon.daemon.brain.midi_clock import ClockEvent
from antiphon.daemon.brain.modes.accompany import Accompany
from antiphon.daemon.brain.modes.answer import Answer
from antiphon.daemon.brain.modes.base import Mode
from antiphon.daemon.brain.modes.follow import Follow
from antiphon.daemon.brain.modes.takeover import TakeOver
from antiphon.daemon.brain.own_notes import SendFirst
from antiphon.daemon.brain.performer import (
    PEDAL_DOWN,
    SOSTENUTO,
    SUSTAIN,
    TRANSPORT_STOP,
    Controller,
    Event,
    Released,
    Struck,
    Transport,
)
from antiphon.daemon.brain.stage import Stage
from antiphon.daemon.brain.tapping import NUDGE_BEATS
from antiphon.daemon.brain.told_clock import Told
from antiphon.daemon.brain.troubles import Troubles
from antiphon.daemon.brain.window import Window
from antiphon.daemon.errors import ConfigError
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.part_offsets import NO_OFFSETS, ChannelOffsets
from antiphon.daemon.settings import Settings
from antiphon.models.generator import Constraints, Generator

_MODES: dict[str, Callable[[Stage], Mode]] = {
    "follow": Follow,
    "answer": Answer,
    "continue": TakeOver,
    "accompany": Accompany,
}
#: States made in one `WAKE`, at most: an input that comes meanwhile waits no longer than this.
_STEPS_A_WAKE = 2
_CLOCK_MARKS = {
    ClockEvent.STARTED: Mark.CLOCK_START,
    ClockEvent.STOPPED: Mark.CLOCK_STOP,
    ClockEvent.LOCATED: Mark.LOCATE,
}
#: A tempo that moved by less is the same tempo, seen through jitter.
_TEMPO_CHANGE = 0.01
_REPORTS = (Kind.SENT, Kind.ENDED, Kind.CUT, Kind.DROPPED, Kind.CANCELLED)


class Engine:
    """Hears, plans and plays. Not thread-safe: belongs to the brain's one thread.

    Args:
        generator: what it plays with.
        settings: to begin with; `Kind.SET` changes them.
        seed: of everything random.
        channel_parts: input channel (0-15) -> part, for channels that are not simply the performer's.
        model: the generator's number among the session's.
        port_parts: input port -> part, likewise; it goes before the channel's.
        part_offsets_ns: what the player moves the notes of each channel by, beside the output offset.
    """

    def __init__(
        self, generator: Generator, settings: Settings, seed: int,
        channel_parts: Mapping[int, int] | None = None, model: int = 0,
        port_parts: Mapping[int, int] | None = None, part_offsets_ns: ChannelOffsets = NO_OFFSETS,
    ) -> None:  # fmt: skip
        self.seed = seed
        self.part_offsets_ns = part_offsets_ns
        #: What `Kind.MODEL` may change to, by number; 0 is what a session starts with.
        self.models: dict[int, Generator] = {model: generator}
        #: When it wants a `Kind.WAKE`; in the past or now: at once. None: not until something happens.
        self.next_wake_ns: int | None = None
        self._stage = Stage(generator, settings, seed, channel_parts or {}, port_parts, min(part_offsets_ns))
        self._troubles = Troubles(self._stage, self.models, model)
        self._playing: Generator = generator  # what was told to be playing last
        self._told_bpm = 1.0
        self._pressed = False  # the trigger's controller
        self._begin(0, seed)
        self._handlers: dict[int, Callable[[Record], None]] = {
            Kind.WAKE: self._wake, Kind.SET: self._set, Kind.TRIGGER: self._trigger, Kind.SEED: self._reseed,
            Kind.START: self._start, Kind.RESTART: self._restart, Kind.CONTEXT: self._recall,
            Kind.OWN_CONTEXT: self._recall, Kind.PANIC: self._panic, Kind.STOP: self._stop,
            Kind.PORT: self._port, Kind.MODEL: self._change_model, Kind.TOLD_BEAT: self._told_beat,
            Kind.NUDGE: self._nudge, Kind.TAPPED: self._tapped, Kind.SLEPT: self._slept,
            Kind.LATE: self._late,
            **dict.fromkeys(_REPORTS, self._report),
        }  # fmt: skip

    @property
    def settings(self) -> Settings:
        """The snapshot in use."""
        return self._stage.settings

    @property
    def generator(self) -> Generator:
        """What it plays with."""
        return self._stage.generator

    @property
    def model(self) -> int:
        """The number of the model that plays, or is about to take over."""
        return self._troubles.model

    @property
    def trouble(self) -> str:
        """What went wrong with the generator last, in words; empty where nothing did."""
        return self._stage.watch.why

    @property
    def counters(self) -> Metrics:
        """A snapshot of everything counted."""
        return self._stage.counts.snapshot()

    @property
    def at_once(self) -> Constraints:
        """What a reply that leaves at once may be."""
        return self._stage.palette.at_once

    def send_first(self, send: SendFirst) -> None:
        """Have a reply given to this as soon as it is drawn; otherwise it is among what `handle` gives, as all else."""
        self._stage.send_first = send

    @property
    def window(self) -> Window:
        """What the generator remembers; to look at."""
        return self._stage.window

    def intended(self, now_ns: int) -> list[Intended]:
        """Give what it is about to play."""
        return intended(self._mode.plan, self._stage.time, now_ns)

    def status(self, now_ns: int) -> dict[str, float | int | str]:
        """Give what people are told: whose turn it is, where in the song, and every counter."""
        return engine_status(self._stage, self._mode.turn, now_ns)

    def handle(self, record: Record, foreseen: Sequence[Record] = ()) -> list[Record]:
        """Take one record in; give orders and log records, in the order to carry them out.

        Args:
            record: an input.
            foreseen: where a take is made again: the `Kind.TROUBLE` records that this input led to.
        """
        stage = self._stage
        stage.out.clear()  # what led to nothing: a beginning, or an input that failed
        stage.watch.begin(foreseen)
        if record.kind == Kind.MIDI_IN:
            stage.now_ns = max(stage.now_ns, record.t_ns)
            heard = [] if self._troubles.comes_back(record) else [record]
            for message in (*self._troubles.taken_back(record), *heard):
                for event in stage.performer.feed(message):
                    self._carry_on(self._event, event)
        elif (handler := self._handlers.get(record.kind)) is not None:
            if record.kind not in _REPORTS:
                stage.now_ns = max(stage.now_ns, record.t_ns)
            self._carry_on(handler, record)
        self.next_wake_ns = self._next_wake()
        return stage.out.copy()

    def _carry_on(self, do: Callable[[Any], None], what: Any) -> None:
        """Do something that the generator may fail at."""
        try:
            do(what)
        except GeneratorFaultError as fault:
            self._troubles.generator_failed(fault)
            self._mode.failed()

    # ---- what the performer does --------------------------------------------------------------------------

    def _event(self, event: Event) -> None:
        if isinstance(event, Struck):
            stage = self._stage
            stage.time.hear(event.note.pitch, event.note.velocity, stage.settings, event.t_ns)
            self._clock_moved()
            self._mode.struck(event.note, event.t_ns)
        elif isinstance(event, Released):
            self._mode.released(event.note, event.t_ns, event.silenced)
        elif isinstance(event, Transport):
            self._transport(event)
        elif isinstance(event, Controller):
            self._controller(event)
        else:
            self._stage.counts.malformed += 1

    def _controller(self, event: Controller) -> None:
        if event.number == self._stage.settings.trigger_cc:
            pressed = event.value >= PEDAL_DOWN
            if pressed and not self._pressed:
                self._mode.trigger(event.t_ns)
            self._pressed = pressed
        elif event.number in (SUSTAIN, SOSTENUTO):
            self._mode.pedalled(event.t_ns)

    def _transport(self, event: Transport) -> None:
        if event.status == TRANSPORT_STOP:
            self._hush()
        self._stage.time.feed(event, self._stage.settings)
        self._clock_moved(hushed=event.status == TRANSPORT_STOP)

    def _clock_moved(self, *, hushed: bool = False) -> None:
        """Tell the take of starts, stops, jumps and tempi, and end what no longer fits them."""
        stage = self._stage
        for event in stage.time.take_events():
            if not hushed and (event is ClockEvent.STOPPED or stage.settings.mode == "accompany"):
                self._hush()
            stage.mark(_CLOCK_MARKS[event])
        if stage.time.tempo_known and abs(stage.time.bpm / self._told_bpm - 1.0) > _TEMPO_CHANGE:
            self._told_bpm = stage.time.bpm
            stage.mark(Mark.TEMPO, self._told_bpm)

    def _hush(self) -> None:
        """End and cancel everything of Antiphon's."""
        if self._stage.notes:
            self._stage.notes.silence(self._stage.now_ns)
        self._mode.hush(self._stage.now_ns)

    # ---- records of other kinds ---------------------------------------------------------------------------

    def _wake(self, record: Record) -> None:
        stage = self._stage
        stage.time.check(stage.settings, record.t_ns)
        self._clock_moved()
        self._click.wake(record.t_ns)
        if not self._mode.wake(record.t_ns):
            if stage.window.pending and not stage.resting:
                stage.window.work(_STEPS_A_WAKE)
            elif stage.key_due:
                stage.hear_key()
        if stage.generator is not self._playing:  # what is not handed over yet is the new one's to draw
            self._playing = stage.generator
            stage.mark(Mark.MODEL, self._troubles.took_over())
            self._mode.changed(record.t_ns)

    def _next_wake(self) -> int | None:
        stage = self._stage
        now_ns = stage.now_ns
        resting = stage.resting
        if stage.key_due or (stage.window.pending and not resting):
            return now_ns
        first: int | None = stage.watch.retry_ns if resting else None
        for wish in (self._mode.next_wake_ns(now_ns), self._click.next_wake_ns(), stage.time.looks_at_ns):
            if wish is not None and (first is None or wish < first):
                first = wish
        return first

    def _set(self, record: Record) -> None:
        stage = self._stage
        before = stage.settings
        try:
            settings = before.with_encoded(record.id, record.value)
        except ConfigError:
            stage.counts.malformed += 1
            return
        if settings == before:
            return
        other_mode = settings.mode != before.mode
        if other_mode or (settings.mute and not before.mute):
            self._hush()
        stage.use(settings)
        if (settings.thru, settings.thru_channel) != (before.thru, before.thru_channel):
            self._order_thru()
        if settings.offset != before.offset:
            self._order_offset()
        if other_mode:
            self._mode = _MODES[settings.mode](stage)
            self._mode.enter(record.t_ns)
        else:
            self._mode.changed(record.t_ns)
        self._clock_moved()

    def _change_model(self, record: Record) -> None:
        if not self._troubles.change_model(record.id):
            self._stage.counts.malformed += 1

    def _told_beat(self, record: Record) -> None:
        stage, told = self._stage, Told.of(record)
        if told is None:
            stage.counts.malformed += 1
            return
        stage.time.tell(told, stage.settings, stage.now_ns)
        self._clock_moved()

    def _nudge(self, record: Record) -> None:
        if -NUDGE_BEATS <= record.value <= NUDGE_BEATS:
            self._stage.time.nudge(record.value, self._stage.now_ns)
        else:
            self._stage.counts.malformed += 1

    def _tapped(self, record: Record) -> None:
        self._stage.time.put_beat(record.u_ns, self._stage.now_ns)

    def _trigger(self, record: Record) -> None:
        self._mode.trigger(record.t_ns)

    def _reseed(self, record: Record) -> None:
        self._stage.reseed(record.id)

    def _panic(self, record: Record) -> None:
        stage = self._stage
        stage.notes.silence(stage.now_ns)
        stage.out.append(Record(Kind.PANIC, 1, t_ns=record.t_ns))
        self._mode.hush(record.t_ns)
        self._mode.rest(record.t_ns)
        stage.mark(Mark.PANIC)

    def _stop(self, record: Record) -> None:
        self._stage.notes.silence(self._stage.now_ns)
        self._mode.hush(record.t_ns)
        self._mode = Mode(self._stage)  # listens to what is left to come in, and plays nothing

    def _port(self, record: Record) -> None:
        if record.a == 0 and record.b == 0:
            for event in self._stage.performer.silence(record.t_ns, record.id):
                self._event(event)

    def _late(self, record: Record) -> None:
        self._stage.late_ns = record.t_ns

    def _slept(self, record: Record) -> None:
        """The machine was suspended: begin again. A clock from outside does so by itself, with what it tells next."""
        stage = self._stage
        stage.counts.suspended += 1
        self._hush()
        for event in stage.performer.silence(record.t_ns):
            self._event(event)
        if stage.time.internal_beat(record.t_ns) is not None:
            stage.time.go_on(stage.settings, record.t_ns, 0.0)
        self._clock_moved(hushed=True)

    def _report(self, record: Record) -> None:
        if record.kind == Kind.SENT and (own := self._stage.notes.get(record.id)) is not None:
            self._troubles.sent(own, record.u_ns)
        if self._stage.notes.report(record) is not None:
            self._mode.corrected(self._stage.now_ns)

    # ---- sessions -----------------------------------------------------------------------------------------

    def _start(self, record: Record) -> None:
        self.seed = record.id
        self._begin(record.t_ns, record.id)
        self._greet()

    def _restart(self, record: Record) -> None:
        self._stage.counts.restarts += 1
        self._stage.notes.next_id = record.u_ns or self._stage.notes.next_id
        self._begin(record.t_ns, record.id, record.value if record.a else None)
        self._greet()

    def _begin(self, t_ns: int, seed: int, internal_beat: float | None = None) -> None:
        stage = self._stage
        stage.reset(t_ns, seed)
        self._troubles.reset()
        self._playing = stage.generator
        self._told_bpm = 1.0
        self._pressed = False
        self._click: Click = Click(stage)
        if internal_beat is not None:
            stage.time.go_on(stage.settings, t_ns, internal_beat)
        stage.time.select(stage.settings, t_ns)
        self._mode = _MODES[stage.settings.mode](stage)
        self._mode.enter(t_ns)

    def _greet(self) -> None:
        self._order_thru()
        self._order_offset()
        self._clock_moved()

    def _recall(self, record: Record) -> None:
        held = self._stage.recall(record)
        if held is None:
            self._stage.counts.malformed += 1
        elif record.kind == Kind.CONTEXT and not record.u_ns:
            self._stage.performer.adopt(held, record.t_ns, key_down=not record.value)

    def _order_thru(self) -> None:
        stage = self._stage
        channel = stage.settings.thru_channel - 1
        stage.out.append(Record(Kind.THRU, int(self._troubles.thru), channel, t_ns=stage.now_ns))

    def _order_offset(self) -> None:
        stage = self._stage
        stage.out.append(Record(Kind.OFFSET, t_ns=round(stage.settings.offset * 1e6)))
