"""What the machine under this one takes away: processor time that a virtual machine was owed and did not get.

Nothing that runs here can keep time while it does; a measurement of time says how much it was.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

_STOLEN = 7  # of the fields of /proc/stat's first line


def processor_times() -> list[int]:
    """Clock ticks over all processors by what they were spent on; nothing where the system does not tell."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    except OSError:
        return [0] * (_STOLEN + 1)
    return [int(value) for value in first.split()[1 : _STOLEN + 2]]


def stolen_ticks() -> int:
    """Processor time that the host gave to others so far, in clock ticks, over all processors."""
    return processor_times()[_STOLEN]


class HostWatch:
    """Watches what the host takes between `__enter__` and now."""

    def __enter__(self) -> Self:
        self._before = processor_times()
        return self

    def __exit__(self, *_: object) -> None:
        self._after = processor_times()

    @property
    def stolen(self) -> float:
        """The share of all processors' time, between entering and leaving, that was given to others."""
        spent = sum(self._after) - sum(self._before)
        return (self._after[_STOLEN] - self._before[_STOLEN]) / max(1, spent)


def told(stolen: float) -> str:
    """Say it for people."""
    return f"stolen by the host {stolen:.1%} of {os.cpu_count() or 1} processors"
