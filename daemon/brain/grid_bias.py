"""Leaning on the beat: how much likelier an onset on the grid is made, the tighter the more.

Human timing is in what a generator has learnt, and a sequencer's grid is not; so an accompaniment to a clock is
told where sixteenths and triplets lie, before it draws. Looseness is put back on the way out.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from antiphon.models.generator import TICKS_PER_BEAT, TIME_CLASSES
from numpy.typing import NDArray

#: Logits taken at tightness 1 from onsets between the lines (as good as forbidden, but never nothing left), and from
#: triplets, which are lines of another grid.
_BETWEEN, _TRIPLET = 30.0, 2.5
_SIXTEENTHS = (0, 6, 12, 18)
_TRIPLETS = (8, 16)


@lru_cache(maxsize=512)
def grid_bias(tick_in_beat: int, tightness: float) -> NDArray[np.float32]:
    """Logit offsets [TIME_CLASSES] of the gap after an onset at ``tick_in_beat``; never changed by who gets it.

    A gap of nothing is no exception: what is struck together with a note off the grid would be off it too.
    """
    place = (tick_in_beat + np.arange(TIME_CLASSES)) % TICKS_PER_BEAT
    bias = np.where(np.isin(place, _SIXTEENTHS), 0.0, np.where(np.isin(place, _TRIPLETS), -_TRIPLET, -_BETWEEN))
    return (bias * tightness).astype(np.float32)
