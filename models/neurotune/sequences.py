"""Pre-processing as in the Neurotune paper: filter, quantise, normalise, sequences of one length.

Parsing stands in `models.midi_read`; here note tables become rows of classes (`Field`), the same for training, for
live play and for the critic. Pure numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from antiphon.models.errors import DataError
from antiphon.models.generator import (
    MAX_TICKS,
    PARTS,
    PITCHES,
    TICKS_PER_BEAT,
    TIME_CLASSES,
    UNKNOWN_TICK_IN_BEAT,
    VELOCITY_LEVELS,
    VELOCITY_STEP,
)
from antiphon.models.notes import Column, NoteTable, Piece, ordered
from antiphon.models.parts import Part
from numpy.typing import NDArray

Rows = NDArray[np.int64]  # [..., notes, 6]: classes, columns as `Field`


class Field(IntEnum):
    """Columns of a sequence. The first five are drawn, in this order; the tick in the beat follows from the gaps."""

    PART = 0
    GAP = 1
    PITCH = 2
    VELOCITY = 3
    DURATION = 4
    TICK = 5


#: Classes of each field.
SIZES = (PARTS, TIME_CLASSES, PITCHES, VELOCITY_LEVELS, TIME_CLASSES, TICKS_PER_BEAT + 1)
#: Names of the drawn fields.
DRAWN = ("part", "gap", "pitch", "velocity", "duration")

#: Notes before the judged ones that the discriminator hears, in training and as the live critic.
HEARD_BEFORE = 16

#: Every piece's median velocity is moved here: a loud recording and a soft one of the same music are the same music.
_MEDIAN_VELOCITY = 76
#: Fewer pitches than this, over a whole piece, is an exercise, a click or a drone.
_FEWEST_PITCHES = 3
#: More notes at one onset than this, on average, is a broken file: two hands strike ten.
_MOST_AT_ONCE = 12.0
#: A piece that repeats one note-and-gap pair for this share of its notes has nothing to tell apart.
_MOST_ALIKE = 0.9


@dataclass(frozen=True, slots=True)
class SequenceConfig:
    """How pieces become sequences.

    Attributes:
        length: notes in a sequence.
        grid: ticks (24 a beat); an onset moves to the nearest multiple of any of them. (6, 8) is sixteenths and
            triplets; (1,) leaves onsets where they are.
        fewest_notes: a shorter piece is filtered out.
        transpose: semitones up that a sequence may be moved in training; one fewer down.
        free_time: share of sequences whose place in the beat is told as unknown.
    """

    length: int = 64
    grid: tuple[int, ...] = (6, 8)
    fewest_notes: int = 64
    transpose: int = 6
    free_time: float = 0.1

    def __post_init__(self) -> None:
        if self.length < 8:
            raise DataError(f"sequences.length: 8 notes or more, not {self.length}")
        if not self.grid or min(self.grid) < 1 or max(self.grid) > TICKS_PER_BEAT:
            raise DataError(f"sequences.grid: ticks from 1 to {TICKS_PER_BEAT}, not {list(self.grid)}")
        if not 0.0 <= self.free_time <= 1.0:
            raise DataError(f"sequences.free_time: a share from 0 to 1, not {self.free_time}")
        if not 0 <= self.transpose <= 12:
            raise DataError(f"sequences.transpose: 0 to 12 semitones, not {self.transpose}")


def why_not(notes: NoteTable, fewest_notes: int) -> str | None:
    """Tell why a piece is filtered out, or None to keep it: too short, silent, or without structure."""
    if len(notes) < fewest_notes:
        return f"too short: {len(notes)} notes, at least {fewest_notes} are needed"
    if not notes[:, Column.VELOCITY].any():
        return "silent: no note has a velocity above 0"
    pitches = len(np.unique(notes[:, Column.PITCH]))
    if pitches < _FEWEST_PITCHES:
        return f"no structure: {pitches} different pitches, at least {_FEWEST_PITCHES} are needed"
    onsets = len(np.unique(notes[:, Column.ONSET]))
    if len(notes) / onsets > _MOST_AT_ONCE:
        return f"no structure: {len(notes) / onsets:.1f} notes at once on average, at most {_MOST_AT_ONCE:g}"
    pairs = notes[1:, Column.PITCH] * 1_000 + np.minimum(np.diff(notes[:, Column.ONSET]), MAX_TICKS)
    alike = float(np.unique(pairs, return_counts=True)[1].max() / len(pairs))
    if alike > _MOST_ALIKE:
        return f"no structure: {alike:.0%} of its notes are the same one, at most {_MOST_ALIKE:.0%}"
    return None


def quantise(notes: NoteTable, grid: tuple[int, ...]) -> NoteTable:
    """Move onsets to the nearest multiple of any of ``grid`` ticks, counted from the downbeat.

    Where no bar is known there is nothing to quantise to, and onsets stay. Durations keep their length, at least one
    tick. Of two notes that fall together on one pitch and part the longer one stays.
    """
    moved = notes.copy()
    bar = moved[:, Column.BAR_POSITION]
    shifts = np.stack([((bar + step // 2) // step) * step - bar for step in grid])
    shift = np.where(bar >= 0, shifts[np.abs(shifts).argmin(axis=0), np.arange(len(moved))], 0)
    moved[:, Column.ONSET] = np.maximum(0, moved[:, Column.ONSET] + shift)
    moved[:, Column.BAR_POSITION] = bar + shift
    moved[:, Column.DURATION] = np.maximum(1, moved[:, Column.DURATION])
    longest_first = np.argsort(-moved[:, Column.DURATION], kind="stable")
    keys = moved[longest_first][:, [Column.ONSET, Column.PART, Column.PITCH]]
    _, kept = np.unique(keys, axis=0, return_index=True)
    return ordered(moved[longest_first[kept]])


def normalise(notes: NoteTable) -> NoteTable:
    """Move the median velocity to one place, start at tick 0, cut gaps and durations at four beats."""
    even = notes.copy()
    louder = _MEDIAN_VELOCITY - int(np.median(even[:, Column.VELOCITY]))
    even[:, Column.VELOCITY] = np.clip(even[:, Column.VELOCITY] + louder, 1, 127)
    gaps = np.minimum(np.diff(even[:, Column.ONSET]), MAX_TICKS)
    even[:, Column.ONSET] = np.concatenate([[0], np.cumsum(gaps)])
    even[:, Column.DURATION] = np.clip(even[:, Column.DURATION], 1, MAX_TICKS)
    return even


def rows_of(notes: NoteTable) -> Rows:
    """Give classes [notes, 6] of a note table; the first gap is 0."""
    onset = notes[:, Column.ONSET].astype(np.int64)
    bar = notes[:, Column.BAR_POSITION]
    columns = [
        notes[:, Column.PART],
        np.minimum(np.diff(onset, prepend=onset[:1]), MAX_TICKS),
        notes[:, Column.PITCH],
        np.clip(notes[:, Column.VELOCITY] // VELOCITY_STEP, 0, VELOCITY_LEVELS - 1),
        np.clip(notes[:, Column.DURATION], 1, MAX_TICKS),
        np.where(bar < 0, UNKNOWN_TICK_IN_BEAT, bar % TICKS_PER_BEAT),
    ]
    return np.stack(columns, axis=1).astype(np.int64)


def notes_of(rows: Rows) -> NoteTable:
    """Give the note table of classes [notes, 6], from tick 0; bars are not known."""
    onset = np.cumsum(rows[:, Field.GAP]) - rows[0, Field.GAP] if len(rows) else np.zeros(0, np.int64)
    columns = [
        onset, rows[:, Field.DURATION], rows[:, Field.PITCH],
        rows[:, Field.VELOCITY] * VELOCITY_STEP + VELOCITY_STEP // 2, rows[:, Field.PART], np.full(len(rows), -1),
    ]  # fmt: skip
    return np.stack(columns, axis=1).astype(np.int32)


class Sequences:
    """Sequences of one length, drawn from pieces that pass the filter.

    Args:
        pieces: note tables with their sources.
        config: how they are prepared.
        weights: how often a source is drawn, beside its size.

    Raises:
        DataError: no piece passes.
    """

    def __init__(self, pieces: tuple[Piece, ...], config: SequenceConfig, weights: dict[str, float]) -> None:
        self.config = config
        self.dropped: list[tuple[str, str]] = []  # a piece's name, and why
        self._pieces: list[Rows] = []
        shares: list[float] = []
        fewest = max(config.fewest_notes, config.length)
        for piece in pieces:
            weight = weights.get(piece.source, 1.0)
            tidy = quantise(piece.notes, config.grid) if len(piece.notes) else piece.notes
            why = f"source {piece.source} has weight 0" if weight <= 0 else why_not(tidy, fewest)
            if why is not None:
                self.dropped.append((piece.name, why))
                continue
            self._pieces.append(rows_of(normalise(tidy)))
            shares.append(len(tidy) * weight)
        if not self._pieces:
            raise DataError(
                f"neurotune: none of {len(pieces)} pieces has {fewest} notes and some structure; give longer pieces, "
                "or set sequences.length and sequences.fewest_notes lower"
            )
        self._cumulative = np.cumsum(np.array(shares) / sum(shares))

    @property
    def notes(self) -> int:
        """How many notes there are to draw from."""
        return sum(map(len, self._pieces))

    def draw(self, rng: np.random.Generator, batch: int, changed: bool = True) -> Rows:
        """Draw ``batch`` sequences [batch, length, 6]; ``changed``: transposed and made free of the beat at random."""
        return np.stack([self._one(rng, changed) for _ in range(batch)])

    def _one(self, rng: np.random.Generator, changed: bool) -> Rows:
        piece = self._pieces[min(int(np.searchsorted(self._cumulative, rng.random())), len(self._pieces) - 1)]
        start = int(rng.integers(0, len(piece) - self.config.length + 1))
        rows = piece[start : start + self.config.length].copy()
        rows[0, Field.GAP] = 0
        if not changed:
            return rows
        if self.config.transpose:
            shift = int(rng.integers(1 - self.config.transpose, self.config.transpose + 1))
            pitched = rows[:, Field.PART] != Part.DRUMS
            moved = rows[pitched, Field.PITCH] + shift
            if len(moved) and moved.min() >= 0 and moved.max() < PITCHES:
                rows[pitched, Field.PITCH] = moved
        if rng.random() < self.config.free_time:
            rows[:, Field.TICK] = UNKNOWN_TICK_IN_BEAT
        return rows


def tick_after(tick: Rows, gap: Rows) -> Rows:
    """Give the tick in the beat of a note ``gap`` ticks after one at ``tick``; unknown stays unknown."""
    return np.where(tick == UNKNOWN_TICK_IN_BEAT, UNKNOWN_TICK_IN_BEAT, (tick + gap) % TICKS_PER_BEAT)
