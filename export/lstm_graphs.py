"""The `lstm` generator's two graphs, written operator by operator.

torch's exporter unrolls a recurrence over a window of fixed length; written by hand, the window is one ``LSTM`` (or
``GRU``) operator a layer with any length and batch, and the step is plain matrix products that can be put in 8 bits.
In the step the embedding is multiplied through the first layer beforehand: one look-up instead of a product.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from antiphon.models.lstm.network import ElementNetwork
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
_IR = 10
#: 8 bits: -127 to 127 as 1 to 255.
_MOST, _ZERO = 127, 128
_TINY = 1e-12
Array = NDArray[np.float32]


class _Graph:
    """A graph being written: names are made up as it grows.

    Args:
        eight_bits: products with a state are of 8-bit whole numbers, and tables of 8-bit rows.
    """

    def __init__(self, eight_bits: bool = False) -> None:
        self.eight_bits = eight_bits
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(
        self, operator: str, inputs: list[str], outputs: int = 1, names: list[str] | None = None, **how: Any
    ) -> Any:
        given = names or [f"n{len(self.nodes)}_{place}" for place in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, given, **how))
        return given[0] if len(given) == 1 else given

    def product(self, left: str, weight: Array, bias: Array, names: list[str] | None = None) -> str:
        """``left`` [B, in] times ``weight`` [out, in] transposed, plus bias."""
        made: str = self.add("Gemm", [left, self.constant(weight), self.constant(bias)], names=names, transB=1)
        return made

    def state_product(self, state: str, weight: Array, bias: Array) -> str:
        """As `product`, for a ``state`` between -1 and 1; in 8 bits where asked.

        The state's scale is fixed and the sum is of whole numbers, so it does not depend on the batch: a scale taken
        from the data, and sums in another order for another batch, let a rounding fall the other way.
        """
        if not self.eight_bits:
            return self.product(state, weight, bias)
        scales = np.maximum(np.abs(weight).max(axis=1), _TINY) / _MOST  # [out]
        # unsigned times unsigned: signed weights may overflow 16 bits on processors without VNNI
        rows = (np.round(weight / scales[:, None]) + _ZERO).astype(np.uint8)
        zero = self.constant(np.array(_ZERO, np.uint8))
        whole = self.add("QuantizeLinear", [state, self.constant(np.array(1.0 / _MOST, np.float32)), zero])
        summed = self.add("MatMulInteger", [whole, self.constant(rows.T), zero, zero])
        summed = self.add("Cast", [summed], to=TensorProto.FLOAT)
        scaled = self.add("Mul", [summed, self.constant((scales / _MOST).astype(np.float32))])
        made: str = self.add("Add", [scaled, self.constant(bias)])
        return made

    def looked_up(self, table: Array, index: str) -> str:
        """Rows of a ``table`` [V, out] at ``index`` [B]; in 8 bits with a scale a row, where asked."""
        if not self.eight_bits:
            found: str = self.add("Gather", [self.constant(table), index])
            return found
        scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), _TINY) / _MOST  # [V, 1]
        rows = self.add("Gather", [self.constant(np.round(table / scales).astype(np.int8)), index])
        rows = self.add("Cast", [rows], to=TensorProto.FLOAT)
        scale = self.add("Gather", [self.constant(scales.astype(np.float32)), index])
        scaled: str = self.add("Mul", [rows, scale])
        return scaled

    def model(self, name: str, inputs: list[Any], outputs: list[Any]) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR)
        onnx.checker.check_model(model)
        return model


def _weights(network: ElementNetwork) -> dict[str, Array]:
    return {name: value.detach().cpu().numpy().astype(np.float32) for name, value in network.state_dict().items()}


def _layer(weights: dict[str, Array], layer: int) -> tuple[Array, Array, Array, Array]:
    """Give a layer's weights and biases, torch's order of gates: of its input, of its state."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    below, own, bias, own_bias = (weights[f"recurrence.{name}_l{layer}"] for name in names)
    return below, own, bias, own_bias


def _rows(matrix: Array, order: str, wanted: str) -> Array:
    """Put a weight's blocks of rows, a block a gate, in another order of gates."""
    blocks = dict(zip(order, np.split(matrix, len(order)), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted])


