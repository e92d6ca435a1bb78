"""What sounds, on the pitch axis: the part of a generator's input that a recurrent state cannot forget.

Ten channels of 128 pitches. For each of three groups of parts (lead; chords, pad and piano; bass) a flag where
a note sounds and the same weighted by its age (``exp(-age / 1 beat)``); then how recently each pitch was struck,
``r / (1 + r)`` of a sum of exponentials with time constants of one and eight beats, for pitched parts and
for drums. Only ends at or before the current tick are ever asked for: the future cannot leak in.

The same definition stands here twice: note by note (live), and for whole excerpts as matrix products
(training, in `models.excerpts`). A test holds them equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from antiphon.models.generator import PITCHES, TICKS_PER_BEAT, HeldNote
from numpy.typing import NDArray

#: Group of each part (index: Part); drums (3) do not sound on, they have recency alone.
GROUP_OF_PART = (0, 1, 2, -1, 1, 1)
GROUPS = 3
DRUMS = 3
AGE_TICKS = float(TICKS_PER_BEAT)
RECENCY_TICKS = (1.0 * TICKS_PER_BEAT, 8.0 * TICKS_PER_BEAT)
ROLL_CHANNELS = 2 * GROUPS + 2 * len(RECENCY_TICKS)
#: The keys of a piano: a network's convolutions run over these; a pitch outside has its absolute logit alone.
LOWEST, HIGHEST = 21, 108
KEYS = HIGHEST - LOWEST + 1

_LAST_DECAY = 4096  # ticks after which nothing is left of either
#: Decay of each row of a roll's recency, by the ticks that passed: [ticks, 4, 1].
_DECAYS = np.exp(-np.arange(_LAST_DECAY + 1)[:, None] / np.array(RECENCY_TICKS * 2))[:, :, None].astype(np.float32)

#: Held notes older than this are let go of: a note-off that never came must not weigh forever.
FORGET_TICKS = 64 * TICKS_PER_BEAT


@dataclass(frozen=True, slots=True, eq=False)
class Roll:
    """What sounds after a note onset. Immutable; `advance` gives the next one."""

    tick: int | None
    held: tuple[HeldNote, ...]
    recency: NDArray[np.float32]  # [2 * len(RECENCY_TICKS), PITCHES]: pitched short, long, drums short, long

    @classmethod
    def empty(cls) -> Roll:
        """Give the roll of silence."""
        return cls(None, (), np.zeros((2 * len(RECENCY_TICKS), PITCHES), np.float32))

    def advance(self, note: HeldNote) -> Roll:
        """Give the roll right after ``note`` was struck."""
        tick = note.tick
        if self.tick is None:
            recency = self.recency.copy()
        else:
            recency = self.recency * _DECAYS[min(tick - self.tick, _LAST_DECAY)]
        row = 2 if note.part == DRUMS else 0
        recency[row : row + 2, note.pitch] += 1.0
        oldest = tick - FORGET_TICKS
        held = tuple(
            other for other in self.held if other.off_tick > tick and other.tick > oldest
        )  # an end after `tick` is not known yet, an end before it is: either way no future is read
        return Roll(tick, held if note.part == DRUMS else (*held, note), recency)

    def image(self, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Give the channels at this roll's tick: [ROLL_CHANNELS, KEYS] in ``out``, else of all [.., PITCHES]."""
        if out is None:
            image, lowest, recency = np.empty((ROLL_CHANNELS, PITCHES), np.float32), 0, self.recency
        else:
            image, lowest, recency = out, LOWEST, self.recency[:, LOWEST : HIGHEST + 1]
        image[: 2 * GROUPS] = 0.0
        tick, keys = self.tick, image.shape[1]
        if tick is not None:
            for note in self.held:
                key = note.pitch - lowest
                if note.off_tick > tick and 0 <= key < keys:
                    group = 2 * GROUP_OF_PART[note.part]
                    image[group, key] = 1.0
                    age = image[group + 1, key] + math.exp((note.tick - tick) / AGE_TICKS)
                    image[group + 1, key] = age if age < 1.0 else 1.0
        np.divide(recency, 1.0 + recency, out=image[2 * GROUPS :])
        return image
