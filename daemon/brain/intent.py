"""What Antiphon is about to play, for people and programs to read: scores that scroll, lights that wait. Pure.

A plan is no promise: what was not handed over yet is dropped when the performer plays something else.
"""

from __future__ import annotations

from typing import NamedTuple

from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.own_notes import Fate
from antiphon.daemon.brain.plan import Plan
from antiphon.models.generator import TICKS_PER_BEAT
from antiphon.models.parts import Part

#: Notes told at most, the soonest: one datagram holds them.
MOST = 64


class Intended(NamedTuple):
    """A note that is to come."""

    part: str
    pitch: int
    velocity: int
    beats: float  # from now to its onset
    length: float  # beats
    handed_over: bool  # to the player: only a yield or a panic takes it back now


def intended(plan: Plan | None, time: MusicalTime, now_ns: int) -> list[Intended]:
    """Give what is to come of a plan, the soonest first; nothing where a mode plays at once, and has no plan."""
    now = time.position(now_ns)
    found = []
    for own in (*plan.out, *plan.ahead) if plan is not None else ():
        held = own.held
        if held is None or own.imagined or own.fate > Fate.COMMITTED or held.tick < now:
            continue
        beats, length = ((tick / TICKS_PER_BEAT) for tick in (held.tick - now, held.off_tick - held.tick))
        handed_over = own.fate is Fate.COMMITTED
        found.append(
            Intended(
                Part(held.part).name.lower(), own.pitch, own.velocity, round(beats, 4), round(length, 4), handed_over
            )
        )
    return sorted(found, key=lambda note: note.beats)[:MOST]
