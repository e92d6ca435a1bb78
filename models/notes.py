"""Note tables: a piece of music as one integer array, a row a note.

Columns (`Column`): onset and duration in ticks (24 a beat), pitch, velocity, part, the ticks since the last
downbeat (-1 where no bar is known), how far from its tick the onset was in eighths of a tick (-4..3), and the
General MIDI program (-1 where none was told). Rows are in the order a listener could receive them: by
onset, then part, then pitch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

NoteTable = NDArray[np.int32]  # [notes, 8]


class Column(IntEnum):
    """Columns of a note table."""

    ONSET = 0
    DURATION = 1
    PITCH = 2
    VELOCITY = 3
    PART = 4
    BAR_POSITION = 5
    SHIFT = 6
    PROGRAM = 7


COLUMNS = len(Column)
#: Places of an onset within its tick: at 120 beats a minute one is 2.6 ms.
SHIFTS = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A note table and where it came from."""

    name: str
    source: str  # the data set's name
    notes: NoteTable
    bpm: float = 0.0  # the tempo it was played at, as a rule; 0 where nobody told


def ordered(notes: NoteTable) -> NoteTable:
    """Sort rows by onset, part and pitch."""
    keys = (notes[:, Column.PITCH], notes[:, Column.PART], notes[:, Column.ONSET])
    return notes[np.lexsort(keys)]
