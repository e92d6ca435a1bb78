"""Which key the music is in, heard from recent pitches (Krumhansl and Kessler's profiles, 1982)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
#: Each note counts this much less than the one after it: about 50 notes matter.
_RECENCY = 0.98
#: Fewer notes or a weaker match say nothing. A random melody's best match is about 0.5 to 0.65.
_FEWEST_NOTES, _WEAKEST_MATCH = 12, 0.7

#: Semitones above the tonic of each scale in `settings.SCALES`.
SCALE_DEGREES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "chromatic": tuple(range(12)),
}
#: A heard minor key: natural, with the raised seventh.
_HEARD_MINOR = (0, 2, 3, 5, 7, 8, 10, 11)


class HeardKey(NamedTuple):
    """A key: tonic pitch class (0 is C) and mode."""

    tonic: int
    minor: bool

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The pitch classes that belong to it."""
        degrees = _HEARD_MINOR if self.minor else SCALE_DEGREES["major"]
        return frozenset((self.tonic + degree) % 12 for degree in degrees)


def _profiles() -> NDArray[np.float64]:
    rows = np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
    rows = rows - rows.mean(axis=1, keepdims=True)
    normal: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normal


_PROFILES = _profiles()  # [24, 12]


def hear_key(pitches: Iterable[int]) -> HeardKey | None:
    """Name the key of pitches, oldest first; None where it is not clear."""
    weights = [0.0] * 12
    weight, count = 1.0, 0
    for pitch in pitches:
        weights[pitch % 12] += weight
        weight /= _RECENCY
        count += 1
    if count < _FEWEST_NOTES:
        return None
    histogram = np.array(weights) - sum(weights) / 12
    norm = float(np.linalg.norm(histogram))
    if norm == 0.0:
        return None
    matches = _PROFILES @ (histogram / norm)
    best = int(matches.argmax())
    return HeardKey(best % 12, best >= 12) if matches[best] >= _WEAKEST_MATCH else None
