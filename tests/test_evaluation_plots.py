"""Pictures of a table of scores: which bars stand in them, and that they are drawn as long as their figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from antiphon.export.bars import PLOT, Bar, BarPanel, draw_bars, span_of
from antiphon.export.evaluation_plots import colours_of, draw_table, music_panels, score_panels
from antiphon.export.roll_colours import Colour
from antiphon.models.baselines import ATTRIBUTES
from antiphon.models.errors import DataError
from antiphon.models.evaluation import MUSIC
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

_BLUE: Colour = (0, 114, 178)
_ORANGE: Colour = (213, 94, 0)
_GREY: Colour = (176, 172, 164)


def _score(total: float) -> dict[str, Any]:
    parts = {name: total * share for name, share in zip(ATTRIBUTES, (0.1, 0.2, 0.4, 0.1, 0.2), strict=True)}
    return {"total": total, "interval": 0.25, "notes": 50, **parts}


def _table() -> dict[str, Any]:
    scores = {"uniform": 16.0, "unigram": 8.0, "kn1": 6.0, "antiphon": 4.0, "lstm": 5.0}
    gains = {"kn1 - antiphon": 2.0, "kn1 - lstm": 1.0}
    told = {name: _score(total) for name, total in (scores | gains).items()}
    figures = {
        "real": {"mean": 0.5, "interval": 0.1}, "other": {"mean": None, "interval": None},
        "antiphon": {"mean": 0.25, "interval": None}, "lstm": {"mean": 0.75, "interval": 0.125},
    }  # fmt: skip
    nothing = {"real": {"mean": None, "interval": None}}
    takes = {"columns": ["real", "other", "antiphon", "lstm"], "rows": {"repetition": figures, "density": nothing}}
    return {"toy": told, "toys / of others": told, MUSIC: takes}


def test_the_bars_are_the_scorers_by_attribute_and_what_models_gain() -> None:
    panels = score_panels("toy", _table()["toy"], colours_of(_table()))
    assert [panel.title for panel in panels] == [
        "toy: nats a note, less is better", *(f"{name}, nats a note" for name in ATTRIBUTES), "gain on kn1, nats a note"
    ]  # fmt: skip
    colours = {"uniform": _GREY, "unigram": _GREY, "kn1": _GREY, "antiphon": _BLUE, "lstm": _ORANGE}
    totals = {"uniform": 16.0, "unigram": 8.0, "kn1": 6.0, "antiphon": 4.0, "lstm": 5.0}
    assert panels[0].bars == [Bar(name, totals[name], 0.25, colour) for name, colour in colours.items()]
    assert [(bar.name, bar.value, bar.interval) for bar in panels[3].bars] == [
        (name, total * 0.4, None) for name, total in totals.items()
    ]
    assert panels[-1].bars == [Bar("antiphon", 2.0, 0.25, _BLUE), Bar("lstm", 1.0, 0.25, _ORANGE)]


def test_takes_stand_beside_real_music_and_what_nothing_tells_is_left_out() -> None:
    (panel,) = music_panels(_table()[MUSIC], colours_of(_table()))
    assert panel.title == "repetition"
    assert [(bar.name, bar.value, bar.interval) for bar in panel.bars] == [
        ("real", 0.5, 0.1), ("antiphon", 0.25, None), ("lstm", 0.75, 0.125)
    ]  # fmt: skip
    assert len({bar.colour for bar in panel.bars}) == 3


def test_a_model_has_one_colour_in_all_pictures_and_one_also_without_counts() -> None:
    table = _table()
    table[MUSIC]["columns"] = ["real", "other", "silent", "antiphon", "lstm"]  # the first has no likelihood
    colours = colours_of(table)
    assert len({colours[name] for name in ("silent", "antiphon", "lstm", "real", "other")}) == 5
    assert {colours[name] for name in ("uniform", "unigram", "kn1", "other")} == {_GREY}
    alone = {"toy": {name: _score(4.0) for name in ("uniform", "unigram", "antiphon")}}
    assert colours_of(alone) == {"uniform": _GREY, "unigram": _GREY, "antiphon": _BLUE}
    assert len(score_panels("toy", alone["toy"], colours_of(alone))) == 1 + len(ATTRIBUTES)


def test_a_table_is_a_picture_a_set_and_one_of_the_takes(tmp_path: Path) -> None:
    folder = tmp_path / "plots"
    names = ["nats-toy.png", "nats-toys %2F of others.png", "music.png"]
    assert draw_table(_table(), folder) == [folder / name for name in names]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"--plots .*file: .*; give another folder"):
        draw_table(_table(), tmp_path / "file")
    del (only := _table())["toy"], only["toys / of others"]
    only[MUSIC]["rows"] = {}
    assert draw_table(only, folder) == []


def _lengths(path: Path, colour: Colour) -> set[int]:
    """Give how many pixels of a colour stand in the rows of a picture that hold any."""
    with Image.open(path) as file:
        image = file.convert("RGB")
    rows = ([image.getpixel((x, y)) for x in range(image.width)] for y in range(image.height))
    return {count for row in rows if (count := row.count(colour))}


def test_bars_are_as_long_as_their_figures(tmp_path: Path) -> None:
    bars = [Bar("one", 1.0, None, _BLUE), Bar("three" * 20, -3.0, None, _ORANGE)]
    path = draw_bars([BarPanel("two bars", bars)], tmp_path / "bars.png")
    low, high, _ = span_of(bars)
    assert low <= -3.0
    assert high >= 1.0
    (one,), (three,) = _lengths(path, _BLUE), _lengths(path, _ORANGE)
    assert one == pytest.approx(PLOT / (high - low), abs=2)
    assert three == pytest.approx(3 * PLOT / (high - low), abs=2)
    with pytest.raises(DataError, match="nothing to draw"):
        draw_bars([], path)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.none() | st.floats(0, 1e6)), min_size=1, max_size=12))
def test_an_axis_holds_nothing_and_every_bar_with_its_interval(figures: list[tuple[float, float | None]]) -> None:
    low, high, step = span_of([Bar("", value, half, _BLUE) for value, half in figures])
    slack = step * 1e-6
    assert low <= slack
    assert high >= -slack
    for value, half in figures:
        assert low - slack <= value - (half or 0.0)
        assert value + (half or 0.0) <= high + slack
    assert 1 <= round((high - low) / step) <= 8
