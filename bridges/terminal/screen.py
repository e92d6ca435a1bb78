"""Where the lines go: standard error, with a status line below them where it is a terminal.

Threading model: a `Screen` belongs to one thread. It never waits: a terminal that was stopped (Ctrl-S) or a pipe
that nobody reads would otherwise stop who writes, so what does not go out at once is dropped and counted, and
the next line that goes out says how many were lost.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Mapping
from typing import Any

from antiphon.bridges.terminal.status import status_line

_STANDARD_ERROR = 2
_CLEAR = "\r\x1b[K"
#: A "writable" pipe has room for so much (POSIX asks for 512 at least; Linux gives 4096).
_MAX_WRITE_BYTES = 512


class Screen:
    """Says lines, and shows a snapshot as a status line under them where there is a terminal."""

    def __init__(self, descriptor: int = _STANDARD_ERROR, *, quiet: bool = False) -> None:
        """Look at what ``descriptor`` is.

        Args:
            descriptor: an open file descriptor; stays the caller's.
            quiet: say only what is marked as wrong, and show no status.
        """
        self._descriptor = descriptor
        self._quiet = quiet
        self._is_terminal = _is_terminal(descriptor)
        self._status = ""
        self._lost = 0

    @property
    def lost(self) -> int:
        """How many lines could not be said since the last one that could. Count."""
        return self._lost

    def say(self, line: str, *, wrong: bool = False) -> None:
        """Say one line, above the status line where there is one."""
        if self._quiet and not wrong:
            return
        note = f" (lines lost before this one: {self._lost})" if self._lost else ""
        head = _CLEAR if self._status else ""
        if self._write(f"{head}{line}{note}\n{self._status}"):
            self._lost = 0
        else:
            self._lost += 1

    def log(self, line: str) -> None:
        """Say what a status line would tell, where there is none."""
        if not self._is_terminal:
            self.say(line)

    def show(self, snapshot: Mapping[str, Any]) -> None:
        """Redraw the status line where it changed; without a terminal, nothing."""
        if self._quiet or not self._is_terminal:
            return
        status = status_line(snapshot, self._columns() - 1)
        if status != self._status and self._write(_CLEAR + status):
            self._status = status

    def close(self) -> None:
        """Take the status line away. May be called twice."""
        if self._status and self._write(_CLEAR):
            self._status = ""

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._descriptor).columns or 80
        except OSError:
            return 80

    def _write(self, text: str) -> bool:
        data = text.encode("utf-8", "replace")
        try:
            for start in range(0, len(data), _MAX_WRITE_BYTES):
                if not _has_room(self._descriptor):
                    return False
                os.write(self._descriptor, data[start : start + _MAX_WRITE_BYTES])
        except (OSError, ValueError):  # the terminal is gone; the music is not
            return False
        return True


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor) and os.environ.get("TERM", "") not in ("", "dumb")
    except OSError:
        return False


def _has_room(descriptor: int) -> bool:
    if sys.platform == "win32":  # select knows only sockets there
        return True
    return bool(select.select([], [descriptor], [], 0)[1])
