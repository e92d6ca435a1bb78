"""The status line. Pure: a mapping in, one line of text out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BETWEEN = " · "


def status_line(snapshot: Mapping[str, Any], width: int) -> str:
    """Give one line of at most ``width`` characters; what is not in the snapshot is left out.

    Args:
        snapshot: ``mode``; ``turn`` (what it is doing: a word); ``muted``; ``bar`` and ``beat`` (counted from
            1); ``tempo_bpm``; ``notes_in``, ``notes_out``; ``late`` (dropped notes); ``load`` (share of the
            time that the brain computes, 0 to 1).
        width: columns there are. The last parts give way where there are too few.

    >>> status_line({"mode": "answer", "notes_in": 12, "notes_out": 9, "late": 0, "load": 0.031}, 80)
    'answer · heard 12 · played 9 · late 0 · load 3%'
    """
    parts = [str(snapshot["mode"])] if "mode" in snapshot else []
    if snapshot.get("turn"):
        parts.append(str(snapshot["turn"]))
    if snapshot.get("muted"):
        parts.append("MUTED")
    if "bar" in snapshot and "beat" in snapshot:
        parts.append(f"bar {snapshot['bar']}.{snapshot['beat']}")
    if "tempo_bpm" in snapshot:
        parts.append(f"{snapshot['tempo_bpm']:.1f} bpm")
    for key, word in (("notes_in", "heard"), ("notes_out", "played"), ("late", "late")):
        if key in snapshot:
            parts.append(f"{word} {snapshot[key]}")
    if "load" in snapshot:
        parts.append(f"load {snapshot['load']:.0%}")
    while parts and len(_BETWEEN.join(parts)) > width:
        parts.pop()
    return _BETWEEN.join(parts)
