"""Training learns, resumes where it was, exports with parity, and scores below its baselines' entropy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from antiphon.models.errors import DataError
from antiphon.models.generator import Draw
from antiphon.models.notes import COLUMNS, Column

from tests.midi_making import midi_bytes, scale
from tests.training_making import exported_run

pytestmark = pytest.mark.train

_RECIPE = """
[network]
hidden = 32
features = 6
roll_code = 16
head = 24
dropout = 0.0
[training]
minutes = 60
steps = 60
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
    import torch
    from antiphon.models.training import Recipe, train

    torch.set_num_threads(1)  # for networks this small a second thread only waits
    folder = tmp_path_factory.mktemp("music")
    for number in range(8):
        (folder / f"{number}.mid").write_bytes(midi_bytes({"": scale(48 + number, 40)}))
    out = tmp_path_factory.mktemp("run")
    train([folder], out, Recipe.parse(_RECIPE, "test"), "cpu")
    return out


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported_run(tmp_path_factory)


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


def test_a_run_becomes_a_model_folder_with_parity(exported: Path) -> None:
    from antiphon.export.onnx_export import TOLERANCE
    from antiphon.models.corpus import load_pieces
    from antiphon.models.evaluation import evaluate
    from antiphon.models.onnx_generator import OnnxGenerator

    facts = json.loads((exported / "tiny" / "model.json").read_text())
    for graph in facts["export"].values():
        assert max(graph["parity"].values()) < TOLERANCE
    generator = OnnxGenerator.load(str(exported / "tiny"))
    pieces = load_pieces(exported / "run" / "train.npz")
    table = evaluate(generator, pieces, pieces[:2], 0, 16, 16)
    scores = next(iter(table.values()))
    assert {"uniform", "unigram", "kn1", "kn5", "tiny"} < set(scores)
    assert all(np.isfinite(score["total"]) for score in scores.values())
    assert scores["kn3"]["total"] < scores["unigram"]["total"]


def test_a_model_is_exported_again_from_its_own_weights(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a model of an older format needs: no training run, and all that was told of it stays told."""
    import torch
    from antiphon.export import model_folder
    from antiphon.models.training import load_network

    given: list[Any] = []
    monkeypatch.setattr(model_folder, "write_model", lambda *whole: given.append(whole))
    old = tmp_path / "old"
    shutil.copytree(exported / "tiny", old)
    facts = json.loads((old / "model.json").read_text())
    (old / "model.json").write_text(json.dumps({**facts, "format": 1}))
    model_folder.export_again(old, tmp_path / "new", None, {"trained_on": "a desk"})
    ((network, out, name, kept, precision, _),) = given
    assert (out, name, precision) == (tmp_path / "new", "tiny", "int8")
    assert kept["scores"] == facts["scores"]
    assert kept["trained"] == facts["trained"]
    assert kept["trained_on"] == "a desk"
    assert not {"format", "files", "export"} & kept.keys()
    wanted, _ = load_network(exported / "run" / "checkpoint.pt")
    for one, other in zip(network.state_dict().values(), wanted.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)  # they were kept in 16 bits


def test_a_learnt_models_card_is_kept_when_it_is_exported_again(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells of its owner's music: no export knows that."""
    from antiphon.export import model_folder

    def written(network: Any, out: Path, name: str, facts: dict[str, Any], *_: Any) -> dict[str, Any]:
        out.mkdir()
        return {**facts, "export": {}}

    monkeypatch.setattr(model_folder, "write_model", written)
    old = tmp_path / "old"
    shutil.copytree(exported / "tiny", old)
    facts = json.loads((old / "model.json").read_text())
    (old / "model.json").write_text(json.dumps({**facts, "learnt": {"pieces": 2}}))
    (old / "CARD.md").write_text("# mine\n")
    assert model_folder.main([str(old), "--out", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "CARD.md").read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda old: (old / "model.json").write_text("{"), "is not readable"),
        (lambda old: (old / "weights.pt").unlink(), "has no weights.pt"),
        (lambda old: (old / "weights.pt").write_bytes(b"cut"), "truncated or changed"),
        (lambda old: (old / "model.json").write_text('{"kind": "lstm"}'), "of kind 'lstm'"),
    ],
)
def test_a_model_that_cannot_be_exported_again_is_told(
    exported: Path, tmp_path: Path, spoil: Callable[[Path], object], told: str
) -> None:
    from antiphon.export.model_folder import export_again
    from antiphon.models.errors import ModelError

    shutil.copytree(exported / "tiny", tmp_path / "old")
    spoil(tmp_path / "old")
    with pytest.raises(ModelError, match=told):
        export_again(tmp_path / "old", tmp_path / "new", None, {})


