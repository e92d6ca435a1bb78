"""Excerpts drawn from a corpus, and changed so that one model serves any key, tempo, touch and cast of parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from antiphon.models.controls import ANTIPHON, CONTROLS, PERFORMER, PLAYERS, cast, measured
from antiphon.models.notes import COLUMNS, SHIFTS, Column, NoteTable, Piece, ordered
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
    told: float = 0.0
    handed_over: float = 0.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """Excerpts side by side, padded by their last note, and what is told of each."""

    notes: NDArray[np.int32]  # [B, T, columns]
    lengths: NDArray[np.int64]  # [B]
    controls: NDArray[np.int64]  # [B, 2, controls]: told before and from `turns` on
    turns: NDArray[np.int64]  # [B]: the note where the parts change hands


class Excerpts:
    """Draws excerpts: pieces by size and weight, places and changes at random.

    Args:
        pieces: of a corpus.
        weights: of a data set, how often it is drawn beside its size.
        augment: what is changed, and how often.
        styles: of a data set, the word of `controls.STYLES` that is told of it.
    """

    def __init__(
        self, pieces: tuple[Piece, ...], weights: dict[str, float], augment: Augment,
        styles: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._pieces = pieces
        share = np.array([len(p.notes) * weights.get(p.source, 1.0) for p in pieces], np.float64)
        self._cumulative = np.cumsum(share / share.sum())
        self._augment = augment
        self._styles = styles or {}

    def draw(self, rng: np.random.Generator, batch: int, notes: int) -> Drawn:
        """Draw ``batch`` excerpts of up to ``notes`` notes."""
        table = np.zeros((batch, notes, COLUMNS), np.int32)
        lengths, turns = np.zeros(batch, np.int64), np.full(batch, notes, np.int64)
        controls = np.zeros((batch, 2, len(CONTROLS)), np.int64)
        for row in range(batch):
            chosen = int(np.searchsorted(self._cumulative, rng.random()))
            piece = self._pieces[min(chosen, len(self._pieces) - 1)]
            start = int(rng.integers(0, max(1, len(piece.notes) - notes // 2)))
            # a dropped part thins an excerpt, so more is cut out than is needed
            excerpt, factor = change(piece.notes[start : start + 2 * notes], self._augment, rng)
            excerpt = excerpt[:notes]
            table[row, : len(excerpt)] = excerpt
            table[row, len(excerpt) :] = excerpt[-1]
            lengths[row] = len(excerpt)
            if rng.random() < self._augment.told:
                controls[row] = self._tell(excerpt, piece, factor, rng)
            if rng.random() < self._augment.handed_over:
                turns[row] = rng.integers(1, notes)
                hands = controls[row, 1, PLAYERS]
                controls[row, 1, PLAYERS] = np.where(hands >= PERFORMER, PERFORMER + ANTIPHON - hands, hands)
        return Drawn(table, lengths, controls, turns)

    def _tell(self, excerpt: NoteTable, piece: Piece, factor: float, rng: np.random.Generator) -> NDArray[np.int64]:
        told = measured(excerpt, piece.bpm / factor, self._styles.get(piece.source, ""))
        told *= rng.random(len(told)) < 0.5
        if rng.random() < 0.5:
            told[PLAYERS] = cast(excerpt, rng)
        return told


def change(excerpt: NoteTable, augment: Augment, rng: np.random.Generator) -> tuple[NoteTable, float]:
    """Give a changed copy of ``excerpt``, still in order, and by what its time was stretched."""
    notes = excerpt.copy()
    notes = _cast(notes, augment, rng)
    factor = 1.0
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
        played = notes[:, Column.ONSET] + (notes[:, Column.SHIFT] + 0.5) / SHIFTS
        # a performer is never on a grid that is not there: a shift of the grid, and a tick of play
        onset = played * factor + rng.random() + rng.normal(0.0, 0.5, len(notes))
        onset -= min(0.0, float(onset.min()))
        notes[:, Column.ONSET] = tick = np.round(onset)
        notes[:, Column.SHIFT] = np.clip(np.floor((onset - tick) * SHIFTS), -SHIFTS // 2, SHIFTS // 2 - 1)
        notes[:, Column.DURATION] = np.round(notes[:, Column.DURATION] * factor)
        notes[:, Column.BAR_POSITION] = -1
        notes = notes[np.argsort(notes[:, Column.ONSET], kind="stable")]
    return notes, factor


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
