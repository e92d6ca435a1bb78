"""Takes to pictures: a piano roll with both players told apart, pedals, drums, markers, seconds and bars."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from antiphon.export import roll_layout as at
from antiphon.export.roll_colours import (
    ANTIPHON,
    BAR_LINE,
    BLACK_KEY_LANE,
    FAINT_INK,
    GRID,
    INK,
    LANE,
    MARKER,
    OCTAVE_LINE,
    PAPER,
    PERFORMER,
    Colour,
    colour_of,
    mix,
    shade,
)
from antiphon.export.roll_layout import RollLayout, is_drum
from antiphon.models.errors import MidiFileError
from antiphon.models.take import Take, TakeNote
from PIL import Image, ImageDraw, ImageFont

_BLACK_KEYS = {1, 3, 6, 8, 10}
_PEDAL_NAMES = {64: "pedal", 66: "sostenuto"}
_DRUM_NAMES = {
    35: "kick", 36: "kick", 37: "side stick", 38: "snare", 39: "clap", 40: "snare 2", 41: "low tom",
    42: "hat", 43: "low tom 2", 44: "pedal hat", 45: "mid tom", 46: "open hat", 47: "mid tom 2", 48: "high tom",
    49: "crash", 50: "high tom 2", 51: "ride", 53: "ride bell", 54: "tambourine", 56: "cowbell", 57: "crash 2",
    59: "ride 2", 70: "maracas", 75: "claves", 76: "block", 77: "low block",
}  # fmt: skip
_TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
_LABEL_PX = 44  # the least room between two labels of the time axis
_DRUM_PX = 5


def draw_roll(take: Take, path: Path, title: str = "") -> Path:
    """Write a take's piano roll as a PNG.

    Args:
        take: of any length; a long one is wrapped into rows, a very long one drawn smaller.
        path: where to.
        title: what to write above it.

    Raises:
        MidiFileError: ``path`` cannot be written.
    """
    picture = _Roll(take, RollLayout.of(take)).draw(title)
    try:
        picture.save(path, "PNG")
    except OSError as error:
        raise MidiFileError(
            f"cannot write {path}: {error.strerror or error}; give another folder to render into"
        ) from error
    return path


class _Roll:
    """One picture while it is drawn."""

    def __init__(self, take: Take, layout: RollLayout) -> None:
        self._take = take
        self._layout = layout
        self._image = Image.new("RGB", (layout.width, layout.height), PAPER)
        self._pen = ImageDraw.Draw(self._image)
        self._fonts = {size: ImageFont.load_default(size) for size in (11, 12, 13, 20)}

    def draw(self, title: str) -> Image.Image:
        self._header(title)
        for row in range(self._layout.rows):
            self._lanes(row)
            self._time_lines(row)
            self._bars(row)
        self._pedals()
        for note in (*self._take.notes_of("performer"), *self._take.notes_of("antiphon")):
            self._note(note)
        # where both hold one pitch, Antiphon's shows around the performer's
        for note in _shared(self._take):
            self._note(note, inset=2)
        for row in range(self._layout.rows):
            self._frame(row)
        self._markers()
        return self._image

    def _text(self, x: float, y: float, text: str, colour: Colour, size: int = 12, anchor: str = "la") -> None:
        self._pen.text((x, y), text, fill=colour, font=self._fonts[size], anchor=anchor)

    def _width(self, text: str, size: int = 12) -> float:
        return float(self._pen.textlength(text, font=self._fonts[size]))

    # ---- around the notes ----------------------------------------------------------------------------------
    def _header(self, title: str) -> None:
        take, x, y = self._take, at.MARGIN_LEFT, 12
        self._text(x, y, title or "Antiphon take", INK, 20)
        mine, theirs = len(take.notes_of("antiphon")), len(take.notes_of("performer"))
        facts = f"{take.length_s:.1f} s, {theirs} notes by the performer, {mine} by Antiphon"
        self._text(x + self._width(title or "Antiphon take", 20) + 18, y + 7, facts, FAINT_INK, 13)
        entries = [("performer", PERFORMER)] if theirs else []
        entries += [(f"Antiphon {part}", ANTIPHON.get(part, ANTIPHON["piano"])) for part in take.parts()]
        y += 32
        for name, colour in entries:
            for i, velocity in enumerate((40, 80, 127)):  # velocity as shade, shown where it is explained
                left = x + i * 11
                self._pen.rectangle((left, y + 2, left + 10, y + 12), fill=shade(colour, velocity))
            self._text(x + 40, y, name, INK, 13)
            x += int(58 + self._width(name, 13))

    def _lanes(self, row: int) -> None:
        layout, pen = self._layout, self._pen
        left, right = at.MARGIN_LEFT, self._right(row)
        for pitch in range(layout.low, layout.high + 1):
            top = layout.y(pitch, row)
            lane = BLACK_KEY_LANE if pitch % 12 in _BLACK_KEYS else LANE
            pen.rectangle((left, top, right, top + layout.pitch_height - 1), fill=lane)
        for pitch in range(layout.low, layout.high + 1):
            bottom = layout.y(pitch, row) + layout.pitch_height - 1
            if pitch % 12 == 0:
                pen.line((left, bottom, right, bottom), fill=OCTAVE_LINE)
                middle = bottom - layout.pitch_height // 2
                self._text(left - 8, middle, f"C{pitch // 12 - 1}", INK, 12, "rm")
        for controller in layout.pedals:
            top = layout.pedal_y(controller, row)
            pen.rectangle((left, top, right, top + at.PEDAL_HEIGHT - 2), fill=BLACK_KEY_LANE)
            name = _PEDAL_NAMES[controller]
            self._text(left - 8, top + at.PEDAL_HEIGHT // 2 - 1, name, FAINT_INK, 11, "rm")
        for i, pitch in enumerate(layout.drums):
            top = layout.drum_y(pitch, row)
            lane = LANE if i % 2 else BLACK_KEY_LANE
            pen.rectangle((left, top, right, top + at.DRUM_LANE_HEIGHT - 1), fill=lane)
            name = _DRUM_NAMES.get(pitch, f"drum {pitch}")
            self._text(left - 8, top + at.DRUM_LANE_HEIGHT // 2, name, FAINT_INK, 11, "rm")

    def _time_lines(self, row: int) -> None:
        layout = self._layout
        step = next((s for s in _TICK_STEPS_S if s * layout.px_per_s >= _LABEL_PX), _TICK_STEPS_S[-1])
        start = row * layout.row_s
        bottom = layout.bottom(row)
        second = math.ceil(start / step) * step
        while second <= start + layout.row_s:
            x = layout.x(second, row)
            self._pen.line((x, layout.pitches_top(row), x, bottom), fill=GRID)
            self._pen.line((x, bottom, x, bottom + 4), fill=FAINT_INK)
            label = f"{second} s" if second < 60 else f"{second // 60}:{second % 60:02d}"
            self._text(x, bottom + 6, label, FAINT_INK, 12, "ma")
            second += step

    def _bars(self, row: int) -> None:
        """Draw bar lines with their numbers, and beats where there is room."""
        layout, tempo = self._layout, self._take.tempo
        if not layout.has_bars:
            return
        start, end = row * layout.row_s, min((row + 1) * layout.row_s, self._take.length_s)
        first, last = tempo.beats_at([start, max(start, end)])
        beats = range(math.ceil(first - 1e-6), math.floor(last + 1e-6) + 1)
        per_bar = tempo.beats_per_bar
        px_per_beat = layout.px_per_s * (end - start) / max(1e-6, last - first)
        labelled = next(n for n in (1, 2, 4, 8, 16, 32, 64, 1 << 20) if n * per_bar * px_per_beat >= 34)
        top, bottom = layout.pitches_top(row), layout.bottom(row)
        for beat, t_s in zip(beats, tempo.seconds_at([float(beat) for beat in beats]), strict=True):
            bar, beat_in_bar = divmod(beat, per_bar)
            x = layout.x(t_s, row)
            if beat_in_bar == 0 and bar % labelled == 0:
                self._pen.line((x, top - 4, x, bottom), fill=BAR_LINE)
                self._text(x + 3, top - at.BAR_LANE_HEIGHT + 1, str(bar + 1), FAINT_INK, 12)
            elif beat_in_bar == 0 and px_per_beat * per_bar >= 8:
                self._pen.line((x, top, x, bottom), fill=OCTAVE_LINE)
            elif px_per_beat >= 16:
                self._pen.line((x, top, x, bottom), fill=GRID)

    def _frame(self, row: int) -> None:
        layout = self._layout
        left, right = at.MARGIN_LEFT, self._right(row)
        top = layout.pitches_top(row)
        self._pen.rectangle((left - 1, top - 1, right + 1, top + layout.pitches_height), outline=OCTAVE_LINE)
        if layout.drums:
            drums_top = layout.drum_y(layout.drums[0], row) - 1
            self._pen.rectangle((left - 1, drums_top, right + 1, layout.bottom(row)), outline=OCTAVE_LINE)

    def _right(self, row: int) -> int:
        return self._layout.x((row + 1) * self._layout.row_s, row)

    # ---- what was played ----------------------------------------------------------------------------------
    def _spans(self, start_s: float, end_s: float) -> Iterator[tuple[int, int, int]]:
        """Yield (row, left, right) of a stretch of time: more than one where it runs over a row's end."""
        layout = self._layout
        for row in range(layout.row_of(start_s), layout.row_of(max(start_s, end_s - 1e-9)) + 1):
            yield row, layout.x(start_s, row), layout.x(end_s, row)

    def _note(self, note: TakeNote, inset: int = 0) -> None:
        layout, colour = self._layout, colour_of(note)
        fill = shade(colour, note.velocity)
        if is_drum(note):
            row = layout.row_of(note.onset_s)
            x, top = layout.x(note.onset_s, row), layout.drum_y(note.pitch, row)
            self._pen.rectangle((x, top + 1, x + _DRUM_PX - 1, top + at.DRUM_LANE_HEIGHT - 2), fill=fill)
            return
        edge = mix(fill, INK, 0.28)
        for row, left, right in self._spans(note.onset_s, note.end_s):
            top = layout.y(note.pitch, row) + inset
            bottom = layout.y(note.pitch, row) + layout.pitch_height - 2 - inset
            # one pixel of air to the next note of the same pitch, where there is room for it
            box = (left, top, max(left + 1, right - 1), bottom)
            self._pen.rectangle(box, fill=fill, outline=edge if min(right - left, bottom - top) >= 5 else None)

    def _pedals(self) -> None:
        layout, end_s = self._layout, self._take.length_s
        for controller in layout.pedals:
            # by channel: several keyboards may each have a pedal
            down: dict[tuple[str, int], float] = {}
            moves = [event for event in self._take.events if event.controller == controller]
            for event in moves:
                key: tuple[str, int] = (event.player, event.channel)
                if event.data[2] >= 64:
                    down.setdefault(key, event.t_s)
                elif key in down:
                    self._pedal(controller, down.pop(key), event.t_s, key[0])
            for key, since_s in down.items():
                self._pedal(controller, since_s, end_s, key[0])

    def _pedal(self, controller: int, start_s: float, end_s: float, player: str) -> None:
        colour = mix(LANE, PERFORMER if player == "performer" else ANTIPHON["piano"], 0.55)
        for row, left, right in self._spans(start_s, end_s):
            top = self._layout.pedal_y(controller, row)
            self._pen.rectangle((left, top, max(left, right - 1), top + at.PEDAL_HEIGHT - 2), fill=colour)

    def _markers(self) -> None:
        """Draw the markers; a label goes to the first lane with room and is left out where none has it."""
        layout = self._layout
        free_from = [[-math.inf] * at.MARKER_LANES for _ in range(layout.rows)]
        for marker in self._take.markers:
            row = layout.row_of(marker.t_s)
            x, top = layout.x(marker.t_s, row), layout.row_top(row)
            lanes = free_from[row]
            lane = next((i for i, free in enumerate(lanes) if free <= x), None)
            line_top = layout.pitches_top(row)
            if lane is not None:
                line_top = top + lane * at.MARKER_LANE_HEIGHT + 2
                width = self._width(marker.text)
                # at the right edge the label stands to the left of its line
                before = x + 4 + width > layout.width - 4
                label_x = x - 4 - width if before else x + 4
                self._text(label_x, line_top - 1, marker.text, MARKER)
                lanes[lane] = x + 12 + (0 if before else width)
            self._dashed(x, line_top, layout.bottom(row))

    def _dashed(self, x: int, top: int, bottom: int) -> None:
        for y in range(top, bottom, 6):
            self._pen.line((x, y, x, min(y + 3, bottom)), fill=MARKER)


def _shared(take: Take) -> Iterator[TakeNote]:
    """Yield the stretches of the performer's notes during which Antiphon sounds the same pitch."""
    own: dict[int, list[tuple[float, float]]] = {}
    for note in take.notes_of("antiphon"):
        own.setdefault(note.pitch, []).append((note.onset_s, note.end_s))
    for note in take.notes_of("performer"):
        for onset, end in own.get(note.pitch, ()):
            start_s, end_s = max(onset, note.onset_s), min(end, note.end_s)
            if start_s < end_s and not is_drum(note):
                yield replace(note, onset_s=start_s, end_s=end_s)
