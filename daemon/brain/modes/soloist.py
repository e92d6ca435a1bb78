"""One voice played alone, planned a little ahead: what `answer` and `continue` share."""

from __future__ import annotations

import math

from antiphon.daemon.brain.constraints import Bias, allowed_range
from antiphon.daemon.brain.density import Density
from antiphon.daemon.brain.musical_time import WAKE_LATE_NS
from antiphon.daemon.brain.phrase import Manner
from antiphon.daemon.brain.plan import POLYPHONY, Plan
from antiphon.daemon.brain.stage import Fate, Stage
from antiphon.models.generator import MAX_TICKS, TICKS_PER_BEAT
from antiphon.models.parts import Part

#: Draws in one `WAKE`, at most.
DRAWS_A_WAKE = 2
#: Nothing is planned for sooner than this: time to draw it, and to get it to the player.
READY_NS = 15_000_000
#: Without a phrase to go by, no rest is longer (ticks).
_LONGEST_REST = 2 * TICKS_PER_BEAT
#: The last note may ring on after the end (ticks).
_RING = TICKS_PER_BEAT // 2
#: A pitch that sounds already is this much less likely to be struck again (logits).
RESTRIKE = -2.0


class Soloist:
    """Plays the voice from a tick on, to an end or until told to stop."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.playing = False
        self._plan = Plan(stage, Density(0))
        self._begin(0, None, None)

    def start(self, first_tick: int, end_tick: int | None, manner: Manner | None) -> None:
        """Play from ``first_tick`` until ``end_tick`` (None: on and on), in a manner."""
        self._begin(first_tick, end_tick, manner)
        self.playing = True

    def give_way(self, t_ns: int) -> bool:
        """Stop at once: nothing unsent is sent, what sounds is let go. True where it was still to be heard."""
        self.playing = False
        return self._plan.give_way(t_ns)

    def hush(self) -> None:
        """Stop; the stage has ended the notes."""
        self.playing = False
        self._plan.clear()

    def replan(self) -> None:
        """Draw what is not handed over anew."""
        if self.playing:
            self._plan.drop()
            self._drawn_out = False
            self._begun = self._plan.handed_over_from(self._first_tick)

    def wake(self, t_ns: int) -> bool:
        """Draw and hand over. True where the generator was at work."""
        if not self.playing:
            return False
        now = self._stage.time.position(t_ns)
        draws = 0
        while draws < DRAWS_A_WAKE and self._wants_more(now):
            self._draw(t_ns)
            draws += 1
        self._plan.commit(now + self._commit_ticks, t_ns)
        if self._drawn_out and not self._plan.ahead:
            self.playing = False
        return draws > 0

    def next_wake_ns(self, now_ns: int) -> int | None:
        """When there is more to draw or to hand over."""
        if not self.playing:
            return None
        time = self._stage.time
        if self._wants_more(time.position(now_ns)):
            return now_ns
        ahead = [own.held.tick for own in self._plan.ahead if own.held is not None]
        ticks = [ahead[0] - self._commit_ticks] if ahead else []
        if not self._drawn_out:
            ticks.append(self._head() - self._lookahead_ticks)
        return time.time_of(min(ticks)) + WAKE_LATE_NS if ticks else now_ns

    def _begin(self, first_tick: int, end_tick: int | None, manner: Manner | None) -> None:
        self._first_tick, self._end_tick, self._manner = first_tick, end_tick, manner
        self._plan.density = Density(first_tick)
        self._drawn_out = False  # the next note would be beyond the end
        self._begun = False
        self._pitch_bias: Bias | None = None
        self._velocity_bias: Bias | None = None
        if manner is not None:
            settings = self._stage.settings
            self._pitch_bias = manner.pitch_bias(
                *allowed_range(Part(self._stage.palette.voice), settings.low, settings.high)
            )
            self._velocity_bias = manner.velocity_bias()

    @property
    def _commit_ticks(self) -> float:
        return self._stage.settings.commit * TICKS_PER_BEAT

    @property
    def _lookahead_ticks(self) -> float:
        settings = self._stage.settings
        return max(settings.lookahead, settings.commit + 0.5) * TICKS_PER_BEAT

    def _head(self) -> int:
        """How far the music is planned."""
        last = self._stage.window.last_tick
        return self._first_tick if last is None or not self._begun else last

    def _wants_more(self, now: float) -> bool:
        return not self._drawn_out and self._head() <= now + self._lookahead_ticks

    def _draw(self, t_ns: int) -> None:
        """Draw one note, or find that the end has come."""
        stage, plan = self._stage, self._plan
        earliest = math.ceil(stage.time.position(t_ns + READY_NS))
        last = stage.window.last_tick
        if not self._begun:
            earliest = max(earliest, self._first_tick)
            least, greatest = plan.gaps(earliest, earliest)
        else:
            rest = _LONGEST_REST if self._manner is None else self._manner.longest_gap
            least, greatest = plan.gaps(earliest, None if last is None else max(earliest, last + rest))
        voice = stage.palette.voice
        here = earliest if last is None else max(last, earliest)
        sounding = [own.held for own in plan.sounding(here, voice) if own.held is not None]
        if len(sounding) >= POLYPHONY[Part(voice)]:  # wait until a hand is free
            free = min(held.off_tick for held in sounding) - (0 if last is None else last)
            least = max(least, 1, round(free))
        struck_here = {held.pitch for held in sounding if held.tick == here}
        for _attempt in range(2):
            constraints = stage.palette.constraints(
                part=voice, min_gap=least, max_gap=max(least, greatest), gap_bias=self._gap_bias(here),
                pitch=self._pitches({held.pitch for held in sounding}), velocity_bias=self._velocity_bias,
                max_duration=self._longest(here + least),
            )  # fmt: skip
            draw, tick = plan.draw(constraints, earliest)
            if tick > here or draw.pitch not in struck_here:
                break
            least = max(1, least)  # this very note is there already: then a later one
        if self._end_tick is not None and self._begun and tick >= self._end_tick:
            self._finish()
            return
        off_tick = tick + draw.duration
        if self._end_tick is not None:
            off_tick = min(off_tick, max(tick + 1, self._end_tick + _RING))
        plan.add(draw, tick, off_tick)
        self._begun = True

    def _gap_bias(self, tick: int) -> Bias | None:
        density = self._stage.settings.density
        if density <= 0.0 and self._manner is not None:
            density = self._manner.onsets_a_beat
        return self._plan.gap_bias(self._plan.density.steer(tick, density).gap_bias)

    def _pitches(self, sounding: set[int]) -> dict[int, Bias]:
        palette = self._stage.palette
        bias = palette.pitch[palette.voice]
        if palette.voice == Part.DRUMS:
            return palette.pitch
        if self._pitch_bias is not None:
            bias = bias + self._pitch_bias
        if sounding:
            bias = bias.copy() if self._pitch_bias is None else bias
            bias[list(sounding)] += RESTRIKE
        return {palette.voice: bias}

    def _longest(self, tick: int) -> int:
        if self._end_tick is None:
            return MAX_TICKS
        return min(MAX_TICKS, max(1, self._end_tick + _RING - tick))

    def _finish(self) -> None:
        """Let the last notes sound to the end: something like the end of a phrase."""
        self._drawn_out = True
        assert self._end_tick is not None
        last = self._stage.window.last_tick
        for own in self._plan.ahead:
            if own.fate is Fate.PLANNED and own.held is not None and own.held.tick == last:
                off_tick = max(own.held.off_tick, self._end_tick)
                self._stage.window.end(own.held, min(off_tick, own.held.tick + MAX_TICKS))
