"""The stage: what every mode plays on. Window, time, palette, randomness, and Antiphon's own notes.

Pure: orders and log records go to `Stage.out`, times come from records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from antiphon.daemon.brain.constraints import Palette
from antiphon.daemon.brain.drawing_pace import DrawingPace
from antiphon.daemon.brain.feel import Feel
from antiphon.daemon.brain.generator_watch import GeneratorFaultError, GeneratorWatch
from antiphon.daemon.brain.key import hear_key
from antiphon.daemon.brain.metrics import Counts
from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.own_notes import Known, OwnNote, OwnNotes, SendFirst
from antiphon.daemon.brain.performer import UNMAPPED, Performer, PlayedNote
from antiphon.daemon.brain.telling import told_of
from antiphon.daemon.brain.window import Window
from antiphon.daemon.messages import Kind, Mark, Record, Trouble
from antiphon.daemon.settings import Settings
from antiphon.models.generator import (
    TICKS_PER_BEAT,
    UNIFORMS,
    UNKNOWN_SHIFT,
    Constraints,
    Draw,
    Generator,
    HeldNote,
    NothingAllowedError,
)
from antiphon.models.notes import SHIFTS
from antiphon.models.parts import OUTPUT_CHANNEL, Part

#: For so long after an input that had to wait, nothing is begun that needs more states than this first.
_LAGS_NS, _AT_ONCE = 5_000_000_000, 3
#: The key is heard anew after so many notes.
_KEY_EVERY = 4
_CHANNELS = {int(part): channel for part, channel in OUTPUT_CHANNEL.items()}


class Stage:
    """Everything that modes share. See the module's text."""

    def __init__(
        self, generator: Generator, settings: Settings, seed: int, channel_parts: Mapping[int, int],
        port_parts: Mapping[int, int] | None = None, soonest_part_ns: int = 0,
    ) -> None:  # fmt: skip
        self._channel_parts = dict(channel_parts)
        self._port_parts = dict(port_parts or {})
        self._soonest_part_ns = soonest_part_ns  # of every part's own offset, the most negative
        self._wanted = generator
        self.settings = settings
        self._told = self._tell()
        self.counts = Counts()
        self.watch = GeneratorWatch()
        #: what one input leads to; whoever gave the input takes it out
        self.out: list[Record] = []
        #: who is given what `reply` hands over, before anything else is done
        self.send_first: SendFirst | None = None
        self._notes_before: OwnNotes | None = None
        self.reset(0, seed)

    def reset(self, t_ns: int, seed: int) -> None:
        """Begin with nothing heard and nothing sounding; settings, counters and ids go on."""
        self.now_ns = t_ns
        self.late_ns: int | None = None  # when an input had waited for long, last
        self.time = MusicalTime(t_ns, self.settings)
        self.feel = Feel(self.time, seed)
        self.pace = DrawingPace()  # a new brain does not know how fast the lost one was
        self.watch.reset()
        self.window = Window(self._wanted, *self._window_sizes(), self.watch)
        self.palette = Palette(self.settings, None)
        self.performer = Performer(self._channel_parts, self.settings.trigger_cc, self._port_parts)
        self.notes = self._notes_before = OwnNotes(self.out, self.counts, self.window, self.time, self._notes_before)
        self._since_key = 0
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start the random streams afresh: one for notes, one for looseness."""
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.feel.reseed(seed)

    @property
    def generator(self) -> Generator:
        """The one that plays."""
        return self.window.generator

    @property
    def resting(self) -> bool:
        """Whether nothing may be asked of the generator now: it has just failed."""
        return self.watch.retry_ns is not None and self.watch.rests(self.now_ns)

    def in_time(self, onset_ns: int) -> bool:
        """Whether a reply to what was played at a time can still be drawn in time."""
        if self.now_ns - onset_ns > self.settings.tolerance * 1e6:
            return False
        # states that are missing are made first: a slow generator would be at it for ever
        lagging = self.late_ns is not None and self.now_ns - self.late_ns < _LAGS_NS
        return not lagging or self.window.behind <= _AT_ONCE

    def change_generator(self, generator: Generator, *, at_once: bool = False) -> None:
        """Let another take over: as soon as it has heard the window, or now."""
        self._wanted = generator
        if at_once:
            self.window.take(generator)
        else:
            self.window.change(generator)

    def use(self, settings: Settings) -> None:
        """Take a new snapshot of the settings."""
        self.settings = settings
        self._told = self._tell()
        self.palette = Palette(settings, self.palette.heard)
        self.performer.trigger_cc = settings.trigger_cc
        self.window.resize(*self._window_sizes())
        self.time.select(settings, self.now_ns)

    # ---- taking in ----------------------------------------------------------------------------------------

    @property
    def performer_part(self) -> int:
        """The part of what comes in on a channel and a port with no part of their own."""
        name = self.settings.performer
        if name == "auto":
            name = "lead" if self.settings.mode == "accompany" else "piano"
        return int(Part[name.upper()])

    @property
    def performer_parts(self) -> frozenset[int]:
        """Every part that the performer may play."""
        return frozenset((self.performer_part, *self._channel_parts.values(), *self._port_parts.values()))

    def hear(self, note: PlayedNote, t_ns: int) -> HeldNote:
        """Take a note of the performer's into the window."""
        part = self.performer_part if note.part == UNMAPPED else note.part
        position = self.time.position(t_ns)
        self.feel.hear(position)
        tick = math.floor(position + 0.5)
        shift = math.floor((position - tick + 0.5) * SHIFTS)
        held = self.held_note(tick, part, note.key[2], note.velocity, shift=min(max(shift, 0), SHIFTS - 1))
        note.held = held
        self.window.insert(held)
        self.counts.notes_in += 1
        self._since_key += 1
        return held

    def hear_end(self, note: PlayedNote, t_ns: int) -> None:
        """Take the end of a note of the performer's in."""
        if note.held is not None:
            self.window.end(note.held, self.time.tick_at(t_ns))

    def held_note(
        self, tick: int, part: int, pitch: int, velocity: int, off_tick: float = math.inf, shift: int = UNKNOWN_SHIFT
    ) -> HeldNote:
        """Make a window's note, placed in beat and bar."""
        tick_in_beat, beat_in_bar = self.time.place(tick)
        return HeldNote(tick, part, pitch, velocity, tick_in_beat, beat_in_bar, off_tick, shift, self._told)

    @property
    def key_due(self) -> bool:
        """Whether `hear_key` should look again."""
        return self._since_key >= _KEY_EVERY and self.settings.key == "auto"

    def hear_key(self) -> None:
        """Hear which key the window's notes are in."""
        self._since_key = 0
        heard = hear_key(note.pitch for note in self.window.notes if note.part != Part.DRUMS)
        if heard != self.palette.heard:
            self.palette = Palette(self.settings, heard)

    # ---- drawing and playing --------------------------------------------------------------------------------

    @property
    def early_ns(self) -> int:
        """How much sooner than it is heard a note must be handed over: an output offset that is below zero."""
        return max(0, -round(self.settings.offset * 1e6) - self._soonest_part_ns)

    @property
    def ready_ns(self) -> int:
        """How far off a note must be, at least, to be planned."""
        return self.pace.ready_ns + self.early_ns

    def sample(self, constraints: Constraints) -> Draw:
        """Draw the event after the window's last.

        Raises:
            GeneratorFaultError: the generator gives nothing that can be played.
        """
        self.counts.samples += 1
        uniforms = self.rng.random(UNIFORMS)
        try:
            return self.checked(self.window.reply(constraints, uniforms, self.time.grid))
        except NothingAllowedError:
            failed = self.watch.calls
            # Two constraints that each leave something may leave nothing together. Time and part still hold.
            self.counts.constraint_fallbacks += 1
            relaxed = Constraints(
                part=constraints.part, part_bias=constraints.part_bias, gap=constraints.gap,
                min_gap=constraints.min_gap, max_gap=max(constraints.min_gap, constraints.max_gap),
                temperature=constraints.temperature, top_p=constraints.top_p,
            )  # fmt: skip
            try:
                return self.checked(self.window.reply(relaxed, uniforms, self.time.grid))
            except NothingAllowedError as error:  # as it does where what it weighs is no number
                raise GeneratorFaultError(f"it allows nothing at all ({error})", failed) from error

    def checked(self, draw: Draw) -> Draw:
        """Give a draw that can be played; the generator works again, where it had failed.

        Raises:
            GeneratorFaultError: it is no note.
        """
        draw = self.watch.checked(draw)
        if self.watch.in_a_row:
            self.out.append(Record(Kind.TROUBLE, Trouble.GENERATOR_BACK, self.watch.in_a_row, t_ns=self.now_ns))
            self.watch.worked()
        return draw

    def own_note(self, draw: Draw, tick: int, off_tick: float, imagined: bool = False) -> OwnNote:
        """Make a drawn note, and take it into the window."""
        own, held = self._made(draw, tick, off_tick, imagined)
        self.window.insert(held)
        return own

    def reply(self, draw: Draw, tick: int, onset_ns: int) -> OwnNote:
        """Hand a drawn note to the player at once, before anything else; it sounds until it is ended."""
        own, held = self._made(draw, tick, math.inf)
        self.notes.play(own, onset_ns, 0, self.settings, None if self.out else self.send_first)
        self.window.insert(held)
        self._since_key += 1
        return own

    def _made(self, draw: Draw, tick: int, off_tick: float, imagined: bool = False) -> tuple[OwnNote, HeldNote]:
        held = self.held_note(tick, draw.part, draw.pitch, draw.velocity, off_tick, draw.shift + SHIFTS // 2)
        own = OwnNote(_CHANNELS[draw.part], draw.pitch, draw.velocity, held, draw.duration, draw.log_prob, imagined)
        return own, held

    def play(self, own: OwnNote, onset_ns: int, end_ns: int) -> None:
        """Hand a note to the player. ``end_ns`` 0: it sounds until it is ended."""
        self.notes.play(own, onset_ns, end_ns, self.settings)
        if own.held is not None:
            self._since_key += 1

    def mark(self, mark: Mark, value: float = 0.0) -> None:
        """Leave a marker in the take, now."""
        self.out.append(Record(Kind.MARK, int(mark), t_ns=self.now_ns, value=value))

    # ---- after a lost brain -----------------------------------------------------------------------------------

    def recall(self, record: Record) -> HeldNote | None:
        """Take a `CONTEXT` or `OWN_CONTEXT` note into the window. None where nothing is known of it."""
        known = Known(record.a, record.b, record.c)
        if record.kind == Kind.OWN_CONTEXT:
            known = self.notes.known(record.id) or known
        if not known.velocity:
            return None
        tick = self.time.tick_at(record.t_ns)
        off_tick = max(tick + 1, self.time.tick_at(record.u_ns)) if record.u_ns else math.inf
        held = self.held_note(tick, known.part, known.pitch, known.velocity, off_tick)
        self.window.insert(held)
        return held

    def _tell(self) -> tuple[int, ...]:
        settings = self.settings
        names = settings.parts if settings.mode == "accompany" else (settings.voice,)
        return told_of(settings, self.performer_parts, (int(Part[name.upper()]) for name in names))

    def _window_sizes(self) -> tuple[int, int, int]:
        settings = self.settings
        bar = settings.beats_per_bar * TICKS_PER_BEAT
        return settings.window, settings.hop, settings.window_bars * bar
