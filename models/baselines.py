"""What all scorers share: a note's attributes as classes at the common resolution, and the loss of knowing nothing."""

from __future__ import annotations

import numpy as np
from antiphon.models.generator import MAX_TICKS, PARTS, PITCHES, TIME_CLASSES, VELOCITY_LEVELS, VELOCITY_STEP
from antiphon.models.notes import Column, NoteTable
from numpy.typing import NDArray

ATTRIBUTES = ("part", "gap", "pitch", "velocity", "duration")
CLASSES = (PARTS, TIME_CLASSES, PITCHES, VELOCITY_LEVELS, TIME_CLASSES)
Classes = NDArray[np.int64]  # [notes, 5]


def classes_of(notes: NoteTable) -> Classes:
    """Give every note's attributes as classes at the common resolution."""
    onset = notes[:, Column.ONSET].astype(np.int64)
    gap = np.diff(onset, prepend=onset[:1])
    return np.stack(
        [
            notes[:, Column.PART],
            np.clip(gap, 0, MAX_TICKS),
            notes[:, Column.PITCH],
            np.clip(notes[:, Column.VELOCITY] // VELOCITY_STEP, 0, VELOCITY_LEVELS - 1),
            np.clip(notes[:, Column.DURATION], 0, MAX_TICKS),
        ],
        axis=1,
    ).astype(np.int64)


def uniform_nll(notes: NoteTable) -> NDArray[np.float64]:
    """Give the losses [notes - 1, 5] in nats of knowing nothing: every class as likely as any other."""
    return np.tile(np.log(np.array(CLASSES, np.float64)), (len(notes) - 1, 1))
