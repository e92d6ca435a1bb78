"""Post-processing as in the Neurotune paper: overlaps, scale and rests, on note tables. Pure numpy.

Live play masks a scale before the draw instead; this is for samples written to files.
"""

from __future__ import annotations

import numpy as np
from antiphon.models.errors import DataError
from antiphon.models.neurotune.metrics import key_of
from antiphon.models.notes import Column, NoteTable, ordered
from antiphon.models.parts import Part

_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
#: Natural, harmonic and melodic minor together: raised sixth and seventh are no mistakes.
_MINOR_SCALE = (0, 2, 3, 5, 7, 8, 9, 10, 11)


def without_overlaps(notes: NoteTable) -> NoteTable:
    """End a note where its key is struck again in the same part; of notes struck twice at once keep the longest."""
    table = ordered(notes)
    keys = np.lexsort(
        (-table[:, Column.DURATION], table[:, Column.ONSET], table[:, Column.PITCH], table[:, Column.PART])
    )
    table = table[keys]
    same_key = (np.diff(table[:, Column.PART]) == 0) & (np.diff(table[:, Column.PITCH]) == 0)
    again = np.concatenate([[False], same_key & (np.diff(table[:, Column.ONSET]) == 0)]) if len(table) else same_key
    table = table[~again]
    same_key = (np.diff(table[:, Column.PART]) == 0) & (np.diff(table[:, Column.PITCH]) == 0)
    room = np.diff(table[:, Column.ONSET])
    shorter = np.minimum(table[:-1, Column.DURATION], np.where(same_key, room, np.iinfo(np.int32).max))
    table[:-1, Column.DURATION] = np.maximum(1, shorter)
    return ordered(table)


def in_scale(notes: NoteTable, key: int | None = None) -> NoteTable:
    """Move pitched notes to the nearest pitch of a key's scale, downwards where two are as near.

    Args:
        notes: a note table.
        key: 0-11 majors on C, C#, ...; 12-23 minors; None finds the one that fits best.

    Raises:
        DataError: there is no such key.
    """
    table = notes.copy()
    pitched = table[:, Column.PART] != Part.DRUMS
    pitches = table[pitched, Column.PITCH]
    if not len(pitches):
        return table
    if key is None:
        key = key_of(np.bincount(pitches % 12, minlength=12).astype(np.float64))
    if not 0 <= key < 24:
        raise DataError(f"key: 0 to 11 for majors, 12 to 23 for minors, not {key}")
    scale = {(step + key) % 12 for step in (_MAJOR_SCALE if key < 12 else _MINOR_SCALE)}
    nearest = np.arange(128)
    for pitch in range(128):
        if pitch % 12 not in scale:
            nearest[pitch] = next(p for p in (pitch - 1, pitch + 1, pitch - 2, pitch + 2) if _fits(p, scale))
    table[pitched, Column.PITCH] = nearest[pitches]
    return ordered(table)


def _fits(pitch: int, scale: set[int]) -> bool:
    return 0 <= pitch < 128 and pitch % 12 in scale


def without_long_rests(notes: NoteTable, longest: int) -> NoteTable:
    """Cut silences to ``longest`` ticks: all that follows moves earlier.

    Raises:
        DataError: ``longest`` is negative.
    """
    if longest < 0:
        raise DataError(f"longest: 0 ticks or more, not {longest}")
    table = ordered(notes)
    if not len(table):
        return table
    ends = np.maximum.accumulate(table[:, Column.ONSET] + table[:, Column.DURATION])
    silence = np.maximum(0, table[1:, Column.ONSET] - ends[:-1])
    cut = np.concatenate([[0], np.cumsum(np.maximum(0, silence - longest))])
    table[:, Column.ONSET] -= cut
    # a bar that lost a piece of it is no bar any more
    table[cut > 0, Column.BAR_POSITION] = -1
    return table


def tidied(notes: NoteTable, longest_rest: int = 48) -> NoteTable:
    """Scale, then overlaps (two notes may now share a key), then rests."""
    return without_long_rests(without_overlaps(in_scale(notes)), longest_rest)
