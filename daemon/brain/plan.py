"""The plan: notes drawn ahead of now, handed to the player when their time comes near.

Planned notes stand in the window (the state after them is where the next draw starts), so dropping one is taking
it out of the window: it never was. Notes of the performer's part are drawn too, imagined and never played;
masking them away would make Antiphon enter too early and too often.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from antiphon.daemon.brain.constraints import Bias
from antiphon.daemon.brain.density import Density
from antiphon.daemon.brain.grid_bias import grid_bias
from antiphon.daemon.brain.musical_time import WAKE_LATE_NS
from antiphon.daemon.brain.own_notes import Fate, OwnNote
from antiphon.daemon.brain.stage import Stage
from antiphon.models.generator import MAX_TICKS, TICKS_PER_BEAT, Constraints, Draw
from antiphon.models.parts import Part

#: A note that sounds when Antiphon yields is let go within this: a cut, but no click.
YIELD_NS = 100_000_000
#: An imagined note this many ticks past its time is not going to be played (24 a beat).
_IMAGINED_GRACE_TICKS = 2
#: Shortest note sent: a longer deviation from the grid must not turn a note inside out.
_SHORTEST_NS = 20_000_000
#: Handed-over notes are kept this long after their end: a report may still come.
_KEEP_NS = 1_000_000_000
#: A plan that reaches less far than it is to be handed over, for this long, has run short.
_SHORT_NS = 250_000_000
#: A part holding this many notes gets no more of them (a pianist has ten fingers, a drummer four limbs).
POLYPHONY: dict[int, int] = {
    Part.LEAD: 2, Part.CHORDS: 5, Part.BASS: 1, Part.DRUMS: 5, Part.PAD: 6, Part.PIANO: 10,
}  # fmt: skip


class Plan:
    """What is planned and what was handed over, in order of ticks."""

    def __init__(self, stage: Stage, density: Density, handed: Callable[[OwnNote], None] = lambda own: None) -> None:
        """Make an empty plan; ``handed`` is told of every note that is handed over."""
        self._stage = stage
        self._handed = handed
        self.density = density
        self.ahead: list[OwnNote] = []  # not handed over; imagined ones until they pass
        self.out: list[OwnNote] = []  # handed over (or held back by mute) and not long over
        self._short_since_ns: int | None = None
        self._short_counted = False

    # ---- drawing ------------------------------------------------------------------------------------------

    def gaps(self, earliest: int, latest: int | None = None) -> tuple[int, int]:
        """Least and greatest gap (ticks) after the window's last note, for an onset between two ticks."""
        last = self._stage.window.last_tick
        if last is None:
            return 0, 0
        least = max(0, earliest - last)  # beyond what a gap can say: "four beats or more", by so much
        greatest = MAX_TICKS if latest is None else min(MAX_TICKS, latest - last)
        return least, max(least, greatest)

    def gap_bias(self, tilt: Bias | None) -> Bias | None:
        """A tilt of the gap, and the lean on the beat where there is one."""
        time, last = self._stage.time, self._stage.window.last_tick
        if time.grid is None or last is None:
            return tilt
        on_beat = grid_bias((last - time.grid[0]) % TICKS_PER_BEAT, round(self._stage.settings.tightness, 2))
        return on_beat if tilt is None else on_beat + tilt

    def draw(self, constraints: Constraints, earliest: int) -> tuple[Draw, int]:
        """Draw the next note and tell its tick."""
        last = self._stage.window.last_tick
        draw = self._stage.sample(constraints)
        return draw, earliest if last is None else max(earliest, last + draw.gap)

    def add(self, draw: Draw, tick: int, off_tick: int, imagined: bool = False) -> OwnNote:
        """Put a drawn note into the plan. The same pitch, sounding still, ends where it is struck anew."""
        if not imagined:
            for before in self.sounding(tick, draw.part):
                if before.pitch == draw.pitch and before.held is not None and before.held.tick < tick:
                    self._stage.window.end(before.held, tick)
        own = self._stage.own_note(draw, tick, max(off_tick, tick + 1), imagined)
        self.ahead.append(own)
        if not imagined:
            self.density.add(tick)
            self._stage.counts.planned += 1
        return own

    def sounding(self, tick: int, part: int) -> list[OwnNote]:
        """Antiphon's notes of a part that begin at a tick or sound beyond it."""
        return [
            own
            for own in (*self.out, *self.ahead)
            if (held := own.held) is not None
            and held.part == part
            and own.remembered
            and not own.imagined
            and (held.off_tick > tick or held.tick == tick)
        ]

    # ---- when -------------------------------------------------------------------------------------------------

    def earliest(self, now_ns: int) -> int:
        """The first tick that there is still time to draw a note for."""
        return math.ceil(self._stage.time.position(now_ns + self._stage.ready_ns))

    def reaches(self, tick: int, now_ns: int) -> bool:
        """Whether what is planned up to a tick is as far ahead as the settings ask for."""
        return tick > self._stage.time.position(now_ns + self._stage.early_ns) + self._lookahead_ticks

    def look_at_reach(self, tick: int, now_ns: int) -> None:
        """Count where the generator does not keep up: what is planned up to a tick has been too little for a while."""
        if tick >= self._stage.time.position(now_ns) + self._commit_ticks:
            self._short_since_ns, self._short_counted = None, False
        elif self._short_since_ns is None:
            self._short_since_ns = now_ns
        elif not self._short_counted and now_ns - self._short_since_ns > _SHORT_NS:
            self._short_counted = True
            self._stage.counts.underruns += 1

    def runs_short_ns(self, tick: int) -> int:
        """When a plan up to a tick stops reaching far enough."""
        return self._time_before(tick - self._lookahead_ticks)

    def commits_ns(self) -> int | None:
        """When the next note is to be handed over."""
        played = next((own.held.tick for own in self.ahead if own.held and not own.imagined), None)
        return None if played is None else self._time_before(played - self._commit_ticks) - self._stage.pace.busy_ns

    def runs_dry_ns(self, tick: int) -> int:
        """When what comes after a tick is to be handed over."""
        return self._time_before(tick - self._commit_ticks)

    def due_until(self, now_ns: int) -> int:
        """The first tick that need not be handed over yet."""
        return math.ceil(self._stage.time.position(now_ns + self._stage.early_ns) + self._commit_ticks) + 1

    def _time_before(self, tick: float) -> int:
        return self._stage.time.time_of(tick) - self._stage.early_ns + WAKE_LATE_NS

    @property
    def _commit_ticks(self) -> float:
        return self._stage.settings.commit * TICKS_PER_BEAT

    @property
    def _lookahead_ticks(self) -> float:
        settings = self._stage.settings
        return max(settings.lookahead, settings.commit + 0.5) * TICKS_PER_BEAT

    # ---- handing over ---------------------------------------------------------------------------------------

    def commit(self, now_ns: int) -> None:
        """Hand over what is due."""
        stage = self._stage
        self.hand_over(stage.time.position(now_ns + stage.early_ns + stage.pace.busy_ns) + self._commit_ticks, now_ns)

    def hand_over(self, until_tick: float, now_ns: int) -> None:
        """Hand over what begins up to a tick."""
        stage = self._stage
        kept: list[OwnNote] = []
        for own in self.ahead:
            held = own.held
            assert held is not None
            if held.tick > until_tick or own.imagined:
                kept.append(own)
                continue
            on_grid_ns = stage.time.time_of(held.tick)
            if on_grid_ns + stage.settings.tolerance * 1e6 < now_ns:
                stage.counts.late_plans += 1  # its time has gone by; never squeezed in
                stage.notes.forget(own)
                continue
            onset_ns = on_grid_ns + stage.feel.off_ns(held, stage.settings)
            if onset_ns < now_ns:
                onset_ns = max(on_grid_ns, now_ns)
            end_ns = max(stage.time.time_of(held.off_tick), onset_ns + _SHORTEST_NS)
            if stage.settings.mute:
                own.fate, own.onset_ns, own.end_ns = Fate.SENT, onset_ns, end_ns
            else:
                stage.play(own, onset_ns, end_ns)
            self.out.append(own)
            self._handed(own)
        self.ahead = kept
        if self.out and self.out[0].end_ns + _KEEP_NS < now_ns:
            self.out = [own for own in self.out if own.end_ns + _KEEP_NS >= now_ns]

    def pass_imagined(self, now_tick: float) -> bool:
        """Drop imagined notes whose time went by unplayed, and what was planned after them."""
        passed = [
            own
            for own in self.ahead
            if own.imagined and own.held is not None and own.held.tick + _IMAGINED_GRACE_TICKS <= now_tick
        ]
        if passed:
            self.drop()
        return bool(passed)

    def imagined_passes_ns(self) -> int | None:
        """When the first imagined note counts as not played."""
        for own in self.ahead:
            if own.imagined and own.held is not None:
                return self._stage.time.time_of(own.held.tick + _IMAGINED_GRACE_TICKS) + WAKE_LATE_NS
        return None

    def handed_over_from(self, tick: int) -> bool:
        """Whether any note from a tick on was handed over."""
        return any(own.held is not None and own.held.tick >= tick for own in self.out)

    # ---- taking back ------------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Forget every note that was not handed over."""
        for own in reversed(self.ahead):
            if own.held is not None and not own.imagined:
                self.density.forget_from(own.held.tick)
            self._stage.notes.forget(own)
        self.ahead = []

    def give_way(self, now_ns: int) -> bool:
        """Take back everything unsent and let go of what sounds, at once. True where there was anything."""
        stage = self._stage
        anything = bool(self.ahead)
        self.drop()
        for own in reversed(self.out):
            if own.fate is Fate.GONE or own.end_ns <= now_ns:
                continue
            anything = True
            if own.onset_ns > now_ns:
                if own.id:
                    stage.notes.take_back(own, stage.now_ns)
                else:
                    stage.notes.forget(own)  # muted: the player never had it
            elif own.end_ns > now_ns + YIELD_NS and own.id:
                stage.notes.end(own, now_ns + YIELD_NS)
        self.out = [own for own in self.out if own.fate is not Fate.GONE and own.remembered]
        return anything

    def clear(self) -> None:
        """Forget the plan; what was handed over is the stage's to end."""
        self._short_since_ns, self._short_counted = None, False
        self.drop()
        for own in self.out:
            if not own.id and own.onset_ns > self._stage.now_ns:
                self._stage.notes.forget(own)
        self.out = []
