"""What is worth a line to the person who plays. Pure: records in, lines out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.settings import PARAMETERS

#: Inputs that there is something to say about.
TOLD = frozenset((Kind.PORT, Kind.RESTART, Kind.SET))
#: A fader says a number a hundred times a second; a switch is worth a line.
_SWITCHES = ("choice", "parts", "bool")
NO_MODELS: Mapping[int, str] = {}
_WORDS = {
    Mark.PHRASE_END: "heard a phrase end",
    Mark.ANSWER: "answers",
    Mark.YIELD: "yields",
    Mark.TAKE_OVER: "takes over",
    Mark.PANIC: "panic: everything is silent",
    Mark.CLOCK_START: "the clock starts",
    Mark.CLOCK_STOP: "the clock stops",
    Mark.LOCATE: "the clock is at another place",
}


def warning(record: Record, ports: Mapping[str, Any]) -> str:
    """Say what went wrong, or came right again; empty where nothing did.

    Args:
        record: an input of the engine's.
        ports: what session.json holds of them.
    """
    if record.kind == Kind.RESTART:
        return "the brain was lost and is back; what was played meanwhile is in the take"
    if record.kind != Kind.PORT:
        return ""
    way = "out" if record.b else "in"
    name = repr(ports[way]) if record.id == 0 and ports.get(way) else f"{record.id + 1}"
    port = f"{'output' if record.b else 'input'} {name}"
    return (
        f"{port} is back" if record.a else f"{port} is gone; its notes are ended, and it is taken up when it comes back"
    )


def log_line(record: Record, t0_ns: int, models: Mapping[int, str] = NO_MODELS) -> str:
    """Give the plain log's line for a setting or a mark, with the second of the session; empty where there is none.

    Args:
        record: an input of the engine's, or a mark.
        t0_ns: when the session began.
        models: names of the session's models, by number.
    """
    if record.kind == Kind.SET and record.id < len(PARAMETERS) and PARAMETERS[record.id].kind in _SWITCHES:
        entry = PARAMETERS[record.id]
        said = f"{entry.name} {entry.show(entry.decode(record.value))}"
    elif record.kind == Kind.MARK and record.a == Mark.TEMPO:
        said = f"tempo {record.value:.1f} bpm"
    elif record.kind == Kind.MARK and record.a == Mark.MODEL:
        said = f"model {models.get(round(record.value), f'number {record.value:g}')}"
    elif record.kind == Kind.MARK and record.a in _WORDS:
        said = _WORDS[Mark(record.a)]
    else:
        return ""
    return f"{(record.t_ns - t0_ns) / 1e9:.2f} s: {said}"
