"""A graph at another precision: weights in 32 or 16 bits, or in 8 or 4 with a scale for each block of a row.

Whatever is not a large matrix product stays at full precision, but for the tables that rows are looked up in: from 16
bits down they are kept in 16, and a row is widened once it is looked up. ``fp16`` keeps every large weight in 16 bits
and widens it as it is loaded: half the bytes, computed as before. `half_computed` computes in 16 bits as well, for a
GPU.
"""

from __future__ import annotations

import numpy as np
import onnx
from antiphon.export.fused import fused
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
    return _halved(fused(quantised(model, 8 if precision == "int8" else 4)), products=False)


def half_computed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give a copy that computes in 16 bits between 32-bit inputs and outputs: for a GPU, a CPU is slower with it."""
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415  seconds to import

    copied = onnx.ModelProto.FromString(model.SerializeToString())
    converted: onnx.ModelProto = convert_float_to_float16(copied, keep_io_types=True)
    return converted


def _halved(model: onnx.ModelProto, products: bool) -> onnx.ModelProto:
    """Give a copy with large weights in 16 bits: tables widened after the look-up, others (if asked) before use."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    uses: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            uses.setdefault(name, []).append(node)
    rows, whole = _narrowed(graph, uses, products)
    kept = {output.name for output in graph.output}
    nodes = [_widened(name, name + "_wide") for name in sorted(whole)]
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name in whole:
                node.input[place] = name + "_wide"
        nodes.append(node)
        if not (node.op_type in _LOOK_UPS and node.input[0] in rows):
            continue
        (found,) = node.output
        if found not in kept and _only_looked_up(found, uses):
            rows.add(found)  # a table cut out of a table is one still
        else:
            node.output[0] = found + "_narrow"
            nodes.append(_widened(found + "_narrow", found))
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    return model


def _narrowed(
    graph: onnx.GraphProto, uses: dict[str, list[onnx.NodeProto]], products: bool
) -> tuple[set[str], set[str]]:
    """Put large weights in 16 bits, in place; give the names of the tables and of the others."""
    rows: set[str] = set()
    whole: set[str] = set()
    for weight in graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < _FEWEST:
            continue
        table = _only_looked_up(weight.name, uses)
        if not table and not products:
            continue
        (rows if table else whole).add(weight.name)
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), weight.name))
    return rows, whole


def _only_looked_up(name: str, uses: dict[str, list[onnx.NodeProto]]) -> bool:
    return all(node.op_type in _LOOK_UPS and node.input[0] == name for node in uses.get(name, []))


def _widened(name: str, into: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [name], [into], to=TensorProto.FLOAT)
