"""Loading one graph into onnxruntime, the way a graph that is stepped live needs it.

One thread, and no spinning: two threads make the slowest calls of small graphs ten times slower, and a spinning one
never lets the processor rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from antiphon.models.errors import ModelError

#: What may be asked for, and the execution provider each means.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
_TYPES: dict[str, type[np.generic]] = {"tensor(int64)": np.int64, "tensor(float)": np.float32}
_ERRORS_ONLY = 3
#: Characters told of the runtime's own error: it goes on about its sources.
_MOST_TOLD = 160


def asked_providers(name: str) -> list[str]:
    """Give the execution providers that a name asks for, in order.

    Args:
        name: a key of `PROVIDERS`, or ``auto`` (the CPU: for one stream of small steps it is the fastest there is).

    Raises:
        ModelError: an unknown name, or one that this onnxruntime does not have.
    """
    if name == "auto":
        return ["CPUExecutionProvider"]
    if name not in PROVIDERS:
        raise ModelError(f"provider: {name!r} is not known; give auto, {', '.join(PROVIDERS)}")
    wanted = PROVIDERS[name]
    there = onnxruntime.get_available_providers()
    if wanted not in there:
        raise ModelError(
            f"provider: {wanted} is not in this onnxruntime (it has {', '.join(there)}); "
            "install the gpu extra on a machine with CUDA, or give --provider cpu"
        )
    return [wanted, "CPUExecutionProvider"] if wanted != "CPUExecutionProvider" else [wanted]


def input_shapes(session: Any, rows: int, recalled: int) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
    """Give shape and type of each of a session's inputs, by name.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        rows: the size of every first axis.
        recalled: notes, where an axis is open; values have one row more (`note_memory`).
    """
    shapes = {}
    for item in session.get_inputs():
        notes = recalled + (item.name == "values")
        sizes = (size if isinstance(size, int) else notes for size in item.shape[1:])
        shapes[item.name] = (rows, *sizes), _TYPES[item.type]
    return shapes


def runtime_name() -> str:
    """Give the runtime's name and version."""
    return f"onnxruntime {onnxruntime.__version__}"


def open_session(path: Path, providers: Sequence[str] = ("CPUExecutionProvider",), *, remedy: str) -> Any:
    """Give an `onnxruntime.InferenceSession`.

    Args:
        path: the graph's file.
        providers: execution providers to ask for, in order.
        remedy: what the user can do where it does not load.

    Raises:
        ModelError: it does not load.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # onnxruntime raises a class of its own for each kind of fault
        line = str(error).strip().splitlines()[0][:_MOST_TOLD]
        raise ModelError(f"model: {path} does not load ({line}); {remedy}") from None
