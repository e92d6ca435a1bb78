"""One voice played alone, planned a little ahead: what `answer` and `continue` share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from antiphon.daemon.brain.constraints import Bias, allowed_range, key_of, tonic_triad
from antiphon.daemon.brain.density import Density
from antiphon.daemon.brain.likeness import Likeness, liken
from antiphon.daemon.brain.phrase import Manner, Phrase
from antiphon.daemon.brain.plan import POLYPHONY, Plan
from antiphon.daemon.brain.stage import Fate, Stage
from antiphon.models.generator import MAX_TICKS, PITCHES, TICKS_PER_BEAT
from antiphon.models.parts import Part

#: After so many draws a `WAKE` is over (a note may take three), and a draw is begun only where it has no more states
#: than this to make first; more are made on their own.
_DRAWS_A_WAKE, _STEPS_A_DRAW = 2, 2
#: Without a phrase to go by, no rest is longer (ticks).
_LONGEST_REST = 2 * TICKS_PER_BEAT
#: The last note may ring on after the end (ticks).
_RING = TICKS_PER_BEAT // 2
#: A pitch that sounds already is this much less likely to be struck again (logits).
RESTRIKE = -2.0


#: The last notes last so long at least, and lean home where they begin in the last so many ticks: logits in favour of
#: the tonic, third and fifth.
_LAST, _CADENCE = 3 * TICKS_PER_BEAT // 4, TICKS_PER_BEAT
_TRIAD = (2.5, 1.5, 1.5)


def draw_some(stage: Stage, wanted: Callable[[], bool], draw: Callable[[], None]) -> bool:
    """Draw notes while more are wanted, no more than a wake may take. True where the generator was at work."""
    before = stage.counts.samples
    while (drawn := stage.counts.samples - before) < _DRAWS_A_WAKE and wanted():
        if stage.window.behind > _STEPS_A_DRAW:
            stage.window.work(_STEPS_A_DRAW)
            return True
        draw()
    return drawn > 0


class Soloist:
    """Plays the voice from a tick on, to an end or until told to stop."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.playing = False
        self._given_way = False  # since the last start
        self._plan = Plan(stage, Density(0))
        self._begin(0, None, Phrase())

    def start(self, first_tick: int, end_tick: int | None, phrase: Phrase) -> None:
        """Play from ``first_tick`` until ``end_tick`` (None: on and on), in the manner of a phrase."""
        self._begin(first_tick, end_tick, phrase)
        self.playing = True

    def give_way(self, t_ns: int) -> bool:
        """Stop at once: nothing unsent is sent, what sounds is let go. True where it was still to be heard."""
        self.playing = False
        first = not self._given_way
        self._given_way = True
        return self._plan.give_way(t_ns) and first

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
        worked = draw_some(self._stage, lambda: self._wants_more(t_ns), lambda: self._draw(t_ns))
        self._plan.commit(t_ns)
        if self._drawn_out and not self._plan.ahead:
            self.playing = False
        return worked

    def next_wake_ns(self, now_ns: int) -> int | None:
        """When there is more to draw or to hand over."""
        if not self.playing:
            return None
        if self._wants_more(now_ns):
            return now_ns
        commits_ns = self._plan.commits_ns()
        if self._drawn_out:
            return now_ns if commits_ns is None else commits_ns
        short_ns = self._plan.runs_short_ns(self._head())
        return short_ns if commits_ns is None else min(short_ns, commits_ns)

    def _begin(self, first_tick: int, end_tick: int | None, phrase: Phrase) -> None:
        self._first_tick, self._end_tick = first_tick, end_tick
        self._plan.density = Density(first_tick)
        self._drawn_out = False  # the next note would be beyond the end
        self._begun = False
        self._given_way = False
        self._manner: Manner | None = None
        self._likeness: Likeness | None = None
        self._pitch_bias: Bias | None = None
        self._velocity_bias: Bias | None = None
        if phrase:
            stage, time = self._stage, self._stage.time
            manner = self._manner = phrase.manner(60e9 / time.bpm)
            lowest, highest = allowed_range(Part(stage.palette.voice), stage.settings.low, stage.settings.high)
            self._pitch_bias = manner.pitch_bias(lowest, highest)
            self._velocity_bias = manner.velocity_bias()
            shift = manner.shift(lowest, highest)
            self._likeness = liken(list(phrase.held), first_tick, shift, self._pulse(phrase))

    def _pulse(self, phrase: Phrase) -> tuple[float, float] | None:
        """The clock's pulse, else the phrase's: the tick of one, and ticks between two."""
        time = self._stage.time
        if time.grid is not None:
            return float(time.grid[0]), float(TICKS_PER_BEAT)
        pulse_ns = phrase.pulse_ns()
        if pulse_ns is None:
            return None
        phase = time.position(round(pulse_ns[0]))
        return phase, time.position(round(pulse_ns[0] + pulse_ns[1])) - phase

    def _head(self) -> int:
        """How far the music is planned."""
        last = self._stage.window.last_tick
        return self._first_tick if last is None or not self._begun else last

    def _wants_more(self, now_ns: int) -> bool:
        return not self._drawn_out and not self._plan.reaches(self._head(), now_ns)

    def _draw(self, t_ns: int) -> None:
        """Draw one note, or find that the end has come."""
        stage, plan = self._stage, self._plan
        earliest = plan.earliest(t_ns)
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
        shortest, longest = self._lengths(here + least, len(sounding))
        for _attempt in range(2):
            constraints = stage.palette.constraints(
                part=voice, min_gap=least, max_gap=max(least, greatest), gap_bias=self._gap_bias(here),
                pitch=self._pitches({held.pitch for held in sounding}, here), velocity_bias=self._velocity_bias,
                min_duration=min(shortest, longest), max_duration=longest,
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
        bias = self._plan.gap_bias(self._plan.density.steer(tick, density).gap_bias)
        rhythm = None if self._likeness is None else self._likeness.gap_bias(tick)
        if bias is None or rhythm is None:
            return rhythm if bias is None else bias
        return bias + rhythm

    def _pitches(self, sounding: set[int], tick: int) -> dict[int, Bias]:
        palette = self._stage.palette
        if palette.voice == Part.DRUMS:
            return palette.pitch
        bias = palette.pitch[palette.voice]
        if self._pitch_bias is not None:
            bias = bias + self._pitch_bias
        if self._likeness is not None:
            mine = [own for own in (*self._plan.out, *self._plan.ahead) if own.held is not None]
            answered = [own.pitch for own in mine if own.held is not None and own.held.tick >= self._first_tick]
            bias = bias + self._likeness.pitch_bias(answered)
        if sounding:
            bias = bias.copy()
            bias[list(sounding)] += RESTRIKE
        if self._end_tick is not None and tick >= self._end_tick - _CADENCE:
            bias = bias + self._home()
        return {palette.voice: bias}

    def _home(self) -> Bias:
        """Logit offsets towards the key's tonic triad: where phrases like to end."""
        bias = np.zeros(PITCHES, np.float32)
        key = key_of(self._stage.settings, self._stage.palette.heard)
        if key is not None:
            for step, liking in zip(tonic_triad(key), _TRIAD, strict=True):
                bias[step::12] = liking
        return bias

    def _lengths(self, tick: int, sounding: int) -> tuple[int, int]:
        """The shortest and longest that a note from a tick on may be: as in the phrase, shorter where it gets thick."""
        shortest, longest = 1, MAX_TICKS
        like = self._likeness
        if like is not None:
            shortest, longest = like.shortest, like.usual if sounding >= like.voices else like.longest
        if self._end_tick is not None:
            longest = min(longest, max(1, self._end_tick + _RING - tick))
        return min(shortest, longest), longest

    def _finish(self) -> None:
        """Let the last notes sound to the end: something like the end of a phrase."""
        self._drawn_out = True
        assert self._end_tick is not None
        last = self._stage.window.last_tick
        for own in self._plan.ahead:
            if own.fate is Fate.PLANNED and own.held is not None and own.held.tick == last:
                off_tick = max(own.held.off_tick, self._end_tick, own.held.tick + _LAST)
                self._stage.window.end(own.held, min(off_tick, own.held.tick + MAX_TICKS))
