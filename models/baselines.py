"""What a network must beat: unigram, and Markov chains of each attribute, interpolated (Witten and Bell 1991).

The factorisation is the network's own: part, onset gap, pitch, velocity, duration of the next note, each from the
last n values of the same attribute and (above order 0) the part just chosen. Earlier durations are context
here although live play would not know all of them yet: an advantage that the network does not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from antiphon.models.generator import MAX_TICKS, PARTS, PITCHES, TIME_CLASSES, VELOCITY_LEVELS, VELOCITY_STEP
from antiphon.models.notes import Column, NoteTable, Piece
from numpy.typing import NDArray

ATTRIBUTES = ("part", "gap", "pitch", "velocity", "duration")
CLASSES = (PARTS, TIME_CLASSES, PITCHES, VELOCITY_LEVELS, TIME_CLASSES)
Classes = NDArray[np.int64]  # [notes, 5]


def classes_of(notes: NoteTable) -> Classes:
    """Give every note's attributes as classes at the common resolution."""
    onset = notes[:, Column.ONSET].astype(np.int64)
    gap = np.diff(onset, prepend=onset[:1])
    return np.stack(
        [
            notes[:, Column.PART],
            np.clip(gap, 0, MAX_TICKS),
            notes[:, Column.PITCH],
            np.clip(notes[:, Column.VELOCITY] // VELOCITY_STEP, 0, VELOCITY_LEVELS - 1),
            np.clip(notes[:, Column.DURATION], 0, MAX_TICKS),
        ],
        axis=1,
    ).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Order:
    """Counts of one order: of contexts followed by a value, of contexts, of distinct values after each."""

    grams: NDArray[np.int64]
    gram_counts: NDArray[np.int64]
    contexts: NDArray[np.int64]
    context_counts: NDArray[np.int64]
    followers: NDArray[np.int64]


class Markov:
    """Interpolated Markov chains of one order, one for each attribute. Order 0 is the unigram."""

    def __init__(self, pieces: tuple[Piece, ...], order: int) -> None:
        self.order = order
        self._tables: list[list[_Order]] = []
        for attribute in range(len(ATTRIBUTES)):
            rows = [_keys(classes_of(piece.notes), attribute, order) for piece in pieces]
            keys = np.concatenate([row[0] for row in rows])
            values = np.concatenate([row[1] for row in rows])
            self._tables.append([_count(keys[:, level], values, CLASSES[attribute]) for level in range(order + 1)])

    def nll(self, notes: NoteTable) -> NDArray[np.float64]:
        """Give the negative log-likelihood [notes - 1, 5] in nats of every note after the first."""
        classes = classes_of(notes)
        columns = []
        for attribute, levels in enumerate(self._tables):
            keys, values = _keys(classes, attribute, self.order)
            size = CLASSES[attribute]
            chance = np.full(len(values), 1.0 / size)
            for level, table in enumerate(levels):
                key = keys[:, level]
                count, _ = _look_up(table.contexts, key, table.context_counts)
                kinds, _ = _look_up(table.contexts, key, table.followers)
                seen, _ = _look_up(table.grams, key * size + values, table.gram_counts)
                known = count > 0
                chance = np.where(
                    known, (seen + kinds * chance) / np.maximum(count + kinds, 1), chance
                )  # an unseen context leaves the shorter one's word
            columns.append(-np.log(chance))
        return np.stack(columns, axis=1)


def _keys(classes: Classes, attribute: int, order: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give context keys [notes - 1, order + 1] (column n: of order n) and values of notes 1.."""
    value = classes[:, attribute]
    size = CLASSES[attribute]
    keys = np.zeros((len(value) - 1, order + 1), np.int64)
    key = np.zeros(len(value) - 1, np.int64)
    for level in range(1, order + 1):
        if level == 1:
            key = key if attribute == 0 else classes[1:, 0].copy()
        previous = np.full(len(value) - 1, size, np.int64)  # `size` stands for "before the beginning"
        previous[level - 1 :] = value[: len(value) - level]
        key = key * (size + 1) + previous
        keys[:, level] = key
    return keys, value[1:]


def _count(keys: NDArray[np.int64], values: NDArray[np.int64], size: int) -> _Order:
    grams, gram_counts = np.unique(keys * size + values, return_counts=True)
    contexts, starts = np.unique(grams // size, return_index=True)
    totals = np.add.reduceat(gram_counts, starts)
    followers = np.diff(np.append(starts, len(grams)))
    return _Order(grams, gram_counts, contexts, totals, followers)


def _look_up(
    table: NDArray[np.int64], keys: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    place = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    found = table[place] == keys
    return np.where(found, counts[place], 0), found
