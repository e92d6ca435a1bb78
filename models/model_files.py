"""A model's folder: what must be in it, and how it is checked before use.

``model.json`` names the files with their sha256, the sizes of the network and its scores; ``*.onnx`` are the graphs;
``CARD.md`` tells people the same.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from antiphon.models.errors import ModelError

FORMAT = 1
GRAPHS = ("step", "pitch", "touch", "reply")
DEFAULT_MODEL = "antiphon"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A checked model folder."""

    name: str
    folder: Path
    config: dict[str, Any]
    sha256: str  # over all graphs, in order
    facts: dict[str, Any]

    def graph(self, name: str) -> Path:
        """Give the path of one graph."""
        return self.folder / f"{name}.onnx"


def shipped_models() -> list[str]:
    """Name the models that ship."""
    root = Path(str(resources.files("antiphon.models"))) / "pretrained"
    return sorted(path.parent.name for path in root.glob("*/model.json"))


def find_model(name: str) -> ModelFiles:
    """Check a model by the name of one that ships, or by its folder's path.

    Raises:
        ModelError: not found, a file missing, truncated or changed, or of another format.
    """
    path = Path(name)
    if not path.is_dir() and "/" not in name and "\\" not in name:
        path = Path(str(resources.files("antiphon.models"))) / "pretrained" / name
    if not path.is_dir():
        known = ", ".join(shipped_models()) or "none"
        raise ModelError(
            f"model: {name!r} is neither a model that ships ({known}) nor a folder; give --model NAME or a folder"
        )
    return check_model(path)


def check_model(folder: Path) -> ModelFiles:
    """Check the files of a model folder against its ``model.json``.

    Raises:
        ModelError: as `find_model`.
    """
    again = "; export it again with `antiphon export`, or take a model that ships"
    try:
        facts = json.loads((folder / "model.json").read_text())
        files, config = dict(facts["files"]), dict(facts["network"])
        form = facts["format"]
    except FileNotFoundError:
        raise ModelError(f"model: {folder} holds no model.json{again}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"model: {folder / 'model.json'} is not readable ({error!r}){again}") from None
    if form != FORMAT:
        raise ModelError(f"model: {folder} has format {form!r}, this Antiphon reads {FORMAT}{again}")
    whole = hashlib.sha256()
    for graph in GRAPHS:
        file = f"{graph}.onnx"
        path = folder / file
        if not path.is_file():
            raise ModelError(f"model: {path} is missing{again}")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != files.get(file):
            raise ModelError(
                f"model: {path} is truncated or changed (sha256 {digest[:12]}…, its card says "
                f"{str(files.get(file))[:12]}…){again}"
            )
        whole.update(bytes.fromhex(digest))
    return ModelFiles(str(facts.get("name", folder.name)), folder, config, whole.hexdigest(), facts)
