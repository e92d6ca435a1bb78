"""What the player is started with, and what it gives back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from antiphon.daemon.player.lives import Life

BRAIN_COMMAND = (sys.executable, "-m", "antiphon.daemon.brain")
#: After a performer's file: time for an answer to begin, or an accompaniment to fade, and for an answer to end.
TAIL_S, ANSWER_TAIL_S = 4.0, 12.0


def longest_tail_s(mode: str) -> float:
    """Give how long a session may go on after a performer's file: an answer may end, an accompaniment never does."""
    return ANSWER_TAIL_S if mode in ("answer", "continue") else TAIL_S


def _silent(_line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class PlayerConfig:
    """One session of the player.

    Attributes:
        session: the session's folder; it exists.
        api: MIDI system, one of `midi_system.APIS`.
        joined_in: join this port (part of its name) instead of making ``Antiphon in``.
        joined_out: likewise for ``Antiphon out``.
        also_in: hear these ports too, by (part of their) name, each with its part of the performer's ('': none).
        part_ports: make an output port for each part as well.
        connect: hear every keyboard and play to every synth that is plugged in.
        synth: start FluidSynth and play to it.
        ports: open real ports; without, only a ``performer`` plays and nobody hears.
        performer: a MIDI file that plays the performer's part, from the brain's READY on.
        tail_s: how long after the performer's file the session goes on, in seconds.
        longest_tail_s: how long it goes on while something sounds or is due; not below ``tail_s``.
        thru_channel: pass what is played on, on this channel (0-15), from the start; None: not.
        offset_ns: added to the time of every note, until the brain's first OFFSET.
        part_offsets: added to that for the notes of these parts, in ms.
        brain: the command that runs a brain; socket number and session folder are appended.
        stop_s: how long a brain may take to leave, in seconds; then it is killed.
        life: where a process waits for this one, to start another if it dies.
        tell: takes plain lines for the user, at the start only; called in the main thread.
    """

    session: Path
    api: str = "auto"
    joined_in: str | None = None
    joined_out: str | None = None
    also_in: Mapping[str, str] = field(default_factory=dict)
    part_ports: bool = False
    connect: bool = False
    synth: bool = False
    ports: bool = True
    performer: Path | None = None
    tail_s: float = TAIL_S
    longest_tail_s: float = TAIL_S
    thru_channel: int | None = None
    offset_ns: int = 0
    part_offsets: Mapping[str, float] = field(default_factory=dict)
    brain: tuple[str, ...] = BRAIN_COMMAND
    stop_s: float = 2.0
    life: Life | None = None
    tell: Callable[[str], None] = _silent


@dataclass(frozen=True, slots=True)
class PlayerResult:
    """How a session ended, and everything that was counted in it.

    Attributes:
        exit_code: 0 after a stop or the end of a performance; 2 when the brain could not start and said so.
        reason: ``signal``, ``performance`` or ``brain``.
        others: messages sent that are no note's of Antiphon's: thru, controllers, what silences.
    """

    exit_code: int
    reason: str
    received: int
    sent: int
    ended: int
    cut: int
    dropped: int
    cancelled: int
    others: int
    latest_ns: int
    malformed_input: int
    malformed_orders: int
    send_errors: int
    unsent_to_brain: int
    unwritten: int
    brains: int
    brains_lost: int
