"""Everything that decides what a `neurotune` run learns. No torch here: the configuration is checked without it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from antiphon.models.errors import DataError
from antiphon.models.neurotune.sequences import SequenceConfig


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a run goes: teacher-forced likelihood first, then (or instead) the discriminator as well.

    Attributes:
        minutes: of processor time, both phases together.
        steps: where above 0, optimiser steps instead of minutes: for tests.
        pretrain: share of the run that is likelihood alone, with teacher forcing.
        warm_critic: share of the run, after that, in which only the discriminator learns.
        batch: sequences in a batch of likelihood.
        adversarial_batch: sequences in a batch that runs free.
        rate: of the likelihood's optimiser at its highest; it falls along a cosine to a twentieth.
        generator_rate: of the generator in the adversarial phase.
        critic_rate: of the discriminator; higher, so that it keeps up (two time-scales, arXiv 1706.08500).
        finish_critic: after the run, as a share of its time, the discriminator learns on alone: for the live critic.
        clip: largest norm of a gradient.
        free_from: notes that run free when the adversarial phase starts; the rest of the sequence is forced.
        free_to: ... and when it ends: the schedule of teacher forcing.
        temperature_from: of the straight-through draws at the start of the adversarial phase.
        temperature_to: ... and at its end.
        smooth: target of a real sequence: one-sided label smoothing (arXiv 1606.03498, section 3.4).
        matching_weight: of feature matching beside the discriminator's verdict.
        interleave: steps of likelihood between two adversarial ones: without them a generator of discrete notes
            forgets what it knew (interleaved training, arXiv 1709.08624, section 3).
        seed: of weights, data and noise.
    """

    minutes: float = 4.0
    steps: int = 0
    pretrain: float = 0.5
    warm_critic: float = 0.08
    batch: int = 24
    adversarial_batch: int = 16
    rate: float = 2e-3
    generator_rate: float = 2e-4
    critic_rate: float = 1e-3
    finish_critic: float = 0.5
    clip: float = 1.0
    free_from: int = 8
    free_to: int = 24
    temperature_from: float = 1.0
    temperature_to: float = 0.5
    smooth: float = 0.9
    matching_weight: float = 1.0
    interleave: int = 3
    seed: int = 1

    def __post_init__(self) -> None:
        checks = (
            ("pretrain", self.pretrain, 0.0, 1.0), ("warm_critic", self.warm_critic, 0.0, 1.0),
            ("smooth", self.smooth, 0.5, 1.0), ("minutes", self.minutes, 1e-3, 1e5), ("steps", self.steps, 0, 10**9),
            ("batch", self.batch, 1, 4096), ("adversarial_batch", self.adversarial_batch, 2, 4096),
            ("free_from", self.free_from, 1, self.free_to), ("clip", self.clip, 1e-6, 1e6),
            ("interleave", self.interleave, 0, 1000), ("finish_critic", self.finish_critic, 0.0, 100.0),
            ("temperature_to", self.temperature_to, 1e-2, self.temperature_from),
        )  # fmt: skip
        for name, value, low, high in checks:
            if not low <= value <= high:
                raise DataError(f"recipe neurotune: training.{name}: {low:g} to {high:g}, not {value}; mend the recipe")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole recipe. Sizes are plain mappings here, made into a network by `training`."""

    sequences: SequenceConfig
    generator: dict[str, Any]
    discriminator: dict[str, Any]
    training: Schedule
    weights: dict[str, float]

    @classmethod
    def load(cls, name: str = "neurotune") -> Recipe:
        """Read a recipe by the name of one that ships, or by path.

        Raises:
            DataError: it does not exist, or holds an unknown key or a value out of range.
        """
        path = Path(name)
        if path.suffix == ".toml":
            if not path.is_file():
                raise DataError(f"recipe {path} does not exist; give one that ships (neurotune) or a .toml file")
            return cls.parse(path.read_text(), name)
        shipped = resources.files("antiphon.models") / "recipes" / f"{name}.toml"
        if not shipped.is_file():
            raise DataError(f"there is no recipe {name!r}; give one that ships (neurotune) or a .toml file")
        return cls.parse(shipped.read_text(), name)

    @classmethod
    def parse(cls, text: str, name: str) -> Recipe:
        """Read a recipe's text. Raises: DataError, naming the key."""
        known = {field.name for field in fields(cls)}
        try:
            table = tomllib.loads(text)
            if unknown := set(table) - known:
                raise DataError(
                    f"recipe {name}: no table [{sorted(unknown)[0]}]; its tables: {', '.join(sorted(known))}"
                )
            sequences = dict(table.get("sequences", {}))
            if "grid" in sequences:
                sequences["grid"] = tuple(sequences["grid"])
            recipe = cls(
                sequences=SequenceConfig(**sequences),
                generator=dict(table.get("generator", {})),
                discriminator=dict(table.get("discriminator", {})),
                training=Schedule(**table.get("training", {})),
                weights={str(k): float(v) for k, v in table.get("weights", {}).items()},
            )
        except (tomllib.TOMLDecodeError, TypeError, ValueError) as error:
            raise DataError(f"recipe {name}: {error}; see models/recipes/neurotune.toml for the keys") from None
        if recipe.training.free_to >= recipe.sequences.length:
            raise DataError(
                f"recipe {name}: training.free_to: below sequences.length ({recipe.sequences.length}), "
                f"not {recipe.training.free_to}; some real notes must come first"
            )
        return recipe
