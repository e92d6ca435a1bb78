"""Samples to figures, and figures to rows of the table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 1000
#: Where a rhythm may fall within a beat: sixteenths and eighth triplets.
_SLOTS = np.array(sorted({n / 4 for n in range(5)} | {n / 3 for n in range(4)}))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: of the measurement it comes from.
        what: what was measured.
        told: the figures in words; why there are none where nothing could be measured.
        meaning: what they mean for who plays.
        figures: the numbers, the unit at the end of each name; empty where nothing could be measured.
        failed: it could have been measured here, and was not.
    """

    name: str
    what: str
    told: str
    meaning: str
    figures: Mapping[str, float]
    failed: bool = False


def percentile(share: float) -> Callable[[Any], float]:
    """Give the function that finds a percentile (0 to 100) of a sample.

    >>> percentile(50)([1.0, 2.0, 9.0])
    2.0
    """
    return lambda sample: float(np.percentile(sample, share))


def interval(statistic: Callable[[Any], float], *samples: Any, rounds: int = _ROUNDS) -> tuple[float, float]:
    """Give a 95% bootstrap interval of a statistic, or of its first sample's less its second's."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(rounds):
        values = [statistic(rng.choice(sample, len(sample))) for sample in samples]
        found.append(values[0] - (values[1] if len(values) > 1 else 0.0))
    return float(np.percentile(found, 2.5)), float(np.percentile(found, 97.5))


def block_ratio(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float, float]:
    """Give theirs over ours, of the medians of [blocks, calls], and its 95% interval over pairs of blocks."""
    random = np.random.default_rng(0)
    pairs = random.integers(0, len(ours), (2 * _ROUNDS, len(ours)))
    drawn = [float(np.median(theirs[chosen]) / np.median(ours[chosen])) for chosen in pairs]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.median(theirs) / np.median(ours)), float(low), float(high)


def off_grid(times_ns: Sequence[int], start_ns: int, bpm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the beats at some times, and how far each is from a sixteenth or an eighth triplet, in ms.

    Args:
        times_ns: when something sounded.
        start_ns: when beat 0 was.
        bpm: the tempo, in beats a minute.

    >>> beats, off_ms = off_grid([0, 503_000_000], 0, 120.0)
    >>> [float(round(off, 6)) for off in off_ms]
    [0.0, 3.0]
    """
    beats = (np.asarray(times_ns, np.int64) - start_ns) / 1e9 * bpm / 60
    return beats, np.abs(beats[:, None] % 1.0 - _SLOTS[None, :]).min(axis=1) * 60e3 / bpm


def grid_start(times_ns: Sequence[int], bpm: float) -> int:
    """Find when a beat was, of a grid whose tempo is known and whose place is not: that which the times fit best.

    Args:
        times_ns: when notes were meant to sound; one at least.
        bpm: the tempo, in beats a minute.
    """
    beat_ns = 60e9 / bpm
    first = times_ns[0]
    places = [first - round(float(slot) * beat_ns) for slot in _SLOTS[:-1]]
    return min(places, key=lambda place: float(np.sum(off_grid(times_ns, place, bpm)[1])))
