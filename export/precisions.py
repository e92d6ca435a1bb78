"""A graph at another precision: weights in 32 or 16 bits, or in 8 or 4 with a scale for each block of a row.

Whatever is not a large matrix product stays at full precision, but for the tables that rows are looked up in: from 16
bits down they are kept in 16, and widened as they are loaded. ``fp16`` keeps every large weight so: half the bytes,
computed as before. `half_computed` computes in 16 bits as well, for a GPU.
"""

from __future__ import annotations

import numpy as np
import onnx
from antiphon.export.quantise import quantised
from onnx import TensorProto, helper, numpy_helper

#: From the most bits to the fewest; the third ships.
PRECISIONS = ("fp32", "fp16", "int8", "int4")
SHIPPED = "int8"
#: Smaller weights are not worth a node.
_FEWEST = 2048
_LOOK_UPS = ("Gather", "GatherND")


def at_precision(model: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """Give a graph that was exported in 32 bits at one of `PRECISIONS`; the one given stays as it is.

    Raises:
        ValueError: of another precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision: must be one of {', '.join(PRECISIONS)}, got {precision!r}; give one of them")
    if precision == "fp32":
        return model
    if precision == "fp16":
        return _halved(model, products=True)
    return _halved(quantised(model, 8 if precision == "int8" else 4), products=False)


def half_computed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give a copy that computes in 16 bits between 32-bit inputs and outputs: for a GPU, a CPU is slower with it."""
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415  seconds to import

    copied = onnx.ModelProto.FromString(model.SerializeToString())
    converted: onnx.ModelProto = convert_float_to_float16(copied, keep_io_types=True)
    return converted


def _halved(model: onnx.ModelProto, products: bool) -> onnx.ModelProto:
    """Give a copy with large weights in 16 bits, widened as they are loaded: tables, and (if asked) all others.

    A runtime computes what hangs on constants alone once, at its start, so a row that is looked up is wide already:
    an operator at each look-up would cost more than the bytes.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    tables = {node.input[0] for node in graph.node if node.op_type in _LOOK_UPS}
    narrowed = set()
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < _FEWEST:
            continue
        if products or weight.name in tables:
            narrowed.add(weight.name)
            weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), weight.name))
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name in narrowed:
                node.input[place] = name + "_wide"
    nodes = [*(_widened(name, name + "_wide") for name in sorted(narrowed)), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    return model


def _widened(name: str, into: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [name], [into], to=TensorProto.FLOAT)
