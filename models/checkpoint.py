"""A run's checkpoint: one file that is whole at any moment, read without running anything in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from antiphon.models.errors import AntiphonError, DataError
from antiphon.models.network import AntiphonNetwork, NetworkConfig

CHECKPOINT = "checkpoint.pt"
#: torch's complaint of another shape lists every weight; its beginning tells enough.
_MOST_TOLD = 300


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read it, tensors on the CPU.

    Raises:
        DataError: it is no checkpoint.
    """
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds on a broken file
        raise DataError(
            f"{path} is not a checkpoint ({brief(error)}); put back a copy of it, or take another --out to begin anew"
        ) from None


def network_of(config: dict[str, Any], weights: dict[str, Any], path: Path) -> AntiphonNetwork:
    """Make the network that a file holds.

    Raises:
        DataError: its sizes or its weights are not those of this program's network.
    """
    try:
        network = AntiphonNetwork(NetworkConfig(**config))
        network.load_state_dict(weights)
    except (TypeError, ValueError, KeyError, RuntimeError, AttributeError, AntiphonError) as error:
        raise DataError(f"{path} holds another network ({brief(error)}); train again") from None
    return network


def load_network(checkpoint: Path) -> tuple[AntiphonNetwork, dict[str, Any]]:
    """Give a run's network, and what else its checkpoint tells.

    The weights are averages over the last steps: those of the best check where the recipe has patience, else the last.

    Raises:
        DataError: the file is missing, broken or of another shape.
    """
    if not checkpoint.is_file():
        raise DataError(f"{checkpoint} does not exist; give a training run's {CHECKPOINT}")
    state = read_checkpoint(checkpoint)
    told = ("step", "trained_s", "notes_seen", "best")
    missing = [key for key in ("config", "average", *told) if key not in state]
    if missing:
        raise DataError(f"{checkpoint} is not a checkpoint (it lacks {', '.join(missing)}); train again")
    network = network_of(state["config"], state.get("best_average") or state["average"], checkpoint)
    network.eval()
    return network, {key: state[key] for key in told}


def brief(error: Exception) -> str:
    """Give an error's text on one line, not too long."""
    text = " ".join(str(error).split()) or repr(error)
    return text if len(text) <= _MOST_TOLD else text[:_MOST_TOLD] + " …"
