"""Learning on from a model gains on pieces held out, is told as it is, and is not claimed where there is none."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from antiphon.models.errors import AntiphonError, DataError, ModelError
from antiphon.models.notes import Column

from tests.training_making import exported_run, music, traced_before

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learnt next to nothing yet, with its weights."""
    return exported_run(tmp_path_factory) / "tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return music(tmp_path_factory.mktemp("mine") / "music", 10)


def _learn(base: Path, folder: Path, out: Path, *more: str, copied: Path | None = None) -> int:
    """Run the command; where ``copied`` is given, its graphs stand for exported ones, as tracing takes seconds."""
    from antiphon.export import learnt_model
    from antiphon.export.training_curves import draw_run
    from antiphon.models import learn

    given = [str(folder), "--from", str(base), "--out", str(out), "--minutes", "0.05", "--threads", "1", *more]
    if copied is None:
        return learnt_model.main(given)

    def export(checkpoint: Path, fresh: Path) -> None:
        fresh.mkdir()
        for path in (*copied.glob("*.onnx"), copied / "weights.bin", copied / "model.json"):
            shutil.copy(path, fresh / path.name)

    return learn.main(given, export, learnt_model.describe, draw_run)


def test_it_gains_on_held_out_pieces_and_can_be_played(
    base: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from antiphon.export import onnx_export
    from antiphon.models import learning
    from antiphon.models.generator import HeldNote
    from antiphon.models.learn import LEAST_GAIN, NO_GAIN
    from antiphon.models.onnx_generator import OnnxGenerator

    out = tmp_path / "mine"
    monkeypatch.setattr(onnx_export, "traced", traced_before(base.parent))
    # a network this small takes a longer step
    real = learning.learn_recipe
    monkeypatch.setattr("antiphon.models.learn.learn_recipe", lambda *given: replace(real(*given), steps=40, rate=5e-3))
    assert _learn(base, folder, out) == 0
    printed = capsys.readouterr().out
    facts = json.loads((out / "model.json").read_text())
    learnt = facts["learnt"]
    assert learnt["gain"]["total"] == pytest.approx(learnt["before"]["total"] - learnt["after"]["total"], abs=2e-4)
    assert learnt["gain"]["total"] > max(LEAST_GAIN, learnt["gain"]["interval"])  # and it is not chance
    # scales in ten keys and three rhythms are versions of three pieces, and one of these is held out whole
    assert (learnt["pieces"], learnt["held_out"]) == (7, 3)
    assert facts["name"] == "mine"
    assert facts["base"]["name"] == "tiny"
    card = (out / "CARD.md").read_text()
    for told in ("`tiny`", f"{learnt['gain']['total']:.3f} ±", "7 pieces", "Held out"):
        assert told in card
    assert f"antiphon jam --model {out}" in printed
    generator = OnnxGenerator.load(str(out))
    assert generator.step(generator.initial(), HeldNote(0, 5, 60, 80)).hidden.any()
    assert (out / "learning" / "curves.png").is_file()

    # what is there already is not learnt again, nor taken for another folder's
    step = facts["learnt"]["best_step"]
    assert _learn(base, folder, out, copied=out) == 0
    assert json.loads((out / "model.json").read_text())["learnt"]["best_step"] == step
    with pytest.raises(DataError, match=r"learnt otherwise.*another --out"):
        _learn(base, music(tmp_path / "other", 4), out)
    assert (out / "model.json").is_file()

    # at no rate at all there is nothing to gain: nothing is claimed, and nothing written to play with
    still = lambda *given: replace(real(*given), steps=4, check_steps=2, rate=1e-9, rate_end=0.0)  # noqa: E731
    monkeypatch.setattr("antiphon.models.learn.learn_recipe", still)
    assert _learn(base, folder, tmp_path / "none", copied=base) == NO_GAIN
    assert "no gain" in capsys.readouterr().out
    assert not (tmp_path / "none" / "model.json").exists()


def test_what_is_checked_is_every_note_once_after_as_many_as_in_play() -> None:
    from antiphon.models.learning import HOP, WINDOW, check_batches

    pieces = []
    for notes in (2, 40, 128, 129, 300, 700):
        table = np.zeros((notes, len(Column)), np.int32)
        table[:, Column.ONSET] = np.arange(notes) * 6
        table[:, Column.PITCH], table[:, Column.VELOCITY], table[:, Column.DURATION] = 60, 80, 6
        pieces.append(table)
    batches = check_batches(pieces)
    counted = sum(float(batch.weights[:, 1:].sum()) for batch in batches)
    assert counted == sum(len(table) - 1 for table in pieces)
    for batch in batches:
        assert batch.weights.shape[1] <= WINDOW + HOP
        later = batch.weights[:, 0] == 0
        assert not batch.weights[later][:, :WINDOW].any()


def test_torch_checks_what_the_graphs_are_scored_by(base: Path, folder: Path, tmp_path: Path) -> None:
    import torch
    from antiphon.models.learn_pieces import read_split
    from antiphon.models.learn_weights import load_base
    from antiphon.models.learning import HOP, WINDOW, check_batches
    from antiphon.models.load import load_generator
    from antiphon.models.scoring import losses_of, score_of

    held_out = [piece.notes for piece in read_split(folder, tmp_path, 1, lambda line: None).held_out]
    loaded = load_base(str(base))
    loaded.network.eval()
    wanted = score_of(losses_of(load_generator(str(base)), held_out, WINDOW, HOP) or [])
    (batch,) = check_batches(held_out)
    with torch.no_grad():
        losses = loaded.network(batch)
    counts = batch.weights[:, 1:, None]
    got = (losses * counts).sum((0, 1)) / counts.sum()
    np.testing.assert_allclose(got.numpy()[:5], wanted.by_attribute, atol=0.03)  # 8-bit graphs, 16-bit weights


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path, facts: path.unlink(), "no weights.pt.*can not be learnt on"),
        (lambda path, facts: path.write_bytes(path.read_bytes()[:100]), "truncated or changed.*export it again"),
        (lambda path, facts: _put(path, facts, b"no weights"), "holds no weights"),
        (lambda path, facts: _put(path, facts, _of_another_shape(path)), "another network.*norm.weight"),
    ],
)
def test_a_base_that_can_not_be_learnt_on_is_told(base: Path, tmp_path: Path, spoil: Any, told: str) -> None:
    from antiphon.models.learn_weights import load_base

    folder = tmp_path / "base"
    shutil.copytree(base, folder)
    spoil(folder / "weights.pt", folder / "model.json")
    with pytest.raises((ModelError, DataError), match=told):
        load_base(str(folder))


