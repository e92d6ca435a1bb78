"""Changes to whole pieces that some generators learn better from: on a grid of few places, in one key.

Neither is done unless asked for: the default generator learns timing as it was played and every key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from antiphon.models.errors import DataError
from antiphon.models.generator import TICKS_PER_BEAT
from antiphon.models.key_profiles import key_fits
from antiphon.models.notes import Column, NoteTable, Piece, ordered
from antiphon.models.parts import Part
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Normal:
    """What is done to every piece.

    Attributes:
        places: of a beat that onsets and ends are moved to, a divisor of 24; 0 keeps them.
        one_key: transpose to C major or A minor, whichever way is shorter.

    Raises:
        DataError: ``places`` divides no beat.
    """

    places: int = 0
    one_key: bool = False

    def __post_init__(self) -> None:
        if self.places and (self.places < 0 or TICKS_PER_BEAT % self.places):
            divisors = ", ".join(str(n) for n in range(1, TICKS_PER_BEAT + 1) if TICKS_PER_BEAT % n == 0)
            raise DataError(
                f"quantise: places of a beat, one of {divisors} (0 keeps what was played), not {self.places}"
            )

    def __str__(self) -> str:
        """Tell it as the command's options do."""
        return f"quantise {self.places}, {'one key' if self.one_key else 'keys as they are'}"

    def of(self, piece: Piece) -> Piece:
        """Give the piece changed."""
        notes = piece.notes
        if self.places:
            notes = quantised(notes, self.places)
        if self.one_key:
            notes = in_one_key(notes)
        return replace(piece, notes=notes)


#: Neither.
AS_PLAYED = Normal()


def quantised(notes: NoteTable, places: int) -> NoteTable:
    """Move onsets and ends to the nearest of ``places`` in a beat; no note becomes shorter than one of them.

    Two notes of a part and pitch that come together become one, the longer; a note ends where its pitch comes again.
    """
    step = TICKS_PER_BEAT // places
    moved = notes.copy()
    onset = _nearest(notes[:, Column.ONSET], step)
    end = _nearest(notes[:, Column.ONSET] + notes[:, Column.DURATION], step)
    bar = notes[:, Column.BAR_POSITION]
    moved[:, Column.ONSET] = onset
    moved[:, Column.DURATION] = np.maximum(end - onset, step)
    moved[:, Column.SHIFT] = 0
    moved[:, Column.BAR_POSITION] = np.where(bar < 0, -1, np.maximum(bar + onset - notes[:, Column.ONSET], 0))
    moved = moved[np.lexsort((-moved[:, 1], moved[:, 0], moved[:, 2], moved[:, 4]))]
    voice = np.all(moved[1:, [2, 4]] == moved[:-1, [2, 4]], axis=1)
    kept = np.concatenate([[True], ~(voice & (moved[1:, 0] == moved[:-1, 0]))])
    moved = moved[kept]
    voice = np.all(moved[1:, [2, 4]] == moved[:-1, [2, 4]], axis=1)
    room = np.where(voice, moved[1:, 0] - moved[:-1, 0], moved[:-1, 1])
    moved[:-1, Column.DURATION] = np.minimum(moved[:-1, Column.DURATION], room)
    return ordered(moved)


def in_one_key(notes: NoteTable) -> NoteTable:
    """Transpose to C major or A minor, by 6 semitones at most, and by octaves where that would leave the range."""
    tonic, minor = key_of(notes)
    up = ((9 if minor else 0) - tonic + 5) % 12 - 5
    pitched = notes[:, Column.PART] != Part.DRUMS
    if not up or not pitched.any():
        return notes
    pitch = notes[pitched, Column.PITCH] + up
    if pitch.max() > 127:
        pitch -= 12
    elif pitch.min() < 0:
        pitch += 12
    if pitch.min() < 0 or pitch.max() > 127:
        return notes  # it fills the whole range: no other key has room for it
    moved = notes.copy()
    moved[pitched, Column.PITCH] = pitch
    return moved


def key_of(notes: NoteTable) -> tuple[int, bool]:
    """Tell the key that the pitch classes of a piece fit best: its tonic (0 is C) and whether it is minor."""
    best = int(key_fits(notes[notes[:, Column.PART] != Part.DRUMS]).argmax())
    return best % 12, best >= 12


def _nearest(ticks: NDArray[np.int32], step: int) -> NDArray[np.int32]:
    return (ticks + step // 2) // step * step
