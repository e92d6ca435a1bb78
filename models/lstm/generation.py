"""Making elements: the paper's way, the whole window fed again for each, and ours, the state carried on.

Both draw alike (temperature, top-p; temperature 0 is the paper's argmax), and randomness is an argument. From one zero
state and within one window they are the same but for rounding; later the paper's forgets what left its window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from antiphon.models.errors import AntiphonError
from antiphon.models.lstm.vocabulary import UNKNOWN
from antiphon.models.sampling import draw
from numpy.typing import NDArray

Tokens = NDArray[np.int64]
Logits = NDArray[np.float32]


class GenerationError(AntiphonError):
    """What was asked of a generation cannot be."""


class ElementModel(Protocol):
    """What can tell the next element: on torch or on onnxruntime."""

    @property
    def name(self) -> str:
        """What runs it."""

    @property
    def words(self) -> int:
        """Size of the vocabulary."""

    def window(self, tokens: Tokens) -> Logits:
        """Map tokens [B, T] to logits [B, V] of what comes after, from a zero state."""

    def start(self, rows: int) -> Any:
        """Give the state before anything, for so many rows."""

    def step(self, tokens: Tokens, state: Any) -> tuple[Logits, Any]:
        """Map tokens [B] and a state to logits [B, V] and the state after; the old state stays valid."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How an element is drawn.

    Raises:
        GenerationError: a value out of its range.
    """

    temperature: float = 1.0
    top_p: float = 0.95

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature <= 10.0:
            raise GenerationError(f"temperature: must be 0 (the likeliest, always) to 10, got {self.temperature}")
        if not 0.0 < self.top_p <= 1.0:
            raise GenerationError(f"top_p: must be above 0 and at most 1 (all), got {self.top_p}")

    def __call__(self, logits: Logits, uniform: float) -> int:
        """Draw from logits [V]; never the unknown."""
        logits = logits.copy()
        logits[UNKNOWN] = -np.inf
        return draw(logits, uniform, self.temperature, self.top_p)


#: The paper's: the likeliest, always.
ARGMAX = Choice(temperature=0.0, top_p=1.0)


def by_window(model: ElementModel, seed: Tokens, uniforms: NDArray[np.float64], choice: Choice) -> list[int]:
    """Make ``len(uniforms)`` elements as the paper does: for each, the last ``len(seed)`` are fed again.

    Args:
        model: tells the next element.
        seed: [window] what came before.
        uniforms: [count] in [0, 1).
        choice: how each is drawn.

    Raises:
        GenerationError: the seed is empty or holds what the vocabulary does not.
    """
    window = _checked(model, seed)
    made = []
    for uniform in uniforms:
        number = choice(model.window(window[None])[0], float(uniform))
        made.append(number)
        window = np.append(window[1:], number)
    return made


def by_state(model: ElementModel, seed: Tokens, uniforms: NDArray[np.float64], choice: Choice) -> list[int]:
    """Make ``len(uniforms)`` elements with the state carried: one step each.

    Arguments and errors as `by_window`.
    """
    state = model.start(1)
    for token in _checked(model, seed):
        logits, state = model.step(np.array([token]), state)
    made: list[int] = []
    for place, uniform in enumerate(uniforms):
        if place:
            logits, state = model.step(np.array([made[-1]]), state)
        made.append(choice(logits[0], float(uniform)))
    return made


def _checked(model: ElementModel, seed: Tokens) -> Tokens:
    if seed.ndim != 1 or not len(seed):
        raise GenerationError(f"seed: must be a row of one element or more, got shape {seed.shape}")
    if seed.min() < 0 or seed.max() >= model.words:
        raise GenerationError(
            f"seed: numbers must be 0 to {model.words - 1}, got {seed.min()} to {seed.max()}; "
            "encode it with the model's own vocabulary"
        )
    return seed.astype(np.int64)
