"""A training run of the `lstm` generator to a model's folder: graphs, parity with torch, hashes, vocabulary."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from antiphon.export.lstm_graphs import OPSET, step_graph, window_graph
from antiphon.models.errors import ModelError
from antiphon.models.lstm.network import ElementNetwork, TorchPlayer
from antiphon.models.lstm.onnx_player import FORMAT, KIND, VOCABULARY
from antiphon.models.lstm.training import load_network
from antiphon.models.lstm.vocabulary import Vocabulary
from numpy.typing import NDArray

#: Largest difference between torch and onnxruntime at full precision, of logits and states, after a whole window.
TOLERANCE = 1e-4
#: Rows and elements that parity is measured over.
_ROWS, _STEPS = 4, 64


def export_network(network: ElementNetwork, vocabulary: Vocabulary, out: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Write a model's folder; give what its ``model.json`` holds.

    Args:
        network: trained.
        vocabulary: its own.
        out: the folder; made if it is not there.
        facts: what more ``model.json`` shall tell.

    Raises:
        ModelError: an output at full precision differs from torch's by more than `TOLERANCE`.
    """
    network.eval()
    out.mkdir(parents=True, exist_ok=True)
    graphs = {"step": step_graph(network), "step8": step_graph(network, eight_bits=True)}
    graphs["window"] = window_graph(network)
    measured = parity(network, graphs)
    for graph in ("step", "window"):
        if measured[graph] > TOLERANCE:
            raise ModelError(f"export: {graph} differs from torch by {measured[graph]:g} (at most {TOLERANCE:g})")
    written = {VOCABULARY: vocabulary.dumps().encode()}
    written |= {f"{name}.onnx": graph.SerializeToString() for name, graph in graphs.items()}
    for name, data in written.items():
        (out / name).write_bytes(data)
    told = {
        "kind": KIND, "format": FORMAT, "opset": OPSET, "words": len(vocabulary),
        "network": network.config.as_dict(), "parameters": sum(p.numel() for p in network.parameters()),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in written.items()},
        "bytes": {name: len(data) for name, data in written.items()},
        "off_torch_by": {name: round(worst, 7) for name, worst in measured.items()}, **facts,
    }  # fmt: skip
    (out / "model.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return told


def export_run(checkpoint: Path, out: Path) -> dict[str, Any]:
    """Write a model's folder from a training run's checkpoint. Raises: DataError, ModelError."""
    network, vocabulary, trained = load_network(checkpoint)
    facts = {key: trained[key] for key in ("recipe", "epoch", "best_epoch")}
    return export_network(
        network, vocabulary, out,
        {"trained": facts | {"seconds": round(trained["trained_s"], 1), "valid_nats": round(trained["best"], 4)}},
    )  # fmt: skip


def parity(network: ElementNetwork, graphs: dict[str, onnx.ModelProto]) -> dict[str, float]:
    """Give each graph's largest difference from torch in any output, over rows of random elements.

    A step graph is run element by element with its own state, so that what it is off by adds up as it would in play.
    """
    rng = np.random.default_rng(0)
    tokens = rng.integers(network.words, size=(_ROWS, _STEPS))
    with torch.inference_mode():
        hidden, state = network.run(torch.from_numpy(tokens))
        logits = network.head(hidden).numpy()
    wanted = [np.asarray(part.numpy()) for part in state]
    found = {}
    for name, graph in graphs.items():
        session = _session(graph)
        if name == "window":
            got, *states = session.run(None, {"tokens": tokens})
            worst = _furthest(got, logits[:, -1])
        else:
            states = [part.numpy() for part in TorchPlayer(network).start(_ROWS)]
            names = [item.name for item in session.get_inputs()][1:]
            worst = 0.0
            for place in range(_STEPS):
                given = dict(zip(names, states, strict=True))
                got, *states = session.run(None, {"token": tokens[:, place], **given})
                worst = max(worst, _furthest(got, logits[:, place]))
        found[name] = max(worst, *(_furthest(ours, theirs) for ours, theirs in zip(states, wanted, strict=True)))
    return found


def _furthest(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    return float(np.abs(ours - theirs).max())


def _session(model: onnx.ModelProto) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
