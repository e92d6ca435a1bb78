"""A small recipe and a small folder of music for the tests of training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.made_once import made_once
from tests.midi_making import midi_bytes, scale

RECIPE = """
[network]
hidden = 16
blocks = ["linear", "recall"]
features = 4
roll_code = 8
head = 8
dropout = 0.1
[training]
minutes = 60
steps = 6
check_steps = 2
rate = 5e-3
rate_end = 1e-4
warmup_steps = 2
weight_decay = 0.0
clip = 1.0
seed = 1
stages = [{ until = 1.0, batch = 2, notes = 12 }]
[augment]
transpose = 3
"""


def music(folder: Path, pieces: int = 5, notes: int = 40) -> Path:
    """Make a folder of scales that are no transpositions of each other."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(pieces):
        rows = scale(48 + number, notes + number, 120 * (1 + number % 3))
        (folder / f"{number}.mid").write_bytes(midi_bytes({"": rows}))
    return folder


def changed(old: str, new: str) -> str:
    """Give the recipe with one piece of text changed; it must be there."""
    assert old in RECIPE
    return RECIPE.replace(old, new)


def exported_run(factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a training ``run`` that learnt next to nothing and the model ``tiny`` that it became.

    Made once: tracing takes seconds.
    """
    return made_once(factory, "exported run", _export)


def traced_before(folder: Path) -> Callable[[Any], Any]:
    """Give what stands for `onnx_export.traced`: the graph of `exported_run`, with another network's weights.

    Tracing takes seconds a graph, and gives the same for every network of one shape. A constant is a weight, turned
    round or of another shape perhaps. Where one was folded into another constant, so that the graph is not yet the
    network's, it is traced after all.
    """
    import numpy as np
    import onnx
    import torch
    from antiphon.export.onnx_export import TOLERANCE, parity, traced

    def give(spec: Any) -> Any:
        model = onnx.load(folder / "traced" / f"{spec.name}.onnx")
        before = torch.load(folder / "traced" / f"{spec.name}.pt", weights_only=True)
        after = spec.module.state_dict()
        places: dict[bytes, tuple[str, bool]] = {}
        for name, weight in before.items():
            places[weight.numpy().tobytes()] = name, False
            if weight.dim() == 2:
                places[weight.numpy().T.tobytes()] = name, True
        for held in model.graph.initializer:
            shaped = onnx.numpy_helper.to_array(held)
            name, turned = places.get(shaped.tobytes(), ("", False))
            if name:
                value = after[name].numpy()
                value = np.ascontiguousarray(value.T if turned else value).reshape(shaped.shape)
                held.CopyFrom(onnx.numpy_helper.from_array(value, held.name))
        return model if max(parity(spec, model).values()) <= TOLERANCE else traced(spec)

    return give


def _export(folder: Path) -> None:
    import onnx
    import torch
    from antiphon.export import model_folder, onnx_export
    from antiphon.models.training import Recipe, train

    torch.set_num_threads(1)  # for networks this small a second thread only waits
    # so little that it shows in nothing, but that no two weights are one constant in the graphs (see `traced_before`)
    nothing = RECIPE.replace("rate = 5e-3", "rate = 1e-5").replace("rate_end = 1e-4", "rate_end = 0.0")
    train([music(folder / "music")], folder / "run", Recipe.parse(nothing, "test"), "cpu")
    score = {"total": 5.0, "interval": 0.1, "notes": 9, "part": 1, "gap": 1, "pitch": 1, "velocity": 1, "duration": 1}
    (folder / "scores.json").write_text(json.dumps({"groove": {"tiny": score}}))
    (folder / "traced").mkdir()
    trace = onnx_export.traced

    def kept(spec: Any) -> Any:
        model = trace(spec)
        onnx.save(model, folder / "traced" / f"{spec.name}.onnx")
        torch.save(spec.module.state_dict(), folder / "traced" / f"{spec.name}.pt")
        return model

    given = [str(folder / "run"), "--out", str(folder / "tiny"), "--scores", str(folder / "scores.json")]
    with mock.patch.object(onnx_export, "traced", kept):
        assert model_folder.main(given) == 0
