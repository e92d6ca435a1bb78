"""A training run to a model folder: graphs, parity with torch, 8-bit weights, hashes, card."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from antiphon.export.card import card
from antiphon.export.graphs import GraphSpec, graphs
from antiphon.export.quantise import quantised
from antiphon.models.errors import ModelError
from antiphon.models.model_files import FORMAT
from antiphon.models.training import CHECKPOINT, Recipe, load_network
from numpy.typing import NDArray

OPSET = 20
#: Largest difference between torch and onnxruntime at full precision.
TOLERANCE = 2e-4
_TRIALS = 300


def export_graph(spec: GraphSpec) -> onnx.ModelProto:
    """Give one graph as ONNX, batch dynamic, parity with torch checked.

    Raises:
        ModelError: an output differs from torch's by more than `TOLERANCE`.
    """
    model = traced(spec)
    for name, worst in parity(spec, model).items():
        if worst > TOLERANCE:
            raise ModelError(f"export: {spec.name}.{name} differs from torch by {worst:g} (at most {TOLERANCE:g})")
    return model


def traced(spec: GraphSpec) -> onnx.ModelProto:
    """Give one graph as torch's exporter writes it, batch dynamic; nothing is checked."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of operators of packages not used
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            spec.module.eval(), tuple(spec.inputs.values()), dynamo=True, opset_version=OPSET, verbose=False,
            input_names=list(spec.inputs), output_names=list(spec.outputs),
            dynamic_shapes=tuple(
                dict.fromkeys((0, 1) if name in spec.growing else (0,), torch.export.Dim.DYNAMIC)
                for name in spec.inputs
            ),
        )  # fmt: skip
    return program.model_proto  # type: ignore[union-attr]


def parity(spec: GraphSpec, model: onnx.ModelProto) -> dict[str, float]:
    """Give the largest difference from torch of each output, on the graph's example inputs."""
    with torch.no_grad():
        outputs = spec.module.eval()(*spec.inputs.values())
    wanted = outputs if isinstance(outputs, tuple) else (outputs,)
    got = _session(model).run(None, {name: value.numpy() for name, value in spec.inputs.items()})
    return {
        name: float(np.abs(theirs.numpy().astype(np.float64) - ours).max())
        for name, theirs, ours in zip(spec.outputs, wanted, got, strict=True)
    }


def _session(model: onnx.ModelProto) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def latency_us(spec: GraphSpec, model: onnx.ModelProto) -> dict[str, float]:
    """Time one call with a batch of one, in microseconds: median and 95th percentile of a hot loop."""
    session = _session(model)
    feed = {name: value.numpy()[:1] for name, value in spec.inputs.items()}
    times: NDArray[np.float64] = np.empty(_TRIALS)
    for trial in range(_TRIALS):
        began = time.perf_counter_ns()
        session.run(None, feed)
        times[trial] = (time.perf_counter_ns() - began) / 1e3
    return {"median": round(float(np.median(times)), 1), "p95": round(float(np.percentile(times, 95)), 1)}


def export_run(checkpoint: Path, out: Path, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Write a model folder from a checkpoint; give what its ``model.json`` holds."""
    network, trained = load_network(checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}
    measured: dict[str, Any] = {}
    for spec in graphs(network):
        full = export_graph(spec)
        small = quantised(full)
        path = out / f"{spec.name}.onnx"
        path.write_bytes(small.SerializeToString())
        files[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        measured[spec.name] = {
            "bytes": path.stat().st_size,
            "parity": {output: round(worst, 7) for output, worst in parity(spec, full).items()},
            "quantised": {output: round(worst, 4) for output, worst in parity(spec, small).items()},
            "us_float32": latency_us(spec, full),
            "us_int8": latency_us(spec, small),
        }
    written = {
        "format": FORMAT, "name": name, "opset": OPSET, "network": network.config.as_dict(), "files": files,
        "parameters": sum(p.numel() for p in network.parameters()),
        "trained": {
            "steps": trained["step"], "notes": trained["notes_seen"], "hours": round(trained["trained_s"] / 3600, 2)
        },
        "export": measured, **facts,
    }  # fmt: skip
    (out / "model.json").write_text(json.dumps(written, indent=1) + "\n")
    return written


def main(argv: list[str]) -> int:
    """Run ``antiphon export``."""
    parser = argparse.ArgumentParser(prog="antiphon export", description="A training run to a model folder.")
    parser.add_argument("run", type=Path, help="a training run's folder")
    parser.add_argument("--out", type=Path, required=True, help="the model folder to write")
    parser.add_argument("--name", help="the model's name (default: the folder's)")
    parser.add_argument("--recipe", default="antiphon", help="the recipe that it was trained with: for the card")
    parser.add_argument("--scores", type=Path, help="for the card: what `antiphon evaluate --json` wrote")
    parser.add_argument("--facts", type=Path, help="for the card: JSON with command, trained_on, scores_command")
    args = parser.parse_args(argv)
    facts = json.loads(args.facts.read_text()) if args.facts else {}
    if args.scores:
        facts = {"scores_command": "antiphon evaluate", **facts, "scores": json.loads(args.scores.read_text())}
    written = export_run(args.run / CHECKPOINT, args.out, args.name or args.out.name, facts)
    (args.out / "CARD.md").write_text(card(written, Recipe.load(args.recipe).data))
    for graph, told in written["export"].items():
        print(
            f"{graph}: {told['bytes']} bytes, "
            f"off torch by {max(told['parity'].values()):.1e}, in 8 bits by "
            f"{max(told['quantised'].values()):.3f}; "
            f"{told['us_float32']['median']} us -> {told['us_int8']['median']} us"
        )
    return 0
