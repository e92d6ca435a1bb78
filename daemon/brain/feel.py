"""Where a planned note is put beside its line of the grid: swung, leaning as the performer leans, loose, expressive.

Four things add up:

- *swing*: the grid itself, moved: the second eighth of a beat comes late, and the sixteenths around it with it. Notes
  that were drawn between the straight lines (triplets) are where they should be.
- *pocket*: how the performer lies to the beat (`pocket.py`), where no swing is set;
- *looseness*: a drift of each part's own;
- *expression*: the fine timing that the model drew.

``tightness`` 1 is the (swung) grid, and nothing else.
"""

from __future__ import annotations

import math

import numpy as np
from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.pocket import PLACES, Pocket
from antiphon.daemon.settings import Settings
from antiphon.models.generator import TICKS_PER_BEAT, UNKNOWN_SHIFT, HeldNote
from antiphon.models.notes import SHIFTS

#: At tightness 0 a part wanders by about this (standard deviation): a loose player, not a bad one.
_LOOSEST_NS = 12e6
#: How much of a part's deviation carries over to its next note: players drift, they do not jitter.
_DRIFT = 0.8
#: The performer's lean is taken over in full from this much below tightness 1 on.
_LEANS_BELOW = 0.2
_TICKS_A_PLACE = TICKS_PER_BEAT // PLACES
STRAIGHT = 0.5


def swung(place: int, swing: float) -> float:
    """Give by how many beats a sixteenth of the beat (0 to 3) comes late.

    Args:
        place: which; 2 is the second eighth.
        swing: where the second eighth falls in the beat: 0.5 straight, 0.67 as triplets.
    """
    late = swing - STRAIGHT
    return (0.0, late / 2, late, late / 2)[place]


class Feel:
    """Tells how far off its tick a note goes out; listens to the performer's own.

    Args:
        time: the engine's.
        seed: of looseness.
    """

    def __init__(self, time: MusicalTime, seed: int) -> None:
        self._time = time
        self._pocket = Pocket()
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Start the random stream of looseness afresh."""
        self._rng = np.random.Generator(np.random.PCG64([seed, 1]))
        self._drift: dict[int, float] = {}

    def hear(self, position: float) -> None:
        """Take in where the performer struck, in ticks with a fraction; nothing where there is no beat."""
        grid = self._time.grid
        if grid is not None:
            self._pocket.hear((position - grid[0]) / TICKS_PER_BEAT)

    def off_ns(self, held: HeldNote, settings: Settings) -> int:
        """Give how much later than its tick a note goes out, in nanoseconds."""
        loose = self._loosened(held.part, settings.tightness)
        return round(self._off_the_line(held, settings) + loose + self._expression(held, settings.tightness))

    def _off_the_line(self, held: HeldNote, settings: Settings) -> float:
        time, grid = self._time, self._time.grid
        if grid is None:
            return 0.0
        place, between = divmod((held.tick - grid[0]) % TICKS_PER_BEAT, _TICKS_A_PLACE)
        if between:
            return 0.0
        beats = swung(place, settings.swing)
        if settings.swing == STRAIGHT:  # else it says it all: who swings too must not be counted twice
            beats = settings.feel * min(1.0, (1.0 - settings.tightness) / _LEANS_BELOW) * self._pocket.lean(place)
        return time.time_of(held.tick + beats * TICKS_PER_BEAT) - time.time_of(held.tick) if beats else 0.0

    def _loosened(self, part: int, tightness: float) -> float:
        """How far off the grid the part's next note wanders, in nanoseconds."""
        spread_ns = _LOOSEST_NS * (1.0 - tightness)
        if spread_ns <= 0.0:
            return 0.0
        fresh = float(self._rng.standard_normal()) * math.sqrt(1 - _DRIFT**2)
        self._drift[part] = drift = _DRIFT * self._drift.get(part, 0.0) + fresh
        return max(-2.0, min(2.0, drift)) * spread_ns

    def _expression(self, held: HeldNote, tightness: float) -> float:
        """How far off its tick a note was drawn, in nanoseconds: less the tighter to a grid, in full where none is."""
        if held.shift == UNKNOWN_SHIFT or held.shift == SHIFTS // 2:
            return 0.0
        share = 1.0 - tightness if self._time.grid is not None else 1.0
        place = self._time.time_of(held.tick + (held.shift - SHIFTS // 2) / SHIFTS)
        return share * (place - self._time.time_of(held.tick))
