"""What is worth a line to the person who plays. Pure: records in, lines out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.daemon.messages import Kind, Mark, Record, Trouble
from antiphon.daemon.settings import PARAMETERS, Settings

#: Inputs that there is something to say about.
TOLD = frozenset((Kind.PORT, Kind.RESTART, Kind.SET, Kind.SLEPT))
#: A fader says a number a hundred times a second; a switch is worth a line.
_SWITCHES = ("choice", "parts", "bool")
_NOTE_ON = 0x90
#: So long a play without a beat is worth a hint; a pause as long as the other is none of it.
_NO_BEAT_NS, _REST_NS = 15_000_000_000, 2_500_000_000
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
        if record.b:
            return "player and brain are back; what was played meanwhile was not heard"
        return "the brain was lost and is back; what was played meanwhile is in the take"
    if record.kind == Kind.SLEPT:
        return f"the machine slept for {record.u_ns / 1e9:.0f} s; everything that sounded is ended, and it begins again"
    if record.kind != Kind.PORT or record.c == 2:  # the one before told it
        return ""
    if record.c == 1:
        return (
            "the MIDI system is back, and the ports with it"
            if record.a
            else "the MIDI system is gone or stands still; what sounded is ended, and the ports come back with it"
        )
    way = "out" if record.b else "in"
    named = [ports.get(way), *([] if record.b else ports.get("also_in", []))]
    name = repr(named[record.id]) if record.id < len(named) and named[record.id] else f"{record.id + 1}"
    port = f"{'output' if record.b else 'input'} {name}"
    return (
        f"{port} is back" if record.a else f"{port} is gone; its notes are ended, and it is taken up when it comes back"
    )


def trouble_line(record: Record, why: str, models: Mapping[int, str] = NO_MODELS) -> str:
    """Say what is wrong and what is done about it; empty where it was said before.

    Args:
        record: of kind `Kind.TROUBLE`.
        why: what is wrong with the generator, in words.
        models: names of the session's models, by number.
    """
    if record.a == Trouble.GENERATOR and record.b > 1:
        return ""  # it rests longer each time: the first line says so
    model = models.get(round(record.value), f"number {record.value:g}")
    return {
        Trouble.GENERATOR: f"the generator failed ({why}); what is planned plays on, and it is tried again after "
        f"{record.value:g} s, then ever more rarely",
        Trouble.GENERATOR_BACK: f"the generator works again, after {record.b} fault{'s' if record.b > 1 else ''}",
        Trouble.COMING_MODEL: f"the model that was to take over failed ({why}); {model} plays on",
        Trouble.MODEL_BACK: f"the generator keeps failing: back to {model}",
        Trouble.CRITIC: f"the critic failed ({why}); there is one candidate from here on",
        Trouble.FEEDBACK: "what Antiphon plays comes back as its input: it is not heard, and thru is off, until that "
        "ends; take out the cable from its output to its input",
        Trouble.FEEDBACK_OVER: "what Antiphon plays does not come back any more: everything is heard again",
    }[Trouble(record.a)]


class Hints:
    """What may help the person who plays, each told once."""

    def __init__(self) -> None:
        self._range_told = False
        self._beat_told = False  # or there was one
        self._last_ns: int | None = None  # when something was struck
        self._playing_ns = 0  # for how long they have played, without their rests

    def hear(self, record: Record, settings: Settings) -> str:
        """Give a line where there is one to say, else an empty text.

        Args:
            record: an input of the engine's, or a mark, in order of time.
            settings: those in use after it.
        """
        if record.kind == Kind.SET:
            return self._of_range(settings)
        if record.kind == Kind.MARK and record.a == Mark.CLOCK_START:
            self._beat_told = True
        struck = record.kind == Kind.MIDI_IN and record.a & 0xF0 == _NOTE_ON and record.c > 0
        if not struck or self._beat_told or settings.clock != "followed":
            return ""
        return self._of_beat(record.t_ns)

    def _of_range(self, settings: Settings) -> str:
        if settings.low <= settings.high or self._range_told:
            return ""
        self._range_told = True
        return f"low ({settings.low}) is above high ({settings.high}): it plays between the two all the same"

    def _of_beat(self, t_ns: int) -> str:
        if self._last_ns is not None and t_ns - self._last_ns < _REST_NS:
            self._playing_ns += t_ns - self._last_ns
        self._last_ns = t_ns
        if self._playing_ns < _NO_BEAT_NS:
            return ""
        self._beat_told = True
        return (
            "no beat found yet in what you play; give it one over OSC (/antiphon/clock internal, then /antiphon/tap on "
            "four beats), or start with --clock internal and --tempo"
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
