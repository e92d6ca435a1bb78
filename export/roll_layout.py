"""Where everything of a piano roll lies, in pixels. Pure: no drawing here.

A take is laid out in rows of equal length, at 60 px a second as long as that stays a picture one can open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from antiphon.models.take import Take, TakeNote

DRUM_CHANNEL = 9
PEDALS = (64, 66)
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_BOTTOM = 92, 28, 14
HEADER_HEIGHT = 74
AXIS_HEIGHT, ROW_GAP = 22, 16
MARKER_LANE_HEIGHT, MARKER_LANES = 15, 3
BAR_LANE_HEIGHT = 15
PEDAL_HEIGHT, DRUM_LANE_HEIGHT, STRIP_GAP = 11, 11, 5

_PX_PER_S = 60.0
_MAX_ROW_S = 40.0
_MAX_ROWS = 12
_MIN_ROW_PX = 820  # what title and legend need
_MIN_PITCHES = 25


def is_drum(note: TakeNote) -> bool:
    """Say whether a note is a drum's, whose pitch names an instrument."""
    return note.channel == DRUM_CHANNEL


@dataclass(frozen=True, slots=True)
class RollLayout:
    """The geometry of one picture. Sizes in px, times in seconds of the take.

    Attributes:
        row_s: length of a row.
        rows: how many.
        px_per_s: scale of time.
        low: lowest pitch shown.
        high: highest pitch shown.
        pitch_height: of one semitone.
        drums: pitches of the drum lanes, from the top one down.
        pedals: controllers of the pedal strips, from the top one down.
        has_markers: whether room for markers' labels stands above each row.
        has_bars: whether room for bar numbers does.
    """

    row_s: float
    rows: int
    px_per_s: float
    low: int
    high: int
    pitch_height: int
    drums: tuple[int, ...]
    pedals: tuple[int, ...]
    has_markers: bool
    has_bars: bool

    @classmethod
    def of(cls, take: Take) -> RollLayout:
        """Lay a take out."""
        length_s = max(1.0, take.length_s)
        rows = min(_MAX_ROWS, max(1, math.ceil(length_s / _MAX_ROW_S - 1e-9)))
        # whole seconds, so that every row starts on a labelled line
        row_s = float(math.ceil(length_s / rows))
        px_per_s = min(_PX_PER_S, _PX_PER_S * _MAX_ROW_S / row_s)
        low, high = _pitch_range([note.pitch for note in take.notes if not is_drum(note)])
        return cls(
            row_s=row_s,
            rows=rows,
            px_per_s=px_per_s,
            low=low,
            high=high,
            pitch_height=9 if high - low < 50 else 8,
            drums=tuple(sorted({note.pitch for note in take.notes if is_drum(note)}, reverse=True)),
            pedals=tuple(c for c in PEDALS if any(event.controller == c for event in take.events)),
            has_markers=bool(take.markers),
            has_bars=take.tempo.clocked,
        )

    @property
    def row_px(self) -> int:
        """Width of a row's time axis."""
        return max(_MIN_ROW_PX, math.ceil(self.row_s * self.px_per_s))

    @property
    def width(self) -> int:
        """Width of the picture."""
        return MARGIN_LEFT + self.row_px + MARGIN_RIGHT

    @property
    def height(self) -> int:
        """Height of the picture."""
        return HEADER_HEIGHT + self.rows * (self.row_height + ROW_GAP) - ROW_GAP + MARGIN_BOTTOM

    @property
    def labels_height(self) -> int:
        """Height of what stands above a row's pitches: markers' labels and bar numbers."""
        return MARKER_LANE_HEIGHT * MARKER_LANES * self.has_markers + BAR_LANE_HEIGHT * self.has_bars

    @property
    def pitches_height(self) -> int:
        """Height of a row's pitch area."""
        return (self.high - self.low + 1) * self.pitch_height

    @property
    def pedals_height(self) -> int:
        """Height of the pedal strips, with the gap above them."""
        return STRIP_GAP + PEDAL_HEIGHT * len(self.pedals) if self.pedals else 0

    @property
    def drums_height(self) -> int:
        """Height of the drum strip, with the gap above it."""
        return STRIP_GAP + DRUM_LANE_HEIGHT * len(self.drums) if self.drums else 0

    @property
    def row_height(self) -> int:
        """Height of a row with all that belongs to it."""
        strips = self.pedals_height + self.drums_height
        return self.labels_height + self.pitches_height + strips + AXIS_HEIGHT

    def row_of(self, t_s: float) -> int:
        """Give the row a time lies in."""
        return min(self.rows - 1, max(0, int(t_s / self.row_s)))

    def x(self, t_s: float, row: int) -> int:
        """Give a time's place in a row, kept within it."""
        along = round((t_s - row * self.row_s) * self.px_per_s)
        return MARGIN_LEFT + min(round(self.row_s * self.px_per_s), max(0, along))

    def row_top(self, row: int) -> int:
        """Give where a row starts, labels and all."""
        return HEADER_HEIGHT + row * (self.row_height + ROW_GAP)

    def pitches_top(self, row: int) -> int:
        """Give where a row's pitch area starts."""
        return self.row_top(row) + self.labels_height

    def y(self, pitch: int, row: int) -> int:
        """Give the top of a pitch's lane."""
        return self.pitches_top(row) + (self.high - pitch) * self.pitch_height

    def pedal_y(self, controller: int, row: int) -> int:
        """Give the top of a pedal's strip."""
        top = self.pitches_top(row) + self.pitches_height + STRIP_GAP
        return top + self.pedals.index(controller) * PEDAL_HEIGHT

    def drum_y(self, pitch: int, row: int) -> int:
        """Give the top of a drum's lane."""
        top = self.pitches_top(row) + self.pitches_height + self.pedals_height + STRIP_GAP
        return top + self.drums.index(pitch) * DRUM_LANE_HEIGHT

    def bottom(self, row: int) -> int:
        """Give where a row's lanes end and its time axis starts."""
        return self.row_top(row) + self.row_height - AXIS_HEIGHT


def _pitch_range(pitches: list[int]) -> tuple[int, int]:
    """Give the pitches to show: a little more than was played, two octaves at least."""
    if not pitches:
        return 48, 48 + _MIN_PITCHES - 1
    low, high = max(0, min(pitches) - 2), min(127, max(pitches) + 2)
    missing = max(0, _MIN_PITCHES - (high - low + 1))
    low = max(0, low - missing // 2)
    return low, min(127, max(high, low + _MIN_PITCHES - 1))
