"""Weights in 8 or 4 bits, with a scale for every block of every row, as the operator ``MatMulNBits`` takes them.

Scales that span a whole tensor (dynamic int8) would give one row another answer alone than in a batch, and
rollback and best-of-N would not agree with themselves; scales by row do not. Nor may one row take another way than
many: the operator multiplies a single row in another order, its rounding of the inputs to 8 bits turns that into a
thousandth, and a recurrence carries it on (0.02 after 150 notes). So a row is added to what is multiplied and taken
off again: there are always two or more, and a row alone stays what it is in a batch. Where whoever runs a graph sees to
that (`models.alone`), it says so (`SEEN_TO`); in others every product gets its own.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_DOMAIN = "com.microsoft"
#: Weights a scale is shared by, along a row. A power of two, that fits rows of 352 and 384 with little padding; from
#: 128 on, one row goes another way than two on some processors (AVX-512 with VNNI).
BLOCK = 64
#: Likewise of 4 bits: sixteen values need a finer scale.
BLOCK_4 = 32
#: Smaller products gain nothing by it; those from here on are spared the operator that adds their bias.
FEWEST_WEIGHTS = 2048
#: A graph's note that whoever runs it sees to rows that would be alone.
SEEN_TO = "antiphon.never_alone"
_FIRST, _SECOND, _LAST = "alone.axis_0", "alone.row_1", "alone.row_-1"  # constants of the slices
_ZERO_POINT, _ZERO_POINT_4 = 128, 8  # of unsigned 8 and 4 bits, the operator's defaults


def quantised(model: onnx.ModelProto, bits: int = 8) -> onnx.ModelProto:
    """Give a copy of ``model`` whose large constant matrix products are ``MatMulNBits`` of 8 or 4 bits."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    _with_biases(graph)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    uses: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1
    nodes: list[onnx.NodeProto] = []
    for name, value in ((_FIRST, [0]), (_SECOND, [1]), (_LAST, [-1])):
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
    padded: set[str] = set()
    never_alone = any(noted.key == SEEN_TO for noted in model.metadata_props)
    for node in graph.node:
        replaced = _replace(node, weights, uses, graph, bits) if node.op_type in ("Gemm", "MatMul") else None
        for made in replaced or [node]:
            if made.op_type == "MatMulNBits" and not never_alone:
                nodes.extend(_never_alone(made, padded))
            else:
                nodes.append(made)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]
    if not any(given.domain == _DOMAIN for given in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return model


def _with_biases(graph: onnx.GraphProto) -> None:
    """Give every product its bias as a third input, as ``Gemm`` has it, where a constant row is added to it alone."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    given = {output.name for output in graph.output}
    gone = []
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in constants or node.output[0] in given:
            continue
        reader, *others = readers[node.output[0]]
        bias = [name for name in reader.input if name in constants and len(constants[name].dims) == 1]
        small = np.prod(constants[node.input[1]].dims) < FEWEST_WEIGHTS
        if small or others or reader.op_type != "Add" or len(bias) != 1:
            continue
        node.input.append(bias[0])
        node.output[0] = reader.output[0]
        gone.append(reader)
    for node in gone:
        graph.node.remove(node)


def _replace(
    node: onnx.NodeProto, weights: dict[str, onnx.TensorProto], uses: dict[str, int], graph: onnx.GraphProto, bits: int
) -> list[onnx.NodeProto] | None:
    name = node.input[1]
    if name not in weights or uses[name] > 1:
        return None
    matrix = numpy_helper.to_array(weights[name])
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Gemm":
        if attributes.get("transA", 0) or attributes.get("alpha", 1.0) != 1.0:
            return None
        if not attributes.get("transB", 0):
            matrix = matrix.T
    else:
        matrix = matrix.T  # now [out, in], a row for each output
    if matrix.ndim != 2 or matrix.size < FEWEST_WEIGHTS:
        return None
    packed, scales = quantise_rows(matrix) if bits == 8 else quantise_rows_4(matrix)
    graph.initializer.append(numpy_helper.from_array(packed, name + f"_q{bits}"))
    graph.initializer.append(numpy_helper.from_array(scales, name + "_scales"))
    packs = [name + f"_q{bits}", name + "_scales"]
    bias = (
        ["", "", node.input[2]] if len(node.input) > 2 and node.input[2] else []
    )  # after two inputs that are not used
    return [
        helper.make_node(
            "MatMulNBits", [node.input[0], *packs, *bias], [node.output[0]], domain=_DOMAIN,
            K=matrix.shape[1], N=matrix.shape[0], bits=bits,
            block_size=BLOCK if bits == 8 else BLOCK_4, accuracy_level=4,
        )
    ]  # fmt: skip


def _never_alone(product: onnx.NodeProto, padded: set[str]) -> list[onnx.NodeProto]:
    """Give the nodes that add the first row once more, multiply, and take it off."""
    rows, out = product.input[0], product.output[0]
    nodes = []
    if rows not in padded:
        padded.add(rows)
        nodes = [
            helper.make_node("Slice", [rows, _FIRST, _SECOND, _FIRST], [rows + "_first"]),
            helper.make_node("Concat", [rows, rows + "_first"], [rows + "_padded"], axis=0),
        ]
    product.input[0], product.output[0] = rows + "_padded", out + "_of_padded"
    return [*nodes, product, helper.make_node("Slice", [out + "_of_padded", _FIRST, _LAST, _FIRST], [out])]


def quantise_rows(matrix: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Quantise [N, K] to packed uint8 [N, blocks, BLOCK] and scales [N * blocks].

    >>> packed, scales = quantise_rows(np.array([[127.0, -64.0]], np.float32))
    >>> packed[0, 0, :3].tolist(), float(scales[0])
    ([255, 64, 128], 1.0)
    """
    shaped = _in_blocks(matrix, BLOCK)
    scales = np.abs(shaped).max(axis=2) / 127.0
    scales = np.where(scales == 0.0, 1.0, scales).astype(np.float32)
    packed = np.clip(np.round(shaped / scales[:, :, None]), -127, 127) + _ZERO_POINT
    return packed.astype(np.uint8), scales.reshape(-1)


def quantise_rows_4(matrix: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Quantise [N, K] to two weights a byte [N, blocks, BLOCK_4 / 2] and scales [N * blocks].

    The weight that is furthest from zero becomes -8, so that all sixteen values are used.

    >>> packed, scales = quantise_rows_4(np.array([[8.0, -4.0]], np.float32))
    >>> packed[0, 0, :2].tolist(), float(scales[0])
    ([192, 136], -1.0)
    """
    shaped = _in_blocks(matrix, BLOCK_4)
    furthest = np.take_along_axis(shaped, np.abs(shaped).argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
    scales = np.where(furthest == 0.0, 1.0, furthest / -8.0).astype(np.float32)
    values = (np.clip(np.round(shaped / scales[:, :, None]), -8, 7) + _ZERO_POINT_4).astype(np.uint8)
    return (values[:, :, ::2] | (values[:, :, 1::2] << 4)).astype(np.uint8), scales.reshape(-1)


def _in_blocks(matrix: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Pad the rows [N, K] with zeros, and cut them to [N, blocks, block]."""
    rows, columns = matrix.shape
    blocks = -(-columns // block)
    padded = np.zeros((rows, blocks * block), np.float32)
    padded[:, :columns] = matrix
    return padded.reshape(rows, blocks, block)
