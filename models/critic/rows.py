"""How the critic hears notes: rows of classes, from tables and from live notes alike. Pure numpy.

Beside what a note is, a row tells how it follows from the notes before: the step from its part's last note, how lately
its pitch was struck, and how many notes ago its part made the same move (step and time), in any key. Loudness is not
heard: many of the pieces learnt from were rendered from scores at a few fixed velocities, and a critic that hears those
judges renderings, not music.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from antiphon.models.generator import MAX_TICKS, PARTS, PITCHES, TICKS_PER_BEAT, TIME_CLASSES, HeldNote
from antiphon.models.neurotune.sequences import HEARD_BEFORE
from antiphon.models.neurotune.sequences import Field as Told
from antiphon.models.neurotune.sequences import rows_of as told_of
from antiphon.models.notes import NoteTable
from antiphon.models.parts import Part
from numpy.typing import NDArray

Rows = NDArray[np.int64]  # [..., notes, 8]: classes, columns as `Field`

#: Notes before the judged ones that the critic hears.
HEARD = HEARD_BEFORE
#: Steps wider than this count as this wide (semitones); the class after the widest: no note of the part before.
WIDEST = 19
FIRST = 2 * WIDEST + 1
#: Upper edges, in notes, of how lately a pitch was struck; the class after the last: never.
LATELY = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
NEVER = len(LATELY) + 1
#: A move made longer ago than this, in notes of its part, counts as this long ago; class 0: never made.
LONGEST_AGO = 40
#: Moves are alike where their times are, to this many ticks: a 32nd.
ALIKE = 3


class Field(IntEnum):
    """Columns of a row."""

    PART = 0
    GAP = 1
    PITCH = 2
    DURATION = 3
    TICK = 4
    STEP = 5  # from the last note of its part; of drums: none
    LATELY = 6
    MOVED = 7


#: Classes of each field.
SIZES = (PARTS, TIME_CLASSES, PITCHES, TIME_CLASSES, TICKS_PER_BEAT + 1, FIRST + 1, NEVER + 1, LONGEST_AGO + 1)


def table_rows(heard: NoteTable, judged: NoteTable) -> Rows:
    """Give the rows [HEARD + L, 8] of a continuation after the last `HEARD` notes before it."""
    told = told_of(np.concatenate([heard[-HEARD:], judged]))
    return _rows(told[:, [Told.PART, Told.GAP, Told.PITCH, Told.DURATION, Told.TICK]])


def held_rows(heard: Sequence[HeldNote], judged: Sequence[HeldNote]) -> Rows:
    """Give the same of live notes; a note that is still held has lasted until the first judged one."""
    notes = [*heard[-HEARD:], *judged]
    now = judged[0].tick if judged else notes[-1].tick if notes else 0
    told = np.zeros((len(notes), 5), np.int64)
    last = notes[0].tick if notes else 0
    for row, note in zip(told, notes, strict=True):
        end = note.off_tick if note.off_tick < np.inf else max(now, note.tick + 1)
        gap, length = min(max(note.tick - last, 0), MAX_TICKS), min(max(1, end - note.tick), MAX_TICKS)
        row[:] = note.part, gap, note.pitch, length, note.tick_in_beat
        last = note.tick
    return _rows(told)


def cut(rows: Rows, start: int, stop: int) -> Rows:
    """Give rows ``start`` to ``stop`` as if nothing had been before them."""
    told = rows[start:stop, : Field.STEP].copy()
    told[:1, Field.GAP] = 0
    return _rows(told)


def _rows(told: Rows) -> Rows:
    """Add what follows from the notes before."""
    rows = np.concatenate([told, np.zeros((len(told), 3), np.int64)], axis=1)
    rows[:, Field.STEP], rows[:, Field.LATELY] = FIRST, NEVER
    last: dict[int, tuple[int, int]] = {}  # part -> pitch, tick
    struck: dict[tuple[bool, int], int] = {}
    moved: dict[tuple[int, int, int], int] = {}  # part, step, time -> which of the part's notes
    played = [0] * PARTS
    ticks = np.cumsum(told[:, Field.GAP]).tolist()
    for number, (part, pitch) in enumerate(told[:, [Field.PART, Field.PITCH]].tolist()):
        drums, tick = part == Part.DRUMS, ticks[number]
        if part in last:
            step = pitch - last[part][0]
            if not drums:
                rows[number, Field.STEP] = WIDEST + min(max(step, -WIDEST), WIDEST)
            move = (part, pitch if drums else step, round((tick - last[part][1]) / ALIKE))
            if move in moved:
                rows[number, Field.MOVED] = min(played[part] - moved[move], LONGEST_AGO)
            moved[move] = played[part]
        if (drums, pitch) in struck:
            rows[number, Field.LATELY] = bisect_left(LATELY, number - struck[drums, pitch])
        last[part], struck[drums, pitch] = (pitch, tick), number
        played[part] += 1
    return rows
