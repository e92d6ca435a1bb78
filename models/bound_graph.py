"""A graph with its inputs and output bound to arrays once: for calls with one row, which pay for every binding.

Binding anew for each call, as ``session.run`` does, costs as much as a few dozen operators when caches are cold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from antiphon.models.alone import Rows
from antiphon.models.onnx_session import input_shapes
from numpy.typing import NDArray


class BoundGraph:
    """One row in, one row out.

    Args:
        rows: the graph. Its inputs have two axes and more, the first the batch; those whose second axis is open grow,
            and are given anew with every call. It has one output [1, 1, width].
        width: of the output.

    ``inputs`` are the arrays to write into before `run`; ``output`` [width] holds its result until the next `run`.
    """

    def __init__(self, rows: Rows, width: int) -> None:
        self._rows, self._binding = rows, rows.session.io_binding()
        self.inputs: dict[str, NDArray[Any]] = {}
        self._growing: list[str] = []
        for item in rows.session.get_inputs():
            if not all(isinstance(size, int) for size in item.shape[1:]):
                self._growing.append(item.name)
        for name, (shape, kind) in input_shapes(rows.session, 1, 0).items():
            if name not in self._growing:
                array = self.inputs[name] = np.zeros(shape, kind)
                self._binding.bind_input(name, "cpu", 0, kind, shape, array.ctypes.data)
        self._output: NDArray[np.float32] = np.zeros((1, 1, width), np.float32)
        self.output: NDArray[np.float32] = self._output[0, 0]
        (given,) = rows.session.get_outputs()
        self._binding.bind_output(given.name, "cpu", 0, np.float32, self._output.shape, self._output.ctypes.data)

    def run(self, *growing: NDArray[np.float32]) -> None:
        """Run on what stands in ``inputs``, and on these arrays for the inputs that grow, in the graph's order."""
        if self._rows.never_alone:
            (self._output[:],) = self._rows.run(self.inputs | dict(zip(self._growing, growing, strict=True)))
            return
        for name, array in zip(self._growing, growing, strict=True):
            self._binding.bind_cpu_input(name, array)
        self._rows.session.run_with_iobinding(self._binding)
