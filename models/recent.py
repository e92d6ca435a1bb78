"""What ended lately: durations that a listener knows by now, to tell how long and how loud the next note will be.

A note's duration is an input only once the note has ended (the causal rule of `models.generator`). Of every part the
duration of the note that ended last, of every key (drums apart) the duration of its last ended note, and of every
part the velocity of its last note.

The same definition stands here twice: note by note (live), and for whole excerpts by binary search (training). A
test holds them equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from antiphon.models.generator import MAX_TICKS, PARTS, PITCHES, VELOCITY_LEVELS, VELOCITY_STEP, HeldNote
from antiphon.models.notes import Column, NoteTable
from antiphon.models.parts import Part
from antiphon.models.roll import FORGET_TICKS
from numpy.typing import NDArray

#: A duration class where nothing has ended yet: no ended note is shorter than a tick.
NONE_ENDED = 0
#: A velocity level where the part has not played yet.
NONE_PLAYED = VELOCITY_LEVELS
#: What is known of a next note before it is struck: duration in its part, duration of its key, level in its part.
RECENT = 3
_KEYS = 2 * PITCHES  # pitched, then drums
_LEVEL = _KEYS + PARTS  # where levels begin in the table


@dataclass(frozen=True, slots=True, eq=False)
class Recent:
    """What has ended by a note's onset. Immutable; `advance` gives the next one."""

    waiting: tuple[HeldNote, ...]  # whose end is not known or not reached yet
    table: NDArray[np.int64]  # `at_key`, `ended` and `level`, one after the other: copied and told as one

    @classmethod
    def nothing(cls) -> Recent:
        """Give what is known before any note."""
        table = np.full(_KEYS + 2 * PARTS, NONE_ENDED, np.int64)
        table[_LEVEL:] = NONE_PLAYED
        return cls((), table)

    @property
    def at_key(self) -> NDArray[np.int64]:
        """Duration class of the note of a key that ended last [2, PITCHES]; row 1: drums."""
        return self.table[:_KEYS].reshape(2, PITCHES)

    @property
    def ended(self) -> NDArray[np.int64]:
        """Likewise of a part [PARTS]."""
        return self.table[_KEYS:_LEVEL]

    @property
    def level(self) -> NDArray[np.int64]:
        """Velocity level of a part's last note [PARTS]."""
        return self.table[_LEVEL:]

    def advance(self, note: HeldNote) -> Recent:
        """Give what is known right after ``note`` was struck."""
        tick, waiting = note.tick, self.waiting
        over = [other for other in waiting if other.off_tick <= tick]
        table = self.table.copy()
        table[_LEVEL + note.part] = note.velocity // VELOCITY_STEP
        if over:
            waiting = tuple(other for other in waiting if other.off_tick > tick)
            for other in sorted(over, key=_off):  # stable: of two that end together the later one counts
                if other.off_tick - other.tick > FORGET_TICKS:
                    continue
                lasted = duration_class(other.off_tick - other.tick)
                table[_KEYS + other.part] = lasted
                table[_key(other.part, other.pitch)] = lasted
        if waiting and waiting[0].tick <= tick - FORGET_TICKS:
            waiting = tuple(other for other in waiting if other.tick > tick - FORGET_TICKS)
        return Recent((*waiting, note), table)

    def of(self, part: int, pitch: int) -> tuple[int, int, int]:
        """Tell what is known of a next note of this part and pitch."""
        item = self.table.item
        return item(_KEYS + part), item(_key(part, pitch)), item(_LEVEL + part)

    def keys_of(self, part: int) -> NDArray[np.int64]:
        """Give the duration class of every key's last ended note [PITCHES], as this part's notes know it."""
        first = _key(part, 0)
        return self.table[first : first + PITCHES]


def _key(part: int, pitch: int) -> int:
    """Give where a key stands in the table."""
    return pitch + PITCHES if part == Part.DRUMS else pitch


def duration_class(ticks: float) -> int:
    """Give the class of a known duration: 1..`MAX_TICKS`."""
    return int(min(max(ticks, 1), MAX_TICKS))


def _off(note: HeldNote) -> float:
    return note.off_tick


def recent_of(notes: NDArray[np.int32] | Sequence[NoteTable]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tell for excerpts side by side what `Recent` tells note by note.

    Args:
        notes: [B, T, columns], in order; what is after an excerpt's end is ignored by whoever reads the result.

    Returns:
        ended [B, T, PARTS]: `Recent.ended` after each note; and recent [B, T, RECENT]: `Recent.of` each note itself,
        as it was known after the note before it.
    """
    table = np.asarray(notes, np.int64)
    batch, steps = table.shape[:2]
    onset = table[..., Column.ONSET] - table[:, :1, Column.ONSET]
    lasted = np.clip(table[..., Column.DURATION], 1, None)
    part, pitch = table[..., Column.PART], table[..., Column.PITCH]
    off = onset + lasted
    classes = np.clip(lasted, 1, MAX_TICKS)
    # an end that comes only after the note is let go of (`FORGET_TICKS`) is never heard of
    heard = np.where(lasted <= FORGET_TICKS, off, np.iinfo(np.int32).max)
    row, index = np.arange(batch)[:, None], np.arange(steps)[None, :]

    parts = _Latest(row * PARTS + part, heard, classes)
    keys = _Latest(row * _KEYS + (part == Part.DRUMS) * PITCHES + pitch, heard, classes)
    struck = _Latest(
        row * PARTS + part, np.broadcast_to(index, part.shape), table[..., Column.VELOCITY] // VELOCITY_STEP
    )

    every = np.arange(PARTS)[None, None, :]
    ended = parts.before(row[..., None] * PARTS + every, onset[..., None], NONE_ENDED)
    recent = np.stack(
        [np.full_like(part, NONE_ENDED), np.full_like(part, NONE_ENDED), np.full_like(part, NONE_PLAYED)], -1
    )
    known = onset[:, :-1]  # at the note before
    recent[:, 1:, 0] = parts.before(row * PARTS + part[:, 1:], known, NONE_ENDED)
    recent[:, 1:, 1] = keys.before(
        row * _KEYS + (part[:, 1:] == Part.DRUMS) * PITCHES + pitch[:, 1:], known, NONE_ENDED
    )
    recent[:, 1:, 2] = struck.before(
        row * PARTS + part[:, 1:], np.broadcast_to(index[:, :-1], known.shape), NONE_PLAYED
    )
    return ended, recent


class _Latest:
    """Values with a group and a time each: which is the latest of a group up to a time."""

    def __init__(self, group: NDArray[np.int64], at: NDArray[np.int64], value: NDArray[np.int64]) -> None:
        self._span = int(at.max()) + 2
        key = (group * self._span + at).ravel()
        order = np.argsort(key, kind="stable")  # of two at one time the later note is the latest
        self._keys, self._values = key[order], value.ravel()[order]

    def before(self, group: NDArray[np.int64], at: NDArray[np.int64], none: int) -> NDArray[np.int64]:
        """Give the value of the latest of each group at or before each time, ``none`` where there is none."""
        asked = group * self._span + np.minimum(at, self._span - 1)
        place = np.searchsorted(self._keys, asked.ravel(), side="right") - 1
        there = (place >= 0) & (self._keys[place] // self._span == np.broadcast_to(group, asked.shape).ravel())
        return np.where(there, self._values[place], none).reshape(asked.shape)
