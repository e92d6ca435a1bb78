"""Which files a choice of marks can find nothing in, told by their text: importing all of them takes seconds.

A mark is written as ``mark.NAME`` in the file whose tests have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

#: What `pyproject.toml` declares, and the runs of ``make test`` choose by.
_CHOSEN_BY = ("jack", "ardour", "realtime", "patient", "survival", "soak")
_MARK = re.compile(r"\bmark\.(\w+)")


def _has_none(_name: str, /, **_arguments: str | int | bool | None) -> bool:
    return False


def nothing_in(path: Path, choice: str) -> bool:
    """Whether a choice of marks (``pytest -m``) surely chooses no test of a file."""
    expression = Expression.compile(choice)
    asked = set(re.findall(r"\w+", choice))
    written = asked & set(_MARK.findall(path.read_text(encoding="utf-8")))
    # a test may have some of the marks that its file speaks of, so only where there is none it is clear
    return not written and not expression.evaluate(_has_none)


def check(items: Iterable[pytest.Item]) -> None:
    """Make sure that no test has such a mark and no word of it in its file.

    Raises:
        UsageError: one has; where files are left out, it would be.
    """
    for item in items:
        for mark in item.iter_markers():
            if mark.name in _CHOSEN_BY and nothing_in(item.path, mark.name):
                raise pytest.UsageError(
                    f"{item.nodeid} is marked {mark.name}, of which {item.path.name} does not speak: "
                    f"write it as mark.{mark.name} there"
                )
