"""What processes cost: processor time and resident memory, from /proc. Linux only."""

from __future__ import annotations

import os
from pathlib import Path

_MIB = 1024


def can_tell() -> bool:
    """Whether this system tells what a process costs."""
    return Path("/proc/self/stat").exists()


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MiB; 0 where it has ended and waits to be reaped."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / _MIB
    return 0.0
