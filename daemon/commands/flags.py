"""Command-line flags, made from the tables of parameters and options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from antiphon.daemon.config import Config, load
from antiphon.daemon.options import OPTIONS, Option
from antiphon.daemon.settings import PARAMETERS, Parameter

#: `--performer FILE` is the one word of the command line that was taken.
FLAG_OF = {"performer": "performer-part"}


def flag(name: str) -> str:
    """Give the flag of a parameter or an option.

    >>> flag("top_p"), flag("performer")
    ('--top-p', '--performer-part')
    """
    return "--" + FLAG_OF.get(name, name).replace("_", "-")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every parameter."""
    group = parser.add_argument_group("parameters (also over OSC while it plays; see `antiphon osc`)")
    for entry in PARAMETERS:
        default = entry.show(entry.default)
        text = f"{entry.doc}: {entry.allowed} (default {default})".replace("%", "%%")
        if entry.kind == "bool":
            group.add_argument(
                flag(entry.name), dest=f"set_{entry.name}", nargs="?", const="on", metavar="on|off", help=text
            )
        else:
            group.add_argument(flag(entry.name), dest=f"set_{entry.name}", metavar=_metavar(entry), help=text)


def add_options(parser: argparse.ArgumentParser, names: Sequence[str] | None = None) -> None:
    """Add flags for a session's options, all or those named, and ``--config``."""
    group = parser.add_argument_group("the session")
    for entry in OPTIONS:
        if names is None or entry.name in names:
            _add_option(group, entry)
    group.add_argument("--config", type=Path, metavar="FILE", help="a configuration file other than your own")


def _add_option(group: argparse._ArgumentGroup, entry: Option) -> None:
    text = entry.doc.replace("%", "%%")
    if entry.kind == "choice":
        text += f": {entry.allowed}"
    if entry.default:
        text += f" (default {entry.default})"
    if entry.kind == "switch":
        group.add_argument(
            flag(entry.name), dest=f"option_{entry.name}", action=argparse.BooleanOptionalAction, help=text
        )
        return
    metavar = entry.metavar or "NAME"
    group.add_argument(flag(entry.name), dest=f"option_{entry.name}", metavar=metavar, help=text)


def read_config(args: argparse.Namespace) -> Config:
    """Give what holds: defaults, then the file, then the flags.

    Raises:
        ConfigError: see `config.load`.
    """
    settings = _given(args, "set_")
    options = _given(args, "option_")
    return load(args.config).over(settings, options)


def _given(args: argparse.Namespace, prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value
        for name, value in vars(args).items()
        if name.startswith(prefix) and value is not None
    }


def _metavar(entry: Parameter) -> str:
    if entry.kind == "parts":
        return "PART+PART"
    return "NAME" if entry.kind == "choice" else "N"
