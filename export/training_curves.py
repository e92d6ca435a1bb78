"""``curves.png`` of a training run, and ``antiphon train`` with its curves drawn at every save."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from antiphon.export.neurotune_curves import Panel, draw_curves
from antiphon.models.training_log import OTHER_KEYS, read_log

CURVES = "curves.png"
Line = Mapping[str, Any]


def draw_run(folder: Path) -> Path | None:
    """Draw a run's log over the notes seen: loss in all and by attribute, and the learning rate.

    Returns:
        The picture's path; None where nothing was logged yet.

    Raises:
        DataError: it cannot be written.
    """
    lines = read_log(folder)
    most = max((line["notes"] for line in lines), default=0)
    if not most:
        return None
    path = folder / CURVES
    # a kill leaves the old picture or the new one
    fresh = draw_curves(panels_of(lines, most), folder / (CURVES + ".new"))
    os.replace(fresh, path)
    return path


def panels_of(lines: Sequence[Line], notes: int) -> list[Panel]:
    """Give the panels; their axis is the share of ``notes``, and the first title tells how many these are."""

    def series(what: str, key: str) -> list[tuple[float, float]]:
        return [(line["notes"] / notes, line[key]) for line in lines if line["what"] == what and key in line]

    attributes = [key for key in lines[-1] if key not in OTHER_KEYS]
    titles = {"total": f"nats a note, all at the common resolution; the run so far: {notes:,} notes seen"}
    titles |= {name: f"{name}, nats a note" for name in attributes}
    panels = [
        Panel(title, {"train (augmented)": series("train", key), "valid (averaged weights)": series("valid", key)})
        for key, title in titles.items()
    ]
    rate = sorted(series("train", "rate") + series("valid", "rate"))
    return [*panels, Panel("learning rate", {"rate": rate})] if rate else panels
