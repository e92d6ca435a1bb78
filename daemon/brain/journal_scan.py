"""Reading a long journal fast: only the records of some kinds are made, the rest is passed over as one array.

An hour with MIDI clock is over a million records, most of them wakes; a brain that comes back must not wait for them.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from antiphon.daemon.brain.performer import CLOCK
from antiphon.daemon.journal import read_segment, segment_paths
from antiphon.daemon.messages import RECORD_BYTES, Kind, Record
from numpy.typing import NDArray

#: `messages.Record`, as it lies in a segment.
_ROW = np.dtype(
    [("kind", "u1"), ("a", "u1"), ("b", "u1"), ("c", "u1"), ("id", "<u4"), ("t", "<i8"), ("u", "<i8"), ("v", "<f8")]
)
assert _ROW.itemsize == RECORD_BYTES


def scan(folder: Path, prefix: str, kinds: Collection[int], *, first_clock_after: Collection[int] = ()) -> list[Record]:
    """Give the records of some kinds, in the order written.

    Args:
        folder: the session's.
        prefix: of the journal.
        kinds: which to give.
        first_clock_after: kinds; of the MIDI clock's ticks, the first after each of these (and of each segment).
    """
    found: list[Record] = []
    for path in segment_paths(folder, prefix) if folder.is_dir() else ():
        rows = np.frombuffer(read_segment(path), _ROW)
        empty = np.flatnonzero(rows["kind"] == Kind.EMPTY)
        rows = rows[: empty[0]] if len(empty) else rows
        wanted = np.isin(rows["kind"], list(kinds))
        if first_clock_after:
            wanted[_first_clocks(rows, first_clock_after)] = True
        found += [Record._make(row) for row in rows[wanted].tolist()]
    return found


def _first_clocks(rows: NDArray[np.void], after: Collection[int]) -> list[int]:
    ticks = np.flatnonzero((rows["kind"] == Kind.MIDI_IN) & (rows["a"] == CLOCK))
    begun = np.concatenate([[-1], np.flatnonzero(np.isin(rows["kind"], list(after)))])
    following = np.unique(np.searchsorted(ticks, begun, side="right"))
    return [int(ticks[index]) for index in following if index < len(ticks)]