def _floats(name: str, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def _head(graph: _Graph, weights: dict[str, Array], hidden: str) -> None:
    dense = graph.state_product(hidden, weights["dense.weight"], weights["dense.bias"])
    graph.product(dense, weights["out.weight"], weights["out.bias"], names=["logits"])


def step_graph(network: ElementNetwork, eight_bits: bool = False) -> onnx.ModelProto:
    """Give the graph of one element.

    token [B], hidden (and cell) [L, B, H] -> logits [B, V], next_hidden (and next_cell).

    Args:
        network: in torch.
        eight_bits: all but the last layer's weights in 8 bits with a scale a row, states in 8 bits as they are
            multiplied.
    """
    config, weights, graph = network.config, _weights(network), _Graph(eight_bits)
    codes = network.codes().detach().cpu().numpy().astype(np.float32)  # [V, E]
    states = ("hidden", "cell") if config.cell == "lstm" else ("hidden",)
    axis = graph.constant(np.array([0], np.int64))
    before = {}
    for state in states:
        parts = graph.add("Split", [state], config.layers, axis=0, num_outputs=config.layers)
        parts = parts if config.layers > 1 else [parts]
        before[state] = [graph.add("Squeeze", [part, axis]) for part in parts]
    after: dict[str, list[str]] = {state: [] for state in states}
    below = "token"
    for layer in range(config.layers):
        cell = _lstm_cell if config.cell == "lstm" else _gru_cell
        made = cell(graph, _layer(weights, layer), codes if layer == 0 else None, below,
                    [before[state][layer] for state in states])  # fmt: skip
        for state, value in zip(states, made, strict=True):
            after[state].append(graph.add("Unsqueeze", [value, axis]))
        below = made[0]
    for state in states:
        graph.add("Concat", after[state], names=[f"next_{state}"], axis=0)
    _head(graph, weights, below)
    shape = (config.layers, "batch", config.hidden)
    token = helper.make_tensor_value_info("token", TensorProto.INT64, ["batch"])
    return graph.model(
        "step", [token, *(_floats(state, *shape) for state in states)],
        [_floats("logits", "batch", network.words), *(_floats(f"next_{state}", *shape) for state in states)],
    )  # fmt: skip


def _lstm_cell(
    graph: _Graph, layer: tuple[Array, Array, Array, Array], codes: Array | None, below: str, before: list[str]
) -> list[str]:
    """One LSTM layer. Gates in the order i, f, o, g: the three that take a sigmoid side by side."""
    weight, own, bias, own_bias = (_rows(matrix, "ifgo", "ifog") for matrix in layer)
    hidden, cell = before
    size = own.shape[1]
    if codes is not None:  # the first layer's input is one of V: its product is a table
        looked_up = graph.looked_up(codes @ weight.T + bias + own_bias, below)
        carried = graph.state_product(hidden, own, np.zeros_like(bias))
        gates = graph.add("Add", [looked_up, carried])
    else:
        both = graph.add("Concat", [below, hidden], axis=1)
        gates = graph.state_product(both, np.concatenate([weight, own], axis=1), bias + own_bias)
    sizes = graph.constant(np.array([3 * size, size], np.int64))
    open_, new = graph.add("Split", [gates, sizes], 2, axis=1)
    taken, kept, shown = graph.add("Split", [graph.add("Sigmoid", [open_])], 3, axis=1, num_outputs=3)
    kept = graph.add("Mul", [kept, cell])
    cell = graph.add("Add", [kept, graph.add("Mul", [taken, graph.add("Tanh", [new])])])
    return [graph.add("Mul", [shown, graph.add("Tanh", [cell])]), cell]


def _gru_cell(
    graph: _Graph, layer: tuple[Array, Array, Array, Array], codes: Array | None, below: str, before: list[str]
) -> list[str]:
    """One GRU layer, torch's gates r, z, n: the reset is taken after the state's product."""
    weight, own, bias, own_bias = layer
    (hidden,) = before
    size = own.shape[1]
    if codes is not None:
        given = graph.looked_up(codes @ weight.T + bias, below)
    else:
        given = graph.state_product(below, weight, bias)
    carried = graph.state_product(hidden, own, own_bias)
    sizes = graph.constant(np.array([2 * size, size], np.int64))
    given_gates, given_new = graph.add("Split", [given, sizes], 2, axis=1)
    own_gates, own_new = graph.add("Split", [carried, sizes], 2, axis=1)
    gates = graph.add("Sigmoid", [graph.add("Add", [given_gates, own_gates])])
    reset, kept = graph.add("Split", [gates], 2, axis=1, num_outputs=2)
    new = graph.add("Tanh", [graph.add("Add", [given_new, graph.add("Mul", [reset, own_new])])])
    # (1 - z) n + z h = n + z (h - n)
    moved = graph.add("Mul", [kept, graph.add("Sub", [hidden, new])])
    return [graph.add("Add", [new, moved])]


def window_graph(network: ElementNetwork) -> onnx.ModelProto:
    """Give the graph of the paper's method.

    tokens [B, T] -> logits [B, V] after the last, hidden (and cell) [L, B, H].
    """
    config, weights, graph = network.config, _weights(network), _Graph()
    codes = graph.constant(network.codes().detach().cpu().numpy().astype(np.float32))
    lstm = config.cell == "lstm"
    row = graph.add("Transpose", [graph.add("Gather", [codes, "tokens"])], perm=[1, 0, 2])  # [T, B, E]
    axis = graph.constant(np.array([1], np.int64))
    last: list[list[str]] = []
    for layer in range(config.layers):
        order = ("ifgo", "iofg") if lstm else ("rzn", "zrn")
        weight, own, bias, own_bias = (_rows(matrix, *order) for matrix in _layer(weights, layer))
        inputs = [
            row, graph.constant(weight[None]), graph.constant(own[None]),
            graph.constant(np.concatenate([bias, own_bias])[None]),
        ]  # fmt: skip
        how: dict[str, Any] = {"hidden_size": config.hidden} | ({} if lstm else {"linear_before_reset": 1})
        every, *ends = graph.add("LSTM" if lstm else "GRU", inputs, 3 if lstm else 2, **how)
        last.append(ends)  # [1, B, H] each
        row = graph.add("Squeeze", [every, axis])
    names = ("hidden", "cell") if lstm else ("hidden",)
    for place, name in enumerate(names):
        graph.add("Concat", [ends[place] for ends in last], names=[name], axis=0)
    top = graph.add("Squeeze", [last[-1][0], graph.constant(np.array([0], np.int64))])
    _head(graph, weights, top)
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", "window"])
    shape = (config.layers, "batch", config.hidden)
    return graph.model(
        "window", [tokens], [_floats("logits", "batch", network.words), *(_floats(name, *shape) for name in names)]
    )
