"""How alike two sets of takes are: overlapped areas of distances within and between them.

Yang and Lerch, "On the evaluation of generative models in music", Neural Computing and Applications 32 (2020),
4773-4784: a feature of every take; distances between takes of the real set, and between each made take and each real
one; both as smooth densities; the area under both. 1: the made takes lie among the real ones as these among themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from antiphon.models.generator import MAX_TICKS
from antiphon.models.music_metrics import pitch_classes, pitched
from antiphon.models.notes import Column, NoteTable
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_GRID = 1000
#: A density is looked at this many bandwidths beyond its outermost distances.
_MARGIN = 4.0
#: Edges in ticks of the classes that durations and onset gaps are counted in: about a semiquaver to a whole bar.
_TIME_EDGES = np.array([0, 1, 4, 8, 10, 14, 20, 30, 42, 60, MAX_TICKS])


def pitch_count(notes: NoteTable) -> Floats:
    """Give how many different pitches there are: [1]."""
    return np.array([float(len(np.unique(pitched(notes)[:, Column.PITCH])))])


def pitch_range(notes: NoteTable) -> Floats:
    """Give the semitones from the lowest pitch to the highest: [1]."""
    pitch = pitched(notes)[:, Column.PITCH]
    return np.array([float(np.ptp(pitch)) if len(pitch) else 0.0])


def mean_interval(notes: NoteTable) -> Floats:
    """Give the mean size in semitones of steps from note to note within each part: [1]."""
    heard = pitched(notes)
    steps = [np.abs(np.diff(heard[heard[:, Column.PART] == part, Column.PITCH])) for part in np.unique(heard[:, 4])]
    moved = np.concatenate(steps) if steps else np.zeros(0)
    return np.array([float(moved.mean()) if len(moved) else 0.0])


def pitch_class_histogram(notes: NoteTable) -> Floats:
    """Give the share of each pitch class: [12]."""
    return _shares(pitch_classes(notes))


def note_count(notes: NoteTable) -> Floats:
    """Give the notes a beat: [1]. The paper counts notes of takes of one length; ours may differ in length."""
    span = max(1, int(np.ptp(notes[:, Column.ONSET]))) if len(notes) else 1
    return np.array([len(notes) / span])


def onset_gaps(notes: NoteTable) -> Floats:
    """Give the mean gap in ticks between onsets that differ: [1]."""
    gaps = np.diff(np.unique(notes[:, Column.ONSET]))
    return np.array([float(gaps.mean()) if len(gaps) else 0.0])


def note_length_histogram(notes: NoteTable) -> Floats:
    """Give the share of each class of duration: [10]."""
    lengths = np.clip(notes[:, Column.DURATION], 0, MAX_TICKS)
    return _shares(np.histogram(lengths, _TIME_EDGES)[0].astype(np.float64))


def _shares(counts: Floats) -> Floats:
    return counts / max(1.0, float(counts.sum()))


#: Features of a take, by the paper's names.
FEATURES: dict[str, Callable[[NoteTable], Floats]] = {
    "pitch count": pitch_count,
    "pitch range": pitch_range,
    "average pitch interval": mean_interval,
    "pitch class histogram": pitch_class_histogram,
    "note count": note_count,
    "average inter-onset interval": onset_gaps,
    "note length histogram": note_length_histogram,
}


def overlapped_areas(made: list[NoteTable], real: list[NoteTable]) -> dict[str, float]:
    """Give the overlapped area of every feature of `FEATURES`, and their ``mean``.

    Args:
        made: takes; empty ones are left out.
        real: real music; at least three pieces.
    """
    mine = [take for take in made if len(take)]
    theirs = [take for take in real if len(take)]
    areas = {}
    for name, feature in FEATURES.items():
        if not mine or len(theirs) < 3:
            areas[name] = math.nan
            continue
        ours, others = np.stack([feature(take) for take in mine]), np.stack([feature(take) for take in theirs])
        within = _distances(others, others)[np.triu_indices(len(others), 1)]
        areas[name] = overlapped_area(within, _distances(ours, others).ravel())
    areas["mean"] = float(np.mean(list(areas.values())))
    return areas


def overlapped_area(one: Floats, other: Floats) -> float:
    """Give the area under both densities of two samples, in [0, 1].

    Densities are sums of Gaussians with Scott's bandwidth (standard deviation x n ** -1/5), as in the paper's code.
    A sample without spread is a narrow peak.
    """
    widths = [max(float(sample.std()) * len(sample) ** -0.2, 1e-9) for sample in (one, other)]
    widths = [max(width, 1e-3 * max(widths)) for width in widths]
    margin = _MARGIN * max(widths)
    low, high = min(one.min(), other.min()) - margin, max(one.max(), other.max()) + margin
    # narrow peaks need places of their own among the evenly spaced ones
    places = np.linspace(low, high, _GRID)
    for sample, width in zip((one, other), widths, strict=True):
        around = np.linspace(-_MARGIN * width, _MARGIN * width, 101)
        places = np.concatenate([places, sample.mean() + around])
    places = np.unique(places)
    both = np.minimum(_density(one, widths[0], places), _density(other, widths[1], places))
    return float(min(1.0, (np.diff(places) * (both[1:] + both[:-1]) / 2).sum()))


def _density(sample: Floats, width: float, places: Floats) -> Floats:
    total: Floats = np.zeros(len(places))
    for part in np.array_split(sample, max(1, len(sample) // 1000)):  # a thousand at a time: memory stays small
        total += np.exp(-0.5 * ((places[:, None] - part[None, :]) / width) ** 2).sum(axis=1)
    return total / (len(sample) * width * math.sqrt(2 * math.pi))


def _distances(rows: Floats, others: Floats) -> Floats:
    apart: Floats = np.linalg.norm(rows[:, None, :] - others[None, :, :], axis=-1)
    return apart
