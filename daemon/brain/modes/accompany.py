"""Accompany: play the chosen parts along with the performer, planned ahead on the clock's beat.

The plan runs `lookahead` beats ahead of now, the performer's own part imagined in it. When they play, what was
not handed over is dropped, their note taken in at its place, and the tail planned anew.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from antiphon.daemon.brain.backbone import Backbone, Due
from antiphon.daemon.brain.busyness import USUAL_ONSETS, Busyness
from antiphon.daemon.brain.constraints import Bias, Palette, only_parts, without
from antiphon.daemon.brain.density import Density, Steering
from antiphon.daemon.brain.figure import Figure
from antiphon.daemon.brain.key import hear_key
from antiphon.daemon.brain.modes.base import Mode
from antiphon.daemon.brain.modes.soloist import draw_some
from antiphon.daemon.brain.own_notes import OwnNote
from antiphon.daemon.brain.performer import PlayedNote
from antiphon.daemon.brain.plan import POLYPHONY, Plan
from antiphon.daemon.brain.solo import RESTRIKE
from antiphon.daemon.brain.stage import Stage
from antiphon.models.generator import MAX_TICKS, PITCHES, TICKS_PER_BEAT, TIME_CLASSES, Draw
from antiphon.models.parts import Part

#: An accompaniment does not stop because the performer listens: below the first it is steered to be denser, and no
#: rest is so long that it falls below the second (onsets a beat, over two bars).
_STEER_BELOW, _FLOOR = 2.6, 2.2
_HALF_BEAT, _SIXTEENTH = TICKS_PER_BEAT // 2, TICKS_PER_BEAT // 4
#: Logits taken from the performer's imagined part when Antiphon plays nothing at all.
_LESS_IMAGINED = 6.0
#: A chosen part that rests for longer than this (beats) becomes likelier, by this a beat, up to this (logits): who
#: asks for a bass wants to hear one, also from a model that would leave it out.
_REST_BEATS = {Part.BASS: 1.0, Part.DRUMS: 1.0}
_OTHER_REST_BEATS, _MISSED_A_BEAT, _MOST_MISSED = 2.0, 3.0, 12.0
#: Logits taken from onsets that would come too thick: as good as forbidden, but never nothing left.
_NOT_YET = 20.0
#: Notes struck together by everyone: no more than two hands and a band can.
_MOST_TOGETHER = 14

#: Pitches that the performer's key is heard from, and the fewest that say anything.
_REMEMBERED, _ENOUGH = 64, 12
#: No note is shorter (ticks): a 32nd.
_SHORTEST = TICKS_PER_BEAT // 8
#: A drum rings by itself: its key is up before it is struck anew (ticks).
_DRUM = TICKS_PER_BEAT // 8
#: Notes looked back over for the performer's latest ones.
_HEARD = 32
#: Logits: a semitone from a note that the performer holds, and from one of Antiphon's own; a chord above their line, a
#: semitone; a bass with a note of the chord, and by how high it lies; what is no drum or cymbal of a kit.
_RUB, _OWN_RUB, _OVER, _OF_CHORD, _OF_ROOT = -3.0, -2.0, -0.4, 2.0, 1.5
#: A note of the performer's below this is a bass of theirs.
_HAS_BASS = 52
_UNDER = (Part.CHORDS, Part.PAD, Part.PIANO)
_PITCHES = np.arange(PITCHES)
#: By the pitch class of a note: every pitch a semitone from a note of that class.
_BESIDE = [np.isin((_PITCHES - pitch_class) % 12, (1, 11)) for pitch_class in range(12)]
_KIT = np.where((_PITCHES >= 35) & (_PITCHES <= 53), 0.0, -3.0).astype(np.float32)
_LOW = (-0.12 * np.maximum(0, _PITCHES - 43)).astype(np.float32)


class Accompany(Mode):
    """See the module's text."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._figure = Figure()
        self._repeated_until = 0  # tick
        self._plan = Plan(stage, Density(0), self._figure.add)
        self._heard: deque[int] = deque(maxlen=_REMEMBERED)  # the performer's pitches
        self._heard_new = False
        self._own_palette: Palette | None = None
        self._backbone: tuple[object, Backbone] | None = None  # and what it was made for
        self._epoch = -1  # of the musical time that the plan is for
        self._resting = False  # since a panic

    @property
    def plan(self) -> Plan:
        """See `Mode`."""
        return self._plan

    @property
    def turn(self) -> str:
        """See `Mode`."""
        return "waiting" if self._waiting else "playing"

    def struck(self, note: PlayedNote, t_ns: int) -> None:
        """Take the note in where it falls, and plan the tail anew."""
        self._resting = False
        if not self.stage.resting:  # else what is planned is all there is for a while
            self._plan.drop()
        held = self.stage.hear(note, t_ns)
        if held.part != Part.DRUMS:
            self._heard.append(held.pitch)
            self._heard_new = True

    def trigger(self, t_ns: int) -> None:
        """Come in again."""
        self._resting = False

    def hush(self, t_ns: int) -> None:
        """Plan anew from here."""
        self._plan.clear()
        self._epoch = -1

    def rest(self, t_ns: int) -> None:
        """Wait for the performer, the trigger or the clock to start."""
        self._resting = True
        self._epoch = self.stage.time.epoch

    def changed(self, t_ns: int) -> None:
        """Plan anew with the new settings."""
        self._plan.drop()

    def wake(self, t_ns: int) -> bool:
        """Draw and hand over. True where the generator was at work."""
        plan = self._plan
        self._notice_clock(t_ns)
        if self._waiting:
            return False
        plan.look_at_reach(self._head(), t_ns)
        if self.stage.resting:
            self._repeat(t_ns)
            plan.commit(t_ns)
            return False
        plan.pass_imagined(self.stage.time.position(t_ns))
        plan.commit(t_ns)  # before the generator is waited for
        worked = draw_some(self.stage, lambda: not plan.reaches(self._head(), t_ns), lambda: self._draw(t_ns))
        plan.commit(t_ns)
        return worked

    def next_wake_ns(self, now_ns: int) -> int | None:
        """When there is more to draw, to hand over, or to see not played."""
        time, plan = self.stage.time, self._plan
        if not time.running or (self._resting and time.epoch == self._epoch):
            return None
        if time.epoch != self._epoch:
            return now_ns
        if self.stage.resting:  # the engine wakes it when the generator is tried again
            commits_ns = plan.commits_ns()
            if self._figure.over or time.grid is None:
                return commits_ns
            dry_ns = plan.runs_dry_ns(max(self._head(), self._repeated_until - 1))
            return dry_ns if commits_ns is None else min(commits_ns, dry_ns)
        if not plan.reaches(self._head(), now_ns):
            return now_ns
        wishes = (plan.runs_short_ns(self._head()), plan.commits_ns(), plan.imagined_passes_ns())
        return min(wish for wish in wishes if wish is not None)

    def _repeat(self, t_ns: int) -> None:
        """Plan what was played a bar ago, where nothing else is planned for what is due."""
        plan, grid, due = self._plan, self.stage.time.grid, self._plan.due_until(t_ns)
        start = max(self._head() + 1, self._repeated_until, math.ceil(self.stage.time.position(t_ns)))
        if grid is None or start >= due:
            return
        self._repeated_until = stop = due + _HALF_BEAT
        parts = {int(Part[name.upper()]) for name in self.stage.settings.parts}
        for draw, tick, off_tick in self._figure.again(start, stop, grid[1] * grid[2], plan.ahead):
            if draw.part in parts:
                plan.add(draw, tick, off_tick)
                self.stage.counts.repeated += 1

    @property
    def _waiting(self) -> bool:
        return self._resting or not self.stage.time.running

    def _head(self) -> int:
        """How far everything is planned: no less than the first tick there is to play."""
        last = self.stage.window.last_tick
        first = self.stage.time.beat_zero_tick
        return first if last is None else max(first, last)

    def _notice_clock(self, t_ns: int) -> None:
        """Begin a new plan where the clock started, jumped or was swapped."""
        time = self.stage.time
        if time.epoch == self._epoch:
            return
        self._epoch = time.epoch
        self._resting = False
        self._figure.forget()
        self._repeated_until = 0
        self._plan.clear()
        start = max(time.beat_zero_tick, math.ceil(time.position(t_ns)))
        self._plan.density = Density(start)

    def _draw(self, t_ns: int) -> None:
        """Draw one note: Antiphon's, or one of the performer's that may or may not come."""
        stage, plan = self.stage, self._plan
        time, last = stage.time, stage.window.last_tick
        earliest = max(plan.earliest(t_ns), time.beat_zero_tick)
        if last is None or earliest - last >= MAX_TICKS:  # further than a gap can tell: on the beat then
            earliest = time.next_on_grid(earliest, _HALF_BEAT)
        here = earliest if last is None else max(last, earliest)
        density = plan.density
        wanted = stage.settings.density
        steering = density.steer(here, wanted or _STEER_BELOW, floor_only=not wanted)
        latest, due = None, False
        if not wanted:
            latest = max(
                density.last_tick + density.longest_gap(_FLOOR, _HALF_BEAT), time.next_on_grid(earliest, _HALF_BEAT)
            )
            due = latest <= here + _HALF_BEAT
        least, greatest = plan.gaps(earliest, latest)
        own = [int(Part[name.upper()]) for name in stage.settings.parts]
        sounding = {part: plan.sounding(here, part) for part in own}
        if sum(note.tick == here for note in stage.window.notes[-_MOST_TOGETHER:]) >= _MOST_TOGETHER:
            least = max(least, 1)
        if last is not None:  # a place on the grid is always among those allowed
            greatest = max(greatest, time.next_on_grid(last + least, _SIXTEENTH) - last)
        pace = Busyness(stage.window.notes, here, density.start_tick, wanted / USUAL_ONSETS if wanted else 1.0)
        part_bias = self._part_bias(here, sounding, steering.pressure, due, pace)
        pitch, gap_bias = self._pitches(sounding, here), self._gap_bias(here, steering, pace.restraint(own))
        for _attempt in range(2):
            constraints = stage.palette.constraints(
                part_bias=part_bias, min_gap=least, max_gap=max(least, greatest), gap_bias=gap_bias,
                pitch=pitch, min_duration=_SHORTEST, max_duration=self._longest(here),
            )  # fmt: skip
            draw, tick = plan.draw(constraints, earliest)
            if tick > here or not (pace.full(draw.part) or _struck(sounding.get(draw.part, ()), draw.pitch, here)):
                break
            least = max(1, least)  # this very note is there already, or enough of them: then a later one
        owed = self._owed(max(here, earliest), own)
        if owed is not None and tick > owed.tick:
            draw, tick = self._draw_owed(owed, pitch, sounding[owed.part])
        length = min(draw.duration, _DRUM) if draw.part == Part.DRUMS else draw.duration
        plan.add(draw, tick, tick + length, imagined=draw.part not in own)
        self._figure.moved_on()

    def _owed(self, tick: int, own: list[int]) -> Due | None:
        """The note that has to come before anything after it."""
        grid = self.stage.time.grid
        if grid is None:
            return None
        key = (grid, tuple(own), self.stage.settings.density)
        if self._backbone is None or self._backbone[0] != key:
            self._backbone = (key, Backbone(own, grid[0], grid[2], self.stage.settings.density))
        return self._backbone[1].due(tick, self.stage.window.notes)

    def _draw_owed(self, owed: Due, pitch: dict[int, Bias], sounding: list[OwnNote]) -> tuple[Draw, int]:
        """Draw a note whose part and place are given."""
        part = int(owed.part)
        bias = pitch[part] if owed.pitch is None else pitch[part] + owed.pitch
        struck = [note.pitch for note in sounding if note.held is not None and note.held.tick == owed.tick]
        last = self.stage.window.last_tick
        longest = min(owed.max_duration, self._longest(owed.tick))
        constraints = self.stage.palette.constraints(
            part=part, gap=0 if last is None else max(0, owed.tick - last), pitch={part: without(bias, struck)},
            min_duration=min(owed.min_duration, longest), max_duration=longest,
        )  # fmt: skip
        return self._plan.draw(constraints, owed.tick)

    def _roots(self, tick: int) -> Bias:
        """A bass plays a note of the chord above it, rather its lowest."""
        above = [note.pitch for part in _UNDER for note in self._plan.sounding(tick, part)] + self._their_chord(tick)
        bias = np.zeros(PITCHES, np.float32)
        for pitch in {pitch % 12 for pitch in above}:
            bias[pitch::12] = _OF_CHORD
        if above:
            bias[min(above) % 12 :: 12] += _OF_ROOT
        return bias

    def _their_chord(self, tick: int) -> list[int]:
        """What the performer holds, where it is a chord or has a bass: a melody note alone is neither."""
        stage = self.stage
        theirs = stage.performer_parts - {Part.DRUMS}
        held = [note.pitch for note in stage.window.notes[-_HEARD:] if note.off_tick > tick and note.part in theirs]
        return held if len({pitch % 12 for pitch in held}) > 1 or min(held, default=PITCHES) < _HAS_BASS else []

    def _palette(self) -> Palette:
        """The palette of the key that the performer plays in: a band that listens to itself drifts away from them."""
        stage = self.stage
        if stage.settings.key != "auto" or len(self._heard) < _ENOUGH:
            return stage.palette
        if self._heard_new or self._own_palette is None or self._own_palette.settings is not stage.settings:
            self._heard_new = False
            self._own_palette = Palette(stage.settings, hear_key(self._heard) or stage.palette.heard)
        return self._own_palette

    def _longest(self, tick: int) -> int:
        """No note rings on into the bar after the next line: harmony changes there."""
        grid = self.stage.time.grid
        if grid is None:
            return MAX_TICKS
        bar = TICKS_PER_BEAT * grid[2]
        left = bar - (tick - grid[0]) % bar
        return min(MAX_TICKS, max(left, TICKS_PER_BEAT // 2))

    def _gap_bias(self, tick: int, steering: Steering, restraint: float) -> Bias:
        """Steered; fewer struck together where much was played; no onset sooner than keeps the rate usual."""
        bias = np.zeros(TIME_CLASSES, np.float32)
        bias[0] = -restraint
        ceiling = self.stage.settings.density or USUAL_ONSETS
        bias[1 : self._plan.density.shortest_gap(tick, ceiling, _HALF_BEAT)] = -_NOT_YET
        if steering.gap_bias is not None:
            bias += steering.gap_bias
        return bias if (leaning := self._plan.gap_bias(None)) is None else bias + leaning

    def _part_bias(
        self, tick: int, sounding: dict[int, list[OwnNote]], pressure: float, due: bool, pace: Busyness
    ) -> Bias:
        """Only the chosen parts and, unless an onset is due, the performer's; what has rested long is missed."""
        performers = self.stage.performer_parts - sounding.keys()
        bias = only_parts(sounding.keys() | performers)
        for part in performers:
            bias[part] = -np.inf if due else -_LESS_IMAGINED * pressure
        free = [part for part in sounding if len(sounding[part]) < POLYPHONY[Part(part)]]
        for part in sounding:
            if part not in free and free:
                bias[part] = -np.inf
        start = self._plan.density.start_tick
        last_tick = {note.part: note.tick for note in self.stage.window.notes[-96:]}
        for part in free:
            rested = (tick - max(start, last_tick.get(part, start))) / TICKS_PER_BEAT
            missed = max(0.0, rested - _REST_BEATS.get(Part(part), _OTHER_REST_BEATS))
            bias[part] += min(_MOST_MISSED, missed * _MISSED_A_BEAT) - pace.restraint((part,))
        together = pace.restraint(sounding)
        for part in performers:
            bias[part] -= together  # or their imagined notes would come instead
        return bias

    def _pitches(self, sounding: dict[int, list[OwnNote]], tick: int) -> dict[int, Bias]:
        """What sounds already is not soon struck again; a bass lies low; nobody rubs against the performer."""
        pitch = dict(self._palette().pitch)
        theirs = self.stage.performer_parts - sounding.keys() - {Part.DRUMS}
        remembered = self.stage.window.notes
        heard = [note for note in remembered[-_HEARD:] if note.part in theirs]
        held_by_them = [note.pitch for note in remembered if note.off_tick > tick and note.part in theirs]
        rubs = np.zeros(PITCHES, np.float32)
        ringing = [note.pitch for part, notes in sounding.items() if part != Part.DRUMS for note in notes]
        for held, rub in ((ringing, _OWN_RUB), (held_by_them, _RUB)):
            for one in held:
                rubs[_BESIDE[one % 12]] = rub
        for part, notes in sounding.items():
            if part == Part.DRUMS:
                pitch[part] = pitch[part] + _KIT
                continue
            bias = pitch[part] + rubs
            if part == Part.BASS:
                bias += _LOW + self._roots(tick)
            elif part in _UNDER and heard:
                bias += _OVER * np.maximum(0, _PITCHES - min(note.pitch for note in heard[-4:]) + 2)
            bias[[note.pitch for note in notes]] += RESTRIKE
            pitch[part] = bias
        return pitch


def _struck(notes: list[OwnNote] | tuple[()], pitch: int, tick: int) -> bool:
    return any(note.pitch == pitch and note.held is not None and note.held.tick == tick for note in notes)
