"""Is the best of N by the critic nearer to music than the first of N? Measured by what the critic never saw.

Four distances between continuations and the real ones after the same held-out prompts:

- pitch class: Jensen-Shannon distance (Lin 1991) of degrees over the tonic of the prompt's key, majors and minors
  apart [24], pooled over continuations;
- interval: the same of semitones from each note to the next of its part [49], cut at two octaves either way, drums out;
- groove: first Wasserstein distance of `music_metrics.groove_consistency` over continuations;
- repetition: the same of `music_metrics.repetition`.

The critic learnt real against made, nothing else; none of these figures, nor any that chose what it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from antiphon.models.critic.pairs import Pairs
from antiphon.models.music_metrics import groove_consistency, key_fits, pitch_classes, pitched, repetition
from antiphon.models.neurotune.metrics import Interval, bootstrapped, divergence
from antiphon.models.notes import Column, NoteTable
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Chosen = NDArray[np.int64]

DISTANCES = ("pitch class", "interval", "groove", "repetition")
_WIDEST = 24
_ROUNDS = 1000


def degrees(notes: NoteTable, key: int) -> Floats:
    """Count degrees over a key's tonic [24]: of a major key the first twelve, of a minor one the others."""
    counts = np.zeros(24)
    counts[12 * (key >= 12) : 12 * (key >= 12) + 12] = np.roll(pitch_classes(notes), -(key % 12))
    return counts


def intervals(notes: NoteTable) -> Floats:
    """Count semitones from each pitched note to the next of its part [49]."""
    counts = np.zeros(2 * _WIDEST + 1)
    heard = pitched(notes)
    for part in np.unique(heard[:, Column.PART]):
        line = heard[heard[:, Column.PART] == part, Column.PITCH].astype(np.int64)
        steps = np.clip(np.diff(line), -_WIDEST, _WIDEST) + _WIDEST
        counts += np.bincount(steps, minlength=len(counts))
    return counts


def key_of(prompt: NoteTable) -> int:
    """Give the best-fitting key of a prompt: 0-11 major on C, C#, ...; 12-23 minor; 0 where none can be told."""
    fits = key_fits(pitch_classes(prompt, by_duration=True))
    return 0 if np.isnan(fits).any() else int(fits.argmax())


def wasserstein(values: Floats, others: Floats) -> float:
    """Give the first Wasserstein distance of two samples of any sizes; what is no number is left out."""
    ours, theirs = np.sort(values[~np.isnan(values)]), np.sort(others[~np.isnan(others)])
    if not len(ours) or not len(theirs):
        return math.nan
    every = np.sort(np.concatenate([ours, theirs]))
    shares = (np.searchsorted(side, every[:-1], side="right") / len(side) for side in (ours, theirs))
    return float((np.abs(np.subtract(*shares)) * np.diff(every)).sum())


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of one continuation of each of N prompts."""

    degrees: Floats  # [N, 24]
    intervals: Floats  # [N, 49]
    groove: Floats  # [N]
    repetition: Floats  # [N]

    @classmethod
    def of(cls, tables: NDArray[np.int32], keys: list[int]) -> Counted:
        """Count continuations [N, L, columns]."""
        return cls(
            np.stack([degrees(table, key) for table, key in zip(tables, keys, strict=True)]),
            np.stack([intervals(table) for table in tables]),
            np.array([groove_consistency(table) for table in tables]),
            np.array([repetition(table) for table in tables]),
        )

    def distances(self, real: Counted, chosen: Chosen) -> Floats:
        """Give the distances [4] (as `DISTANCES`) to real music over the prompts chosen."""
        return np.array([
            divergence(self.degrees[chosen].sum(axis=0), real.degrees[chosen].sum(axis=0)),
            divergence(self.intervals[chosen].sum(axis=0), real.intervals[chosen].sum(axis=0)),
            wasserstein(self.groove[chosen], real.groove[chosen]),
            wasserstein(self.repetition[chosen], real.repetition[chosen]),
        ])  # fmt: skip

    @classmethod
    def picked(cls, columns: list[Counted], pick: Chosen) -> Counted:
        """Of each prompt take the candidate that was picked."""
        rows = np.arange(len(pick))
        stacked = (np.stack([getattr(column, name) for column in columns]) for name in cls.__slots__)
        return cls(*(values[pick, rows] for values in stacked))


def compare(pairs: Pairs, scores: NDArray[np.float32], seed: int = 0, rounds: int = _ROUNDS) -> dict[str, Any]:
    """Compare the best of N by a critic with the first, and with any one of the N.

    Args:
        pairs: held-out prompts, real continuations and N made ones of each.
        scores: the critic's [prompts, N].
        seed: of the control, one of N at random.
        rounds: of the bootstrap over prompts; the prompts drawn are the same on both sides of a difference.

    Returns:
        For JSON: the distances of each way of choosing, and the differences from the first, with 95% intervals.
    """
    keys = [key_of(prompt) for prompt in pairs.prompts]
    real = Counted.of(pairs.real, keys)
    columns = [Counted.of(pairs.made[:, number], keys) for number in range(pairs.made.shape[1])]
    at_random = np.random.default_rng(seed).integers(0, len(columns), len(pairs))
    count = len(columns)
    ways = {
        "first": columns[0],
        f"one of {count} at random": Counted.picked(columns, at_random),
        f"best of {count} by the critic": Counted.picked(columns, scores.argmax(axis=1)),
        f"worst of {count} by the critic": Counted.picked(columns, scores.argmin(axis=1)),
    }
    names = list(ways)

    def figures(chosen: Chosen) -> Floats:
        found = np.stack([way.distances(real, chosen) for way in ways.values()])  # [ways, 4]
        any_one = np.mean([column.distances(real, chosen) for column in columns[:_ANY]], axis=0)
        return np.concatenate([found.ravel(), (found[1:] - found[0]).ravel(), (found[2:] - any_one).ravel(), any_one])

    told = bootstrapped(figures, len(pairs), rounds)
    rows = [told[at : at + len(DISTANCES)] for at in range(0, len(told), len(DISTANCES))]
    labels = [*names, *(f"{name} - first" for name in names[1:]), *(f"{name} - any one" for name in names[2:])]
    return {
        "prompts": len(pairs), "notes": int(pairs.real.shape[1]), "candidates": count, "rounds": rounds,
        "distances": {
            label: _row(row) for label, row in zip([*labels, "any one (mean of them)"], rows, strict=True)
        },
    }  # fmt: skip


#: Single candidates whose distances are averaged for "any one".
_ANY = 8


def _row(intervals_: list[Interval]) -> dict[str, dict[str, float]]:
    return {name: interval.as_dict() for name, interval in zip(DISTANCES, intervals_, strict=True)}


def show(told: Mapping[str, Any]) -> str:
    """Give the figures as a Markdown table."""
    lines = [
        f"{told['prompts']} held-out prompts, {told['candidates']} candidates of {told['notes']} notes each; "
        "distance to the real continuations, 95% bootstrap intervals over prompts.",
        "",
        "| | " + " | ".join(DISTANCES) + " |",
        "| --- " * (len(DISTANCES) + 1) + "|",
    ]
    for name, row in told["distances"].items():
        cells = (f"{row[what]['value']:.4f} [{row[what]['low']:.4f}, {row[what]['high']:.4f}]" for what in DISTANCES)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
