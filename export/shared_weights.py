"""Graphs of one network in files of their own, with the weights that they share in one file beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import TensorProto, external_data_helper

#: Smaller weights stay in the graph.
_FEWEST_BYTES = 512
_ALIGNED = 64


def write_graphs(graphs: Mapping[str, onnx.ModelProto], folder: Path, weights: str) -> None:
    """Write each graph as ``NAME.onnx``, and what weighs more than a few numbers into one file, once.

    Args:
        graphs: by name; they stay as they are.
        folder: where to.
        weights: the file of the weights.
    """
    places: dict[bytes, int] = {}
    stored = bytearray()
    for name, given in graphs.items():
        graph = onnx.ModelProto.FromString(given.SerializeToString())
        for tensor in graph.graph.initializer:
            raw = _bytes_of(tensor)
            if len(raw) < _FEWEST_BYTES:
                continue
            if raw not in places:
                stored.extend(b"\0" * (-len(stored) % _ALIGNED))
                places[raw] = len(stored)
                stored.extend(raw)
            tensor.raw_data = b""
            external_data_helper.set_external_data(tensor, weights, places[raw], len(raw))
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
        (folder / f"{name}.onnx").write_bytes(graph.SerializeToString())
    (folder / weights).write_bytes(bytes(stored))


def _bytes_of(tensor: onnx.TensorProto) -> bytes:
    if not tensor.HasField("raw_data"):  # of few numbers, in a field of their own type
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), tensor.name))
    return bytes(tensor.raw_data)