def test_the_precision_of_training_is_the_network_that_is_exported() -> None:
    """What is learnt in bfloat16 must be what full precision computes: each layer's code, and the loss."""
    import torch
    from antiphon.models.excerpts import batch_of
    from antiphon.models.network import AntiphonNetwork, NetworkConfig

    torch.manual_seed(0)
    network = AntiphonNetwork(NetworkConfig()).eval()
    rng = np.random.default_rng(0)
    table = np.zeros((2, 32, COLUMNS), np.int32)
    table[..., Column.ONSET] = np.cumsum(rng.integers(0, 12, (2, 32)), axis=1)
    table[..., Column.DURATION], table[..., Column.VELOCITY] = 12, 80
    table[..., Column.PITCH] = rng.integers(40, 90, (2, 32))
    batch = batch_of(table, np.full(2, 32))
    events, rolls = batch.events.flatten(0, 1), batch.rolls.flatten(0, 1)
    with torch.no_grad():
        code, features = network.encoder(events, rolls)
        pooled = network.encoder.pool(features)
        np.testing.assert_allclose(network.encoder.pooled(features).numpy(), pooled.numpy(), atol=1e-5)
        loss = network(batch)
        with torch.autocast("cpu", torch.bfloat16):
            code_16, _ = network.encoder(events, rolls)
            loss_16 = network(batch)
    assert float((code - code_16.float()).abs().mean() / code.abs().mean()) < 0.02
    assert float((loss - loss_16).abs().mean() / loss.mean()) < 0.02


def test_torch_and_the_exported_graphs_score_alike(exported: Path) -> None:
    import torch
    from antiphon.models.corpus import load_pieces
    from antiphon.models.excerpts import batch_of
    from antiphon.models.onnx_generator import OnnxGenerator
    from antiphon.models.scoring import losses_of
    from antiphon.models.training import load_network

    network, _ = load_network(exported / "run" / "checkpoint.pt")
    notes = load_pieces(exported / "run" / "train.npz")[0].notes[:30]
    batch = batch_of(notes[None], np.array([len(notes)]))
    with torch.no_grad():
        wanted = network(batch)[0, :, :5].numpy()
    got = (losses_of(OnnxGenerator.load(str(exported / "tiny")), [notes], 64, 64) or [])[0]
    np.testing.assert_allclose(got, wanted, atol=0.08)  # 8-bit weights


def test_a_reply_is_a_step_and_a_draw(exported: Path) -> None:
    from antiphon.models.generator import UNIFORMS, Constraints, HeldNote
    from antiphon.models.onnx_generator import OnnxGenerator

    generator = OnnxGenerator.load(str(exported / "tiny"))
    state = generator.prime([HeldNote(12 * n, 5, 60 + n, 80, off_tick=12 * n + 10) for n in range(6)])
    note = HeldNote(72, 5, 67, 80)
    rng = np.random.default_rng(0)
    same = 0
    for top_p, temperature in ((1.0, 1.0), (0.8, 0.9), (0.5, 1.3), (1.0, 0.0)):
        asked = Constraints(part=2, gap=0, top_p=top_p, temperature=temperature, duration=7)
        for _ in range(25):
            uniforms = rng.random(UNIFORMS)
            one = generator.sample(generator.step(state, note), asked, uniforms)
            _, other = generator.reply(state, note, asked, uniforms)
            same += _shape(one) == _shape(other)
    assert same >= 99  # rounding may move one draw in a hundred over an edge


def _shape(draw: Draw) -> tuple[int, ...]:
    return draw.part, draw.gap, draw.pitch, draw.duration, draw.velocity // 8  # within its level a reply has any


def test_the_card_tells_data_scores_and_graphs(exported: Path) -> None:
    text = (exported / "tiny" / "CARD.md").read_text()
    assert "Gillick et al. 2019" in text
    assert "| groove | tiny | 5.000 ± 0.100 |" in text
    assert "| reply |" in text
