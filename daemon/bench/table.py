"""The rows of one run as a table for people, or as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.daemon.bench.figures import Row


def markdown(rows: Sequence[Row], machine: Mapping[str, Any]) -> str:
    """Give the table as the README has it, what it was measured on below."""
    lines = ["| what | figure | what it means |", "| --- | --- | --- |"]
    lines += [f"| {row.what} | {row.told} | {row.meaning} |" for row in rows]
    told = "; ".join(f"{name} {value}" for name, value in machine.items())
    return "\n".join([*lines, "", told])


def as_json(rows: Sequence[Row], machine: Mapping[str, Any]) -> str:
    """Give the same for programs: every figure by name, its unit at the name's end."""
    told = [
        {"name": row.name, "what": row.what, "told": row.told, "meaning": row.meaning, "figures": dict(row.figures)}
        for row in rows
    ]
    return json.dumps({"machine": dict(machine), "rows": told}, indent=2)
