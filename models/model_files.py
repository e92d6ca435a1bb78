"""A model's folder: what must be in it, and how it is checked before use, whatever kind of generator it is.

``model.json`` names the kind, the files with their sha256, the sizes of the network and its scores; ``*.onnx`` are the
graphs; ``CARD.md`` tells people the same. Imports neither numpy nor onnxruntime: the player checks with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from antiphon.models.errors import ModelError

FORMAT = 5
GRAPHS = ("step", "time", "pitch", "touch", "reply", "next")
#: What the graphs share.
GRAPH_WEIGHTS = "weights.bin"
DEFAULT_MODEL = "antiphon"
#: What models that ship are called, too.
OTHER_NAMES: Mapping[str, str] = {"small": DEFAULT_MODEL}
#: Nobody's model.json is this long; a wrong file given as one should not fill the memory.
_LARGEST_FACTS = 4_000_000


@dataclass(frozen=True, slots=True)
class ModelKind:
    """What a kind of generator needs in its folder."""

    about: str  # what it is for, in a line
    format: int
    needed: tuple[str, ...]  # files, in the order that `ModelFiles.sha256` goes over them
    optional: tuple[str, ...] = ()  # not for playing; checked where they are there
    sizes: tuple[str, ...] = ()  # of `network` in model.json: whole numbers, 1 or more
    again: str = "export it again with `antiphon export`, or take a model that ships"


KINDS: Mapping[str, ModelKind] = {
    "antiphon": ModelKind(
        "every mode, free or on a clock: hears what sounds, plays all parts",
        FORMAT, (*(f"{graph}.onnx" for graph in GRAPHS), GRAPH_WEIGHTS), ("rollout.onnx", "turn.onnx", "weights.pt"),
        ("hidden",),
    ),
    "lstm": ModelKind(
        "notes and chords after a paper's plain LSTM: harmony its own, rhythm and touch those it hears",
        1, ("vocabulary.json", "step8.onnx"), ("step.onnx", "window.onnx"), ("layers", "hidden"),
        "export it again with `antiphon export lstm`, or take a model that ships",
    ),
    "neurotune": ModelKind(
        "trained against a discriminator: looser, more surprising, on a grid of sixteenths and triplets",
        1, ("step.onnx", "draw.onnx", "critic.onnx"), sizes=("hidden", "window", "code", "noise"),
        again="export it again with `antiphon export neurotune`, or take a model that ships",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A checked model folder."""

    name: str
    folder: Path
    config: dict[str, Any]
    sha256: str  # over all files needed to play, in order
    facts: dict[str, Any]
    kind: str = DEFAULT_MODEL

    def graph(self, name: str) -> Path:
        """Give the path of one graph."""
        return self.folder / f"{name}.onnx"

    @property
    def parameters(self) -> int:
        """How many weights it has; 0 where its model.json does not tell."""
        told = self.facts.get("parameters", 0)
        counts = told.values() if isinstance(told, dict) else (told,)
        return sum(count for count in counts if isinstance(count, int))


def shipped_models() -> list[str]:
    """Name the models that ship, the default first."""
    root = Path(str(resources.files("antiphon.models"))) / "pretrained"
    names = (path.parent.name for path in root.glob("*/model.json"))
    return sorted(names, key=lambda name: (name != DEFAULT_MODEL, name))


def shipped_name(name: str) -> str:
    """Give the name that a model ships by, where ``name`` is another one of it; else ``name``.

    >>> shipped_name("small"), shipped_name("lstm")
    ('antiphon', 'lstm')
    """
    return OTHER_NAMES.get(name, name)


