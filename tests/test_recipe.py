"""A recipe is refused with the key, what is allowed and what was given; every one that ships is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
from antiphon.models.errors import DataError

from tests.training_making import RECIPE, changed

pytestmark = pytest.mark.train


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("clip = 1.0", "clip = 1.0\ncolour = 3", r"\[training\].*'colour'.*allowed.*clip"),
        ("clip = 1.0", "clip = 0", r"clip.*1e-06 to 1e\+06.*got 0"),
        ("clip = 1.0", "clip = nan", r"clip.*got nan"),
        ("clip = 1.0", "", "lacks clip"),
        ("seed = 1", "seed = 1.5", r"seed.*whole number.*got 1\.5"),
        ("seed = 1", "seed = true", "seed.*number.*got True"),
        ("seed = 1", "seed = 1\npatience = -1", "patience.*0 to.*got -1"),
        ("rate = 5e-3", 'rate = "fast"', "rate.*number.*got 'fast'"),
        ("hidden = 16", "hidden = 0", r"\[network\] hidden.*1 to.*got 0"),
        ("hidden = 16", "hidden = 16.5", r"\[network\] hidden.*whole.*got 16\.5"),
        ("hidden = 16", 'backbone = "gru"', r"\[network\].*'backbone'.*allowed are.*blocks"),
        ('blocks = ["linear", "recall"]', 'blocks = ["transformer"]', r"\[network\].*blocks.*gru.*transformer"),
        ('blocks = ["linear", "recall"]', 'blocks = "gru"', r"\[network\] blocks.*list of names.*got 'gru'"),
        ("[augment]", "[scale]\ncolour = 1.0\n[augment]", r"\[scale\].*'colour'.*allowed.*pitch"),
        ("[augment]", '[styles]\nset = "polka"\n[augment]', r"\[styles\] set.*must be one of.*got 'polka'"),
        ("dropout = 0.1", "dropout = 1.5", "dropout.*0 to 1.*got 1.5"),
        ("transpose = 3", "transpose = 99", "transpose.*0 to 24.*got 99"),
        ("transpose = 3", "tilt = 1", r"\[augment\].*'tilt'"),
        ("until = 1.0", "until = 2.0", "until.*to 1.*got 2.0"),
        ("batch = 2,", "", "stages.*each must have.*batch"),
        ("notes = 12", "notes = 12, bars = 3", "stages.*'bars'"),
        ("stages = [{ until = 1.0, batch = 2, notes = 12 }]", "stages = []", "at least one"),
        ("stages = [{ until = 1.0, batch = 2, notes = 12 }]", "stages = 3", "list.*got 3"),
        ("[augment]", "[sequences]", "tables.*'sequences'"),
        ("[augment]", "[weights]\nset = -1.0\n[augment]", r"\[weights\] set.*got -1\.0"),
        ("[augment]", "[augment", "not TOML"),
    ],
)
def test_a_bad_recipe_is_told_by_its_key(old: str, new: str, told: str) -> None:
    from antiphon.models.recipe import Recipe

    with pytest.raises(DataError, match=rf"(?s)recipe mine\.toml: .*{told}"):
        Recipe.parse(changed(old, new), "mine.toml")


def test_stages_must_rise() -> None:
    from antiphon.models.recipe import Recipe

    stages = "stages = [{ until = 1.0, batch = 2, notes = 8 }, { until = 0.5, batch = 2, notes = 12 }]"
    with pytest.raises(DataError, match="must rise"):
        Recipe.parse(changed("stages = [{ until = 1.0, batch = 2, notes = 12 }]", stages), "mine.toml")


def test_every_shipped_recipe_loads_and_a_file_is_read(tmp_path: Path) -> None:
    from antiphon.models.recipe import Recipe, shipped_recipes

    assert "antiphon" in shipped_recipes()
    for name in shipped_recipes():
        assert Recipe.load(name).stages
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE)
    assert Recipe.load(str(path)) == Recipe.parse(RECIPE, "mine")


def test_a_recipe_that_is_not_there_names_those_that_ship(tmp_path: Path) -> None:
    from antiphon.models.recipe import Recipe

    for name in ("nothing", str(tmp_path / "nothing.toml")):
        with pytest.raises(DataError, match=r"nothing.*antiphon"):
            Recipe.load(name)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not readable"):
        Recipe.load(str(tmp_path / "bytes.toml"))
