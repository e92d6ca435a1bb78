from __future__ import annotations

import math
from pathlib import Path

import pytest
from antiphon.export.roll_colours import ANTIPHON, BAR_LINE, MARKER, PERFORMER, Colour, shade
from antiphon.export.roll_layout import RollLayout
from antiphon.export.take_render import render_take
from antiphon.export.take_roll import draw_roll
from antiphon.models.bundled import bundled_performance
from antiphon.models.errors import MidiFileError
from antiphon.models.take import Marker, Take, TakeEvent, TakeNote, in_order
from antiphon.models.tempo_map import TempoChange, TempoMap
from PIL import Image

NOTES = [
    TakeNote(2.0, 4.0, 60, 127),
    TakeNote(3.0, 4.0, 64, 40),
    TakeNote(6.0, 8.0, 67, 127, 4, "piano", "antiphon"),
    TakeNote(6.0, 8.0, 40, 127, 2, "bass", "antiphon"),
    TakeNote(7.0, 7.1, 38, 127, 9, "drums", "antiphon"),
]
TAKE = Take(
    in_order(NOTES),
    (TakeEvent(2.5, bytes((0xB0, 64, 127))), TakeEvent(5.0, bytes((0xB0, 64, 0)))),
    (Marker(5.5, "answer"),),
    TempoMap((TempoChange(0.0, 120.0),), 4, clocked=True),
)


class Picture:
    """A drawn roll, asked by time and pitch."""

    def __init__(self, take: Take, folder: Path) -> None:
        self.layout = RollLayout.of(take)
        self.image = Image.open(draw_roll(take, folder / "roll.png", "a title")).convert("RGB")

    def note(self, t_s: float, pitch: int) -> Colour:
        row = self.layout.row_of(t_s)
        return self.at(self.layout.x(t_s, row), self.layout.y(pitch, row) + self.layout.pitch_height // 2)

    def at(self, x: int, y: int) -> Colour:
        red, green, blue = self.image.getpixel((x, y))  # type: ignore[misc]  # an RGB picture's pixel
        return red, green, blue


def far(one: Colour, other: Colour) -> float:
    return math.dist(one, other)


def test_both_players_stand_where_they_played_in_their_own_colours(tmp_path: Path) -> None:
    picture = Picture(TAKE, tmp_path)
    assert picture.note(3.1, 60) == PERFORMER
    assert picture.note(3.6, 64) == shade(PERFORMER, 40)
    assert picture.note(7.1, 67) == ANTIPHON["piano"]
    assert picture.note(7.1, 40) == ANTIPHON["bass"]
    for t_s, pitch in ((1.6, 60), (4.3, 60), (5.7, 67), (8.0, 67), (3.1, 61), (7.1, 66)):
        assert picture.note(t_s, pitch) not in (PERFORMER, *ANTIPHON.values())
    colours = [PERFORMER, *ANTIPHON.values()]
    assert all(far(PERFORMER, colour) > 150 for colour in colours[1:])


def test_softer_is_paler() -> None:
    whites = [min(shade(PERFORMER, velocity)) for velocity in (1, 40, 80, 127)]
    assert whites == sorted(whites, reverse=True)
    assert shade(PERFORMER, 127) == PERFORMER


def test_drums_pedal_markers_and_bars_have_their_places(tmp_path: Path) -> None:
    picture = Picture(TAKE, tmp_path)
    layout = picture.layout
    assert layout.drums == (38,)
    assert picture.at(layout.x(7.0, 0) + 2, layout.drum_y(38, 0) + 4) == ANTIPHON["drums"]
    pedal_y = layout.pedal_y(64, 0) + 3
    held, free = picture.at(layout.x(3.1, 0), pedal_y), picture.at(layout.x(5.1, 0), pedal_y)
    assert held[2] - held[0] > 60  # bluish
    assert abs(free[2] - free[0]) < 20
    column = [picture.at(layout.x(5.5, 0), y) for y in range(layout.row_top(0), layout.bottom(0))]
    assert column.count(MARKER) > 50
    bar = [picture.at(layout.x(4.0, 0), y) for y in range(layout.pitches_top(0), layout.bottom(0))]
    assert bar.count(BAR_LINE) > 50


def test_where_both_hold_one_pitch_both_are_seen(tmp_path: Path) -> None:
    take = Take((TakeNote(1, 3, 60, 127), TakeNote(1, 3, 60, 127, 4, "piano", "antiphon")))
    picture = Picture(take, tmp_path)
    top, x = picture.layout.y(60, 0), picture.layout.x(2.0, 0)
    column = [picture.at(x, top + i) for i in range(picture.layout.pitch_height)]
    assert PERFORMER in column
    assert ANTIPHON["piano"] in column


@pytest.mark.parametrize(("length_s", "rows"), [(1, 1), (34, 1), (40, 1), (41, 2), (200, 5), (3600, 12), (40_000, 12)])
def test_every_length_is_a_picture_one_can_open(length_s: float, rows: int) -> None:
    layout = RollLayout.of(Take((TakeNote(0, length_s, 21, 80), TakeNote(0, 1, 108, 80))))
    assert layout.rows == rows
    assert layout.rows * layout.row_s >= length_s
    assert layout.width < 3000
    assert layout.height < 12_000
    if length_s <= 400:
        assert layout.px_per_s == 60


def test_a_note_that_runs_over_the_end_of_a_row_goes_on_in_the_next(tmp_path: Path) -> None:
    take = Take((TakeNote(38.0, 46.0, 60, 127), TakeNote(59.0, 60.0, 62, 127)))
    picture = Picture(take, tmp_path)
    assert picture.layout.rows == 2
    assert picture.layout.row_s == 30
    take = Take((TakeNote(28.0, 32.0, 60, 127), TakeNote(59.0, 60.0, 62, 127)))
    picture = Picture(take, tmp_path)
    assert picture.note(29.5, 60) == PERFORMER
    assert picture.note(30.5, 60) == PERFORMER
    assert picture.note(32.5, 60) != PERFORMER


def test_an_empty_take_is_an_empty_roll(tmp_path: Path) -> None:
    assert Picture(Take(), tmp_path).image.size[0] > 800


def test_rendering_a_folder_or_a_file_leaves_both_beside_or_elsewhere(tmp_path: Path) -> None:
    session = tmp_path / "2026-11-22T12-13-21"
    session.mkdir()
    (session / "take.mid").write_bytes(bundled_performance().read_bytes())
    assert render_take(session) == [session / "take.wav", session / "take.png"]
    other = tmp_path / "a" / "b"
    made = render_take(session / "take.mid", other)
    assert made == [other / "take.wav", other / "take.png"]
    assert all(path.stat().st_size > 10_000 for path in made)


def test_rendering_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match=r"holds no take\.mid"):
        render_take(tmp_path)
    with pytest.raises(MidiFileError, match="cannot read"):
        render_take(tmp_path / "no.mid")
    (tmp_path / "file").write_text("")
    (tmp_path / "x.mid").write_bytes(bundled_performance().read_bytes())
    with pytest.raises(MidiFileError, match="cannot make"):
        render_take(tmp_path / "x.mid", tmp_path / "file")
