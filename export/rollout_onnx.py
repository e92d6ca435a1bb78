"""`rollout.onnx`: a whole rollout in one call, an ONNX ``Loop`` around the graph of one note (`rollout_graph.Turn`).

It takes what the note's graph takes, but uniforms [B, N, UNIFORMS] of all notes, and gives them [B, N, len(DRAWN)] with
their log-probabilities [B, N]. The note's graph alone (`turn.onnx`), run N times with all of its state bound to a
device, is for where a loop costs more than it saves (`rollout_binding`).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from antiphon.export.graph_specs import GraphSpec
from antiphon.export.onnx_export import OPSET, export_graph
from antiphon.export.precisions import at_precision
from antiphon.export.rollout_graph import ASKED, CARRIED, DRAWN, RECALLED_ASKED, RECALLED_CARRIED, Turn
from antiphon.export.rollout_state import NEVER, OVER
from antiphon.models.backbones import RECALLED
from antiphon.models.controls import CONTROLS
from antiphon.models.generator import PARTS, PITCHES, TIME_CLASSES, UNIFORMS, VELOCITY_LEVELS
from antiphon.models.network import AntiphonNetwork
from antiphon.models.recent import NONE_ENDED, NONE_PLAYED
from antiphon.models.roll import KEYS
from antiphon.models.training import load_network
from onnx import TensorProto, helper, numpy_helper

#: In the examples: lines, rows of open notes, notes recalled, notes to draw.
_LINES, _OPEN, _BEFORE, _NOTES = 2, 7, 5, 4
_WITHIN = "_in"  # of the loop's own names: what is carried may not be called as it is outside


def turn_spec(network: AntiphonNetwork) -> GraphSpec:
    """Give the graph of one note, with example inputs of two lines."""
    config, recalls = network.config, network.backbone.recalls
    opened = torch.full((_LINES, _OPEN, 2), OVER)
    opened[:, 0], opened[:, 1] = torch.tensor([-5.0, 3.0]), torch.tensor([-9.0, NEVER])
    opened[1, 2] = torch.tensor([-2.0, 0.0])
    asked = {
        "uniforms": torch.rand(_LINES, UNIFORMS),
        "controls": torch.tensor([[0] * len(CONTROLS), [control.classes - 1 for control in CONTROLS]]),
        "start": torch.tensor([100, 9]), "grid": torch.tensor([[30, 4], [0, 0]]), "first": torch.tensor([3]),
        "forced": torch.tensor([[-1, -1, -1], [2, 12, 9]]), "gap_range": torch.tensor([[0, 96], [5, 40]]),
        "part_bias": torch.zeros(_LINES, PARTS), "gap_bias": torch.zeros(_LINES, TIME_CLASSES),
        "pitch_bias": torch.zeros(_LINES, PARTS, PITCHES), "velocity_bias": torch.zeros(_LINES, VELOCITY_LEVELS),
        "duration_bias": torch.zeros(_LINES, TIME_CLASSES), "sharpness": torch.tensor([[1.0], [1.25]]),
        "top_p": torch.tensor([[1.0], [0.9]]),
    }  # fmt: skip
    carried = {
        "now": torch.tensor([6, 0]), "hidden": torch.randn(_LINES, sum(network.backbone.states)) * 0.3,
        "context": torch.randn(_LINES, config.hidden), "features": torch.rand(_LINES, config.features, KEYS),
        "part_logits": torch.randn(_LINES, PARTS), "gap_logits": torch.randn(_LINES, PARTS, TIME_CLASSES),
        "open": opened, "open_key": torch.randint(0, PARTS, (_LINES, _OPEN, 2)),
        "recency": torch.rand(_LINES, 4, PITCHES), "ended": torch.full((_LINES, PARTS), NONE_ENDED),
        "at_key": torch.full((_LINES, 2 * PITCHES), NONE_ENDED), "level": torch.full((_LINES, PARTS), NONE_PLAYED),
    }  # fmt: skip
    memory = {
        "keys": torch.randn(1, _BEFORE, RECALLED), "values": torch.randn(1, _BEFORE, RECALLED),
        "own_keys": torch.zeros(_LINES, _NOTES, RECALLED), "own_values": torch.zeros(_LINES, _NOTES, RECALLED),
    }  # fmt: skip
    inputs = {**asked, "count": torch.tensor([0]), **carried, **(memory if recalls else {})}
    outputs = [name + "_out" for name in (*CARRIED, *(RECALLED_CARRIED if recalls else ()))]
    growing = ("open", "open_key", *(memory if recalls else ()))
    return GraphSpec(
        "turn", Turn(network), inputs, ("note", "log_prob", *outputs), growing, ("first", "count", *RECALLED_ASKED)
    )


def looped(turn: onnx.ModelProto) -> onnx.ModelProto:
    """Give `rollout.onnx` from the note's graph, at whatever precision that is."""
    names = [value.name for value in turn.graph.input]
    asked = [name for name in names if name in (*ASKED, *RECALLED_ASKED)]
    carried = [name for name in names if name not in (*asked, "count")]
    inputs = {value.name: value for value in turn.graph.input}
    body = _body(turn.graph, carried)
    drawn = helper.make_tensor_value_info("notes", TensorProto.INT64, ["batch", "count", len(DRAWN)])
    chances = helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["batch", "count"])
    uniforms = helper.make_tensor_value_info("uniforms", TensorProto.FLOAT, ["batch", "count", UNIFORMS])
    loop = helper.make_node(
        "Loop", ["count", "", *carried], [*(name + "_last" for name in carried), "notes_first", "log_probs_first"],
        body=body,
    )  # fmt: skip
    nodes = [
        helper.make_node("Shape", ["uniforms"], ["counted"], start=1, end=2),
        helper.make_node("Squeeze", ["counted"], ["count"]),
        loop,
        helper.make_node("Transpose", ["notes_first"], ["notes"], perm=[1, 0, 2]),
        helper.make_node("Transpose", ["log_probs_first"], ["log_probs"], perm=[1, 0]),
    ]
    graph = helper.make_graph(
        nodes, "rollout", [uniforms, *(inputs[name] for name in (*asked, *carried) if name != "uniforms")],
        [drawn, chances],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=turn.ir_version)
    model.functions.extend(turn.functions)
    return model


