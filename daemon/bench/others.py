"""Other real-time generators, as one call an event: for comparison where they are installed. None is a dependency.

Their networks are built with their default sizes and random weights, so nothing is downloaded: what a call costs does
not depend on them. All on one thread, as Antiphon is.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_PITCHES = (60, 64, 67, 71, 72, 67, 64, 62)
#: impsy's "s", the size of its default configuration; a note's time, pitch, velocity and duration.
_IMPSY_UNITS, _IMPSY_MIXTURES, _IMPSY_LAYERS, _IMPSY_DIMENSION = 64, 5, 2, 4
Call = Callable[[], object]


def notochord() -> Call:
    """Give a call of notochord's `feed_query`, half of whose events are ends of notes. Raises: ImportError."""
    threads: Any = importlib.import_module("torch")
    threads.set_num_threads(1)
    with _elsewhere("XDG_DATA_HOME"):  # it makes a folder where it is imported
        network = importlib.import_module("notochord.model").Notochord().eval()
    network.reset()
    number = 0

    def call() -> object:
        nonlocal number
        number += 1
        velocity = 80.0 if number % 2 else 0.0
        return network.feed_query(1, _PITCHES[number // 2 % 8], 0.1, velocity)

    return call


def impsy() -> Call:
    """Give a call of impsy's `generate`, from a TFLite file as it is played from. Raises: ImportError."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    mdrnn = importlib.import_module("impsy.mdrnn")
    converter = importlib.import_module("impsy.tflite_converter")
    sizes = (_IMPSY_DIMENSION, _IMPSY_UNITS, _IMPSY_MIXTURES)
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        trained = mdrnn.build_mdrnn_model(*sizes, _IMPSY_LAYERS, inference=True)
        file = converter.model_to_tflite(trained, Path(folder) / "network.keras")
        network = mdrnn.TfliteMDRNN(file, *sizes, _IMPSY_LAYERS)
    last = np.array([0.1, 0.5, 0.6, 0.2], np.float32)

    def call() -> object:
        return network.generate(last)

    return call


@contextlib.contextmanager
def _elsewhere(variable: str) -> Iterator[None]:
    """Point an environment variable at a temporary folder for a while."""
    before = os.environ.get(variable)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[variable] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[variable]
            else:
                os.environ[variable] = before


@dataclass(frozen=True, slots=True)
class Other:
    """Another generator: how its call is made, and what an event of it is."""

    make: Callable[[], Call]
    event: str


OTHERS: Mapping[str, Other] = {
    "notochord `feed_query`": Other(
        notochord, "its event: a note's beginning or end, with instrument, pitch, time, velocity; 17.7 million weights"
    ),
    "impsy `generate`": Other(impsy, "its event: 4 numbers drawn together, one of them the time; LSTM 2 x 64"),
}
