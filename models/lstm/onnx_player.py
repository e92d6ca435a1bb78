"""The exported `lstm` generator on onnxruntime, without torch: the whole window, or a step with its state.

A model's folder holds ``model.json`` (sizes, and every file's sha256), ``vocabulary.json`` and the graphs:

* ``step.onnx``: token [B], hidden [L, B, H], cell [L, B, H] -> logits [B, V], next_hidden, next_cell
* ``step8.onnx``: the same, the recurrence in 8 bits: whole-number sums, so a row alone is exactly the row in a batch
* ``window.onnx``: tokens [B, T] -> logits [B, V] after the last, hidden, cell

A GRU has no cell. Threading model: one object belongs to one thread, as `onnx_generator`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from antiphon.models.errors import ModelError
from antiphon.models.lstm.vocabulary import Vocabulary
from antiphon.models.onnx_session import open_session
from numpy.typing import NDArray

FORMAT = 1
KIND = "lstm"
VOCABULARY = "vocabulary.json"
GRAPHS = ("step", "step8", "window")
_REMEDY = "export it again, or install a newer onnxruntime"
_AGAIN = "; export it again"

#: Hidden [L, B, H], and for an LSTM its cell [L, B, H] too.
State = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, slots=True)
class Folder:
    """A checked folder."""

    path: Path
    facts: dict[str, Any]
    vocabulary: Vocabulary
    sha256: str  # over all files, in order


def check_folder(path: Path) -> Folder:
    """Check a model's folder against its ``model.json``.

    Raises:
        ModelError: a file is missing, changed or truncated, or it is no model of this kind.
        DataError: the vocabulary is none.
    """
    try:
        facts = json.loads((path / "model.json").read_text(encoding="utf-8"))
        kind, form, files = facts["kind"], facts["format"], dict(facts["files"])
        sizes = [int(facts["network"][name]) for name in ("layers", "hidden")] + [int(facts["words"])]
    except FileNotFoundError:
        raise ModelError(f"model: {path} holds no model.json{_AGAIN}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"model: {path / 'model.json'} is not readable ({error!r}){_AGAIN}") from None
    if (kind, form) != (KIND, FORMAT):
        raise ModelError(f"model: {path} is of kind {kind!r}, format {form!r}; this reads {KIND!r}, {FORMAT}{_AGAIN}")
    whole = hashlib.sha256()
    for file in (VOCABULARY, *(f"{graph}.onnx" for graph in GRAPHS)):
        if not (path / file).is_file():
            raise ModelError(f"model: {path / file} is missing{_AGAIN}")
        digest = hashlib.sha256((path / file).read_bytes()).hexdigest()
        if digest != files.get(file):
            raise ModelError(
                f"model: {path / file} is truncated or changed (sha256 {digest[:12]}…, model.json says "
                f"{str(files.get(file))[:12]}…){_AGAIN}"
            )
        whole.update(bytes.fromhex(digest))
    vocabulary = Vocabulary.load(path / VOCABULARY)
    if len(vocabulary) != sizes[2]:
        raise ModelError(f"model: {path} says {sizes[2]} words, its vocabulary has {len(vocabulary)}{_AGAIN}")
    return Folder(path, facts, vocabulary, whole.hexdigest())


class OnnxPlayer:
    """`ElementModel` on onnxruntime.

    Args:
        folder: from `check_folder`.
        eight_bits: step with the graph whose weights are in 8 bits.

    Raises:
        ModelError: a graph does not load, or takes other inputs than it should.
    """

    def __init__(self, folder: Folder, eight_bits: bool = True) -> None:
        network = folder.facts["network"]
        self.vocabulary, self.words = folder.vocabulary, len(folder.vocabulary)
        self.name = "onnxruntime, 8 bits" if eight_bits else "onnxruntime"
        self._layers, self._hidden = int(network["layers"]), int(network["hidden"])
        self._states = ("hidden", "cell") if network["cell"] == "lstm" else ("hidden",)
        self._step = open_session(folder.path / ("step8.onnx" if eight_bits else "step.onnx"), remedy=_REMEDY)
        self._window = open_session(folder.path / "window.onnx", remedy=_REMEDY)
        self._check(folder.path)

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
        """Map tokens [B, T] to logits [B, V] of what comes after, from a zero state."""
        return cast(NDArray[np.float32], self._window.run(["logits"], {"tokens": tokens})[0])

    def start(self, rows: int) -> State:
        """Give the state before anything, for so many rows."""
        zero = np.zeros((self._layers, rows, self._hidden), np.float32)
        return tuple(zero for _ in self._states)

    def step(self, tokens: NDArray[np.int64], state: State) -> tuple[NDArray[np.float32], State]:
        """Map tokens [B] and a state to logits [B, V] and the state after; the old state stays valid."""
        logits, *after = self._step.run(None, {"token": tokens, **dict(zip(self._states, state, strict=True))})
        return logits, tuple(after)
