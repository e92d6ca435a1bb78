"""Writing a checkpoint so that a kill, or a full disk, costs nothing that was there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from antiphon.models.errors import DataError


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write it; the old one stays until the new one is whole and on the disk.

    Raises:
        DataError: the disk refuses.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError as error:
        raise DataError(f"{path} can not be written ({error.strerror}); make room: the last one is kept") from None
