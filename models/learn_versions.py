"""Which pieces of a folder are versions of one: they must not stand on both sides of a split.

Files that hold the same notes, also in another key, are dropped when a folder is read (`filters.Seen`). Versions are
what is left of a song that was saved many times: most figures of one stand in the other.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from antiphon.models.notes import Column, Piece
from antiphon.models.parts import Part
from numpy.typing import NDArray

#: Notes of a figure: pitches and gaps of so many come back by chance only where they are a formula.
_FIGURE = 8
#: A sixteenth at 24 ticks a beat: two performances of a song share figures on this grid, not on a finer one.
_GRID = 6
#: Of the shorter piece's figures. Of 25 pieces of one hand few pairs share a tenth; versions share most.
_VERSION = 0.4
#: A figure of more pieces than this is a formula, and tells nothing.
_MOST_PIECES = 12


def versions(pieces: Sequence[Piece]) -> list[list[int]]:
    """Give the indices of pieces in groups: each piece is in one, versions of each other are in the same.

    Drums are no evidence: a drummer plays one pattern in many pieces.
    """
    figures = [_figures(piece) for piece in pieces]
    holders: defaultdict[int, list[int]] = defaultdict(list)
    for index, found in enumerate(figures):
        for figure in found.tolist():
            holders[figure].append(index)
    shared: Counter[tuple[int, int]] = Counter()
    for among in holders.values():
        if 1 < len(among) <= _MOST_PIECES:
            shared.update(itertools.combinations(among, 2))
    group = list(range(len(pieces)))
    for (one, other), count in shared.items():
        if count >= _VERSION * min(len(figures[one]), len(figures[other])):
            kept, gone = sorted((group[one], group[other]))
            group = [kept if number == gone else number for number in group]
    return [[index for index in range(len(pieces)) if group[index] == number] for number in sorted(set(group))]


def _figures(piece: Piece) -> NDArray[np.int64]:
    """Give a piece's figures as hashes, each once: intervals and gaps of `_FIGURE` notes of the pitched parts."""
    notes = piece.notes[piece.notes[:, Column.PART] != Part.DRUMS].astype(np.int64)
    if len(notes) <= _FIGURE:
        return np.zeros(0, np.int64)
    steps = np.diff(notes[:, Column.PITCH]) + 128
    gaps = np.minimum((np.diff(notes[:, Column.ONSET]) + _GRID // 2) // _GRID, 63)
    moves = steps * 64 + gaps
    windows = np.lib.stride_tricks.sliding_window_view(moves, _FIGURE - 1)
    places = np.array([1_000_003**power % (1 << 61) for power in range(_FIGURE - 1)], np.int64)
    return np.unique((windows * places).sum(axis=1))  # a sum that wraps round is still a hash
