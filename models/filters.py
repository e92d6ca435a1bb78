"""What is music to learn from, and what of it has been seen before."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from antiphon.models.notes import Column, NoteTable
from antiphon.models.parts import Part
from numpy.typing import NDArray

#: A file with fewer notes has nothing to teach.
FEWEST_NOTES = 16
#: Notes struck in fewer places than this are chords, not music.
FEWEST_ONSETS = 6
#: Softer than this nobody hears it.
_SILENT = 1
#: Noise is told from music by its melodic steps, so there must be some, and not so many that anything comes back.
_FEWEST_FOR_NOISE, _MOST_FOR_NOISE = 64, 512
#: Of the same notes in any order: where more of the steps than this come back by chance, nothing can be told.
_MOST_CHANCE = 0.6
#: How much more of the steps come back than by chance, and how far from 1 the length of a step is to that by chance:
#: below both the order of the notes is no one's. Of 5,384 pieces of people's music in eight sets none is; of random
#: pitches more than half at 64 notes, five in six at 256, nearly all at 512.
_LEAST_ORDER, _LEAST_BEND = 0.09, 0.06
_SHUFFLES = 8
#: Shorter ones may be each other's transposition by chance: a fill, or an exercise in every key.
_FEWEST_TO_BE_MOVED = 64


class Reason(StrEnum):
    """Why a file is not learnt from."""

    BROKEN = "broken"
    LICENCE = "licence"
    SILENT = "silent"
    SHORT = "too short"
    SHAPELESS = "no structure"
    SAME = "the same notes"
    MOVED = "the same notes, moved"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why, and in words what was found and what is needed."""

    reason: Reason
    why: str


def fault_of(notes: NoteTable) -> Fault | None:
    """Tell why ``notes`` [N, 6] is nothing to learn from, or None where it is."""
    count = len(notes)
    if not count or int(notes[:, Column.VELOCITY].max()) <= _SILENT:
        return Fault(Reason.SILENT, f"{count} notes, none of them louder than velocity {_SILENT}")
    if count < FEWEST_NOTES:
        return Fault(Reason.SHORT, f"{count} notes; at least {FEWEST_NOTES} are needed")
    onsets = len(np.unique(notes[:, Column.ONSET]))
    if onsets < FEWEST_ONSETS:
        return Fault(Reason.SHAPELESS, f"{count} notes struck in {onsets} places; at least {FEWEST_ONSETS} are needed")
    drums = notes[:, Column.PART] == Part.DRUMS
    pitches = np.unique(notes[:, Column.PITCH])
    if len(pitches) == 1 and not drums.any():
        return Fault(Reason.SHAPELESS, f"{count} notes, all of pitch {pitches[0]}; at least 2 pitches are needed")
    if is_noise(notes[~drums]):
        return Fault(Reason.SHAPELESS, f"{count} notes in no order: their melodic steps are those of chance")
    return None


def is_noise(notes: NoteTable) -> bool:
    """Tell that the steps between notes are those that the same notes have in any order.

    Two steps after each other (in semitones) that come back are a motif, a scale, a chord broken again; steps that are
    shorter or longer than by chance are a melody, or two hands in turn. Noise has neither.

    Args:
        notes: [N, 6], pitched parts only.

    Returns:
        False also where there are too few notes or pitches to tell.
    """
    pitch = notes[:_MOST_FOR_NOISE, Column.PITCH].astype(np.int64)
    if len(pitch) < _FEWEST_FOR_NOISE:
        return False
    rng = np.random.default_rng(0)  # the same answer every time
    shuffled = [rng.permutation(pitch) for _ in range(_SHUFFLES)]
    chance = float(np.mean([_recurrence(row) for row in shuffled]))
    if chance > _MOST_CHANCE or _recurrence(pitch) - chance >= _LEAST_ORDER:
        return False
    by_chance = float(np.mean([_mean_step(row) for row in shuffled]))
    return abs(_mean_step(pitch) / max(by_chance, 1e-9) - 1.0) < _LEAST_BEND


def _recurrence(pitch: NDArray[np.int64]) -> float:
    """Give the share of pairs of steps that come back."""
    steps = np.diff(pitch) + 128
    pairs = steps[1:] * 256 + steps[:-1]
    _, counts = np.unique(pairs, return_counts=True)
    return float(counts[counts > 1].sum() / len(pairs))


def _mean_step(pitch: NDArray[np.int64]) -> float:
    return float(np.abs(np.diff(pitch)).mean())


class Seen:
    """The pieces so far, to tell a piece that is there already: also in another key, or starting elsewhere."""

    def __init__(self) -> None:
        self._same: dict[bytes, str] = {}
        self._moved: dict[bytes, str] = {}

    def fault(self, notes: NoteTable, name: str) -> Fault | None:
        """Tell that a piece was there before under another name, or remember it and give None."""
        same, moved = hashlib.sha256(notes[:, :4].tobytes()).digest(), shape_digest(notes)
        if (other := self._same.get(same)) is not None:
            return Fault(Reason.SAME, f"the same notes as {other}")
        if len(notes) >= _FEWEST_TO_BE_MOVED and (other := self._moved.get(moved)) is not None:
            return Fault(Reason.MOVED, f"the same notes as {other}, in another key or starting elsewhere")
        self._same[same], self._moved[moved] = name, name
        return None


def shape_digest(notes: NoteTable) -> bytes:
    """Digest what stays where a piece is transposed, or starts at another place: times and pitches from the first.

    Velocities and lengths are part of it: drummers play one pattern many times, and each is a performance.
    """
    shape = notes[:, : Column.PART + 1].copy()
    shape[:, Column.ONSET] -= shape[0, Column.ONSET]
    pitched = shape[:, Column.PART] != Part.DRUMS
    if pitched.any():
        shape[pitched, Column.PITCH] -= shape[pitched, Column.PITCH].min()
    return hashlib.sha256(np.ascontiguousarray(shape).tobytes()).digest()
