"""What the `antiphon` network takes in of a note: a row of classes.

The same definition stands here twice: for one note that follows a state (live), and for whole excerpts (training,
scoring). A test holds them equal.
"""

from __future__ import annotations

import numpy as np
from antiphon.models.controls import UNTOLD
from antiphon.models.generator import (
    MAX_BEATS_IN_BAR,
    MAX_TICKS,
    PARTS,
    TICKS_PER_BEAT,
    UNKNOWN_BEAT_IN_BAR,
    UNKNOWN_TICK_IN_BEAT,
    VELOCITY_STEP,
    HeldNote,
)
from antiphon.models.notes import SHIFTS, Column
from antiphon.models.recent import Recent
from numpy.typing import NDArray

#: Ticks after which every period of a backbone that recalls (`models.backbones`) is over: 48 beats.
CYCLE = 48 * TICKS_PER_BEAT
#: Columns of an event; from `ENDED` on a column a part (`models.recent`).
PART, GAP, PITCH, VELOCITY, TICK_IN_BEAT, BEAT_IN_BAR, SHIFT, FINE, ENDED = range(9)
EVENT = ENDED + PARTS
#: Columns of what a step takes: an event, what is told with it, a phase.
TOLD = EVENT + len(UNTOLD) + 1
#: Columns of an event that place the next note for its pitch.
PLACE = (PART, GAP, TICK_IN_BEAT, BEAT_IN_BAR)


def told_of(before: int | None, note: HeldNote, recent: Recent) -> tuple[int, ...]:
    """Give what a step takes of one note: its row, what is told with it, and its phase, an onset modulo `CYCLE`.

    Args:
        before: tick of the note before it; None where there is none.
        note: the note.
        recent: after the note.

    Returns:
        `TOLD` classes.
    """
    gap = 0 if before is None else min(max(note.tick - before, 0), MAX_TICKS)
    velocity = note.velocity
    return (
        note.part, gap, note.pitch, velocity // VELOCITY_STEP, note.tick_in_beat, note.beat_in_bar, note.shift,
        velocity % VELOCITY_STEP, *recent.ended.tolist(), *(note.told or UNTOLD), note.tick % CYCLE,
    )  # fmt: skip


def events_of(notes: NDArray[np.int32], ended: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the rows of excerpts side by side [B, T, EVENT].

    Args:
        notes: [B, T, columns].
        ended: [B, T, PARTS], from `recent.recent_of`.
    """
    table = np.asarray(notes, np.int64)
    gap = np.zeros(table.shape[:2], np.int64)
    gap[:, 1:] = np.clip(np.diff(table[..., Column.ONSET], axis=1), 0, MAX_TICKS)
    bar, velocity = table[..., Column.BAR_POSITION], np.clip(table[..., Column.VELOCITY], 0, 127)
    columns = [
        table[..., Column.PART], gap, table[..., Column.PITCH], velocity // VELOCITY_STEP,
        np.where(bar < 0, UNKNOWN_TICK_IN_BEAT, bar % TICKS_PER_BEAT),
        np.where(bar < 0, UNKNOWN_BEAT_IN_BAR, np.clip(bar // TICKS_PER_BEAT, 0, MAX_BEATS_IN_BAR - 1)),
        np.clip(table[..., Column.SHIFT] + SHIFTS // 2, 0, SHIFTS - 1), velocity % VELOCITY_STEP,
    ]  # fmt: skip
    return np.concatenate([np.stack(columns, axis=-1), ended], axis=-1)
