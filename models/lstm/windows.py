"""What the network learns from: rows of elements, and for each place the element that comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

#: A target that does not count: beyond a piece's end, or (by the paper's way) not a window's last.
IGNORED = -100

Tokens = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows to learn from at once."""

    tokens: Tokens  # [B, T]
    targets: Tokens  # [B, T], the element after each; IGNORED where there is none


def cut_every(pieces: Sequence[Tokens], window: int, rng: np.random.Generator | None) -> Batch:
    """Cut pieces into rows side by side, every place with its target: each element is learnt once an epoch.

    Args:
        pieces: each [n], of two elements or more to count.
        window: longest row.
        rng: where given, each piece's cuts start at a random place, so that no epoch has the same ones.
    """
    rows: list[tuple[Tokens, Tokens]] = []
    for piece in pieces:
        first = int(rng.integers(window)) if rng is not None else 0
        edges = [0, *range(first or window, len(piece) - 1, window), len(piece) - 1]
        for start, stop in pairwise(edges):
            if stop > start:
                rows.append((piece[start:stop], piece[start + 1 : stop + 1]))
    return _padded(rows, window)


def cut_last(pieces: Sequence[Tokens], window: int) -> Batch:
    """Cut pieces as the paper does: every window there is, and one target each, the element after it."""
    rows = []
    for piece in pieces:
        for start in range(len(piece) - window):
            targets = np.full(window, IGNORED, np.int64)
            targets[-1] = piece[start + window]
            rows.append((piece[start : start + window], targets))
    return _padded(rows, window)


def _padded(rows: Sequence[tuple[Tokens, Tokens]], window: int) -> Batch:
    tokens = np.zeros((len(rows), window), np.int64)
    targets = np.full((len(rows), window), IGNORED, np.int64)
    for place, (row, wanted) in enumerate(rows):
        tokens[place, : len(row)], targets[place, : len(row)] = row, wanted
    return Batch(tokens, targets)


def batches(cut: Batch, rows: int, rng: np.random.Generator | None) -> list[Batch]:
    """Give batches of at most so many rows, shuffled where there is randomness; no column that none of them fills."""
    order = rng.permutation(len(cut.tokens)) if rng is not None else np.arange(len(cut.tokens))
    found = []
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        targets = cut.targets[chosen]
        width = int(np.flatnonzero((targets != IGNORED).any(axis=0))[-1]) + 1
        found.append(Batch(cut.tokens[chosen, :width], targets[:, :width]))
    return found
