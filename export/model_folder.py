"""A model's folder: graphs and the precision of their weights, what was measured, hashes, card; ``antiphon export``."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from antiphon.export.card import card
from antiphon.export.graph_specs import graphs
from antiphon.export.onnx_export import OPSET, export_graph, latency_us, operators, parity
from antiphon.export.precisions import PRECISIONS, SHIPPED, at_precision
from antiphon.export.precisions_table import compared, sampled
from antiphon.export.shared_weights import write_graphs
from antiphon.models.errors import ModelError
from antiphon.models.learn_weights import WEIGHTS, network_in, weights_of
from antiphon.models.model_files import FORMAT, GRAPH_WEIGHTS
from antiphon.models.network import AntiphonNetwork
from antiphon.models.notes import NoteTable
from antiphon.models.training import CHECKPOINT, Recipe, load_network

CARD = "CARD.md"
#: What an export tells by itself.
_OF_AN_EXPORT = ("kind", "format", "name", "licence", "opset", "network", "files", "precision", "parameters", "export")


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
                output: round(worst, 4) for output, worst in parity(spec, small, spec.drawn_from).items()
            },
            "us_float32": latency_us(spec, full),
            "us": latency_us(spec, small),
            "operators": operators(small),
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
    folder: Path,
    out: Path,
    name: str | None,
    facts: dict[str, Any],
    precision: str = SHIPPED,
    scored: Sequence[NoteTable] = (),
) -> dict[str, Any]:
    """Write a model folder anew from the weights in another: for graphs of an older format. Give what it holds.

    What its ``model.json`` told of training, music and scores stays told.

    Args:
        folder: the model's.
        out: the folder to write; it may be the same.
        name: the model's; None: as it was.
        facts: more of what ``model.json`` is to hold, or in place of what it held.
        precision: of `PRECISIONS`.
        scored: as `export_run`'s.

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
    return write_model(network, out, name or str(told.get("name", out.name)), {**kept, **facts}, precision, scored)


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
    parser.add_argument("--valid", type=Path, metavar="FILE", help="these pieces (default: the run's valid.npz)")
    parser.add_argument("--rollout", action="store_true", help="also the graphs of whole rollouts, for batches")
    parser.add_argument("--recipe", default="antiphon", help="the recipe that it was trained with: for the card")
    parser.add_argument("--scores", type=Path, help="for the card: what `antiphon evaluate --json` wrote")
    parser.add_argument("--facts", type=Path, help="for the card: JSON with command, trained_on, scores_command")
    args = parser.parse_args(argv)
    facts = json.loads(args.facts.read_text()) if args.facts else {}
    if args.scores:
        facts = {"scores_command": "antiphon evaluate", **facts, "scores": json.loads(args.scores.read_text())}
    again = is_model(args.run)
    if again and (args.rollout or (args.compare > 0 and args.valid is None)):
        parser.error("a model's folder has weights alone: --rollout needs a training run's, --compare a --valid FILE")
    scored = sampled(args.valid or args.run / "valid.npz", args.compare) if args.compare > 0 else []
    if again:
        written = export_again(args.run, args.out, args.name, facts, args.precision, scored)
    else:
        written = export_run(args.run / CHECKPOINT, args.out, args.name or args.out.name, facts, args.precision, scored)
    if args.rollout:
        from antiphon.export.rollout_onnx import write_rollout  # noqa: PLC0415  it builds on this module

        for file, size in write_rollout(args.run / CHECKPOINT, args.out, args.precision).items():
            print(f"{file}: {size} bytes")
    if "learnt" not in written:  # such a card tells of its owner's music, and `antiphon learn` wrote it
        (args.out / CARD).write_text(card(written, Recipe.load(args.recipe).data))
    elif args.out.resolve() != args.run.resolve():
        (args.out / CARD).write_bytes((args.run / CARD).read_bytes())
    for graph, told in written["export"].items():
        print(
            f"{graph}: {told['bytes']} bytes, "
            f"off torch by {max(told['parity'].values()):.1e}, in {args.precision} by "
            f"{max(told['quantised'].values()):.3f}; "
            f"{told['us_float32']['median']} us -> {told['us']['median']} us"
        )
    return 0
