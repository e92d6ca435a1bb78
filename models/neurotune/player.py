"""The exported graphs of `neurotune` on onnxruntime, for any number of rows at once. No torch.

Threading model: one object belongs to one thread. How onnxruntime is opened: `models.onnx_session`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from antiphon.models.errors import ModelError
from antiphon.models.generator import PARTS, PITCHES, TIME_CLASSES, VELOCITY_LEVELS
from antiphon.models.model_files import KINDS, check_model
from antiphon.models.neurotune.biases import Biases, Floats
from antiphon.models.neurotune.sequences import DRAWN, Rows
from antiphon.models.onnx_session import open_session
from numpy.typing import NDArray

KIND = "neurotune"
FORMAT = KINDS[KIND].format
GRAPHS = ("step", "draw", "critic")
_REMEDY = KINDS[KIND].again
_AGAIN = f"; {_REMEDY}"
_CPU = ("CPUExecutionProvider",)
#: The largest uniform below 1 that a 32-bit float still tells from 1 after a product.
_BELOW_ONE = 1.0 - 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Rolling:
    """After a note: the recurrent state and what the draw reads, a row for each of B. Never mutated."""

    hidden: Floats  # [B, H]
    window: Floats  # [B, window - 1, C]
    image: Floats  # [B, channels, 128]
    context: Floats  # [B, H]
    features: Floats  # [B, F, keys]
    part_logits: Floats  # [B, PARTS]
    gap_logits: Floats  # [B, PARTS, TIME_CLASSES]

    def repeated(self, times: int) -> Rolling:
        """Give a state of one row ``times`` times."""
        values = {name: np.repeat(getattr(self, name), times, axis=0) for name in self.__slots__}
        return Rolling(**values)

    def row(self, row: int) -> Rolling:
        """Give the state of one row."""
        return Rolling(**{name: getattr(self, name)[row : row + 1] for name in self.__slots__})


def joined(states: Sequence[Rolling]) -> Rolling:
    """Give the rows of several states as one."""
    values = {name: np.concatenate([getattr(state, name) for state in states]) for name in Rolling.__slots__}
    return Rolling(**values)


#: What the draw takes beside what the step gave, a row of each.
_BIASES = {
    "part_logits": [PARTS], "gap_logits": [PARTS, TIME_CLASSES], "part_bias": [PARTS], "gap_bias": [TIME_CLASSES],
    "pitch_bias": [PARTS, PITCHES], "velocity_bias": [VELOCITY_LEVELS], "duration_bias": [TIME_CLASSES],
    "uniforms": [len(DRAWN)], "sharpness": [1], "top_p": [1],
}  # fmt: skip


class Player:
    """The three graphs of a model's folder.

    Args:
        folder: what `antiphon export neurotune` wrote.
        providers: execution providers to ask for, in order.

    Raises:
        ModelError: a file is missing, changed, does not load, or is another kind of model's.
    """

    def __init__(self, folder: Path, providers: Sequence[str] = _CPU) -> None:
        files = check_model(folder, KIND)
        self.facts, self.sha256, self.name = files.facts, files.sha256, files.name
        config = files.config
        self._shapes = {
            "hidden": (int(config["hidden"]),),
            "window": (int(config["window"]) - 1, int(config["code"])),
        }
        self.noise_size = int(config["noise"])
        self._step, self._draw, self._critic = (
            open_session(folder / f"{graph}.onnx", providers, remedy=_REMEDY) for graph in GRAPHS
        )
        #: what runs the step in truth, whatever was asked for
        self.provider_got = str(self._step.get_providers()[0])
        wanted = {"note": [6], "noise": [self.noise_size]} | {k: list(v) for k, v in self._shapes.items()}
        self._shapes["image"] = tuple(_taken(self._step, wanted, "image", folder / "step.onnx"))
        _taken(self._draw, _BIASES | {"context": [int(config["hidden"])]}, "features", folder / "draw.onnx")
        _taken(self._critic, {}, "notes", folder / "critic.onnx")

    def nothing(self, batch: int) -> dict[str, Floats]:
        """Give the recurrent state before any note."""
        return {name: np.zeros((batch, *shape), np.float32) for name, shape in self._shapes.items()}

    def step(self, rows: Rows, noise: Floats, before: Rolling | None) -> Rolling:
        """Take a note into each row: rows [B, 6], noise [B, Z], the state after the notes before, or None."""
        state = (
            self.nothing(len(rows))
            if before is None
            else {"hidden": before.hidden, "window": before.window, "image": before.image}
        )
        return Rolling(*self._step.run(None, {"note": rows, "noise": noise, **state}))

    def draw(
        self, after: Rolling, biases: Biases, uniforms: NDArray[np.float64], temperature: float, top_p: float
    ) -> tuple[Rows, NDArray[np.float64]]:
        """Draw the next note of each row.

        Args:
            after: the state to draw from; not changed.
            biases: what is forced, masked, biased.
            uniforms: [B, 5] in [0, 1).
            temperature: above 0.
            top_p: share of each attribute's likeliest classes that is kept.

        Returns:
            Classes [B, 5] and their log-probabilities [B, 5] in nats, without bias or temperature.
        """
        batch = len(uniforms)
        choices, log_probs = self._draw.run(
            None,
            {
                "context": after.context, "features": after.features, "part_logits": after.part_logits,
                "gap_logits": after.gap_logits, "part_bias": biases.part, "gap_bias": biases.gap,
                "pitch_bias": biases.pitch, "velocity_bias": biases.velocity, "duration_bias": biases.duration,
                "uniforms": np.minimum(uniforms, _BELOW_ONE).astype(np.float32),
                "sharpness": np.full((batch, 1), 1.0 / temperature, np.float32),
                "top_p": np.full((batch, 1), top_p, np.float32),
            },
        )  # fmt: skip
        return choices, log_probs.astype(np.float64)

    def scores(self, sequences: Rows) -> Floats:
        """Give the critic's score [B] of whole sequences [B, T, 6]: higher is more like what people wrote."""
        scores: Floats = self._critic.run(None, {"notes": np.ascontiguousarray(sequences)})[0]
        return scores


def _taken(session: Any, wanted: dict[str, list[int]], also: str, path: Path) -> list[Any]:
    """Give the shape of one more input of a graph, where all it takes is that and what is wanted.

    Raises:
        ModelError: it takes something else.
    """
    shapes = {item.name: list(item.shape[1:]) for item in session.get_inputs()}
    if set(shapes) != {*wanted, also} or any(shapes[name] != shape for name, shape in wanted.items()):
        raise ModelError(f"model: {path} takes {shapes}, this Antiphon feeds {wanted} and {also}{_AGAIN}")
    return shapes[also]
