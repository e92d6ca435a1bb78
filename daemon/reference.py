"""The reference, made from the tables: docs/parameters.md and what ``antiphon osc`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from antiphon.daemon.brain.osc_addresses import ACTIONS, DEFAULT_HOST, DEFAULT_PORT, PREFIX, REPLIES
from antiphon.daemon.commands.flags import flag
from antiphon.daemon.options import OPTIONS
from antiphon.daemon.settings import PARAMETERS

#: A configuration file; a test reads it.
EXAMPLE = """\
mode = "accompany"
parts = "chords+bass"
temperature = 0.9
key = "D"
scale = "minor"

[jam]
connect = true
channel_parts = "2=bass, 10=drums"
also_in = "LPD8=drums"
part_offsets = "bass=-12.5"
osc = "0.0.0.0:9010"
"""
_COLUMN = 36
_KINDS = {"choice": "text", "parts": "text", "float": "number"}


def osc_text() -> str:
    """Give every OSC address for a terminal."""
    where = f"{DEFAULT_HOST}:{DEFAULT_PORT}"
    lines = [f"Antiphon hears OSC over UDP on {where} (--osc HOST:PORT, --osc off).", ""]
    for entry in PARAMETERS:
        lines.append(f"{PREFIX + entry.name:<{_COLUMN}}{entry.doc}")
        lines.append(f"{'':<{_COLUMN}}{entry.allowed}; default {entry.show(entry.default)}")
    for head, addresses in (("", ACTIONS), ("Antiphon says:", REPLIES)):
        lines += ["", head] if head else [""]
        lines += [f"{f'{address.path} {address.takes}':<{_COLUMN}}{address.doc}" for address in addresses]
    return "\n".join(lines) + "\n"


def markdown() -> str:
    """Give docs/parameters.md."""
    blocks = [
        "# Parameters",
        "Made by `antiphon osc --markdown` from the one table; do not edit by hand.",
        "A parameter may be set on the command line, in `antiphon.toml` (as a key at the top) and over OSC "
        "while Antiphon plays; a change is heard from the next note. The command line goes before the file, "
        "the file before the default. On and off may be written `true` and `false` in the file.",
        _table(
            ("parameter", "flag", "OSC", "takes", "default", "what it does"),
            (
                (
                    f"`{entry.name}`", f"`{flag(entry.name)}`", f"`{PREFIX}{entry.name}`",
                    f"{_KINDS[entry.kind]}: {entry.allowed}" if entry.kind in _KINDS else entry.allowed,
                    f"`{entry.show(entry.default)}`", entry.doc,
                )
                for entry in PARAMETERS
            ),
        ),
        "A choice may also be given over OSC by its number, counted from 0. An on/off parameter without a "
        "value is turned over; any other is told to the sender. Several parts are joined by `+` or given as "
        "several texts.",
        "## OSC, beside the parameters",
        f"OSC is heard over UDP on `{DEFAULT_HOST}:{DEFAULT_PORT}`, so from this machine only, unless "
        "`--osc` says otherwise. A datagram that is not OSC is counted and dropped; a value that is not "
        "allowed is counted and answered with `/antiphon/error`. Time tags of bundles are not waited for.",
        _table(("address", "takes", "what it does"), ((f"`{a.path}`", a.takes, a.doc) for a in ACTIONS)),
        "Antiphon says:",
        _table(("address", "carries", "when"), ((f"`{a.path}`", a.takes, a.doc) for a in REPLIES)),
        "## A session's options",
        "On the command line of `antiphon jam`, or under `[jam]` in `antiphon.toml`. They hold for the whole "
        "session.",
        _table(
            ("option", "flag", "takes", "default", "what it does"),
            (
                (f"`{o.name}`", f"`{flag(o.name)}`", o.allowed, _shown(o.default), o.doc) for o in OPTIONS
            ),
        ),
        "## An example",
        f"```toml\n{EXAMPLE}```",
    ]  # fmt: skip
    return "\n\n".join(blocks) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _shown(default: object) -> str:
    if default is None:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
