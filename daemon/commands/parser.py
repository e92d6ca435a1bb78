"""What every command parses its words with: alone, so that what needs no table of parameters reads none."""

from __future__ import annotations

import argparse
from typing import NoReturn

from antiphon.models.errors import AntiphonError


class UsageError(AntiphonError):
    """What was typed cannot be understood."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one plain line like all others."""

    def __init__(self, command: str, description: str, epilog: str | None = None) -> None:
        super().__init__(prog=f"antiphon {command}", description=description, epilog=epilog, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        raise UsageError(f"{message}; see {self.prog} --help")
