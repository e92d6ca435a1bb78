"""A recipe: what the `lstm` generator learns, and how. Read without torch."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

from antiphon.models.errors import DataError
from antiphon.models.lstm.elements import Spelling

TARGETS = ("every", "last")
SHIPPED = "lstm"
#: Key of the recipe -> least and most.
_RANGES: dict[str, tuple[float, float]] = {
    "window": (2, 4096), "batch": (1, 65536), "rate": (1e-8, 1.0), "clip": (1e-6, 1e6), "epochs": (1, 1_000_000),
    "minutes": (0.0, 1e6), "patience": (1, 1_000_000), "fewest": (1, 1_000_000), "seed": (0, 2**31 - 1),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a run learns.

    Raises:
        DataError: a value out of its range; field, range and value are told.
    """

    network: dict[str, Any] = field(default_factory=dict)  # of `network.NetworkConfig`
    window: int = 100  # the paper's sequence length
    targets: str = "every"  # place of a window is learnt from, or only its "last" as in the paper
    batch: int = 8
    rate: float = 1e-3
    clip: float = 1.0  # norm of the gradient
    epochs: int = 200
    minutes: float = 0.0  # of training; 0: as long as the epochs take
    patience: int = 10  # epochs without a better validation before it stops
    spelling: str = "normal_order"
    fewest: int = 2  # times an element must be there to have a word of its own; the paper's is 1
    seed: int = 1

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            whole = name not in ("rate", "clip", "minutes")
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                raise DataError(f"recipe: {name} must be a {'whole ' if whole else ''}number, got {value!r}")
            if not low <= value <= high:
                raise DataError(f"recipe: {name} must be {low:g} to {high:g}, got {value!r}")
        if self.targets not in TARGETS:
            raise DataError(f"recipe: targets must be one of {', '.join(TARGETS)}, got {self.targets!r}")
        if self.spelling not in tuple(Spelling):
            raise DataError(f"recipe: spelling must be one of {', '.join(Spelling)}, got {self.spelling!r}")

    @classmethod
    def parse(cls, text: str, name: str) -> Recipe:
        """Read a recipe's text. Raises: DataError, naming the key."""
        try:
            table = tomllib.loads(text)
            training = dict(table.get("training", {}))
            unknown = sorted({*table} - {"network", "training", "data"})
            if unknown:
                raise DataError(f"recipe {name}: unknown table [{unknown[0]}]; its tables: network, training, data")
            return cls(network=dict(table.get("network", {})), **training)
        except (tomllib.TOMLDecodeError, TypeError) as error:
            keys = ", ".join(entry.name for entry in fields(cls) if entry.name != "network")
            raise DataError(f"recipe {name}: {error}; keys of [training]: {keys}") from None

    @classmethod
    def load(cls, name: str = SHIPPED) -> Recipe:
        """Read the recipe that ships, or one from a ``.toml`` file.

        Raises:
            DataError: it does not exist or is not a recipe.
        """
        path = Path(name)
        if path.suffix != ".toml" and name != SHIPPED:
            raise DataError(f"recipe {name!r} is not there; give {SHIPPED} or a .toml file")
        try:
            shipped = resources.files("antiphon.models") / "recipes" / f"{SHIPPED}.toml"
            text = shipped.read_text(encoding="utf-8") if name == SHIPPED else path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"recipe {path} is not readable ({error}); give {SHIPPED} or a .toml file") from None
        return cls.parse(text, name)
