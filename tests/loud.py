"""Says what must be seen whether or not a test passes: on the real standard error, past pytest's capture."""

from __future__ import annotations

import os

_real: list[int] = []


def begin() -> None:
    """Remember the real standard error; pytest captures nothing while it configures itself."""
    if not _real:
        _real.append(os.dup(2))


def descriptor() -> int:
    """Give the real standard error, or what is there where `begin` was never called."""
    return _real[0] if _real else 2


def tell(line: str) -> None:
    """Write a line that stands out."""
    os.write(descriptor(), f"\n!!! {line}\n".encode())
