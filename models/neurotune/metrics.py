"""What the papers count in generated music, and how far distributions are from held-out music.

All of it is over pitched notes: a drum's pitch is an instrument. Distances never look at the discriminator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from antiphon.models.generator import TIME_CLASSES
from antiphon.models.neurotune.sequences import Field, Rows
from antiphon.models.parts import Part
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Intervals between successive pitched notes are counted up to two octaves either way.
_WIDEST = 24
#: Length, in notes, of the patterns that repetition counts.
_PATTERN = 3
#: Krumhansl and Kessler 1982: how well each pitch class fits a major and a minor key on C (probe-tone ratings).
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
#: Profiles of the 24 keys [24, 12]: majors on C, C#, ..., then minors.
KEY_PROFILES: Floats = np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
#: The distances, in the order of the table.
DISTANCES = ("pitch class", "interval", "gap", "repetition")


def pitched(rows: Rows) -> Rows:
    """Give the pitches of the notes [N, 6] that are not drums."""
    found: Rows = rows[rows[:, Field.PART] != Part.DRUMS, Field.PITCH]
    return found


def pitch_classes(rows: Rows) -> Floats:
    """Count pitch classes [12]."""
    return np.bincount(pitched(rows) % 12, minlength=12).astype(np.float64)


def intervals(rows: Rows) -> Floats:
    """Count semitones from each pitched note to the next in order of onset [49], cut at two octaves either way."""
    steps = np.clip(np.diff(pitched(rows)), -_WIDEST, _WIDEST) + _WIDEST
    return np.bincount(steps, minlength=2 * _WIDEST + 1).astype(np.float64)


def gaps(rows: Rows) -> Floats:
    """Count onset gaps in ticks [97], drums' too."""
    return np.bincount(rows[:, Field.GAP], minlength=TIME_CLASSES).astype(np.float64)


def repetition(rows: Rows) -> float:
    """Give the share of patterns that came before in the same sequence.

    A pattern is three notes in a row: their intervals and gaps, wherever they start, so that a sequence (the same
    figure a step higher) counts as repeated. 0 where nothing comes back, near 1 where one figure is all there is.
    """
    count = len(rows) - _PATTERN + 1
    if count < 2:
        return 0.0
    steps = np.stack([np.diff(rows[:, Field.PITCH]), rows[1:, Field.GAP]], axis=1)
    patterns = [tuple(steps[at : at + _PATTERN - 1].ravel().tolist()) for at in range(count)]
    return 1.0 - len(set(patterns)) / count


def tonal_stability(rows: Rows) -> float:
    """Give how clearly one key rules: the best correlation of the pitch classes with a key profile.

    Krumhansl's key-finding (1990, chapter 4) over 24 major and minor keys: 1 is a perfect fit, below about 0.5 no key
    is heard. 0 where there are no pitched notes or all pitch classes are alike.
    """
    counts = pitch_classes(rows)
    if counts.std() == 0.0:
        return 0.0
    return float(max(np.corrcoef(counts, profile)[0, 1] for profile in KEY_PROFILES))


def key_of(counts: Floats) -> int:
    """Give the best-fitting key of pitch-class counts [12]: 0-11 majors on C, C#, ...; 12-23 minors."""
    if counts.std() == 0.0:
        return 0
    return int(np.argmax([np.corrcoef(counts, profile)[0, 1] for profile in KEY_PROFILES]))


def divergence(counts: Floats, others: Floats) -> float:
    """Give the Jensen-Shannon distance of two histograms: 0 where alike, 1 where nothing is shared (Lin 1991)."""
    p, q = counts / max(counts.sum(), 1.0), others / max(others.sum(), 1.0)
    middle = 0.5 * (p + q)

    def entropy(values: Floats) -> float:
        some = values[values > 0]
        return float(-(some * np.log2(some)).sum())

    return float(np.sqrt(max(0.0, entropy(middle) - 0.5 * (entropy(p) + entropy(q)))))


def earth_mover(values: Floats, others: Floats) -> float:
    """Give the first Wasserstein distance of two samples of one size: how far, on average, to move a value."""
    return float(np.abs(np.sort(values) - np.sort(others)).mean())


@dataclass(frozen=True, slots=True)
class Counted:
    """Every sequence's counts and figures, so that a bootstrap need not look at the notes again."""

    histograms: tuple[Floats, ...]  # pitch class, interval, gap: [sequences, bins]
    repetition: Floats  # [sequences]
    stability: Floats  # [sequences]

    @classmethod
    def of(cls, sequences: Rows) -> Counted:
        """Count sequences [B, N, 6]."""
        counters: tuple[Callable[[Rows], Floats], ...] = (pitch_classes, intervals, gaps)
        return cls(
            tuple(np.stack([count(rows) for rows in sequences]) for count in counters),
            np.array([repetition(rows) for rows in sequences]),
            np.array([tonal_stability(rows) for rows in sequences]),
        )

    def distances(self, real: Counted, chosen: NDArray[np.int64]) -> Floats:
        """Give the distances [4] (as `DISTANCES`) to real music, over the sequences ``chosen`` of both."""
        found = [
            divergence(ours[chosen].sum(axis=0), theirs[chosen].sum(axis=0))
            for ours, theirs in zip(self.histograms, real.histograms, strict=True)
        ]
        return np.array([*found, earth_mover(self.repetition[chosen], real.repetition[chosen])])


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95% bootstrap interval."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Give it for JSON."""
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)}

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrapped(figure: Callable[[NDArray[np.int64]], Floats], sequences: int, rounds: int) -> list[Interval]:
    """Give basic bootstrap intervals of figures over whole sequences drawn with replacement.

    Basic (Davison and Hinkley 1997, section 5.2), not percentile: a distance between histograms grows when sequences
    are drawn again, and the basic interval turns that bias back.

    Args:
        figure: from chosen sequences (indices) to figures [K]. The same choice goes to both sides of a difference,
            so what two generators made of one beginning stays paired.
        sequences: how many there are.
        rounds: of drawing.
    """
    rng = np.random.default_rng(0)
    whole = figure(np.arange(sequences))
    drawn = np.stack([figure(rng.integers(0, sequences, sequences)) for _ in range(rounds)])
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    return [Interval(float(v), float(2 * v - b), float(2 * v - a)) for v, a, b in zip(whole, low, high, strict=True)]
