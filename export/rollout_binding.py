"""A rollout note by note with everything bound to a device: `turn.onnx` on a GPU, as a CUDA graph where asked for.

The state never leaves the device: each note reads one set of buffers and writes another, and the two change places.
A CUDA graph is one recording of the kernels at fixed addresses, so there are two of them, one for each direction; all
shapes are the same from note to note, which is what makes it possible (`rollout_recall`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from antiphon.export.rollout_graph import CARRIED, DRAWN, RECALLED_CARRIED
from numpy.typing import NDArray

Feed = dict[str, NDArray[Any]]


class BoundRollout:
    """`turn.onnx`, bound for one number of lines, notes and notes heard before.

    The GPU's way, which live play does not take yet: `tests/bench/gpu_rollout.py` measures it.

    Args:
        graph: the file, or its bytes.
        feed: from `rollout_feed`; its shapes hold for every call.
        device: ``cuda`` or ``cpu`` (the same path, to test it).
        recorded: as CUDA graphs; every operator must then run on the device.
    """

    def __init__(self, graph: Path | bytes, feed: Feed, device: str = "cuda", recorded: bool = False) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        on_gpu = ("CUDAExecutionProvider", {"enable_cuda_graph": "1" if recorded else "0"})
        providers = [*([on_gpu] if device == "cuda" else []), "CPUExecutionProvider"]
        source = graph if isinstance(graph, bytes) else str(graph)
        self._session = onnxruntime.InferenceSession(source, options, providers=providers)
        self._recorded, self._device = recorded, device
        self._carried = [name for name in (*CARRIED, *RECALLED_CARRIED) if name in feed]
        first = {**feed, "uniforms": feed["uniforms"][:, 0], "count": np.array([0])}
        self._values = {name: self._on_device(value) for name, value in first.items()}
        self._others = {name: self._on_device(feed[name]) for name in self._carried}
        lines = len(feed["uniforms"])
        self._note = self._on_device(np.zeros((lines, len(DRAWN)), np.int64))
        self._log_prob = self._on_device(np.zeros(lines, np.float32))
        self._bindings = [self._bound(turned) for turned in (False, True)]

    def _on_device(self, value: NDArray[Any]) -> Any:
        # a copy: on the CPU the buffer would be the feed's own
        return onnxruntime.OrtValue.ortvalue_from_numpy(np.array(value, order="C"), self._device, 0)

    def _bound(self, turned: bool) -> Any:
        """Bind a note that reads one set of buffers and writes the other."""
        binding = self._session.io_binding()
        read, written = (self._others, self._values) if turned else (self._values, self._others)
        for name, value in self._values.items():
            binding.bind_ortvalue_input(name, read.get(name, value))
        for name in self._carried:
            binding.bind_ortvalue_output(name + "_out", written[name])
        binding.bind_ortvalue_output("note", self._note)
        binding.bind_ortvalue_output("log_prob", self._log_prob)
        return binding

    def __call__(self, feed: Feed) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Give notes [B, N, len(DRAWN)] and log-probabilities [B, N]; the feed has the shapes of the first."""
        for name, value in feed.items():
            if name != "uniforms":
                self._values[name].update_inplace(np.ascontiguousarray(value))
        notes, log_probs = [], []
        for number in range(feed["uniforms"].shape[1]):
            self._values["uniforms"].update_inplace(np.ascontiguousarray(feed["uniforms"][:, number]))
            self._values["count"].update_inplace(np.array([number]))
            run = onnxruntime.RunOptions()
            if self._recorded:
                run.add_run_config_entry("gpu_graph_id", str(1 + number % 2))
            self._session.run_with_iobinding(self._bindings[number % 2], run)
            notes.append(np.array(self._note.numpy()))
            log_probs.append(np.array(self._log_prob.numpy()))
        return np.stack(notes, axis=1), np.stack(log_probs, axis=1)
