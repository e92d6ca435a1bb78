"""Operators of a written graph put together where onnxruntime has one for both."""

from __future__ import annotations

import onnx
from onnx import helper

_DOMAIN = "com.microsoft"


def fused(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give a copy in which a sum and the layer norm of it are one ``SkipLayerNormalization``; both come out of it."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    constants = {weight.name for weight in graph.initializer}
    sums = {
        node.output[0]: node
        for node in graph.node
        if node.op_type == "Add" and not constants.intersection(node.input)
    }  # fmt: skip
    uses: dict[str, int] = {}
    for name in (*(name for node in graph.node for name in node.input), *(out.name for out in graph.output)):
        uses[name] = uses.get(name, 0) + 1
    gone: set[str] = set()
    nodes = []
    for node in graph.node:
        total = sums.get(node.input[0]) if node.op_type == "LayerNormalization" and len(node.input) == _GIVEN else None
        if total is None or total.output[0] in gone:
            nodes.append(node)
            continue
        gone.add(total.output[0])
        epsilon = next((given.f for given in node.attribute if given.name == "epsilon"), 1e-5)
        also = ["", "", total.output[0]] if uses[total.output[0]] > 1 else []
        nodes.append(
            helper.make_node(
                "SkipLayerNormalization", [*total.input, node.input[1], node.input[2]], [node.output[0], *also],
                domain=_DOMAIN, epsilon=epsilon,
            )
        )  # fmt: skip
    del graph.node[:]
    graph.node.extend(node for node in nodes if not (node.op_type == "Add" and node.output[0] in gone))
    if gone and not any(given.domain == _DOMAIN for given in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return model


#: What is normed, scale and bias.
_GIVEN = 3
