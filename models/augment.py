"""Excerpts drawn from a corpus, and changed so that one model serves any key, tempo, touch and cast of parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from antiphon.models.notes import COLUMNS, Column, NoteTable, Piece, ordered
from antiphon.models.parts import Part
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Augment:
    """How often and how far excerpts are changed; see the recipe for what each means."""

    transpose: int = 0
    free_time: float = 0.0
    stretch: float = 0.0
    as_piano: float = 0.0
    drop_part: float = 0.0
    velocity: int = 0


class Excerpts:
    """Draws excerpts: pieces by size and weight, places and changes at random."""

    def __init__(self, pieces: tuple[Piece, ...], weights: dict[str, float], augment: Augment) -> None:
        self._pieces = [piece.notes for piece in pieces]
        share = np.array([len(p.notes) * weights.get(p.source, 1.0) for p in pieces], np.float64)
        self._cumulative = np.cumsum(share / share.sum())
        self._augment = augment

    def draw(self, rng: np.random.Generator, batch: int, notes: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Draw ``batch`` excerpts of up to ``notes`` notes: a padded table [batch, notes, 6] and lengths [batch]."""
        table = np.zeros((batch, notes, COLUMNS), np.int32)
        lengths = np.zeros(batch, np.int64)
        for row in range(batch):
            chosen = int(np.searchsorted(self._cumulative, rng.random()))
            piece = self._pieces[min(chosen, len(self._pieces) - 1)]
            start = int(rng.integers(0, max(1, len(piece) - notes // 2)))
            # a dropped part thins an excerpt, so more is cut out than is needed
            excerpt = change(piece[start : start + 2 * notes], self._augment, rng)[:notes]
            table[row, : len(excerpt)] = excerpt
            table[row, len(excerpt) :] = excerpt[-1]
            lengths[row] = len(excerpt)
        return table, lengths


def change(excerpt: NoteTable, augment: Augment, rng: np.random.Generator) -> NoteTable:
    """Give a changed copy of ``excerpt``, still in order."""
    notes = excerpt.copy()
    notes = _cast(notes, augment, rng)
    if augment.transpose:
        shift = int(rng.integers(1 - augment.transpose, augment.transpose + 1))
        pitched = notes[:, Column.PART] != Part.DRUMS
        moved = notes[pitched, Column.PITCH] + shift
        if len(moved) and moved.min() >= 0 and moved.max() <= 127:
            notes[pitched, Column.PITCH] = moved
    if augment.velocity:
        louder = int(rng.integers(-augment.velocity, augment.velocity + 1))
        notes[:, Column.VELOCITY] = np.clip(notes[:, Column.VELOCITY] + louder, 1, 127)
    if rng.random() < augment.free_time:
        factor = float(np.exp(rng.uniform(-augment.stretch, augment.stretch)))
        # a performer is never on a grid that is not there: a shift of the grid, and a tick of play
        onset = notes[:, Column.ONSET] * factor + rng.random() + rng.normal(0.0, 0.5, len(notes))
        notes[:, Column.ONSET] = np.round(onset - min(0.0, float(onset.min())))
        notes[:, Column.DURATION] = np.round(notes[:, Column.DURATION] * factor)
        notes[:, Column.BAR_POSITION] = -1
        notes = notes[np.argsort(notes[:, Column.ONSET], kind="stable")]
    return notes


def _cast(notes: NoteTable, augment: Augment, rng: np.random.Generator) -> NoteTable:
    part = notes[:, Column.PART]
    present = np.unique(part)
    if rng.random() < augment.as_piano:
        if rng.random() < 0.5 or Part.DRUMS in present or Part.BASS in present:
            part[part == Part.CHORDS] = Part.PIANO
        else:
            part[:] = Part.PIANO
        return ordered(notes)
    if len(present) > 1 and rng.random() < augment.drop_part:
        kept = notes[part != rng.choice(present)]
        return kept if len(kept) >= len(notes) // 4 else notes
    return notes
