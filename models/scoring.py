"""Negative log-likelihood in nats a note, of generators that have one.

A generator is scored as live play uses it: a window of W notes slides in hops of H, and a note is scored with between
W and W + H notes before it (fewer at a piece's beginning).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from antiphon.models.baselines import ATTRIBUTES
from antiphon.models.generator import Generator
from antiphon.models.notes import NoteTable, Piece
from numpy.typing import NDArray

Losses = NDArray[np.float64]  # [notes - 1, 5] in nats, at the common resolution


@runtime_checkable
class PieceScorer(Protocol):
    """A generator that scores pieces in its own way; what is finer than the common resolution it sums over the bin."""

    def score_pieces(self, pieces: list[NoteTable], window: int, hop: int) -> list[Losses]:
        """Give each piece's losses [notes - 1, 5], a note's from between W and W + H notes before it."""


def labelled(generators: Sequence[Generator], taken: Sequence[str]) -> dict[str, Generator]:
    """Give generators by name, in order; one whose name is ``taken`` or was there before is told apart by a number."""
    labels: dict[str, Generator] = {}
    for generator in generators:
        label, number = generator.name, 1
        while label in labels or label in taken:
            number += 1
            label = f"{generator.name} #{number}"
        labels[label] = generator
    return labels


def losses_of(generator: object, pieces: list[NoteTable], window: int, hop: int) -> list[Losses] | None:
    """Give each piece's losses; None from a generator without a likelihood."""
    if isinstance(generator, PieceScorer):
        return generator.score_pieces(pieces, window, hop)
    return None


@dataclass(frozen=True, slots=True)
class Score:
    """Mean negative log-likelihood over some notes."""

    notes: int
    by_attribute: tuple[float, ...]
    interval: float  # half width of a 95% interval of the total, over pieces

    @property
    def total(self) -> float:
        """Nats a note."""
        return sum(self.by_attribute)

    def as_dict(self) -> dict[str, float | int]:
        """Give the score for JSON."""
        parts = {name: round(value, 4) for name, value in zip(ATTRIBUTES, self.by_attribute, strict=True)}
        return {
            "total": round(self.total, 4),
            "interval": round(self.interval, 4),
            "notes": self.notes,
            **parts,
        }


def score_of(losses: list[NDArray[np.float64]]) -> Score:
    """Sum up pieces' losses, each [notes, 5]."""
    sizes = np.array([len(loss) for loss in losses], np.float64)
    sums = np.array([loss.sum() for loss in losses])
    total = sums.sum() / sizes.sum()
    # a ratio's standard error over pieces: notes of one piece are far from independent
    spread = np.sqrt(((sums - total * sizes) ** 2).sum()) / sizes.sum()
    means = np.concatenate(losses).mean(axis=0)
    return Score(int(sizes.sum()), tuple(float(value) for value in means), float(1.96 * spread))


def limited(pieces: list[Piece], notes: int) -> list[NoteTable]:
    """Take pieces, evenly through the list, until there are ``notes`` notes (0: all)."""
    if not notes:
        return [piece.notes for piece in pieces]
    order = np.random.default_rng(0).permutation(len(pieces))
    taken: list[NoteTable] = []
    for index in order:
        if sum(map(len, taken)) >= notes:
            break
        taken.append(pieces[index].notes)
    return taken
