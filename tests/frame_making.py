"""Makes small sets of frames, and the MATLAB files that they are read from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from antiphon.models.frames.sets import BENCHMARKS, KEYS, Frames
from scipy.io import savemat


def pieces(count: int, frames: int, seed: int = 0, keys: int = KEYS) -> list[Frames]:
    """Give pieces that are one of two chords in each frame, by chance; pieces grow longer by a frame each."""
    rng = np.random.default_rng(seed)
    chords = np.zeros((2, keys), np.uint8)
    chords[0, [0, 2]] = chords[1, [1, 3]] = 1
    return [chords[rng.integers(0, 2, frames + number)] for number in range(count)]


def cell(parts: Sequence[object]) -> np.ndarray:
    """Give a MATLAB cell row."""
    row = np.empty((1, len(parts)), dtype=object)
    for number, part in enumerate(parts):
        row[0, number] = part
    return row


def write_set(folder: Path, name: str, counts: tuple[int, int, int], frames: int = 3) -> Path:
    """Write a set's file with so many pieces in each part."""
    path = folder / BENCHMARKS[name].file
    parts = {
        field: cell(pieces(count, frames, seed))
        for seed, (field, count) in enumerate(zip(("traindata", "validdata", "testdata"), counts, strict=True))
    }
    savemat(path, parts, do_compression=True)
    return path
