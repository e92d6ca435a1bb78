"""The discriminator of `neurotune` as an ONNX graph, built node by node: any number of sequences of any length.

By hand, because torch's exporter takes ten seconds over the recurrence of a dynamic length, and because one-hots
times a matrix are a look-up: a row of a table for each field, summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from antiphon.export.onnx_export import OPSET
from antiphon.models.neurotune.discriminator import LEAK, Discriminator
from antiphon.models.neurotune.sequences import SIZES
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

_IR = 10  # what onnxruntime reads, and the opset needs


def critic_model(discriminator: Discriminator, sizes: Sequence[int] = SIZES) -> onnx.ModelProto:
    """Give the graph: ``notes`` int64 [B, T, fields] -> ``score`` [B]. Spectral norms are worked into the weights.

    Args:
        discriminator: the network.
        sizes: classes of each field of a note.
    """
    # in evaluation a spectral norm divides by the vectors it has, in training it would move them
    critic, hidden = discriminator.eval(), discriminator.config.hidden
    offsets = np.cumsum([0, *sizes[:-1]])
    with torch.no_grad():
        values: dict[str, NDArray[Any]] = {
            "offsets": offsets.astype(np.int64),
            "table": _array(critic.note.weight).T.copy(), "table_bias": _array(critic.note.bias),
            "near": _array(critic.near.weight), "near_bias": _array(critic.near.bias),
            "wide": _array(critic.wide.weight), "wide_bias": _array(critic.wide.bias),
            "gru_w": _both_ways(critic.recurrence, "weight_ih"), "gru_r": _both_ways(critic.recurrence, "weight_hh"),
            "gru_b": np.concatenate(
                [_both_ways(critic.recurrence, "bias_ih"), _both_ways(critic.recurrence, "bias_hh")], axis=1
            ),
            "score_weight": _array(critic.score.weight), "score_bias": _array(critic.score.bias),
            "fields": np.array([2], np.int64), "time": np.array([0], np.int64), "one": np.array([1], np.int64),
            "flat": np.array([0, -1], np.int64),
        }  # fmt: skip
    pad = critic.config.width // 2
    nodes = [
        _node("Add", "notes offsets", "slots"),
        _node("Gather", "table slots", "rows", axis=0),  # [B, T, fields, C]
        _node("ReduceSum", "rows fields", "summed", keepdims=0),
        _node("Add", "summed table_bias", "noted"),
        _node("LeakyRelu", "noted", "note_code", alpha=LEAK),
        _node("Transpose", "note_code", "along", perm=[0, 2, 1]),  # [B, C, T]
        _node("Conv", "along near near_bias", "near_sum", pads=[pad, pad]),
        _node("LeakyRelu", "near_sum", "near_code", alpha=LEAK),
        _node("Conv", "near_code wide wide_bias", "wide_sum", pads=[pad, pad]),
        _node("LeakyRelu", "wide_sum", "wide_code", alpha=LEAK),
        _node("Transpose", "wide_code", "in_time", perm=[2, 0, 1]),  # [T, B, C]
        _node("GRU", "in_time gru_w gru_r gru_b", "hidden", direction="bidirectional", hidden_size=hidden,
              linear_before_reset=1),  # [T, 2, B, H]
        _node("ReduceMean", "hidden time", "mean", keepdims=0),
        _node("ReduceMax", "hidden time", "most", keepdims=0),
    ]  # fmt: skip
    for name in ("mean", "most"):
        nodes.append(_node("Transpose", name, f"{name}_rows", perm=[1, 0, 2]))  # [B, 2, H]
        nodes.append(_node("Reshape", f"{name}_rows flat", f"{name}_flat"))
    nodes += [
        _node("Concat", "mean_flat most_flat", "features", axis=1),
        _node("Gemm", "features score_weight score_bias", "scores", transB=1),
        _node("Squeeze", "scores one", "score"),
    ]
    graph = helper.make_graph(
        nodes, "critic",
        [helper.make_tensor_value_info("notes", TensorProto.INT64, ["batch", "length", len(sizes)])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR)
    onnx.checker.check_model(model, full_check=True)
    return model


def _node(kind: str, taken: str, given: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, taken.split(), [given], **attributes)


def _array(value: Tensor | torch.nn.Module) -> NDArray[np.float32]:
    assert isinstance(value, Tensor)  # a weight with a spectral norm is typed as either
    return np.ascontiguousarray(value.detach().numpy())


def _both_ways(recurrence: torch.nn.GRU, name: str) -> NDArray[np.float32]:
    """Stack both directions [2, 3 H, ...]; torch's gates are reset, update, new, ONNX's update, reset, new."""
    directions = []
    for suffix in ("l0", "l0_reverse"):
        reset, update, new = np.split(_array(getattr(recurrence, f"{name}_{suffix}")), 3)
        directions.append(np.concatenate([update, reset, new]))
    return np.stack(directions)
