"""Reading of the sets' MATLAB 5 files.

Each holds ``traindata``, ``validdata`` and ``testdata``, each a row of piano rolls [frames, 88]: numbers alone, nothing
that is run when it is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from antiphon.models.errors import DataError
from antiphon.models.frames.sets import BENCHMARKS, KEYS, Frames, FrameSet
from scipy.io import loadmat

#: What a file's parts are called.
PARTS = {"train": "traindata", "valid": "validdata", "test": "testdata"}
#: A file beyond this is not one of these (the largest has 1 MB).
_MOST_BYTES = 256 * 2**20


def read_set(folder: Path, name: str) -> FrameSet:
    """Read a set.

    Args:
        folder: with the file as it was published.
        name: one of `BENCHMARKS`.

    Raises:
        DataError: the name or file is not there, or the file is not such a one.
    """
    if name not in BENCHMARKS:
        raise DataError(f"there is no set {name!r}; there are {', '.join(BENCHMARKS)}")
    path = folder / BENCHMARKS[name].file
    if not path.is_file():
        raise DataError(f"{path} does not exist; give the folder that holds {BENCHMARKS[name].file}")
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(
            f"{path} has {path.stat().st_size:,} bytes, at most {_MOST_BYTES:,} are read; is it another file?"
        )
    table = _load(path)
    return FrameSet(**{part: _pieces(path, field, table.get(field)) for part, field in PARTS.items()})


def _load(path: Path) -> dict[str, Any]:
    try:
        return dict(loadmat(path, variable_names=list(PARTS.values())))
    except Exception as error:  # scipy raises many kinds on a foreign or broken file
        raise DataError(f"{path} is not a readable MATLAB 5 file ({error}); fetch it again") from None


def _pieces(path: Path, field: str, cell: Any) -> list[Frames]:
    if not isinstance(cell, np.ndarray) or cell.dtype != object or not cell.size:
        raise DataError(f"{path}: {field} must be a cell array of piano rolls, got {_told(cell)}; fetch the file again")
    pieces: list[Frames] = []
    for number, piece in enumerate(cell.ravel(), 1):
        place = f"{path}: {field}, piece {number}"
        if not isinstance(piece, np.ndarray) or piece.ndim != 2 or piece.shape[1] != KEYS or not len(piece):
            raise DataError(f"{place}: must be [frames, {KEYS}], got {_told(piece)}; fetch the file again")
        if piece.dtype.kind not in "biuf" or not bool(np.isin(piece, (0, 1)).all()):
            raise DataError(f"{place}: a key must be 0 or 1 in each frame, got other values; fetch the file again")
        pieces.append(np.ascontiguousarray(piece, dtype=np.uint8))
    return pieces


def _told(value: Any) -> str:
    if value is None:
        return "nothing"
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
