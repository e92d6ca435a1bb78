"""Note tables from rows of what a test is about."""

from __future__ import annotations

from typing import Any

import numpy as np
from antiphon.models.notes import COLUMNS, NoteTable


def wide(rows: Any) -> NoteTable:
    """Give rows (onset, duration, pitch, velocity, part, bar position) as a note table: on their ticks, program 0."""
    narrow = np.asarray(rows, np.int32).reshape(-1, 6)
    return np.concatenate([narrow, np.zeros((len(narrow), COLUMNS - 6), np.int32)], axis=1)
