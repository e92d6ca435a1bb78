"""Checkpoints of `neurotune` runs: written whole or not at all, resumed, and read for export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from antiphon.models.checkpoint_file import write_checkpoint
from antiphon.models.errors import DataError
from antiphon.models.neurotune.discriminator import Discriminator, DiscriminatorConfig
from antiphon.models.neurotune.layers import GeneratorConfig
from antiphon.models.neurotune.network import Generator
from antiphon.models.neurotune.training import Run

_PARTS = ("generator", "average", "discriminator", "optimiser", "against", "critic")


def save(run: Run, path: Path) -> None:
    """Write a checkpoint; the old one stays until the new one is whole."""
    state: dict[str, Any] = {name: getattr(run, name).state_dict() for name in _PARTS}
    state |= {
        "generator_config": run.generator.config.as_dict(),
        "discriminator_config": run.discriminator.config.as_dict(),
        "step": run.step, "trained_s": run.trained_s, "curves": run.curves.series,
    }  # fmt: skip
    write_checkpoint(path, state)


def resume(run: Run, path: Path) -> bool:
    """Bring a run to where a checkpoint left off, if it is there.

    Raises:
        DataError: it is broken, or of a network of other sizes.
    """
    if not path.is_file():
        return False
    state = _loaded(path)
    sizes = (run.generator.config.as_dict(), run.discriminator.config.as_dict())
    try:
        held = (state["generator_config"], state["discriminator_config"])
        if held != sizes:
            raise DataError(f"{path} holds a network of {held}, the recipe asks for {sizes}; take another --out")
        for name in _PARTS:
            getattr(run, name).load_state_dict(state[name])
        run.step, run.trained_s, run.curves.series = state["step"], state["trained_s"], state["curves"]
    except (KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"{path} is not a checkpoint of this network ({error}); take another --out") from None
    return True


def load_trained(path: Path) -> tuple[Generator, Discriminator]:
    """Give the averaged generator and the discriminator of a checkpoint, ready to run.

    Raises:
        DataError: the file is missing, broken or of another shape.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist; give a checkpoint that `antiphon papers neurotune` wrote")
    state = _loaded(path)
    try:
        generator = Generator(GeneratorConfig(**state["generator_config"]))
        discriminator = Discriminator(DiscriminatorConfig(**state["discriminator_config"]))
        generator.load_state_dict(state["average"])
        discriminator.load_state_dict(state["discriminator"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{path} is not a checkpoint of this network ({error}); train again") from None
    return generator.eval(), discriminator.eval()


def _loaded(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds on a broken file
        raise DataError(f"{path} is not a readable checkpoint ({error}); train again") from None
    if not isinstance(state, dict):
        raise DataError(f"{path} holds a {type(state).__name__}, not a checkpoint; train again")
    return state
