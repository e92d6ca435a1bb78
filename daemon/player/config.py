"""What the player is started with, and what it gives back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BRAIN_COMMAND = (sys.executable, "-m", "antiphon.daemon.brain")


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
        connect: hear every keyboard and play to every synth that is plugged in.
        synth: start FluidSynth and play to it.
        ports: open real ports; without, only a ``performer`` plays and nobody hears.
        performer: a MIDI file that plays the performer's part, from the brain's READY on.
        tail_s: how long after the performer's file the session goes on, in seconds.
        thru_channel: pass what is played on, on this channel (0-15), from the start; None: not.
        offset_ns: added to the time of every note, until the brain's first OFFSET.
        brain: the command that runs a brain; socket number and session folder are appended.
        stop_s: how long a brain may take to leave, in seconds; then it is killed.
        tell: takes plain lines for the user, at the start only; called in the main thread.
    """

    session: Path
    api: str = "auto"
    joined_in: str | None = None
    joined_out: str | None = None
    connect: bool = False
    synth: bool = False
    ports: bool = True
    performer: Path | None = None
    tail_s: float = 4.0
    thru_channel: int | None = None
    offset_ns: int = 0
    brain: tuple[str, ...] = BRAIN_COMMAND
    stop_s: float = 2.0
    tell: Callable[[str], None] = _silent


@dataclass(frozen=True, slots=True)
class PlayerResult:
    """How a session ended, and everything that was counted in it.

    Attributes:
        exit_code: 0 after a stop or the end of a performance; 2 when the brain could not start and said so.
        reason: ``signal``, ``performance`` or ``brain``.
    """

    exit_code: int
    reason: str
    received: int
    sent: int
    ended: int
    cut: int
    dropped: int
    cancelled: int
    latest_ns: int
    malformed_input: int
    malformed_orders: int
    send_errors: int
    unsent_to_brain: int
    unwritten: int
    brains: int
    brains_lost: int
