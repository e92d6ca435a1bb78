"""A recipe: what a frame network learns, and how. Read without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from antiphon.models.errors import DataError

#: Key of the recipe -> least and most.
_RANGES: dict[str, tuple[float, float]] = {
    "excerpt": (2, 4096), "batch": (2, 1_000_000), "rate": (1e-8, 1.0), "rate_end": (0.0, 1.0), "warm": (0, 100_000),
    "weight_decay": (0.0, 10.0), "clip": (1e-6, 1e6), "average": (0.0, 0.999999), "transpose": (0, 48),
    "in_place": (0.0, 1.0), "minutes": (1e-4, 1e5), "patience": (1, 1_000_000), "seed": (0, 2**31 - 1),
}  # fmt: skip
_WHOLE = ("excerpt", "batch", "warm", "transpose", "patience", "seed")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a run learns.

    Raises:
        DataError: a value out of its range; field, range and value are told.
    """

    network: dict[str, Any] = field(default_factory=dict)  # of `network.NetworkConfig`
    excerpt: int = 128  # frames
    batch: int = 320  # frames
    rate: float = 3e-3
    rate_end: float = 2e-5  # a cosine leads there as the minutes pass
    warm: int = 50  # steps
    weight_decay: float = 0.02
    clip: float = 1.0  # norm of the gradient
    average: float = 0.99  # of the weights that are scored: how much of the old is kept at each step
    transpose: int = 5  # semitones up and down
    in_place: float = 0.25  # share of excerpts that stay in their key
    minutes: float = 12.0  # of processor time in training
    patience: int = 30  # epochs without a better validation before it stops
    seed: int = 1

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            whole = name in _WHOLE
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                raise DataError(f"recipe: {name} must be a {'whole ' if whole else ''}number, got {value!r}")
            if not low <= value <= high:
                raise DataError(f"recipe: {name} must be {low:g} to {high:g}, got {value!r}")


#: Set of `sets.BENCHMARKS` -> its recipe. The sets differ most in how much there is to learn from.
RECIPES = {
    "jsb": Recipe(network={"dropout": 0.3}, minutes=8.0),
    "nottingham": Recipe(network={"dropout": 0.15}, batch=512, in_place=0.5, minutes=10.0),
    "piano": Recipe(network={"dropout": 0.2}, batch=512, minutes=12.0),
    "muse": Recipe(network={"dropout": 0.1}, batch=512, minutes=15.0),
}
