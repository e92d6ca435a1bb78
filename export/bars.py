"""Bars with their intervals, many small panels in one picture. Pillow alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from antiphon.export.neurotune_curves import axis_of, save_picture
from antiphon.export.roll_colours import FAINT_INK, GRID, INK, PAPER, Colour
from antiphon.models.errors import DataError
from PIL import Image, ImageDraw, ImageFont

#: Of a panel, px: room for names, the plot, and room for figures.
NAMES, PLOT, FIGURES = 130, 240, 100
_ROW, _TITLE, _AXIS, _GAP = 18, 26, 24, 12
WIDTH = NAMES + PLOT + FIGURES


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar; ``interval`` is half of it, None where there is none."""

    name: str
    value: float
    interval: float | None
    colour: Colour


@dataclass(frozen=True, slots=True)
class BarPanel:
    """One set of axes: a title and its bars from above."""

    title: str
    bars: Sequence[Bar]

    @property
    def height(self) -> int:
        """Of the panel, px."""
        return _TITLE + _ROW * len(self.bars) + _AXIS


def draw_bars(panels: Sequence[BarPanel], path: Path, columns: int = 3) -> Path:
    """Draw panels beside and below each other as a PNG; each has an axis of its own, which holds 0.

    Args:
        panels: each with one bar or more, all of them finite.
        path: where to.
        columns: panels beside each other.

    Raises:
        DataError: ``path`` cannot be written, or there is nothing to draw.
    """
    if not panels:
        raise DataError("bars: there is nothing to draw; give at least one figure")
    rows = [panels[first : first + columns] for first in range(0, len(panels), columns)]
    heights = [max(panel.height for panel in row) + _GAP for row in rows]
    beside = max(len(row) for row in rows)
    image = Image.new("RGB", (beside * (WIDTH + _GAP) + _GAP, sum(heights) + _GAP), PAPER)
    pen, top = ImageDraw.Draw(image), _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, panel in enumerate(row):
            _draw_panel(pen, panel, _GAP + column * (WIDTH + _GAP), top)
        top += height
    return save_picture(image, path)


def span_of(bars: Sequence[Bar]) -> tuple[float, float, float]:
    """Give an axis that holds 0 and every bar with its interval: its ends, and the step between labels."""
    return axis_of([0.0, *(bar.value + way * (bar.interval or 0.0) for bar in bars for way in (-1, 1))])


def _draw_panel(pen: ImageDraw.ImageDraw, panel: BarPanel, left: int, top: int) -> None:
    small, large = ImageFont.load_default(11), ImageFont.load_default(13)
    pen.text((left, top), panel.title, fill=INK, font=large)
    top += _TITLE
    bottom, plot = top + _ROW * len(panel.bars), left + NAMES
    low, high, step = span_of(panel.bars)

    def x(value: float) -> float:
        return plot + (value - low) / (high - low) * PLOT

    for number in range(round((high - low) / step) + 1):
        at = low + number * step
        pen.line((x(at), top, x(at), bottom), fill=GRID)
        pen.text((x(at), bottom + 4), f"{0.0 if math.isclose(at, 0.0, abs_tol=step / 1e6) else at:.4g}",
                 fill=FAINT_INK, font=small, anchor="ma")  # fmt: skip
    for row, bar in enumerate(panel.bars):
        upper, middle = top + row * _ROW + 3, top + row * _ROW + _ROW // 2
        pen.text((plot - 8, middle), _fitting(pen, bar.name, small), fill=INK, font=small, anchor="rm")
        begin, end = sorted((x(0.0), x(bar.value)))
        pen.rectangle((begin, upper, end, upper + _ROW - 6), fill=bar.colour)
        if bar.interval is not None:
            pen.line((x(bar.value - bar.interval), middle, x(bar.value + bar.interval), middle), fill=INK)
        told = f"{bar.value:.3f}" + ("" if bar.interval is None else f" ± {bar.interval:.3f}")
        pen.text((plot + PLOT + 8, middle), told, fill=FAINT_INK, font=small, anchor="lm")
    pen.line((x(0.0), top, x(0.0), bottom), fill=INK)


def _fitting(pen: ImageDraw.ImageDraw, name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Shorten a name in its middle until there is room for it: beginnings are alike, and so are ends."""
    shown, half = name, len(name) // 2
    while pen.textlength(shown, font=font) > NAMES - 12 and half > 1:
        half -= 1
        shown = f"{name[:half]}…{name[-half:]}"
    return shown
