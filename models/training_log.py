"""A run's log: what was measured when, one JSON object a line, whole also after a kill. Read without torch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

LOG = "log.jsonl"
#: What a line holds beside an attribute's loss.
OTHER_KEYS = ("what", "step", "minutes", "notes", "total", "rate")


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Give a run's lines; a line that a kill tore is left out."""
    lines = []
    try:
        text = (folder / LOG).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    for line in text.splitlines():
        try:
            lines.append(dict(json.loads(line)))
        except ValueError:
            continue
    return lines


class TrainingLog:
    """Appends to a run's log."""

    def __init__(self, folder: Path, step: int) -> None:
        """Go on after ``step``: what a kill lost after it is told again, and must not be there twice."""
        kept = [line for line in read_log(folder) if line.get("step", 0) <= step]
        path = folder / LOG
        if path.is_file():  # also where all that it holds is a torn line: the next one must not be appended to that
            fresh = folder / (LOG + ".new")
            fresh.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
            os.replace(fresh, path)
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def write(self, line: dict[str, Any]) -> None:
        """Append a line; a kill after this keeps it."""
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
