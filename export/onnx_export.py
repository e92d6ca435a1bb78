"""A training run to a model folder: graphs, parity with torch, the precision of the weights, hashes, card."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from antiphon.export.card import card
from antiphon.export.graph_specs import DRAWS, GraphSpec, graphs
from antiphon.export.operators import translations
from antiphon.export.precisions import PRECISIONS, SHIPPED, at_precision
from antiphon.export.precisions_table import compared, sampled
from antiphon.export.quantise import PADDED
from antiphon.export.shared_weights import write_graphs
from antiphon.models.errors import ModelError
from antiphon.models.learn_weights import WEIGHTS, network_in, weights_of
from antiphon.models.model_files import FORMAT, GRAPH_WEIGHTS
from antiphon.models.network import AntiphonNetwork
from antiphon.models.notes import NoteTable
from antiphon.models.training import CHECKPOINT, Recipe, load_network
from numpy.typing import NDArray

OPSET = 20
#: Largest difference between torch and onnxruntime at full precision.
TOLERANCE = 2e-4
_TRIALS = 300
#: What an export tells by itself.
_OF_AN_EXPORT = ("kind", "format", "name", "licence", "opset", "network", "files", "precision", "parameters", "export")


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
            input_names=list(spec.inputs), output_names=list(spec.outputs), custom_translation_table=translations(),
            dynamic_shapes=tuple(
                {
                    axis: torch.export.Dim.DYNAMIC
                    for axis, dynamic in enumerate((name not in spec.fixed, name in spec.growing))
                    if dynamic
                }
                for name in spec.inputs
            ),
        )  # fmt: skip
    model = bare(program.model_proto)  # type: ignore[union-attr]
    if spec.padded:
        model.metadata_props.add(key=PADDED, value="1")
    return model


def bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Leave out what torch's exporter notes of itself: folders of this machine, a third of the bytes."""
    for noted in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del noted.metadata_props[:]
        noted.doc_string = ""
    return model


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


def export_run(
    checkpoint: Path,
    out: Path,
    name: str,
    facts: dict[str, Any],
    precision: str = SHIPPED,
    scored: Sequence[NoteTable] = (),
) -> dict[str, Any]:
    """Write a model folder from a checkpoint; give what its ``model.json`` holds.

    Args:
        checkpoint: a training run's.
        out: the folder; files of the same names are written over.
        name: the model's.
        facts: more of what ``model.json`` is to hold.
        precision: of `PRECISIONS`.
        scored: music to score every precision on, for the card; none: no comparison.

    Raises:
        ModelError: a graph differs from torch's network.
    """
    network, told = load_network(checkpoint)
    trained = {"steps": told["step"], "notes": told["notes_seen"], "hours": round(told["trained_s"] / 3600, 2)}
    return write_model(network, out, name, {"trained": trained, **facts}, precision, scored)


def write_model(
    network: AntiphonNetwork,
    out: Path,
    name: str,
    facts: dict[str, Any],
    precision: str = SHIPPED,
    scored: Sequence[NoteTable] = (),
) -> dict[str, Any]:
    """Write a model folder from a network; arguments, result and errors as `export_run`'s."""
    out.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}
    measured: dict[str, Any] = {}
    exported: dict[str, onnx.ModelProto] = {}
    shipped: dict[str, onnx.ModelProto] = {}
    for spec in graphs(network):
        full = exported[spec.name] = export_graph(spec)
        small = shipped[spec.name] = at_precision(full, precision)
        measured[spec.name] = {
            "bytes": len(small.SerializeToString()),
            "parity": {output: round(worst, 7) for output, worst in parity(spec, full).items()},
            "quantised": {  # classes that were drawn are no distance
                output: round(worst, 4) for output, worst in parity(spec, small).items() if output != DRAWS
            },
            "us_float32": latency_us(spec, full),
            "us": latency_us(spec, small),
        }
    write_graphs(shipped, out, GRAPH_WEIGHTS)
    for file in (*(f"{graph}.onnx" for graph in shipped), GRAPH_WEIGHTS):
        files[file] = hashlib.sha256((out / file).read_bytes()).hexdigest()
    weights = weights_of(network)  # what `antiphon learn` goes on from: nothing can be learnt in 8 bits
    (out / WEIGHTS).write_bytes(weights)
    files[WEIGHTS] = hashlib.sha256(weights).hexdigest()
    written = {
        "kind": "antiphon", "format": FORMAT, "name": name, "licence": "MIT", "opset": OPSET,
        "network": network.config.as_dict(), "files": files,
        "precision": precision, "parameters": sum(p.numel() for p in network.parameters()),
        "export": measured, **facts,
    }  # fmt: skip
    if scored:
        written["precisions"] = compared(exported, scored)
    (out / "model.json").write_text(json.dumps(written, indent=1) + "\n")
    return written


