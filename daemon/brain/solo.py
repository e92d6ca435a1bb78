"""What one voice played alone may draw next: the manner of a phrase, its end, and everything that the settings say.

Asked for each note of the plan, and of every candidate line: whoever draws, the same holds.
"""

from __future__ import annotations

import numpy as np
from antiphon.daemon.brain.candidates import Drawn, Line
from antiphon.daemon.brain.constraints import Bias, allowed_range, key_of, tonic_triad
from antiphon.daemon.brain.grid_bias import grid_bias
from antiphon.daemon.brain.likeness import Likeness, liken
from antiphon.daemon.brain.phrase import Manner, Phrase
from antiphon.daemon.brain.plan import POLYPHONY
from antiphon.daemon.brain.stage import Stage
from antiphon.models.generator import MAX_TICKS, PITCHES, TICKS_PER_BEAT
from antiphon.models.parts import Part

#: Without a phrase to go by, no rest is longer (ticks).
_LONGEST_REST = 2 * TICKS_PER_BEAT
#: The last note may ring on after the end (ticks).
_RING = TICKS_PER_BEAT // 2
#: A pitch that sounds already is this much less likely to be struck again (logits).
RESTRIKE = -2.0
#: Notes that begin in the last so many ticks lean home: logits in favour of the tonic, third and fifth.
_CADENCE = TICKS_PER_BEAT
_TRIAD = (2.5, 1.5, 1.5)


class Solo:
    """From a tick on, to an end or for ever, in the manner of a phrase.

    Args:
        stage: its settings and time are those in use at each note.
        first_tick: of its first note.
        end_tick: where it ends; None: on and on.
        phrase: to play in the manner of; an empty one: as the model feels.
    """

    def __init__(self, stage: Stage, first_tick: int, end_tick: int | None, phrase: Phrase) -> None:
        self._stage = stage
        self.first_tick, self.end_tick = first_tick, end_tick
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

    def draw(self, line: Line, earliest: int) -> Drawn | None:
        """Draw a line's next note; None where the end has come.

        Args:
            line: what it comes after.
            earliest: first tick that there is still time for.
        """
        stage, last = self._stage, line.last_tick
        if not line.begun:
            earliest = max(earliest, self.first_tick)
            least, greatest = _gaps(last, earliest, earliest)
        else:
            rest = _LONGEST_REST if self._manner is None else self._manner.longest_gap
            least, greatest = _gaps(last, earliest, None if last is None else max(earliest, last + rest))
        voice = stage.palette.voice
        here = earliest if last is None else max(last, earliest)
        sounding = line.sounding(here)
        if len(sounding) >= POLYPHONY[Part(voice)]:  # wait until a hand is free
            free = min(held.off_tick for held in sounding) - (0 if last is None else last)
            least = max(least, 1, round(free))
        struck_here = {held.pitch for held in sounding if held.tick == here}
        shortest, longest = self._lengths(here + least, len(sounding))
        gap_bias, pitch = self._gap_bias(line, here), self._pitches(line, {held.pitch for held in sounding}, here)
        for _attempt in range(2):
            draw = line.sample(stage.palette.constraints(
                part=voice, min_gap=least, max_gap=max(least, greatest), gap_bias=gap_bias, pitch=pitch,
                velocity_bias=self._velocity_bias, min_duration=min(shortest, longest), max_duration=longest,
            ))  # fmt: skip
            tick = earliest if last is None else max(earliest, last + draw.gap)
            if tick > here or draw.pitch not in struck_here:
                break
            least = max(1, least)  # this very note is there already: then a later one
        if self.end_tick is not None and line.begun and tick >= self.end_tick:
            return None
        off_tick = tick + draw.duration
        if self.end_tick is not None:
            off_tick = min(off_tick, max(tick + 1, self.end_tick + _RING))
        return Drawn(draw, tick, off_tick)

    def _gap_bias(self, line: Line, tick: int) -> Bias | None:
        stage, density = self._stage, self._stage.settings.density
        if density <= 0.0 and self._manner is not None:
            density = self._manner.onsets_a_beat
        biases = [line.density.steer(tick, density).gap_bias]
        if stage.time.grid is not None and line.last_tick is not None:
            place = (line.last_tick - stage.time.grid[0]) % TICKS_PER_BEAT
            biases.append(grid_bias(place, round(stage.settings.tightness, 2)))
        if self._likeness is not None:
            biases.append(self._likeness.gap_bias(tick))
        told = [bias for bias in biases if bias is not None]
        return sum(told[1:], told[0]) if told else None

    def _pitches(self, line: Line, sounding: set[int], tick: int) -> dict[int, Bias]:
        palette = self._stage.palette
        if palette.voice == Part.DRUMS:
            return palette.pitch
        bias = palette.pitch[palette.voice]
        if self._pitch_bias is not None:
            bias = bias + self._pitch_bias
        if self._likeness is not None:
            bias = bias + self._likeness.pitch_bias(line.answered)
        if sounding:
            bias = bias.copy()
            bias[list(sounding)] += RESTRIKE
        if self.end_tick is not None and tick >= self.end_tick - _CADENCE:
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
        if self.end_tick is not None:
            longest = min(longest, max(1, self.end_tick + _RING - tick))
        return min(shortest, longest), longest


def _gaps(last: int | None, earliest: int, latest: int | None) -> tuple[int, int]:
    """Least and greatest gap (ticks) after a last note, for an onset between two ticks; as `Plan.gaps`."""
    if last is None:
        return 0, 0
    least = max(0, earliest - last)
    greatest = MAX_TICKS if latest is None else min(MAX_TICKS, latest - last)
    return least, max(least, greatest)