def find_folder(name: str) -> Path:
    """Give the folder of a model by a name of one that ships, or by its folder's path; unchecked.

    Raises:
        ModelError: there is none.
    """
    path = Path(name)
    if not path.is_dir() and "/" not in name and "\\" not in name:
        ours = Path(str(resources.files("antiphon.models")))
        path = ours / "pretrained" / shipped_name(name)
        if not path.is_dir() and (ours / "recipes" / f"{name}.toml").is_file():
            raise ModelError(
                f"model: no weights of {name!r} ship, its recipe alone; train it (antiphon train DATA... "
                f"--recipe {name} --out RUN), and give the folder that `antiphon export RUN` makes"
            )
    if not path.is_dir():
        known = ", ".join([*shipped_models(), *OTHER_NAMES])
        raise ModelError(
            f"model: {name!r} is neither a model that ships ({known}) nor a folder; "
            "give one of these names, or a model's folder"
        )
    return path


def find_model(name: str) -> ModelFiles:
    """Check a model by a name of one that ships, or by its folder's path.

    Raises:
        ModelError: not found, a file missing, truncated or changed, of an unknown kind or another format.
    """
    return check_model(find_folder(name))


def kind_of(folder: Path) -> str:
    """Tell which kind of generator a folder holds, from its ``model.json`` alone.

    Raises:
        ModelError: as `find_model`.
    """
    return _kind(_facts(folder), folder)


def check_model(folder: Path, kind: str | None = None) -> ModelFiles:
    """Check the files of a model folder against its ``model.json``.

    Args:
        folder: the model's.
        kind: of `KINDS`, where it must be that one.

    Raises:
        ModelError: as `find_model`.
    """
    facts = _facts(folder)
    found = _kind(facts, folder)
    again = f"; {KINDS[found].again}"
    if kind is not None and found != kind:
        raise ModelError(f"model: {folder} is of kind {found!r}, wanted is {kind!r}{again}")
    needs = KINDS[found]
    try:
        files, config, form = dict(facts["files"]), dict(facts["network"]), facts["format"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"model: {folder / 'model.json'} is not readable ({error!r}){again}") from None
    if form != needs.format:
        raise ModelError(f"model: {folder} has format {form!r}, this Antiphon reads {needs.format}{again}")
    for size in needs.sizes:
        value = config.get(size)
        if not isinstance(value, int) or value < 1:
            raise ModelError(f"model: {folder / 'model.json'}: network.{size} must be 1 or more, got {value!r}{again}")
    whole = hashlib.sha256()
    for file in needs.needed:
        whole.update(_digest(folder / file, files, again))
    for file in needs.optional:
        if file in files and (folder / file).is_file():
            _digest(folder / file, files, again)
    return ModelFiles(str(facts.get("name", folder.name)), folder, config, whole.hexdigest(), facts, found)


def _facts(folder: Path) -> dict[str, Any]:
    path, again = folder / "model.json", f"; {KINDS[DEFAULT_MODEL].again}"
    try:
        if path.stat().st_size > _LARGEST_FACTS:
            raise ValueError(f"{path.stat().st_size} bytes, {_LARGEST_FACTS} at most")
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise TypeError(f"{type(facts).__name__}, not an object")
    except FileNotFoundError:
        raise ModelError(f"model: {folder} holds no model.json{again}") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"model: {path} is not readable ({error!r}){again}") from None
    return facts


def _kind(facts: Mapping[str, Any], folder: Path) -> str:
    kind = facts.get("kind", DEFAULT_MODEL)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ModelError(
            f"model: {folder} is of kind {kind!r}, this Antiphon plays {', '.join(KINDS)}; {KINDS[DEFAULT_MODEL].again}"
        )
    return kind


def _digest(path: Path, files: Mapping[str, Any], again: str) -> bytes:
    """Give a file's sha256 where it is the one that ``model.json`` tells."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except FileNotFoundError:
        raise ModelError(f"model: {path} is missing{again}") from None
    except OSError as error:
        raise ModelError(f"model: {path} is not readable ({error.strerror}){again}") from None
    if digest.hexdigest() != files.get(path.name):
        raise ModelError(
            f"model: {path} is truncated or changed (sha256 {digest.hexdigest()[:12]}…, its card says "
            f"{str(files.get(path.name))[:12]}…){again}"
        )
    return digest.digest()
