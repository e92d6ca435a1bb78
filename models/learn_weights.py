"""The weights that ship beside a model's graphs: the graphs are in 8 bits, and nothing can be learnt in these."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from antiphon.models.checkpoint import brief, network_of
from antiphon.models.errors import DataError, ModelError
from antiphon.models.model_files import DEFAULT_MODEL, ModelFiles, check_model, find_folder
from antiphon.models.network import AntiphonNetwork

WEIGHTS = "weights.pt"


@dataclass(frozen=True, slots=True)
class Base:
    """A model to learn on from."""

    files: ModelFiles
    network: AntiphonNetwork


def weights_of(network: AntiphonNetwork) -> bytes:
    """Give a network as a file: sizes and weights, these in 16 bits (half as large; see `load_base`)."""
    state = {name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()}
    file = io.BytesIO()
    torch.save({"config": network.config.as_dict(), "weights": state}, file)
    return file.getvalue()


def load_base(name: str) -> Base:
    """Find a model by name or folder, and the weights beside its graphs.

    Raises:
        ModelError: no such model; one without weights to learn on from; weights that are not those of its card.
        DataError: weights of another network than this program's.
    """
    files = check_model(find_folder(name), DEFAULT_MODEL)
    return Base(files, network_in(files.folder, files.facts))


def network_in(folder: Path, facts: Mapping[str, Any]) -> AntiphonNetwork:
    """Give the network whose weights lie in a model's folder.

    Args:
        folder: the model's.
        facts: what its ``model.json`` holds.

    Raises:
        ModelError: there are no weights; they are not those of its card.
        DataError: weights of another network than this program's.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise ModelError(
            f"model: {folder.name} has no {WEIGHTS}, and graphs in 8 bits can not be learnt on from; "
            "export it again with `antiphon export`, or take a model that ships"
        )
    data = path.read_bytes()
    told, got = facts.get("files", {}).get(WEIGHTS), hashlib.sha256(data).hexdigest()
    if told != got:
        raise ModelError(
            f"model: {path} is truncated or changed (sha256 {got[:12]}…, its card says {str(told)[:12]}…); "
            "export it again with `antiphon export`"
        )
    try:
        held: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        config, weights = held["config"], {key: value.float() for key, value in held["weights"].items()}
    except Exception as error:  # torch raises many kinds on a broken file
        raise DataError(f"{path} holds no weights ({brief(error)}); export the model again") from None
    return network_of(config, weights, path)
