"""The exported graphs are the network: parity, batches, eight bits; and what is wrong with a folder is told."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from antiphon.models.errors import ModelError
from antiphon.models.lstm.elements import Spelling
from antiphon.models.lstm.generation import ARGMAX, by_state, by_window
from antiphon.models.lstm.onnx_player import OnnxPlayer, check_folder
from antiphon.models.lstm.vocabulary import Vocabulary

pytestmark = pytest.mark.train

_VOCABULARY = Vocabulary.build([[(pitch,) for pitch in range(30, 90)]], Spelling.PITCHES)
_HIDDEN = 128


def _network(cell: str, layers: int = 2, embedding: int = 16, hidden: int = _HIDDEN) -> Any:
    import torch
    from antiphon.models.lstm.network import ElementNetwork, NetworkConfig

    torch.manual_seed(0)
    config = NetworkConfig(cell=cell, hidden=hidden, layers=layers, dense=64, embedding=embedding)
    network = ElementNetwork(len(_VOCABULARY), config)
    for value in network.parameters():
        value.data *= 3.0  # away from the flat middle, as training leaves it
    return network.eval()


@pytest.fixture(scope="module", params=["lstm", "gru"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    from antiphon.export.lstm_onnx import export_network

    network, out = _network(request.param), tmp_path_factory.mktemp(request.param)
    export_network(network, _VOCABULARY, out, {"trained": {}})
    return network, out


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(("layers", "embedding", "hidden"), [(1, 0, 20), (3, 8, 20), (1, 8, 128)])
def test_every_network_is_exported_with_parity(cell: str, layers: int, embedding: int, hidden: int) -> None:
    from antiphon.export.lstm_graphs import step_graph, window_graph
    from antiphon.export.lstm_onnx import TOLERANCE, parity

    network = _network(cell, layers, embedding, hidden)
    found = parity(network, {"step": step_graph(network), "window": window_graph(network)})
    assert max(found.values()) <= TOLERANCE


def test_an_export_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from antiphon.export import lstm_onnx
    from antiphon.export.lstm_graphs import window_graph

    network, other = _network("lstm"), _network("lstm")
    other.out.bias.data += 0.01
    graph = window_graph(other)
    monkeypatch.setattr(lstm_onnx, "window_graph", lambda _: graph)
    with pytest.raises(ModelError, match=r"window differs from torch by 0\.01"):
        lstm_onnx.export_network(network, _VOCABULARY, tmp_path, {})


def test_both_ways_and_both_runtimes_agree(exported: tuple[Any, Path]) -> None:
    from antiphon.models.lstm.network import TorchPlayer

    network, folder = exported
    torch_player, onnx_player = TorchPlayer(network), OnnxPlayer(check_folder(folder), eight_bits=False)
    seed = np.random.default_rng(1).integers(1, len(_VOCABULARY), 50)
    by_torch, by_onnx = torch_player.window(seed[None]), onnx_player.window(seed[None])
    assert np.abs(by_torch - by_onnx).max() < 1e-4
    for player in (torch_player, onnx_player):
        state: Any = player.start(1)
        for token in seed:
            logits, state = player.step(np.array([token]), state)
        assert np.abs(logits - by_torch).max() < 1e-4
    first = by_window(torch_player, seed, np.zeros(1), ARGMAX)
    assert first == by_state(onnx_player, seed, np.zeros(1), ARGMAX)
    made = by_state(torch_player, seed, np.zeros(30), ARGMAX)
    assert made == by_state(onnx_player, seed, np.zeros(30), ARGMAX)


@pytest.mark.parametrize("eight_bits", [False, True])
def test_a_row_alone_is_the_row_in_a_batch(exported: tuple[Any, Path], eight_bits: bool) -> None:
    player = OnnxPlayer(check_folder(exported[1]), eight_bits=eight_bits)
    rng = np.random.default_rng(2)
    tokens = rng.integers(len(_VOCABULARY), size=(5, 20))
    whole, alone = player.start(5), [player.start(1) for _ in range(5)]
    for place in range(20):
        logits, whole = player.step(tokens[:, place], whole)
        for row in range(5):
            own, alone[row] = player.step(tokens[row : row + 1, place], alone[row])
            assert np.abs(own[0] - logits[row]).max() < 1e-5
    for row in range(5):
        for together, single in zip(whole, alone[row], strict=True):
            assert np.abs(together[:, row] - single[:, 0]).max() < 1e-5
    windows = player.window(tokens)
    assert windows.shape == (5, len(_VOCABULARY))
    for row in range(5):
        assert np.abs(player.window(tokens[row : row + 1])[0] - windows[row]).max() < 1e-4


def test_eight_bits_are_near_and_smaller(exported: tuple[Any, Path]) -> None:
    folder = check_folder(exported[1])
    assert folder.facts["bytes"]["step8.onnx"] < 0.5 * folder.facts["bytes"]["step.onnx"]
    full, small = OnnxPlayer(folder, eight_bits=False), OnnxPlayer(folder)
    tokens = np.random.default_rng(3).integers(1, len(_VOCABULARY), 40)
    states = [full.start(1), small.start(1)]
    apart = []
    for token in tokens:
        wanted, states[0] = full.step(np.array([token]), states[0])
        got, states[1] = small.step(np.array([token]), states[1])
        apart.append(_divergence(wanted[0], got[0]))
    assert 0.0 < np.mean(apart) < 0.02  # nats, of weights three times too large: 0.0005 of the network that ships


def _divergence(wanted: Any, got: Any) -> float:
    p, q = (np.exp(x - x.max()) / np.exp(x - x.max()).sum() for x in (wanted.astype(float), got.astype(float)))
    return float((p * np.log(p / q)).sum())


def test_a_state_is_not_changed_by_a_step(exported: tuple[Any, Path]) -> None:
    player = OnnxPlayer(check_folder(exported[1]))
    _, state = player.step(np.array([3]), player.start(1))
    kept = [part.copy() for part in state]
    player.step(np.array([4]), state)
    assert all(np.array_equal(a, b) for a, b in zip(kept, state, strict=True))


def test_a_folder_plays_live(exported: tuple[Any, Path]) -> None:
    from antiphon.models.generator import Constraints, HeldNote
    from antiphon.models.lstm.live import ElementGenerator

    generator = ElementGenerator.load(exported[1])
    notes = [HeldNote(12 * place, 5, 40 + place, 80) for place in range(20)]
    state = generator.prime(notes)
    assert len(generator.sha256) == 64
    assert (generator.provider_asked, generator.provider_got) == ("auto", "CPUExecutionProvider")
    with pytest.raises(ModelError, match="provider: 'tpu' is not known; give auto, cpu"):
        ElementGenerator.load(exported[1], "tpu")
    player = OnnxPlayer(check_folder(exported[1]))
    own: Any = player.start(1)
    for note in notes:
        logits, own = player.step(_VOCABULARY.encode([(note.pitch,)]), own)
    assert np.array_equal(state.following, logits[0])
    likeliest = generator.sample(state, Constraints(gap=12, temperature=0.0), np.zeros(5))
    assert likeliest.pitch == _VOCABULARY.decode([int(logits[0, 1:].argmax()) + 1])[0][0]


def _resigned(folder: Path, **changes: Any) -> None:
    facts = json.loads((folder / "model.json").read_text())
    facts["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in facts["files"]}
    (folder / "model.json").write_text(json.dumps(facts | changes))


def test_what_is_wrong_with_a_folder_is_told(exported: tuple[Any, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exported[1], folder)
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        check_folder(tmp_path)
    _resigned(folder, kind="neurotune")
    with pytest.raises(ModelError, match="is of kind 'neurotune', wanted is 'lstm'"):
        check_folder(folder)
    _resigned(folder, kind="lstm", words=3)
    with pytest.raises(ModelError, match="says 3 words"):
        check_folder(folder)
    facts = json.loads((folder / "model.json").read_text())
    _resigned(folder, words=len(_VOCABULARY), network=facts["network"] | {"cell": "rnn"})
    with pytest.raises(ModelError, match=r"network\.cell must be lstm or gru, got 'rnn'"):
        check_folder(folder)
    _resigned(folder, network=facts["network"])
    (folder / "step.onnx").write_bytes((folder / "step.onnx").read_bytes()[:-9])
    with pytest.raises(ModelError, match=r"step\.onnx is truncated or changed"):
        check_folder(folder)
    _resigned(folder)
    with pytest.raises(ModelError, match=r"step\.onnx does not load"):
        OnnxPlayer(check_folder(folder), eight_bits=False)
    shutil.copy(folder / "window.onnx", folder / "step8.onnx")
    _resigned(folder)
    with pytest.raises(ModelError, match="needed are token"):
        OnnxPlayer(check_folder(folder))
    (folder / "step8.onnx").unlink()
    with pytest.raises(ModelError, match=r"step8\.onnx is missing"):
        check_folder(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(ModelError, match="not readable"):
        check_folder(folder)


def test_live_play_needs_the_eight_bits_alone(exported: tuple[Any, Path], tmp_path: Path) -> None:
    folder = tmp_path / "live"
    shutil.copytree(exported[1], folder)
    whole = check_folder(folder)
    for file in ("step.onnx", "window.onnx"):
        (folder / file).unlink()
    live = check_folder(folder)
    assert live.sha256 == whole.sha256
    player = OnnxPlayer(live)
    assert player.step(np.array([1]), player.start(1))[0].shape == (1, len(_VOCABULARY))
    with pytest.raises(ModelError, match=r"window\.onnx is missing: a model for live play leaves it out"):
        player.window(np.ones((1, 4), np.int64))
    with pytest.raises(ModelError, match=r"step\.onnx is missing"):
        OnnxPlayer(live, eight_bits=False)


def test_what_is_shipped_of_a_run_tells_its_facts(exported: tuple[Any, Path], tmp_path: Path) -> None:
    from antiphon.export.lstm_ship import ship

    run, cell = tmp_path / "run", str(exported[0].config.cell)
    shutil.copytree(exported[1], run / cell / "model")
    with pytest.raises(ModelError, match=r"papers\.json is not readable"):
        ship(run, tmp_path / "out", "mine")
    facts = json.loads((run / cell / "model" / "model.json").read_text())
    facts["trained"] = {"seconds": 60.0, "best_epoch": 2}
    (run / cell / "model" / "model.json").write_text(json.dumps(facts))
    row = {
        "cell": cell,
        "parameters": 7,
        "valid": 4.5,
        "valid_8_bits": 4.75,
        "accuracy": 0.1,
        "step_ms": 0.3,
        "epochs": 3,
    }
    music = {"pieces": 2, "elements": 99, "held_out_pieces": 1, "held_out_elements": 9, "words": 61}
    told = {
        "command": "antiphon papers lstm /home/someone/mutopia_keyboard own --out runs/x",
        "cells": [row], "music": music,
        "ratio": {"headline": 9.5, "onnxruntime": 3.0}, "baselines": {"uniform": 5.0, "unigram": 4.9},
        "machine": {"threads": 1, "processor": "x86_64"},
    }  # fmt: skip
    (run / "papers.json").write_text(json.dumps(told))
    written = ship(run, tmp_path / "out", "mine", cell)
    assert set(written["files"]) == {"vocabulary.json", "step8.onnx"}
    assert written["data"]["mutopia_keyboard"].startswith("Mutopia keyboard pieces")
    assert "not told" in written["data"]["own"]
    card = (tmp_path / "out" / "CARD.md").read_text()
    for said in ("# mine", "DATA/mutopia_keyboard own --out RUN", "4.75", "MIT", "61 notes and chords"):
        assert said in card
    assert "someone" not in card
    assert check_folder(tmp_path / "out").name == "mine"
    (run / "papers.json").write_text(json.dumps(told | {"cells": []}))
    with pytest.raises(ModelError, match="does not tell all"):
        ship(run, tmp_path / "out", "mine", cell)
