"""The terminal: what Antiphon says there, as a status line that redraws itself or as plain log lines."""

from antiphon.bridges.terminal.screen import Screen
from antiphon.bridges.terminal.status import status_line

__all__ = ["Screen", "status_line"]
