"""Keep what a process uses in memory: a page that was swapped out, or never brought in, costs milliseconds on stage.

Linux only: `mlockall` of what is mapped now and of what is mapped later, each page from its first use on
(``MCL_ONFAULT``). Without that, every mapping would be brought in whole, and libraries and thread stacks that are
never touched would take hundreds of megabytes.
"""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4
_MIB = 1024 * 1024
_STATUS = Path("/proc/self/status")
_KIB = 1024


@dataclass(frozen=True, slots=True)
class MemoryLock:
    """Whether memory is locked.

    Attributes:
        granted: it is.
        why: in words, where it is not: what the system said, or what it allows.
    """

    granted: bool
    why: str = ""


def lock_memory() -> MemoryLock:
    """Lock this process's memory, now and later; children do not inherit it. Never raises.

    Refused where the limit is below what the process may come to need: with a finite limit, later memory would be
    refused to the program itself instead.
    """
    if sys.platform != "linux":
        return MemoryLock(granted=False, why="only Linux's mlockall is used")
    limit = lock_limit()
    if limit is not None and not _may_exceed():
        return MemoryLock(granted=False, why=f"RLIMIT_MEMLOCK allows {limit / _MIB:.0f} MiB, and it takes unlimited")
    return _call("mlockall", _CURRENT | _FUTURE | _ON_FAULT)


def unlock_memory() -> MemoryLock:
    """Undo `lock_memory`; idempotent. ``granted`` is False in any case. Never raises."""
    if sys.platform != "linux":
        return MemoryLock(granted=False, why="only Linux's mlockall is used")
    return MemoryLock(granted=False, why=_call("munlockall").why)


def lock_limit() -> int | None:
    """Give how many bytes an ordinary process of this user may lock (RLIMIT_MEMLOCK); None: as many as it likes."""
    import resource  # noqa: PLC0415  POSIX only

    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return None if soft == resource.RLIM_INFINITY else soft


def lock_granted() -> MemoryLock:
    """Find out whether `lock_memory` would be granted here, in a child process: this one is left as it was."""
    if not hasattr(os, "fork"):
        return lock_memory()
    import subprocess  # noqa: PLC0415  a forked copy of a process with threads must not run Python

    code = "from antiphon.daemon.memory_lock import lock_memory as a; got = a(); print(int(got.granted), got.why)"
    try:
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        return MemoryLock(granted=False, why=f"could not be tried: {error}")
    granted, _, why = told.stdout.strip().partition(" ")
    return MemoryLock(granted=granted == "1", why=why)


def locked_bytes() -> int:
    """Give how much of this process's memory is locked and resident, by /proc; 0 where there is none.

    ``VmLck`` counts whole mappings, touched or not; what is held is never more than what is resident.
    """
    return min(_status_bytes("VmLck"), resident_bytes())


def resident_bytes() -> int:
    """Give this process's resident memory, by /proc; 0 where there is none."""
    return _status_bytes("VmRSS")


def _may_exceed() -> bool:
    """Whether the limit does not hold for this process (CAP_IPC_LOCK)."""
    capability_ipc_lock = 14
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    effective = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    return bool(effective >> capability_ipc_lock & 1)


def _status_bytes(name: str) -> int:
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * _KIB for line in lines if line.startswith(f"{name}:")), 0)


def _call(function: str, *flags: int) -> MemoryLock:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        failed = getattr(libc, function)(*flags) != 0
    except (OSError, AttributeError) as error:  # a C library without it
        return MemoryLock(granted=False, why=str(error))
    return MemoryLock(granted=not failed, why=os.strerror(ctypes.get_errno()) if failed else "")
