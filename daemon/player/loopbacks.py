"""Loopbacks, where a system has no virtual ports (Windows): which of them to hear, and which to play to. Pure.

A plain loopback (loopMIDI's, loopBe's, Windows MIDI Services' basic ones) has one name: what is sent to it comes in
from it. A two-sided one (Windows MIDI Services' pairs, the default one among them) has two names, which end in ``(A)``
and ``(B)``: what is sent to one side comes in from the other, so Antiphon has one side both ways, the DAW the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from antiphon.daemon.player.ports import NoMidiSystem

REMEDY = (
    "install loopMIDI (https://www.tobias-erichsen.de/software/loopmidi.html), add two ports in it named 'Antiphon in' "
    "and 'Antiphon out', route your DAW's output to the first and its input from the second, then: antiphon jam"
)
_LOOPBACK = re.compile(r"loopmidi|loopbe|loopback|\bantiphon (in\b|out\b|\()", re.IGNORECASE)
_OURS = {"in": re.compile(r"\bantiphon in\b", re.IGNORECASE), "out": re.compile(r"\bantiphon out\b", re.IGNORECASE)}
_SIDE = re.compile(r"\(([AB])\)$")
#: Names that differ in this alone may be two plain loopbacks, or the two sides of one.
_DOUBTFUL = re.compile(r"[^(]([AB])$")
_NUMBER = re.compile(r" \d+$")


def is_loopback(name: str) -> bool:
    """Whether a port's name says that it is a loopback, and no instrument.

    >>> is_loopback("loopMIDI Port"), is_loopback("Default App Loopback (B)"), is_loopback("Keystation")
    (True, True, False)
    """
    return _LOOPBACK.search(name) is not None


def without_numbers(names: Sequence[str]) -> list[str]:
    """Give Windows' port names without the number that rtmidi adds, where they can be told apart without it.

    It is the port's place in the list, which changes with every device that is plugged in.

    >>> without_numbers(["loopMIDI Port 0", "Keys 1", "Keys 2"])
    ['loopMIDI Port', 'Keys 1', 'Keys 2']
    """
    bare = [_NUMBER.sub("", name) for name in names]
    return [short if bare.count(short) == 1 else full for short, full in zip(bare, names, strict=True)]


def choose(
    inputs: Sequence[str], outputs: Sequence[str], joined_in: str | None = None, joined_out: str | None = None
) -> tuple[str, str]:
    """Choose the port to hear and the port to play to, so that what is played does not come in again.

    Those named for it go first, then two-sided ones, then plain ones, in the order of the list.

    Args:
        inputs: every port that can be heard.
        outputs: every port that can be played to.
        joined_in: the port to hear, where it was chosen already.
        joined_out: likewise the port to play to.

    Raises:
        NoMidiSystem: there is none; with the remedy.

    >>> choose(["Antiphon in", "Antiphon out"], ["Synth", "Antiphon in", "Antiphon out"])
    ('Antiphon in', 'Antiphon out')
    >>> sides = ["Default App Loopback (A)", "Default App Loopback (B)"]
    >>> choose(sides, sides)
    ('Default App Loopback (A)', 'Default App Loopback (A)')
    """
    both = [name for name in inputs if name in outputs and is_loopback(name)]
    doubtful = [name for name in both if _other_side(name, _DOUBTFUL) in both or _is_lone_side(name, both)]
    sure = [name for name in both if name not in doubtful]
    to_hear = [joined_in] if joined_in is not None else _by_liking(sure, "in")
    to_play = [joined_out] if joined_out is not None else _by_liking(sure, "out")
    for hear in to_hear:
        for play in to_play:
            if not _feeds(play, hear) or None not in (joined_in, joined_out):
                return hear, play
    raise NoMidiSystem(
        f"Windows makes no virtual ports, and {_why_none(both, doubtful)}; {REMEDY}; or join ports that are there: "
        "antiphon jam --in NAME --out NAME (look with: antiphon ports)"
    )


def chosen_line(hear: str, play: str) -> str:
    """Say which loopbacks were chosen, and what to route in a DAW."""
    to, back = _other_side(hear, _SIDE) or hear, _other_side(play, _SIDE) or play
    return f"loopbacks chosen: in {hear}, out {play}; in your DAW, play to {to!r} and listen to {back!r}"


def _by_liking(names: Sequence[str], way: str) -> list[str]:
    """Order loopbacks by how well they suit a way; those named for the other are left out."""
    other = _OURS["out" if way == "in" else "in"]
    suited = [name for name in names if not other.search(name)]
    return sorted(suited, key=lambda name: (_OURS[way].search(name) is None, _rank(name)))


def _rank(name: str) -> int:
    side = _SIDE.search(name)
    return 2 if side is None else "AB".index(side[1])


def _feeds(output: str, heard: str) -> bool:
    """Whether what is sent to one port comes in from another."""
    return (_other_side(output, _SIDE) or output) == heard


def _other_side(name: str, sides: re.Pattern[str]) -> str:
    """Give the name of the other side; '' for a port that has none."""
    side = sides.search(name)
    return name[: side.start(1)] + "BA"["AB".index(side[1])] + name[side.end(1) :] if side else ""


def _is_lone_side(name: str, names: Sequence[str]) -> bool:
    return _SIDE.search(name) is not None and _other_side(name, _SIDE) not in names


def _why_none(both: Sequence[str], doubtful: Sequence[str]) -> str:
    if doubtful:
        names = " and ".join(repr(name) for name in doubtful[:2])
        return f"of {names} only you know whether each is a loopback of its own or a side of one"
    if both:
        names = ", ".join(repr(name) for name in both)
        return f"there is no loopback for each way ({names} alone would carry what it plays back to it)"
    return "there is no loopback between programs"
