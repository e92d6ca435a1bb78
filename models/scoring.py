"""Negative log-likelihood in nats a note, of generators that have one.

The shipped graphs themselves are scored, as live play uses them: a window of W notes slides in hops of H, and a
note is scored with between W and W + H notes before it (fewer at a piece's beginning).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from antiphon.models.baselines import ATTRIBUTES, classes_of
from antiphon.models.generator import (
    MAX_BEATS_IN_BAR,
    TICKS_PER_BEAT,
    UNKNOWN_BEAT_IN_BAR,
    UNKNOWN_TICK_IN_BEAT,
    Generator,
    HeldNote,
)
from antiphon.models.notes import Column, NoteTable, Piece
from antiphon.models.roll import Roll
from numpy.typing import NDArray

_BATCH = 64

Losses = NDArray[np.float64]  # [notes - 1, 5] in nats, at the common resolution


@runtime_checkable
class StepScorer(Protocol):
    """A generator that scores what came next, a note of each of many pieces at once; see `OnnxGenerator`."""

    def score_step(
        self, events: NDArray[np.int64], rolls: NDArray[np.float32], hidden: NDArray[np.float32] | None,
        following: NDArray[np.int64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:  # fmt: skip
        """Give losses [B, 5] and the next hidden state."""


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
    if isinstance(generator, StepScorer):
        return generator_nll(generator, pieces, window, hop)
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


def generator_nll(generator: StepScorer, pieces: list[NoteTable], window: int, hop: int) -> list[NDArray[np.float64]]:
    """Give each piece's losses [notes - 1, 5] in nats."""
    losses = [np.zeros((len(notes) - 1, len(ATTRIBUTES))) for notes in pieces]
    jobs = [
        (piece, start) for piece, notes in enumerate(pieces) for start in range(0, max(1, len(notes) - window), hop)
    ]
    jobs.sort(key=lambda job: min(len(pieces[job[0]]) - job[1], window + hop))  # rows of a batch end together
    for first in range(0, len(jobs), _BATCH):
        _score_batch(generator, pieces, jobs[first : first + _BATCH], losses, (window, hop))
    return losses


def _score_batch(
    generator: StepScorer, pieces: list[NoteTable], jobs: list[tuple[int, int]],
    losses: list[NDArray[np.float64]], size: tuple[int, int],
) -> None:  # fmt: skip
    window, hop = size
    excerpts = [pieces[piece][start : start + window + hop] for piece, start in jobs]
    longest = max(len(excerpt) for excerpt in excerpts)
    rolls = [Roll.empty() for _ in jobs]
    events = [events_of(excerpt, longest) for excerpt in excerpts]
    hidden: NDArray[np.float32] | None = None
    for step in range(longest - 1):
        images = []
        for row, excerpt in enumerate(excerpts):
            if step < len(excerpt):
                rolls[row] = rolls[row].advance(_held(excerpt[step]))
            images.append(rolls[row].image())
        now = np.stack([event[step] for event in events])
        following = np.stack([event[step + 1] for event in events])
        nll, hidden = generator.score_step(now[:, :6], np.stack(images), hidden, following)
        for row, (piece, start) in enumerate(jobs):
            at = start + step  # index of the loss of note at + 1
            scored = step + 1 < len(excerpts[row]) and (step + 1 >= window or start == 0)
            if scored:
                losses[piece][at] = nll[row]


def _held(row: NDArray[np.int32]) -> HeldNote:
    onset = int(row[Column.ONSET])
    end = onset + max(1, int(row[Column.DURATION]))
    return HeldNote(onset, int(row[Column.PART]), int(row[Column.PITCH]), int(row[Column.VELOCITY]), off_tick=end)


def events_of(excerpt: NoteTable, length: int) -> NDArray[np.int64]:
    """Give rows (part, gap, pitch, level, tick in beat, beat in bar, duration), padded to ``length``."""
    classes = classes_of(excerpt)
    bar = excerpt[:, Column.BAR_POSITION].astype(np.int64)
    beat = np.clip(bar // TICKS_PER_BEAT, 0, MAX_BEATS_IN_BAR - 1)
    columns = [
        classes[:, 0], classes[:, 1], classes[:, 2], classes[:, 3],
        np.where(bar < 0, UNKNOWN_TICK_IN_BEAT, bar % TICKS_PER_BEAT),
        np.where(bar < 0, UNKNOWN_BEAT_IN_BAR, beat), classes[:, 4],
    ]  # fmt: skip
    table = np.stack(columns, axis=1)
    return np.concatenate([table, np.repeat(table[-1:], length - len(table), axis=0)])


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
