"""The lock that tells a running session from a crashed one: the system drops it with its process.

A process id would not do: ids are used again, and in a container every session has the same one.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}

#: Locks this process holds; a lock ends with its descriptor, so nothing else may close these.
_held: dict[Path, int] = {}


def hold_lock(path: Path) -> None:
    """Make ``path`` and lock it until this process ends or `release_lock`.

    Where the file system knows no locks (some network mounts), it goes without; `is_locked` then always says
    yes there, which costs a recovery and never a running session.

    Raises:
        OSError: the file cannot be made, or another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            os.close(descriptor)
            raise
    _held[path.resolve()] = descriptor


def release_lock(path: Path) -> None:
    """Drop the lock on ``path`` where this process holds it."""
    descriptor = _held.pop(path.resolve(), None)
    if descriptor is not None:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Say whether a living process, this one included, holds the lock. Takes and drops it to find out."""
    if path.resolve() in _held:
        return True
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # not ours to open: leave that session alone
    try:
        _lock(descriptor)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415  only there

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415  not on Windows

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
