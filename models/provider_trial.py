"""Which execution provider plays fastest here: a few steps timed on each, once, and remembered.

Where onnxruntime has the CPU alone there is nothing to try, and nothing is opened or written. What was found is kept in
the user's cache folder, under the model's sha256, the runtime's version and the device's name: another of any of them
is tried anew. A provider that does not load, or falls back to the CPU, loses.

`found` only looks up: whoever waits to play gets the CPU until `antiphon doctor` has tried.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import platformdirs
from antiphon.models.errors import ModelError
from antiphon.models.model_files import ModelFiles
from antiphon.models.onnx_session import PROVIDERS, asked_providers, input_shapes, open_session, runtime_name

#: Opens a graph with the execution providers asked for, in order.
Open = Callable[[Path, Sequence[str]], Any]
CPU = "CPUExecutionProvider"
_WARM, _TIMED = 5, 30
#: Another one must be this much faster: a device that is woken up for nothing costs power, and its slowest calls more.
_GAIN = 0.9
_NOTES_RECALLED = 64


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found: the providers that ran, and each one's median microseconds a step."""

    chosen: str
    us: dict[str, float]
    device: str
    runtime: str

    def __str__(self) -> str:
        each = ", ".join(f"{name.removesuffix('ExecutionProvider')} {us:.0f} us" for name, us in self.us.items())
        return (
            f"provider: auto is {self.chosen.removesuffix('ExecutionProvider')} here (a step on {each}; {self.device})"
        )


def installed() -> list[str]:
    """Name the execution providers that this onnxruntime has and Antiphon knows, the CPU first."""
    there = onnxruntime.get_available_providers()
    return [name for name in PROVIDERS.values() if name in there]


def device_name(providers: Sequence[str]) -> str:
    """Name what a trial is of: the processor, and the GPU where one is among the providers."""
    name = platform.processor() or platform.machine()
    if "CUDAExecutionProvider" in providers:
        name += f", {_gpu_name()}"
    return name


def found(files: ModelFiles, providers: Sequence[str] | None = None, cache: Path | None = None) -> Trial | None:
    """Look up an earlier trial; None where there was none, or where there is nothing to try."""
    providers = installed() if providers is None else providers
    if len(providers) < 2:
        return None
    device = device_name(providers)
    try:
        told = json.loads(_path(files, device, cache).read_text(encoding="utf-8"))
        trial = Trial(str(told["chosen"]), {str(k): float(v) for k, v in told["us"].items()}, device, runtime_name())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # none yet, or not readable: then it is tried again
    return trial if trial.chosen in providers and set(trial.us) <= set(providers) else None


def tried(
    files: ModelFiles, providers: Sequence[str] | None = None, cache: Path | None = None, opened: Open | None = None
) -> Trial | None:
    """Time a step on each provider and remember it; what an earlier trial found, where there was one.

    Takes seconds where a device has to be woken up: never to be called while someone waits to play.

    Args:
        files: the model's.
        providers: default: what is installed.
        cache: a folder; default: the user's.
        opened: opens a graph; default: `open_session`.

    Returns:
        None where there is nothing to try.
    """
    providers = installed() if providers is None else providers
    earlier = found(files, providers, cache)
    if earlier is not None or len(providers) < 2:
        return earlier
    us = {}
    for name in providers:
        time_us = _step_us(files.graph("step"), name, opened or _opened)
        if time_us is not None:
            us[name] = time_us
    chosen = min(us, key=lambda name: us[name], default=CPU)
    if CPU in us and us[chosen] > _GAIN * us[CPU]:
        chosen = CPU
    trial = Trial(chosen, us, device_name(providers), runtime_name())
    _remember(_path(files, trial.device, cache), trial)
    return trial


def providers_for(files: ModelFiles, name: str) -> list[str]:
    """Give the execution providers for a model, in order: for ``auto`` what an earlier trial found, else the CPU.

    Raises:
        ModelError: see `asked_providers`.
    """
    trial = found(files) if name == "auto" else None
    return asked_providers(name) if trial is None or trial.chosen == CPU else [trial.chosen, CPU]


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider")


def _opened(path: Path, providers: Sequence[str]) -> Any:
    return open_session(path, providers, remedy="give --provider cpu")


def _step_us(graph: Path, provider: str, opened: Open) -> float | None:
    """Give the median of some steps; None where the provider does not run the graph."""
    try:
        session = opened(graph, [provider] if provider == CPU else [provider, CPU])
        if session.get_providers()[0] != provider:
            return None
        # one row, and as many notes recalled as live play often has
        shapes = input_shapes(session, 1, _NOTES_RECALLED)
        feed = {name: np.zeros(shape, kind) for name, (shape, kind) in shapes.items()}
        times = []
        for _ in range(_WARM + _TIMED):
            began = time.perf_counter_ns()
            session.run(None, feed)
            times.append((time.perf_counter_ns() - began) / 1e3)
    except (ModelError, RuntimeError):  # what onnxruntime raises of a device's faults are runtime errors
        return None
    return median(times[_WARM:])


def _path(files: ModelFiles, device: str, cache: Path | None) -> Path:
    folder = Path(platformdirs.user_cache_dir("antiphon")) / "providers" if cache is None else cache
    key = hashlib.sha256("\n".join((files.sha256, runtime_name(), device)).encode()).hexdigest()
    return folder / f"{key[:32]}.json"


def _remember(path: Path, trial: Trial) -> None:
    """Write what was found, whole or not at all; a cache that cannot be written is none."""
    part = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(asdict(trial)) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()


def _gpu_name() -> str:
    """Name the first GPU by what its driver tells; "a GPU" where it tells nothing."""
    for told in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in told.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Model:"):
                return line.removeprefix("Model:").strip()
    return "a GPU"
