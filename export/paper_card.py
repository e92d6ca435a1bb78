"""The card of a model made after a paper: what it is, what it learnt from and on which terms, scores, limits."""

from __future__ import annotations

import hashlib
import json
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from antiphon.models.errors import ModelError

#: As the rest of the project.
LICENCE = "MIT"
_UNTOLD = "its terms are not told here; ask whoever trained it"


def data_terms(names: Iterable[str]) -> dict[str, str]:
    """Give what each data set is and its terms, as the recipe of the default model tells them."""
    recipe = resources.files("antiphon.models") / "recipes" / "antiphon.toml"
    told = tomllib.loads(recipe.read_text(encoding="utf-8")).get("data", {})
    return {name: str(told.get(name, _UNTOLD)) for name in names}


def told_command(command: str) -> str:
    """Give a command without anyone's folders: what came last of each path, under DATA or RUN.

    >>> told_command("antiphon papers lstm /home/me/music/bach --out runs/lstm --minutes 8")
    'antiphon papers lstm DATA/bach --out RUN --minutes 8'
    """
    words: list[str] = []
    for word in shlex.split(command):
        if words and words[-1] in ("--out", "--run"):
            words.append("RUN" if words[-1] == "--out" else "TRAINED")
        else:
            words.append(f"DATA/{Path(word).name}" if "/" in word else word)
    return shlex.join(words)


def card(facts: Mapping[str, Any]) -> str:
    """Give the card's text (Markdown) from what ``model.json`` holds.

    Args:
        facts: with ``name``, ``what``, ``parameters``, ``opset``, ``data`` (name -> terms), ``licence``, ``command``,
            ``trained_for``, ``scores`` (title -> Markdown), ``limits``, ``bytes``, ``off_torch_by`` and
            ``eight_bits_off_by``.
    """
    told = facts["parameters"]
    parameters = {"parameters": told} if isinstance(told, int) else told
    lines = [
        f"# {facts['name']}",
        "",
        facts["what"],
        "",
        ", ".join(f"{count:,} ({what})" for what, count in parameters.items())
        + f"; ONNX opset {facts['opset']}. {sum(facts['bytes'].values()) / 1e6:.1f} MB in all.",
        "",
        "## What it learnt from",
        *(f"- {name}: {terms}" for name, terms in facts["data"].items()),
        "",
        f"Only the training part of each was used. The weights are licensed as the rest of the project "
        f"({facts['licence']}); what has to be named is named above.",
        "",
        "## How",
        f"`{facts['command']}`",
        "",
        facts["trained_for"],
        "",
        "## Scores",
    ]
    for title, text in facts["scores"].items():
        lines += [f"### {title}", text, ""]
    lines += [
        "## What it cannot do",
        *(f"- {limit}" for limit in facts["limits"]),
        "",
        "## Files",
        "| file | bytes | off torch at most | 8 bits off by at most |",
        "| --- | --- | --- | --- |",
        *(f"| {file} | {size:,} | {_worst(facts.get('off_torch_by'), file)} | "
          f"{_worst(facts.get('eight_bits_off_by'), file)} |" for file, size in facts["bytes"].items()),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def read_report(path: Path, remedy: str) -> dict[str, Any]:
    """Read what an experiment wrote.

    Raises:
        ModelError: it is not there, or no JSON object.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(told, dict):
            raise TypeError(f"{type(told).__name__}, not an object")
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"export: {path} is not readable ({error}); {remedy}") from None
    return told


def write_folder(out: Path, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write a model's folder: its files, ``model.json`` and ``CARD.md``; give what ``model.json`` holds."""
    out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (out / name).write_bytes(data)
    written = {
        **facts,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "bytes": {name: len(data) for name, data in files.items()},
    }
    (out / "model.json").write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "CARD.md").write_text(card(written), encoding="utf-8")
    return written


def _worst(by_graph: Any, file: str) -> str:
    """Give the largest of a graph's differences, of all outputs or one; empty where none is told."""
    told = by_graph.get(Path(file).stem) if isinstance(by_graph, Mapping) else None
    values = list(told.values()) if isinstance(told, Mapping) else [] if told is None else [told]
    return f"{max(values):.1e}" if values else ""
