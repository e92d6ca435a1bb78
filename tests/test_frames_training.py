"""Training learns what only a joint distribution can tell, resumes as if it had not stopped, and is scored as told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from antiphon.models.errors import DataError
from antiphon.models.frames.recipe import RECIPES, Recipe
from antiphon.models.frames.sets import BENCHMARKS, Frames

from tests.frame_making import pieces

pytestmark = pytest.mark.train

_SIZES = {"keys": 4, "recent": 1, "width": 3, "features": 8, "tied": 8, "whole": 8, "near": 3, "channels": 12}
_RECIPE = Recipe(
    network={**_SIZES, "dropout": 0.1}, excerpt=12, batch=96, rate=1e-2, warm=5, average=0.5, transpose=0, minutes=1.0,
    patience=1000,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _epochs(run: Any, learnt: list[Frames], valid: list[Frames], epochs: int) -> None:
    """Train for so many epochs, the minutes left aside."""
    from antiphon.models.frames.training import epoch_of

    while run.epoch < epochs:
        for batch in epoch_of(run.recipe, learnt, run.epoch)[run.batch :]:
            run.learn(batch)
            run.batch += 1
        run.end_epoch(valid)


def test_it_learns_which_notes_sound_together(tmp_path: Path) -> None:
    """Two chords by chance: log 2 nats a frame jointly, and four times that from keys told one by one."""
    from antiphon.models.frames.scoring import mean_of_frames, note_unigram, scored_pieces
    from antiphon.models.frames.training import Run

    learnt, held_out = pieces(12, 24, 1, keys=4), pieces(4, 24, 2, keys=4)
    run = Run(tmp_path, _RECIPE)
    _epochs(run, learnt, held_out, 18)
    assert mean_of_frames(note_unigram(learnt, held_out)) == pytest.approx(-4 * np.log(2), abs=0.05)
    assert -np.log(2) - 0.15 < run.best < -np.log(2) + 0.05
    assert mean_of_frames(scored_pieces(run.best_of_it(), held_out)) == pytest.approx(run.best, abs=1e-5)
    assert run.best == pytest.approx(max(line["valid"] for line in run.log), abs=1e-4)


@pytest.mark.parametrize("killed_after", [1, 5])
def test_a_killed_run_goes_on_as_if_it_had_not_stopped(killed_after: int, tmp_path: Path) -> None:
    import torch
    from antiphon.models.frames.training import Run, epoch_of

    learnt, held_out = pieces(9, 20, 1, keys=4), pieces(2, 20, 2, keys=4)
    whole = Run(tmp_path / "whole", _RECIPE)
    _epochs(whole, learnt, held_out, 3)

    killed = Run(tmp_path / "killed", _RECIPE)
    for _ in range(killed_after):
        todo = epoch_of(_RECIPE, learnt, killed.epoch)
        killed.learn(todo[killed.batch])
        killed.batch += 1
        if killed.batch == len(todo):
            killed.end_epoch(held_out)
    killed.save()
    killed.learn(epoch_of(_RECIPE, learnt, 7)[0])  # never saved
    torch.rand(5)

    resumed = Run(tmp_path / "killed", _RECIPE)
    assert resumed.resume()
    assert resumed.step == killed_after
    _epochs(resumed, learnt, held_out, 3)
    assert [line["valid"] for line in resumed.log] == [line["valid"] for line in whole.log]
    for name, weights in whole.best_network.items():
        torch.testing.assert_close(resumed.best_network[name], weights, rtol=0.0, atol=0.0)


def test_training_ends_when_its_minutes_do_or_nothing_gets_better(tmp_path: Path) -> None:
    from antiphon.models.frames.training import CHECKPOINT, Run, train

    told: list[str] = []
    music = pieces(3, 12, keys=4)
    run = train(Run(tmp_path, replace(_RECIPE, minutes=0.002)), music, music, told.append)
    assert run.why_over == "0.002 minutes are over"
    assert run.trained_s >= 0.12
    assert len(told) == run.epoch == len(run.log)
    assert (tmp_path / CHECKPOINT).is_file()
    again = Run(tmp_path, replace(_RECIPE, minutes=0.002))
    assert again.resume()
    steps = again.step
    assert train(again, music, music).step == steps > 0
    run.recipe, run.best_epoch = replace(_RECIPE, patience=3), run.epoch - 3
    assert run.why_over == f"no better validation since epoch {run.best_epoch}"


def test_most_excerpts_are_in_another_key_each_epoch() -> None:
    from antiphon.models.frames.training import epoch_of

    music = [np.roll(piece, 40, 1) for piece in pieces(20, 8)]
    recipe = replace(_RECIPE, transpose=5, in_place=0.0, excerpt=64, batch=64)
    lowest = {int(batch.frames[0].any(0).argmax()) for epoch in range(3) for batch in epoch_of(recipe, music, epoch)}
    assert lowest <= set(range(35, 47))
    assert len(lowest) > 6
    kept = replace(recipe, in_place=1.0)
    assert {int(batch.frames[0].any(0).argmax()) for batch in epoch_of(kept, music, 0)} <= {40, 41}


def test_what_cannot_be_resumed_is_told(tmp_path: Path) -> None:
    from antiphon.models.frames.training import CHECKPOINT, Run

    assert not Run(tmp_path, _RECIPE).resume()
    Run(tmp_path, _RECIPE).save()
    assert Run(tmp_path, replace(_RECIPE, minutes=5.0, patience=2)).resume()
    with pytest.raises(DataError, match=r"was begun with rate = 0\.01, now it is 0\.02; take another --out"):
        Run(tmp_path, replace(_RECIPE, rate=2e-2)).resume()
    with pytest.raises(DataError, match=r"was begun with network = .*'tied': 8.*now it is .*'tied': 9"):
        Run(tmp_path, replace(_RECIPE, network={**_RECIPE.network, "tied": 9})).resume()
    (tmp_path / CHECKPOINT).write_bytes((tmp_path / CHECKPOINT).read_bytes()[:999])
    with pytest.raises(DataError, match="is not a readable checkpoint"):
        Run(tmp_path, _RECIPE).resume()


def test_the_measure_is_the_mean_over_frames_not_over_pieces() -> None:
    from antiphon.models.frames.scoring import interval, mean_of_frames

    scored = [np.full(30, -1.0), np.full(10, -5.0)]
    assert mean_of_frames(scored) == pytest.approx(-2.0)
    assert interval([np.full(30, -2.0), np.full(10, -2.0)]) == pytest.approx(0.0)
    assert np.isnan(interval(scored[:1]))
    rng = np.random.default_rng(0)  # of 400 pieces of equal lengths: the usual interval of a mean
    means = rng.normal(-3.0, 1.0, 400)
    assert interval([np.full(7, mean) for mean in means]) == pytest.approx(1.96 * means.std(ddof=1) / 20, rel=1e-3)


def test_a_recipe_out_of_range_is_told() -> None:
    assert set(RECIPES) == set(BENCHMARKS)
    for change, told in (
        ({"rate": 0.0}, "recipe: rate must be 1e-08 to 1, got 0.0"),
        ({"batch": 1.5}, "recipe: batch must be a whole number, got 1.5"),
        ({"seed": True}, "recipe: seed must be a whole number, got True"),
        ({"minutes": -1}, "recipe: minutes must be 0.0001 to 100000, got -1"),
    ):
        with pytest.raises(DataError, match=told):
            Recipe(**change)
