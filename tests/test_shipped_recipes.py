"""The recipes that ship: their first lines are commands that are understood, and the large one builds and learns."""

from __future__ import annotations

import argparse
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from antiphon.daemon import cli

pytestmark = pytest.mark.train

_FOLDER = resources.files("antiphon.models") / "recipes"
_NAMES = sorted(entry.name.removesuffix(".toml") for entry in _FOLDER.iterdir() if entry.name.endswith(".toml"))


class _UnderstoodError(Exception):
    """What was typed is understood; nothing of it is done."""


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def _understood(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give what a command's own parser makes of its arguments, without running it. SystemExit: it refuses them."""
    whole = argparse.ArgumentParser.parse_args
    found: dict[str, Any] = {}

    def parse(parser: argparse.ArgumentParser, *given: Any) -> argparse.Namespace:
        args: argparse.Namespace = whole(parser, *given)
        if hasattr(args, "out"):
            found.update(vars(args))
            raise _UnderstoodError
        return args

    with monkeypatch.context() as patched:
        patched.setattr(argparse.ArgumentParser, "parse_args", parse)
        with pytest.raises(_UnderstoodError):
            cli.main(argv)
    return found


@pytest.mark.parametrize("name", _NAMES)
def test_the_first_line_of_a_recipe_is_a_command_that_is_understood(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = re.search(r": antiphon (\S.*)$", _text(name).splitlines()[0])
    assert told is not None
    words = told[1].replace("DATA...", "one two").split()
    found = _understood(words, monkeypatch)
    assert str(found["out"]) in ("RUN", "DIR")
    assert found["recipe"] == name
    if "data" in found:
        assert found["data"] == [Path("one"), Path("two")]


def test_a_flag_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        _understood(["train", "--data", "one", "--out", "RUN"], monkeypatch)


def test_the_large_recipe_is_the_small_one_with_more_weights() -> None:
    from antiphon.models.recipe import Recipe

    small, large = Recipe.load("small"), Recipe.load("large")
    assert small == Recipe.load("antiphon")
    assert large.network.blocks == small.network.blocks
    told, wanted = (tomllib.loads(_text(name)) for name in ("large", "antiphon"))
    assert {**told, "network": None, "training": None} == {**wanted, "network": None, "training": None}


def test_the_large_recipe_builds_and_learns(tmp_path: Path) -> None:
    from antiphon.models.excerpts import batch_of
    from antiphon.models.notes import COLUMNS
    from antiphon.models.recipe import Recipe
    from antiphon.models.training_run import Run

    run = Run(tmp_path, Recipe.load("large"), "cpu")
    weights = sum(parameter.numel() for parameter in run.network.parameters())
    assert 25_000_000 <= weights <= 30_000_000
    notes = np.zeros((1, 5, COLUMNS), np.int32)
    notes[0, :, 0], notes[0, :, 1], notes[0, :, 2], notes[0, :, 3] = range(0, 60, 12), 12, (60, 64, 67, 72, 60), 80
    batch = batch_of(notes, np.array([5]))
    before = {name: weight.detach().clone() for name, weight in run.network.backbone.named_parameters()}
    assert np.isfinite(float(run.learn(batch).sum()))
    assert all(not weight.equal(before[name]) for name, weight in run.network.backbone.named_parameters())
