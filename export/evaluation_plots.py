"""``antiphon evaluate --plots``: its table as pictures, drawn here for `models.evaluation`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

from antiphon.export.bars import Bar, BarPanel, draw_bars
from antiphon.export.neurotune_curves import LINES
from antiphon.export.roll_colours import Colour
from antiphon.models import evaluation
from antiphon.models.baselines import ATTRIBUTES
from antiphon.models.errors import DataError
from antiphon.models.evaluation import MUSIC
from antiphon.models.kneser_ney import COUNTED
from antiphon.models.music_evaluation import OTHER, REAL

#: What is no model: a baseline, and real music.
_BASELINE: Colour = (176, 172, 164)
_REAL: Colour = (64, 64, 70)
_MUSIC_PICTURE = "music.png"
#: Names of `models.evaluation`'s table: a baseline, and what a model gains on one.
_COUNTS = re.compile(rf"uniform|unigram|{COUNTED}\d")
_GAIN = re.compile(rf"({COUNTED}\d) - (.*)")


def main(argv: list[str]) -> int:
    """Run ``antiphon evaluate``."""
    return evaluation.main(argv, draw_table)


def draw_table(table: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw a table of `models.evaluation`: ``nats-SET.png`` of each data set, and ``music.png`` where takes were made.

    Args:
        table: data set -> scorer -> score, and the takes' figures.
        folder: where to; it is made where it is not there.

    Returns:
        The pictures' paths.

    Raises:
        DataError: they cannot be written.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise DataError(f"evaluate: --plots {folder}: {error.strerror}; give another folder") from None
    colours = colours_of(table)
    made = []
    for source, scores in table.items():
        if source != MUSIC:
            # a data set's name may be anything; quoted, no two become one
            path = folder / f"nats-{quote(source, safe=' ')}.png"
            made.append(draw_bars(score_panels(source, scores, colours), path))
    panels = music_panels(table[MUSIC], colours) if MUSIC in table else []
    if panels:
        made.append(draw_bars(panels, folder / _MUSIC_PICTURE))
    return made


def colours_of(table: Mapping[str, Any]) -> dict[str, Colour]:
    """Give every scorer and column of a table its colour, the same in all pictures; baselines share one."""
    columns = list(table[MUSIC]["columns"]) if MUSIC in table else []
    named = dict.fromkeys(name for source, scores in table.items() if source != MUSIC for name in scores)
    names = [name for name in dict.fromkeys([*columns, *named]) if not _GAIN.match(name)]
    models = [name for name in names if name not in (REAL, OTHER) and not _COUNTS.fullmatch(name)]
    own = dict(zip(models, cycle(LINES), strict=False))
    return {name: own.get(name, _REAL if name == REAL else _BASELINE) for name in names}


def score_panels(source: str, scores: Mapping[str, Mapping[str, Any]], colours: Mapping[str, Colour]) -> list[BarPanel]:
    """Give the panels of one data set: nats a note in all, by attribute, and the gain on the best baseline."""
    scorers = [name for name in scores if not _GAIN.match(name)]
    gains = [found for name in scores if (found := _GAIN.match(name))]
    total = [Bar(name, scores[name]["total"], scores[name]["interval"], colours[name]) for name in scorers]
    panels = [BarPanel(f"{source}: nats a note, less is better", total)]
    for attribute in ATTRIBUTES:
        bars = [Bar(name, scores[name][attribute], None, colours[name]) for name in scorers]
        panels.append(BarPanel(f"{attribute}, nats a note", bars))
    if gains:
        bars = [Bar(gain[2], scores[gain[0]]["total"], scores[gain[0]]["interval"], colours[gain[2]]) for gain in gains]
        panels.append(BarPanel(f"gain on {gains[0][1]}, nats a note", bars))
    return panels


def music_panels(told: Mapping[str, Any], colours: Mapping[str, Colour]) -> list[BarPanel]:
    """Give a panel of each figure of takes, the models' beside real music's; what nothing could tell is left out."""
    panels = []
    for figure, row in told["rows"].items():
        found = {name: row[name] for name in told["columns"] if name in row and row[name]["mean"] is not None}
        bars = [Bar(name, cell["mean"], cell["interval"], colours[name]) for name, cell in found.items()]
        if bars:
            panels.append(BarPanel(figure, bars))
    return panels
