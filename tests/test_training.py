"""Training learns, resumes where it was, exports with parity, and scores below its baselines' entropy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from antiphon.models.baselines import Markov
from antiphon.models.errors import DataError
from antiphon.models.notes import Column, Piece

from tests.midi_making import midi_bytes, scale

pytestmark = pytest.mark.train

_RECIPE = """
[network]
hidden = 32
features = 6
roll_code = 16
head = 24
dropout = 0.0
[training]
minutes = 0.05
rate = 5e-3
rate_end = 1e-4
warmup_steps = 5
weight_decay = 0.0
clip = 1.0
seed = 1
stages = [{ until = 1.0, batch = 4, notes = 16 }]
[augment]
transpose = 3
free_time = 0.2
stretch = 0.2
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from antiphon.models.training import Recipe, train

    folder = tmp_path_factory.mktemp("music")
    for number in range(8):
        (folder / f"{number}.mid").write_bytes(midi_bytes({"": scale(48 + number, 40)}))
    out = tmp_path_factory.mktemp("run")
    train([folder], out, Recipe.parse(_RECIPE, "test"), "cpu")
    return out


def _log(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_training_learns_and_resumes(trained: Path) -> None:
    from antiphon.models.training import Recipe, Run

    recipe = Recipe.parse(_RECIPE, "test")
    losses = [line["total"] for line in _log(trained)]
    untrained = sum(np.log([6, 97, 128, 16, 97]))
    assert losses[-1] < untrained - 2
    run = Run(trained, recipe, "cpu")
    assert run.resume()
    assert run.progress == 1.0
    assert run.step == _log(trained)[-1]["step"]
    other = Run(trained, replace(recipe, network=replace(recipe.network, hidden=48)), "cpu")
    with pytest.raises(DataError, match="another --out"):
        other.resume()


def test_a_run_becomes_a_model_folder_with_parity(trained: Path, tmp_path: Path) -> None:
    from antiphon.export.onnx_export import TOLERANCE, export_run
    from antiphon.models.corpus import load_pieces
    from antiphon.models.evaluation import evaluate
    from antiphon.models.onnx_generator import OnnxGenerator

    facts = export_run(trained / "checkpoint.pt", tmp_path / "tiny", "tiny", {})
    for graph in facts["export"].values():
        assert max(graph["parity"].values()) < TOLERANCE
    generator = OnnxGenerator.load(str(tmp_path / "tiny"))
    table = evaluate(
        generator, load_pieces(trained / "train.npz"), load_pieces(trained / "train.npz")[:2], 0, 16, 16
    )
    scores = next(iter(table.values()))
    assert set(scores) == {"unigram", "markov3", "tiny"}
    assert all(np.isfinite(score["total"]) for score in scores.values())
    assert scores["markov3"]["total"] < scores["unigram"]["total"]


def test_torch_and_the_shipped_graphs_score_alike(trained: Path, tmp_path: Path) -> None:
    import torch
    from antiphon.export.onnx_export import export_run
    from antiphon.models.corpus import load_pieces
    from antiphon.models.evaluation import generator_nll
    from antiphon.models.excerpts import batch_of
    from antiphon.models.onnx_generator import OnnxGenerator
    from antiphon.models.training import load_network

    network, _ = load_network(trained / "checkpoint.pt")
    export_run(trained / "checkpoint.pt", tmp_path / "tiny", "tiny", {})
    notes = load_pieces(trained / "train.npz")[0].notes[:30]
    batch = batch_of(notes[None], np.array([len(notes)]))
    with torch.no_grad():
        wanted = network(batch.events, batch.durations, batch.rolls)[0].numpy()
    got = generator_nll(OnnxGenerator.load(str(tmp_path / "tiny")), [notes], 64, 64)[0]
    np.testing.assert_allclose(got, wanted, atol=0.08)  # 8-bit weights


def test_a_recipe_with_an_unknown_key_names_it() -> None:
    from antiphon.models.training import Recipe

    with pytest.raises(DataError, match="colour"):
        Recipe.parse(_RECIPE.replace("clip = 1.0", "clip = 1.0\ncolour = 3"), "mine.toml")
    with pytest.raises(DataError, match="no recipe"):
        Recipe.load("nothing")


def test_markov_probabilities_sum_to_one_and_learn_order() -> None:
    table = np.zeros((200, 6), np.int32)
    table[:, Column.ONSET] = np.arange(200) * 6
    table[:, Column.PITCH] = 60 + np.arange(200) % 3
    table[:, Column.DURATION] = 5
    piece = Piece("a", "b", table)
    unigram, chain = Markov((piece,), 0), Markov((piece,), 3)
    assert unigram.nll(table)[:, 2].mean() == pytest.approx(np.log(3), abs=0.1)
    assert chain.nll(table)[10:, 2].mean() < 0.1
    total = np.zeros(128)
    for pitch in range(128):  # the same context, every continuation
        row = table[:4].copy()
        row[3, Column.PITCH] = pitch
        total[pitch] = np.exp(-chain.nll(row)[-1, 2])
    assert total.sum() == pytest.approx(1.0, abs=1e-9)
