"""The exported `lstm` generator on onnxruntime, without torch: the whole window, or a step with its state.

A model's folder holds ``model.json`` (sizes, and every file's sha256), ``vocabulary.json`` and the graphs, of which
live play needs ``step8`` alone:

* ``step.onnx``: token [B], hidden [L, B, H], cell [L, B, H] -> logits [B, V], next_hidden, next_cell
* ``step8.onnx``: the same, the recurrence in 8 bits: whole-number sums, so a row alone is exactly the row in a batch
* ``window.onnx``: tokens [B, T] -> logits [B, V] after the last, hidden, cell

A GRU has no cell. Threading model: one object belongs to one thread, as `onnx_generator`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from antiphon.models.errors import DataError, ModelError
from antiphon.models.lstm.vocabulary import Vocabulary
from antiphon.models.model_files import KINDS, check_model
from antiphon.models.onnx_session import open_session
from numpy.typing import NDArray

KIND = "lstm"
FORMAT = KINDS[KIND].format
VOCABULARY = "vocabulary.json"
_REMEDY = f"{KINDS[KIND].again}, or install a newer onnxruntime"
_AGAIN = f"; {KINDS[KIND].again}"
_CPU = ("CPUExecutionProvider",)

#: Hidden [L, B, H], and for an LSTM its cell [L, B, H] too.
State = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """A checked folder."""

    path: Path
    name: str
    facts: dict[str, Any]
    vocabulary: Vocabulary
    sha256: str  # over what live play needs, in order


def check_folder(path: Path) -> Folder:
    """Check a model's folder against its ``model.json``.

    Raises:
        ModelError: a file is missing, changed or truncated, or it is no model of this kind.
    """
    files = check_model(path, KIND)
    try:
        vocabulary, words = Vocabulary.load(path / VOCABULARY), int(files.facts["words"])
        cell = files.config["cell"]
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"model: {path} is not readable ({error!r}){_AGAIN}") from None
    if cell not in ("lstm", "gru"):
        raise ModelError(f"model: {path / 'model.json'}: network.cell must be lstm or gru, got {cell!r}{_AGAIN}")
    if len(vocabulary) != words:
        raise ModelError(f"model: {path} says {words} words, its vocabulary has {len(vocabulary)}{_AGAIN}")
    return Folder(path, files.name, files.facts, vocabulary, files.sha256)


class OnnxPlayer:
    """`ElementModel` on onnxruntime.

    Args:
        folder: from `check_folder`.
        eight_bits: step with the graph whose weights are in 8 bits; the other may not be in the folder.
        providers: execution providers to ask for, in order.

    Raises:
        ModelError: a graph does not load, or takes other inputs than it should.
    """

    def __init__(self, folder: Folder, eight_bits: bool = True, providers: Sequence[str] = _CPU) -> None:
        self._folder, self._providers = folder, providers
        network = folder.facts["network"]
        self.vocabulary, self.words = folder.vocabulary, len(folder.vocabulary)
        self.name = "onnxruntime, 8 bits" if eight_bits else "onnxruntime"
        self._layers, self._hidden = int(network["layers"]), int(network["hidden"])
        self._states = ("hidden", "cell") if network["cell"] == "lstm" else ("hidden",)
        self._step = self._open("step8.onnx" if eight_bits else "step.onnx")
        self._whole: Any = None  # the window's graph, where it is asked for
        #: what runs the step in truth, whatever was asked for
        self.provider_got = str(self._step.get_providers()[0])
        self._check(folder.path)

    def _open(self, file: str) -> Any:
        path = self._folder.path / file
        if not path.is_file():
            raise ModelError(
                f"model: {path} is missing: a model for live play leaves it out; "
                "take the folder that `antiphon papers lstm` wrote"
            )
        return open_session(path, self._providers, remedy=_REMEDY)

    def _check(self, path: Path) -> None:
        sizes = {name: [self._layers, self._hidden] for name in self._states}
        got = {item.name: item.shape for item in self._step.get_inputs()}
        shapes = {name: [shape[0], shape[2]] for name, shape in got.items() if len(shape) == 3}
        logits = self._step.get_outputs()[0].shape[-1]
        if set(got) != {"token", *sizes} or shapes != sizes or logits != self.words:
            raise ModelError(
                f"model: the step of {path} takes {got} and gives {logits} logits; "
                f"needed are token, {sizes} and {self.words}{_AGAIN}"
            )

    def window(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Map tokens [B, T] to logits [B, V] of what comes after, from a zero state.

        Raises:
            ModelError: the folder does not hold the window's graph.
        """
        if self._whole is None:
            self._whole = self._open("window.onnx")
        return cast(NDArray[np.float32], self._whole.run(["logits"], {"tokens": tokens})[0])

    def start(self, rows: int) -> State:
        """Give the state before anything, for so many rows."""
        zero = np.zeros((self._layers, rows, self._hidden), np.float32)
        return tuple(zero for _ in self._states)

    def step(self, tokens: NDArray[np.int64], state: State) -> tuple[NDArray[np.float32], State]:
        """Map tokens [B] and a state to logits [B, V] and the state after; the old state stays valid."""
        logits, *after = self._step.run(None, {"token": tokens, **dict(zip(self._states, state, strict=True))})
        return logits, tuple(after)
