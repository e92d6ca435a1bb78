"""Pieces cut into excerpts, moved to other keys, and put side by side as batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from antiphon.models.frames.sets import Frames
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Batch:
    """Excerpts side by side, the shorter ones filled up with silence that does not count.

    Attributes:
        frames: [B, T, K] of 0 and 1.
        place: [B], the frame of its piece at which an excerpt begins.
        counts: [B, T], whether a frame is one of the excerpt's.
    """

    frames: NDArray[np.float32]
    place: NDArray[np.int64]
    counts: NDArray[np.bool_]


def cut(pieces: Sequence[Frames], length: int, rng: np.random.Generator) -> list[tuple[int, Frames]]:
    """Cut pieces into excerpts of at most ``length`` frames; give each with the place where it begins.

    The first cut of a piece is at random, so each epoch cuts elsewhere; each frame is in exactly one excerpt.
    """
    excerpts = []
    for piece in pieces:
        first = int(rng.integers(1, length + 1)) if len(piece) > length else length
        for begin in [0, *range(first, len(piece), length)]:
            end = first if begin == 0 else begin + length
            excerpts.append((begin, piece[begin:end]))
    return excerpts


def moved(frames: Frames, steps: int) -> Frames:
    """Move all notes by semitones; as far as is asked, but none beyond the ends of the keyboard.

    >>> moved(np.array([[0, 1, 0, 0]], dtype=np.uint8), 9).tolist()
    [[0, 0, 0, 1]]
    """
    used = np.flatnonzero(frames.any(0))
    if not len(used):
        return frames
    steps = int(np.clip(steps, -used[0], frames.shape[1] - 1 - used[-1]))
    return np.roll(frames, steps, axis=1)


def batches(excerpts: Sequence[tuple[int, Frames]], size: int, rng: np.random.Generator | None = None) -> list[Batch]:
    """Put excerpts of like lengths into batches of at most ``size`` frames each (one excerpt at least).

    Args:
        excerpts: place and frames of each.
        size: frames of a batch, those filled up included.
        rng: shuffles; None: in order of length.
    """
    order = list(range(len(excerpts)))
    if rng is not None:
        rng.shuffle(order)
    order.sort(key=lambda number: len(excerpts[number][1]))  # stable: shuffled within a length
    groups: list[list[int]] = []
    for number in order:
        if groups and len(excerpts[number][1]) * (len(groups[-1]) + 1) <= size:
            groups[-1].append(number)
        else:
            groups.append([number])
    if rng is not None:
        rng.shuffle(groups)
    return [_joined([excerpts[number] for number in group]) for group in groups]


def _joined(excerpts: Sequence[tuple[int, Frames]]) -> Batch:
    longest = max(len(frames) for _, frames in excerpts)
    joined = np.zeros((len(excerpts), longest, excerpts[0][1].shape[1]), np.float32)
    counts = np.zeros(joined.shape[:2], np.bool_)
    for row, (_, frames) in enumerate(excerpts):
        joined[row, : len(frames)] = frames
        counts[row, : len(frames)] = True
    return Batch(joined, np.array([place for place, _ in excerpts], np.int64), counts)
