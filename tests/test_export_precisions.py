"""Weights in fewer bits: how far off, how much smaller, and a row alone as the row in a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytestmark = pytest.mark.train

_IN, _OUT, _TABLE = 200, 96, 40


@pytest.fixture(scope="module")
def model() -> Any:
    """Give a graph that looks a row up, adds it, and multiplies twice."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = {
        "table": random.normal(size=(_TABLE, _IN)), "enter": random.normal(size=(_OUT, _IN)) / _IN**0.5,
        "bias": random.normal(size=_OUT), "leave": random.normal(size=(_OUT, 120)) / _OUT**0.5,
    }  # fmt: skip
    nodes = [
        helper.make_node("Gather", ["table", "row"], ["found"]),
        helper.make_node("Add", ["x", "found"], ["both"]),
        helper.make_node("Gemm", ["both", "enter", "bias"], ["within"], transB=1),
        helper.make_node("MatMul", ["within", "leave"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", _IN]),
         helper.make_tensor_value_info("row", TensorProto.INT64, ["b"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 120])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _run(model: Any, feed: dict[str, Any]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feed)[0]


def _feed() -> dict[str, Any]:
    random = np.random.default_rng(1)
    return {"x": random.normal(size=(5, _IN)).astype(np.float32), "row": np.array([0, 3, 39, 3, 7])}


@pytest.mark.parametrize(
    ("precision", "most_off", "smaller"),
    [("fp32", 0.0, 1.0), ("fp16", 0.01, 0.55), ("int8", 0.1, 0.4), ("int4", 0.8, 0.35)],
)
def test_fewer_bits_are_smaller_and_near(model: Any, precision: str, most_off: float, smaller: float) -> None:
    from antiphon.export.precisions import at_precision

    before = model.SerializeToString()
    small = at_precision(model, precision)
    assert model.SerializeToString() == before
    assert small.ByteSize() <= smaller * len(before)
    off = np.abs(_run(small, _feed()) - _run(model, _feed())).max()
    assert off <= most_off
    assert (off > 0) == (precision != "fp32")


@pytest.mark.parametrize("precision", ["fp16", "int8", "int4"])
def test_a_row_alone_is_the_row_in_a_batch(model: Any, precision: str) -> None:
    from antiphon.export.precisions import at_precision

    small, feed = at_precision(model, precision), _feed()
    together = _run(small, feed)
    for row in range(5):
        alone = _run(small, {name: value[row : row + 1] for name, value in feed.items()})
        if precision == "fp16":  # computed in 32 bits, in another order
            np.testing.assert_allclose(alone[0], together[row], atol=1e-5)
        else:
            assert np.array_equal(alone[0], together[row])


def test_a_bias_that_is_added_to_a_product_becomes_the_products_own() -> None:
    """Of rows with an axis more torch's exporter writes a product and a sum."""
    from antiphon.export.precisions import at_precision
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(2)
    weights = {"enter": random.normal(size=(_IN, _OUT)) / _IN**0.5, "bias": random.normal(size=_OUT)}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "enter"], ["within"]),
            helper.make_node("Add", ["within", "bias"], ["y"]),
            helper.make_node("MatMul", ["x", "enter2"], ["apart"]),
            helper.make_node("Add", ["apart", "bias"], ["sum"]),
        ],
        "tiny", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 1, _IN])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 1, _OUT]),
            helper.make_tensor_value_info("apart", TensorProto.FLOAT, ["b", 1, _OUT]),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["b", 1, _OUT]),
        ],
        [
            numpy_helper.from_array(value.astype(np.float32), name)
            for name, value in {**weights, "enter2": -weights["enter"]}.items()
        ],
    )  # fmt: skip
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    small, feed = at_precision(whole, "int8"), {"x": _feed()["x"][:, None]}
    np.testing.assert_allclose(_run(small, feed), _run(whole, feed), atol=0.1)
    # what is asked for besides its sum keeps both
    assert [node.op_type for node in small.graph.node].count("Add") == 1


def test_a_precision_that_is_not_there_is_told(model: Any) -> None:
    from antiphon.export.precisions import at_precision

    with pytest.raises(ValueError, match="must be one of fp32, fp16, int8, int4, got 'int2'"):
        at_precision(model, "int2")


@given(st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_four_bits_are_off_by_a_step_at_most(columns: int, seed: int) -> None:
    from antiphon.export.quantise import BLOCK_4, quantise_rows_4

    matrix = np.random.default_rng(seed).normal(size=(3, columns)).astype(np.float32)
    matrix[1] = 0.0
    packed, scales = quantise_rows_4(matrix)
    values = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:2], BLOCK_4).astype(np.float32) - 8
    whole = (values * scales.reshape(3, -1, 1)).reshape(3, -1)[:, :columns]
    step = np.repeat(np.abs(scales).reshape(3, -1), BLOCK_4, axis=1)[:, :columns]
    assert (np.abs(whole - matrix) <= 1.001 * step).all()
    assert (whole[1] == 0.0).all()


def test_the_card_tells_what_each_precision_loses() -> None:
    from antiphon.export.card import card

    row = {
        "bytes": 12_345, "us_hot": {"median": 300.2, "p95": 400.0}, "us_paced": {"median": 900.0, "p95": 1000.0},
        "notes": 4321, "nll": 6.5432, "lost": 0.0123, "interval": 0.0045,
    }  # fmt: skip
    facts: dict[str, Any] = {
        "name": "tiny", "parameters": 9, "network": {"blocks": ["gru", "mlp"], "hidden": 16}, "opset": 20, "export": {},
        "trained": {"steps": 1, "notes": 2, "hours": 0.5}, "precision": "int4",
    }  # fmt: skip
    plain = card(facts, {})
    assert "gru + mlp of 16" in plain
    assert "weights in 4 bits" in plain
    assert "## Precisions" not in plain
    told = card({**facts, "precisions": {"fp32": row}}, {})
    assert "4,321" in told
    assert "| fp32 | 12,345 | 300 (400) | 900 (1000) | 6.543 | +0.0123 ± 0.0045 |" in told
