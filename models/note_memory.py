"""The notes that a generator recalls: rows of keys and values that states share.

A state after n notes is a `NoteMemory` and the number n. Taking a note in writes row n at the end of the shared rows
and copies nothing; an earlier state that is played on from (a rollback) finds its row taken, and copies its rows once.
So what a state sees never changes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FIRST = 64  # rows; doubled when they are full


class NoteMemory:
    """Rows of keys and values [1, capacity, width], some of them written. Not thread-safe.

    Before the values lies a row of zeros: what a graph multiplies by the weight of the note that it takes in.
    """

    def __init__(self, width: int, capacity: int = _FIRST) -> None:
        self._keys = np.empty((1, capacity, width), np.float32)
        self._values = np.zeros((1, 1 + capacity, width), np.float32)
        self._written = 0

    def rows(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give the first ``count`` keys [1, count, width], and values [1, 1 + count, width], without a copy."""
        return self._keys[:, :count], self._values[:, : 1 + count]

    def then(self, count: int, key: NDArray[np.float32], value: NDArray[np.float32]) -> NoteMemory:
        """Give a memory of the first ``count`` rows and this one after them: this memory itself where it can be."""
        memory = self
        if count != self._written or count == self._keys.shape[1]:
            memory = NoteMemory(self._keys.shape[2], max(_FIRST, 2 * count))
            memory._keys[:, :count], memory._values[:, : 1 + count] = self.rows(count)
        memory._keys[0, count], memory._values[0, 1 + count] = key, value
        memory._written = count + 1
        return memory
