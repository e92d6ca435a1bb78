"""Two critics as one graph: what the new one says, and a share of what the one before says.

The second round is right about what the first overdid, the first about the rest: the best of N by both is nearer to
music than either's (docs/decisions.md, 20).
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

_INPUT, _OUTPUT = "notes", "score"
_NEW, _BEFORE = "new_", "before_"


def together(new: onnx.ModelProto, before: onnx.ModelProto, weight: float) -> onnx.ModelProto:
    """Give the graph ``notes`` -> ``score`` whose score is the new critic's plus ``weight`` times the one before's.

    Args:
        new: a critic's graph, ``notes`` int64 [B, T, fields] -> ``score`` [B].
        before: likewise.
        weight: how much the one before still counts.
    """
    both = compose.merge_models(
        compose.add_prefix(new, _NEW), compose.add_prefix(before, _BEFORE), io_map=[], name="critics"
    )
    graph = both.graph
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name in (_NEW + _INPUT, _BEFORE + _INPUT):
                node.input[at] = _INPUT
    notes, score = new.graph.input[0], new.graph.output[0]
    del graph.input[:], graph.output[:]
    graph.input.append(notes)
    graph.output.append(score)
    graph.initializer.append(numpy_helper.from_array(np.array(weight, np.float32), "weight"))
    graph.node.append(helper.make_node("Mul", [_BEFORE + _OUTPUT, "weight"], ["weighed"]))
    graph.node.append(helper.make_node("Add", [_NEW + _OUTPUT, "weighed"], [_OUTPUT]))
    onnx.checker.check_model(both)
    return both
