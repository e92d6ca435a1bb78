"""How well pitch classes fit each of 24 keys.

Source: Krumhansl and Kessler, Psychological Review 89 (1982), 334-368, table 2.
"""

from __future__ import annotations

import numpy as np
from antiphon.models.generator import TICKS_PER_BEAT
from antiphon.models.notes import Column, NoteTable
from numpy.typing import NDArray

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
#: Longer notes than this tell no more of a key.
_LONG = 4 * TICKS_PER_BEAT


def _unit(profile: tuple[float, ...]) -> NDArray[np.float64]:
    centred = np.array(profile, np.float64) - float(np.mean(profile))
    unit: NDArray[np.float64] = centred / float(np.linalg.norm(centred))
    return unit


_PROFILES = np.array([np.roll(_unit(profile), tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])


def key_fits(pitched: NoteTable) -> NDArray[np.float64]:
    """Give the correlation with each key's profile: 12 major keys from C up, then 12 minor [24].

    Args:
        pitched: notes of parts other than drums.
    """
    weight = np.clip(pitched[:, Column.DURATION], 1, _LONG)
    classes = np.bincount(pitched[:, Column.PITCH] % 12, weight, 12)
    centred = classes - classes.mean()
    return _PROFILES @ centred / max(float(np.linalg.norm(centred)), 1e-9)  # type: ignore[no-any-return]
