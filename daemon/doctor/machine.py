"""Checks of the machine: locked memory, where takes go and the room there, settings, other programs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from antiphon.daemon.doctor.finding import Lacking

_GIB, _MIB = 1 << 30, 1 << 20
#: A long evening's takes with their sound.
_ROOM = _GIB
_GRANT = (
    "allow it with: echo '@audio - memlock unlimited' | sudo tee /etc/security/limits.d/antiphon.conf && "
    "sudo usermod -aG audio $USER, then log in again"
)


def memory() -> str:
    """Tell whether memory can be locked, and the limit. Raises: Lacking: it cannot."""
    from antiphon.daemon.memory_lock import lock_granted, lock_limit  # noqa: PLC0415

    found = lock_granted()
    if not found.granted:
        remedy = _GRANT if sys.platform == "linux" else "nothing is to be done: it plays without"
        raise Lacking(f"memory is not locked ({found.why}): what was swapped out comes back late", remedy)
    limit = lock_limit()
    allowed = "unlimited" if limit is None else f"{limit / _MIB:.0f} MiB, which does not hold for this user"
    return f"memory can be locked (RLIMIT_MEMLOCK {allowed})"


def takes(folder: Path) -> str:
    """Tell where takes go. Raises: Lacking: nothing can be written to ``folder``."""
    there = _nearest(folder)
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise Lacking(f"{folder} cannot be written", "give another folder with --takes DIR")
    return str(folder)


def disk(folder: Path) -> str:
    """Tell the room for takes in ``folder``. Raises: Lacking: there is little."""
    try:
        free = shutil.disk_usage(_nearest(folder)).free
    except OSError as error:
        raise Lacking(
            f"the room at {folder} cannot be told ({error.strerror})", "give another folder with --takes DIR"
        ) from None
    if free < _ROOM:
        raise Lacking(
            f"{free / _MIB:.0f} MiB are free for takes, which may end while you play",
            f"see what is large with: du -sh {folder}/* | sort -h; or give --takes DIR on another disk",
        )
    return f"{free / _GIB:.0f} GiB are free for takes"


def config() -> str:
    """Tell which configuration is read. Raises: ConfigError: it is not right."""
    from antiphon.daemon.config import default_path, load  # noqa: PLC0415

    path = default_path()
    if not path.exists():
        return f"{path} (not there, and need not be)"
    load(None)
    return str(path)


def program(name: str, remedy: str) -> str:
    """Tell where a program is. Raises: Lacking: nowhere."""
    path = shutil.which(name)
    if path is None:
        raise Lacking("not found", remedy)
    return path


def _nearest(folder: Path) -> Path:
    """Give the folder itself, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