def _put(path: Path, facts: Path, data: bytes) -> None:
    path.write_bytes(data)
    told = json.loads(facts.read_text())
    told["files"][path.name] = hashlib.sha256(data).hexdigest()
    facts.write_text(json.dumps(told))


def _of_another_shape(path: Path) -> bytes:
    import io

    import torch

    held = torch.load(path, weights_only=True)
    held["weights"]["norm.weight"] = held["weights"]["norm.weight"][:3]
    file = io.BytesIO()
    torch.save(held, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--minutes", "0"), r"--minutes must be 0\.01 to 600, got 0"),
        (("--minutes", "nan"), "--minutes must be.*got nan"),
        (("--seed", "-1"), "--seed must be 0 to.*got -1"),
        (("--threads", "0"), "--threads: must be 1 to.*got 0"),
        (("--from", "no such"), "neither a model that ships"),
    ],
)
def test_bad_arguments_are_told(base: Path, folder: Path, tmp_path: Path, more: tuple[str, ...], told: str) -> None:
    with pytest.raises(AntiphonError, match=told):
        _learn(base, folder, tmp_path / "out", *more)
    assert not (tmp_path / "out").exists()


def test_another_model_is_never_overwritten(base: Path, folder: Path) -> None:
    kept = (base / "model.json").read_bytes()
    with pytest.raises(DataError, match=r"was not learnt here; take another --out"):
        _learn(base, folder, base)
    assert (base / "model.json").read_bytes() == kept