def is_model(folder: Path) -> bool:
    """Whether it is a model's folder, no training run's."""
    return (folder / "model.json").is_file()


def export_again(
    folder: Path, out: Path, name: str | None, facts: dict[str, Any], precision: str = SHIPPED
) -> dict[str, Any]:
    """Write a model folder anew from the weights in another: for graphs of an older format. Give what it holds.

    What its ``model.json`` told of training, music and scores stays told.

    Args:
        folder: the model's.
        out: the folder to write; it may be the same.
        name: the model's; None: as it was.
        facts: more of what ``model.json`` is to hold, or in place of what it held.
        precision: of `PRECISIONS`.

    Raises:
        ModelError: it is no model; it has no weights, or others than its card's.
        DataError: its weights are another network's.
    """
    try:
        told = json.loads((folder / "model.json").read_text())
        kept = {key: value for key, value in told.items() if key not in _OF_AN_EXPORT}
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"export: {folder / 'model.json'} is not readable ({error}); export the run again") from None
    if told.get("kind", "antiphon") != "antiphon":
        raise ModelError(f"export: {folder} is a model of kind {told['kind']!r}, only 'antiphon' is exported again")
    network = network_in(folder, told).eval()
    return write_model(network, out, name or str(told.get("name", out.name)), {**kept, **facts}, precision)


def main(argv: list[str]) -> int:
    """Run ``antiphon export``."""
    parser = argparse.ArgumentParser(prog="antiphon export", description="A training run to a model folder.")
    parser.add_argument(
        "run", type=Path, help="a training run's folder; or a model's that has its weights with it, to export it again"
    )
    parser.add_argument("--out", type=Path, required=True, help="the model folder to write")
    parser.add_argument("--name", help="the model's name (default: the folder's)")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default=SHIPPED, help="of the weights (default: %(default)s)"
    )
    parser.add_argument(
        "--compare", type=int, default=0, metavar="N", help="for the card: score each precision on N validation pieces"
    )
    parser.add_argument("--rollout", action="store_true", help="also the graphs of whole rollouts, for batches")
    parser.add_argument("--recipe", default="antiphon", help="the recipe that it was trained with: for the card")
    parser.add_argument("--scores", type=Path, help="for the card: what `antiphon evaluate --json` wrote")
    parser.add_argument("--facts", type=Path, help="for the card: JSON with command, trained_on, scores_command")
    args = parser.parse_args(argv)
    facts = json.loads(args.facts.read_text()) if args.facts else {}
    if args.scores:
        facts = {"scores_command": "antiphon evaluate", **facts, "scores": json.loads(args.scores.read_text())}
    again = is_model(args.run)
    if again and (args.compare or args.rollout):
        parser.error("--compare and --rollout need a training run's folder; a model's has its weights alone")
    if again:
        written = export_again(args.run, args.out, args.name, facts, args.precision)
    else:
        scored = sampled(args.run / "valid.npz", args.compare) if args.compare > 0 else []
        written = export_run(args.run / CHECKPOINT, args.out, args.name or args.out.name, facts, args.precision, scored)
    if args.rollout:
        from antiphon.export.rollout_onnx import write_rollout  # noqa: PLC0415  it builds on this module

        for file, size in write_rollout(args.run / CHECKPOINT, args.out, args.precision).items():
            print(f"{file}: {size} bytes")
    (args.out / "CARD.md").write_text(card(written, Recipe.load(args.recipe).data))
    for graph, told in written["export"].items():
        print(
            f"{graph}: {told['bytes']} bytes, "
            f"off torch by {max(told['parity'].values()):.1e}, in {args.precision} by "
            f"{max(told['quantised'].values()):.3f}; "
            f"{told['us_float32']['median']} us -> {told['us']['median']} us"
        )
    return 0
