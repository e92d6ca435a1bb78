"""Pictures of a training run: loss curves, and small rolls of what it plays. Pillow alone.

The rolls of takes are `export.take_roll`'s; these are thumbnails of note tables, many side by side in one picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from antiphon.models.errors import DataError
from antiphon.models.notes import Column, NoteTable
from antiphon.models.parts import Part
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Series = Sequence[tuple[float, float]]

_PAPER: Colour = (252, 251, 248)
_GRID: Colour = (228, 226, 220)
_INK: Colour = (40, 40, 44)
_FAINT: Colour = (120, 118, 112)
#: Told apart also with most colour blindness (Okabe and Ito 2008).
LINES: tuple[Colour, ...] = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233))
_PANEL_WIDTH, _PANEL_HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 640, 220, 64, 44, 20, 30
#: Points of a line: more are averaged, which also smooths what a batch's chance puts on top.
_MOST_POINTS = 120
_BEAT_PX, _KEY_PX, _ROLL_KEYS, _LOWEST_KEY = 16, 3, 72, 28
_ROLL_WIDTH = 420  # what a name above a roll needs


@dataclass(frozen=True, slots=True)
class Panel:
    """One set of axes: a title and named lines of (share of the run, value)."""

    title: str
    lines: Mapping[str, Series]


def draw_curves(panels: Sequence[Panel], path: Path) -> Path:
    """Draw panels below each other as a PNG.

    Args:
        panels: each with one line or more; points that are not finite are left out.
        path: where to.

    Raises:
        DataError: ``path`` cannot be written, or there is nothing to draw.
    """
    if not panels or not any(points for panel in panels for points in panel.lines.values()):
        raise DataError("curves: there is nothing to draw; train at least one step first")
    image = Image.new("RGB", (_LEFT + _PANEL_WIDTH + _RIGHT, len(panels) * (_TOP + _PANEL_HEIGHT + _BOTTOM)), _PAPER)
    pen = ImageDraw.Draw(image)
    for number, panel in enumerate(panels):
        _draw_panel(pen, panel, number * (_TOP + _PANEL_HEIGHT + _BOTTOM) + _TOP)
    return save_picture(image, path)


def _draw_panel(pen: ImageDraw.ImageDraw, panel: Panel, top: int) -> None:
    small, large = ImageFont.load_default(11), ImageFont.load_default(14)
    pen.text((_LEFT, top - 22), panel.title, fill=_INK, font=large, anchor="ls")
    lines = {name: averaged(points) for name, points in panel.lines.items()}
    values = [value for points in lines.values() for _, value in points]
    low, high, step = axis_of(values)
    bottom = top + _PANEL_HEIGHT
    for tick in range(round((high - low) / step) + 1):
        value = low + tick * step
        y = bottom - (value - low) / (high - low) * _PANEL_HEIGHT
        pen.line((_LEFT, y, _LEFT + _PANEL_WIDTH, y), fill=_GRID)
        pen.text((_LEFT - 8, y), f"{value:g}" if step >= 1 else f"{value:.3g}", fill=_FAINT, font=small, anchor="rm")
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = _LEFT + share * _PANEL_WIDTH
        pen.line((x, top, x, bottom), fill=_GRID)
        pen.text(
            (x, bottom + 6),
            f"{share:.0%} of the run",
            fill=_FAINT,
            font=small,
            anchor="la" if share == 0.0 else "ra" if share == 1.0 else "ma",
        )
    x = float(_LEFT)
    for number, (name, points) in enumerate(lines.items()):
        colour = LINES[number % len(LINES)]
        places = [
            (_LEFT + share * _PANEL_WIDTH, bottom - (value - low) / (high - low) * _PANEL_HEIGHT)
            for share, value in points
        ]
        if len(places) > 1:
            pen.line(places, fill=colour, width=2)
        for at_x, at_y in places if len(places) == 1 else []:
            pen.ellipse((at_x - 2, at_y - 2, at_x + 2, at_y + 2), fill=colour)
        pen.rectangle((x, top - 14, x + 10, top - 6), fill=colour)
        pen.text((x + 15, top - 10), name, fill=_INK, font=small, anchor="lm")
        x += 30 + pen.textlength(name, font=small)


def averaged(points: Series) -> list[tuple[float, float]]:
    """Average neighbours until few enough points are left; what is not finite is left out."""
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    size = max(1, math.ceil(len(finite) / _MOST_POINTS))
    blocks = [finite[start : start + size] for start in range(0, len(finite), size)]
    return [(sum(x for x, _ in block) / len(block), sum(y for _, y in block) / len(block)) for block in blocks]


def axis_of(values: Sequence[float]) -> tuple[float, float, float]:
    """Give an axis around values: its low end, its high end, and a round step between labels (about four)."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-6 * max(1.0, abs(high)):
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step


def draw_rolls(rolls: Mapping[str, NoteTable], path: Path) -> Path:
    """Draw named note tables below each other as a PNG: pitch upwards, a line each beat, parts in colours.

    Raises:
        DataError: ``path`` cannot be written, or there is nothing to draw.
    """
    if not rolls:
        raise DataError("rolls: there is nothing to draw; give at least one note table")
    beats = max([4] + [int((notes[:, Column.ONSET] + notes[:, Column.DURATION]).max() // 24 + 1)
                       for notes in rolls.values() if len(notes)])  # fmt: skip
    height = _ROLL_KEYS * _KEY_PX + 34
    image = Image.new("RGB", (max(_ROLL_WIDTH, 20 + beats * _BEAT_PX), height * len(rolls) + 8), _PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(12)
    for number, (name, notes) in enumerate(rolls.items()):
        top = number * height + 26
        bottom = top + _ROLL_KEYS * _KEY_PX
        pen.text((10, top - 18), name, fill=_INK, font=font)
        for beat in range(beats + 1):
            pen.line((10 + beat * _BEAT_PX, top, 10 + beat * _BEAT_PX, bottom), fill=_GRID)
        for onset, duration, pitch, _, part in notes[:, : Column.BAR_POSITION].tolist():
            y = bottom - (min(max(pitch - _LOWEST_KEY, 0), _ROLL_KEYS - 1) + 1) * _KEY_PX
            x = 10 + onset * _BEAT_PX / 24
            # a drum has no length: it is drawn as a dot
            length = 2.0 if part == Part.DRUMS else max(2.0, duration * _BEAT_PX / 24 - 1)
            pen.rectangle((x, y, x + length, y + _KEY_PX - 1), fill=LINES[part % len(LINES)])
    return save_picture(image, path)


def save_picture(image: Image.Image, path: Path) -> Path:
    """Write a picture as a PNG and give its path. Raises: DataError."""
    try:
        image.save(path, "PNG")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}; give another folder") from error
    return path
