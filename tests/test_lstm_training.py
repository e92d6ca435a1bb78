"""Training learns, stops early, and resumes to the same weights as if it had never stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from antiphon.models.errors import DataError
from antiphon.models.lstm.elements import Spelling
from antiphon.models.lstm.recipe import Recipe
from antiphon.models.lstm.vocabulary import Vocabulary

pytestmark = pytest.mark.train

_RECIPE = Recipe(
    network={"hidden": 24, "layers": 2, "dense": 16, "embedding": 8, "dropout": 0.1},
    window=12, batch=4, rate=1e-2, epochs=4, fewest=1,
)  # fmt: skip
#: Every element is told by the two before it, not by the one.
_CYCLE = [60, 62, 60, 64, 60, 65] * 12
_VOCABULARY = Vocabulary.build([[(pitch,) for pitch in _CYCLE]], Spelling.PITCHES)
_PIECES = [_VOCABULARY.encode((pitch,) for pitch in _CYCLE[start:]) for start in range(4)]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)  # for networks this small a second thread only waits


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("targets", ["every", "last"])
def test_it_learns_what_one_element_does_not_tell(cell: str, targets: str, tmp_path: Path) -> None:
    from antiphon.models.lstm.training import Run, load_network, score, train
    from antiphon.models.lstm.windows import batches, cut_every

    epochs = 30 if targets == "every" else 3
    recipe = replace(_RECIPE, network={**_RECIPE.network, "cell": cell}, targets=targets, epochs=epochs)
    run = train(Run(tmp_path, recipe, _VOCABULARY), _PIECES, _PIECES[:1])
    assert run.best < 0.25  # one element alone leaves (log 3) / 2 = 0.55
    assert run.best < run.log[0]["valid"]
    assert [line["epoch"] for line in run.log] == list(range(1, run.epoch + 1))
    assert all(a["trained_s"] < b["trained_s"] for a, b in zip(run.log, run.log[1:], strict=False))
    network, vocabulary, facts = load_network(tmp_path / "checkpoint.pt")
    assert vocabulary == _VOCABULARY
    assert facts["best_epoch"] == run.best_epoch
    kept, accuracy = score(network, batches(cut_every(_PIECES[:1], 12, None), 4, None))
    if targets == "every":
        assert kept == pytest.approx(run.best, abs=1e-4)
        assert accuracy > 0.85


@pytest.mark.parametrize("killed_after", [3, 9])
def test_a_killed_run_goes_on_as_if_it_had_not_stopped(killed_after: int, tmp_path: Path) -> None:
    import torch
    from antiphon.models.lstm.training import Run, train

    whole = train(Run(tmp_path / "whole", _RECIPE, _VOCABULARY), _PIECES, _PIECES[:1])

    class KilledError(Exception):
        pass

    class Mortal(Run):
        left = killed_after

        def learn(self, batch: object) -> None:
            if not self.left:
                self.save()  # as a minute's saving would
                raise KilledError
            self.left -= 1
            super().learn(batch)  # type: ignore[arg-type]

    with pytest.raises(KilledError):
        train(Mortal(tmp_path / "cut", _RECIPE, _VOCABULARY), _PIECES, _PIECES[:1])
    torch.manual_seed(99)
    run = Run(tmp_path / "cut", _RECIPE, _VOCABULARY)
    assert run.resume()
    assert (run.epoch, run.batch) != (0, 0)
    train(run, _PIECES, _PIECES[:1])
    assert [line["valid"] for line in run.log] == [line["valid"] for line in whole.log]
    assert [line["train"] for line in run.log] == [line["train"] for line in whole.log]
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, run.network.state_dict()[name]), name


def test_it_stops_when_it_gets_no_better_and_keeps_the_best(tmp_path: Path) -> None:
    from antiphon.models.lstm.training import Run, train

    rng = np.random.default_rng(0)
    held_out = [rng.integers(1, len(_VOCABULARY), 60)]  # noise: to learn the cycle makes it worse
    run = train(Run(tmp_path, replace(_RECIPE, epochs=200, patience=3), _VOCABULARY), _PIECES, held_out)
    assert run.epoch == run.best_epoch + 3
    assert run.best == min(line["valid"] for line in run.log) or run.best == pytest.approx(
        min(line["valid"] for line in run.log), abs=1e-4
    )
    assert run.why_over == f"no better validation since epoch {run.best_epoch}"


def test_it_stops_after_its_minutes_and_goes_on_with_more(tmp_path: Path) -> None:
    from antiphon.models.lstm.training import Run, train

    run = train(Run(tmp_path, replace(_RECIPE, minutes=1e-6), _VOCABULARY), _PIECES, _PIECES[:1])
    assert (run.epoch, run.why_over) == (1, "1e-06 minutes are over")
    more = Run(tmp_path, replace(_RECIPE, minutes=10.0, epochs=2), _VOCABULARY)
    assert more.resume()
    assert train(more, _PIECES, _PIECES[:1]).epoch == 2


def test_what_cannot_be_resumed_is_told(tmp_path: Path) -> None:
    from antiphon.models.lstm.training import CHECKPOINT, Run, load_network

    Run(tmp_path, _RECIPE, _VOCABULARY).save()
    other = replace(_RECIPE, network={**_RECIPE.network, "hidden": 25})
    with pytest.raises(DataError, match="holds a network of"):
        Run(tmp_path, other, _VOCABULARY).resume()
    with pytest.raises(DataError, match="begun with window = 12, the recipe has 13"):
        Run(tmp_path, replace(_RECIPE, window=13), _VOCABULARY).resume()
    with pytest.raises(DataError, match="other music"):
        Run(tmp_path, _RECIPE, Vocabulary.build([[(1,), (2,)]], Spelling.PITCHES)).resume()
    (tmp_path / CHECKPOINT).write_bytes(b"no checkpoint")
    with pytest.raises(DataError, match="not a readable checkpoint"):
        Run(tmp_path, _RECIPE, _VOCABULARY).resume()
    with pytest.raises(DataError, match="not a readable checkpoint"):
        load_network(tmp_path / CHECKPOINT)
    with pytest.raises(DataError, match="does not exist"):
        load_network(tmp_path / "none.pt")


@pytest.mark.parametrize(
    ("network", "told"),
    [({"cell": "rnn"}, "cell: must be one of lstm, gru, got 'rnn'"), ({"hidden": 0}, "hidden: must be a whole number"),
     ({"layers": 2.5}, "got 2.5"), ({"dropout": 1.0}, "dropout: must be at least 0 and below 1"),
     ({"backbone": 1}, "its keys: cell, hidden")],
)  # fmt: skip
def test_a_network_that_there_is_not_is_told(network: dict[str, object], told: str, tmp_path: Path) -> None:
    from antiphon.models.lstm.training import Run

    with pytest.raises(DataError, match=told):
        Run(tmp_path, replace(_RECIPE, network=network), _VOCABULARY)


def test_too_little_music_is_told(tmp_path: Path) -> None:
    from antiphon.models.lstm.training import Run, train

    short = [np.array([1])]
    with pytest.raises(DataError, match="no piece to learn from has 2 elements"):
        train(Run(tmp_path, _RECIPE, _VOCABULARY), short, _PIECES)
    with pytest.raises(DataError, match="no piece to validate on has 13 elements"):
        train(Run(tmp_path, replace(_RECIPE, targets="last"), _VOCABULARY), _PIECES, [np.arange(12) % 4])
