"""What a rhythm section owes its listeners: a bass note where the bar leans, a chord there, drums that keep time.

A generator says what comes next; an accompaniment has also to be there when it is needed. So some places in the bar
are due: nothing is drawn beyond one before its note, which is then forced to that place and part, its pitch,
loudness and length drawn as ever. Everything between the due places is the generator's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from antiphon.daemon.brain.constraints import Bias
from antiphon.models.generator import PITCHES, TICKS_PER_BEAT, HeldNote
from antiphon.models.parts import Part

#: A note this close to a due place (ticks) is the one that was due: a 32nd.
_NEAR = 3
#: Notes of a chord where one is due.
_CHORD = 3
#: A kit's pieces (General MIDI) by what they do: struck on 1 and 3, on 2 and 4, and throughout.
_LOW, _BACK, _TIME = (35, 36), (38, 40), (42, 44, 46, 51, 53, 59)
#: Logits in favour of the piece that a place in the bar asks for: another remains likely where it is much liked.
_PIECE = 3.5
#: Shortest forced notes (ticks): a bass or chord that is due is not a grace note.
_SHORTEST = {Part.BASS: 10, Part.CHORDS: 12}
_FIRST_OF_ALL = 128  # notes looked back over: two bars of a busy band


class Due(NamedTuple):
    """One note that is due. ``pitch``: logit offsets, or None. It is over when the next one of its part is due."""

    tick: int
    part: Part
    min_duration: int
    max_duration: int
    pitch: Bias | None


class Backbone:
    """The due places of some parts, in a bar of so many beats.

    Args:
        parts: Antiphon's.
        downbeat: tick of any.
        beats_per_bar: of the clock.
        density: onsets a beat asked for; 0: none was.
    """

    def __init__(self, parts: Iterable[int], downbeat: int, beats_per_bar: int, density: float) -> None:
        self._downbeat, self._beats = downbeat, beats_per_bar
        # half a bar, where a bar has halves
        leaning = TICKS_PER_BEAT * (2 if beats_per_bar % 2 == 0 else beats_per_bar)
        wanted = density or np.inf
        steps: dict[Part, int] = {}
        if wanted >= 1.5:
            steps[Part.CHORDS] = TICKS_PER_BEAT * beats_per_bar
        if wanted >= 0.75:
            steps[Part.BASS] = leaning
        if wanted >= 1.0:
            steps[Part.DRUMS] = TICKS_PER_BEAT // 2 if wanted >= 2.5 else TICKS_PER_BEAT
        own = set(parts)
        self._steps = {part: step for part, step in steps.items() if part in own}

    def due(self, tick: int, notes: Sequence[HeldNote]) -> Due | None:
        """Give the first note that is due from a tick on, given what is played and planned; of several, in order."""
        found: Due | None = None
        for part, step in self._steps.items():
            at = self._downbeat + -((self._downbeat - tick) // step) * step
            pitches = [
                note.pitch for note in notes[-_FIRST_OF_ALL:] if note.part == part and abs(note.tick - at) <= _NEAR
            ]
            if len(pitches) >= self._count(part, at):
                at += step
                pitches = []
            if found is None or at < found.tick:
                bias = self._drum_bias(at, pitches) if part is Part.DRUMS else None
                found = Due(at, part, _SHORTEST.get(part, 1), step, bias)
        return found

    def _beat(self, tick: int) -> int | None:
        """Which beat of the bar a tick is; None off the beat."""
        beat, rest = divmod(tick - self._downbeat, TICKS_PER_BEAT)
        return None if rest else beat % self._beats

    def _count(self, part: Part, tick: int) -> int:
        if part is Part.CHORDS:
            return _CHORD
        if part is Part.DRUMS and self._beat(tick) is not None:
            return 2  # the beat, and the time that is kept on it
        return 1

    def _drum_bias(self, tick: int, struck: list[int]) -> Bias:
        """Low, back, low, back; the time kept on top."""
        beat = self._beat(tick)
        bias = np.zeros(PITCHES, np.float32)
        pieces: tuple[int, ...] = _TIME
        if beat is not None and not struck:
            pieces = _BACK if beat % 2 else _LOW
            if self._beats % 2 and beat:
                pieces = _BACK  # a waltz: low, back, back
        bias[list(pieces)] = _PIECE
        return bias