def _body(turn: onnx.GraphProto, carried: list[str]) -> onnx.GraphProto:
    """Give the loop's body: the note's graph, its uniforms picked, its number told."""
    types = {value.name: value for value in (*turn.input, *turn.output)}
    graph = onnx.GraphProto(name="note")
    graph.initializer.extend(turn.initializer)
    graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.int64), "loop_axis"))
    inside = {name: name + _WITHIN for name in (*carried, "uniforms", "count")}
    graph.node.append(helper.make_node("Gather", ["uniforms", "loop_index"], ["uniforms" + _WITHIN], axis=1))
    graph.node.append(helper.make_node("Unsqueeze", ["loop_index", "loop_axis"], ["count" + _WITHIN]))
    for node in turn.node:
        kept = graph.node.add()
        kept.CopyFrom(node)
        del kept.input[:]
        kept.input.extend(inside.get(name, name) for name in node.input)
    graph.node.append(helper.make_node("Identity", ["loop_goes_on"], ["loop_goes_on_out"]))
    graph.input.extend([
        helper.make_tensor_value_info("loop_index", TensorProto.INT64, []),
        helper.make_tensor_value_info("loop_goes_on", TensorProto.BOOL, []),
        *(_renamed(types[name], name + _WITHIN) for name in carried),
    ])  # fmt: skip
    graph.output.extend([
        helper.make_tensor_value_info("loop_goes_on_out", TensorProto.BOOL, []),
        *(types[name + "_out"] for name in carried), types["note"], types["log_prob"],
    ])  # fmt: skip
    return graph


def _renamed(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    renamed = onnx.ValueInfoProto()
    renamed.CopyFrom(value)
    renamed.name = name
    return renamed


def write_rollout(checkpoint: Path, folder: Path, precision: str) -> dict[str, int]:
    """Write `rollout.onnx` and `turn.onnx` into a model folder, and their hashes into its ``model.json``.

    Returns:
        Bytes of each file.

    Raises:
        ModelError: the graph differs from torch's network.
    """
    network, _ = load_network(checkpoint)
    turn = at_precision(export_graph(turn_spec(network)), precision)
    facts = json.loads((folder / "model.json").read_text())
    written = {}
    for name, model in (("turn.onnx", turn), ("rollout.onnx", looped(turn))):
        whole = model.SerializeToString()
        (folder / name).write_bytes(whole)
        facts["files"][name] = hashlib.sha256(whole).hexdigest()
        written[name] = len(whole)
    (folder / "model.json").write_text(json.dumps(facts, indent=1) + "\n")
    return written
