"""A graph with its inputs and outputs bound to arrays once: for calls with one row, which pay for every binding.

Binding anew for each call, as ``session.run`` does, costs as much as a few dozen operators when caches are cold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


class BoundGraph:
    """One row in, one row out.

    Args:
        session: an ``onnxruntime.InferenceSession``. Its inputs have two axes and more, the first the batch; those
            whose second axis is open grow, and are given anew with every call.
        widths: how wide each output [1, width] is.

    ``inputs`` are the arrays to write into before `run`; ``outputs`` hold its results until the next `run`.
    """

    def __init__(self, session: Any, widths: Mapping[str, int]) -> None:
        self._session, self._binding = session, session.io_binding()
        self.inputs: dict[str, NDArray[Any]] = {}
        self._growing: list[str] = []
        for item in session.get_inputs():
            sizes = item.shape[1:]
            if all(isinstance(size, int) for size in sizes):
                array = self.inputs[item.name] = np.zeros((1, *sizes), _TYPES[item.type])
                self._binding.bind_input(item.name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
            else:
                self._growing.append(item.name)
        self.outputs: dict[str, NDArray[np.float32]] = {}
        for name, width in widths.items():
            array = self.outputs[name] = np.zeros((1, width), np.float32)
            self._binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def run(self, *growing: NDArray[np.float32]) -> None:
        """Run on what stands in ``inputs``, and on these arrays for the inputs that grow, in the graph's order."""
        for name, array in zip(self._growing, growing, strict=True):
            self._binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        self._session.run_with_iobinding(self._binding)
