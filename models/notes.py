"""Note tables: a piece of music as one integer array, a row a note.

Columns (`Column`): onset and duration in ticks (24 a beat), pitch, velocity, part, and the ticks since the
last downbeat (-1 where no bar is known). Rows are in the order a listener could receive them: by onset, then
part, then pitch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

NoteTable = NDArray[np.int32]  # [notes, 6]


class Column(IntEnum):
    """Columns of a note table."""

    ONSET = 0
    DURATION = 1
    PITCH = 2
    VELOCITY = 3
    PART = 4
    BAR_POSITION = 5


COLUMNS = len(Column)


@dataclass(frozen=True, slots=True)
class Piece:
    """A note table and where it came from."""

    name: str
    source: str  # the data set's name
    notes: NoteTable


def ordered(notes: NoteTable) -> NoteTable:
    """Sort rows by onset, part and pitch."""
    keys = (notes[:, Column.PITCH], notes[:, Column.PART], notes[:, Column.ONSET])
    return notes[np.lexsort(keys)]
