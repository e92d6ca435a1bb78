"""Everything that a fault may lay hands on, and what it looks like from the performer's stool."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from antiphon.daemon.settings import parameter

from tests.soak.clockwork import Clockwork
from tests.soak.control import Control
from tests.soak.ear import Ear
from tests.soak.keys import Keys
from tests.soak.session import Session

CHORD = (48, 55, 64)
POKED = 50
POKE_S = 0.1
#: Nothing takes longer; what does has failed.
MOST_S = 20.0
#: Left at anything, these may make an accompaniment of a bar's rests what the model would play.
_PLAIN = ("density", "parts", "lookahead", "click", "temperature", "top_p", "style", "instrument", "energy", "register")
#: What is on its way is there after this.
_SETTLES_S = 2.0


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time, in perf_counter_ns, in which something was so."""

    why: str
    from_ns: int
    to_ns: int


@dataclass(slots=True)
class Scene:
    """One soak's moving parts.

    Attributes:
        rng: of what the present fault does; set for each from the schedule.
        deaf: when the keys' port was not there or not joined: what was played then need not arrive.
        looped: when Antiphon's output was fed back to it: more arrives than was played.
    """

    session: Session
    ear: Ear
    keys: Keys
    control: Control
    clockwork: Clockwork
    rng: random.Random = field(default_factory=random.Random)
    deaf: list[Period] = field(default_factory=list)
    looped: list[Period] = field(default_factory=list)

    def follow(self) -> None:
        """Have Antiphon reply to each note, and begin with nothing sounding.

        Raises:
            TimeoutError: nobody answers.
        """
        self.session.check()
        self.keys.release_all()
        self.control.hold(mode="follow")
        if not self.ear.wait(lambda: not self.ear.sounding(), _SETTLES_S):
            self.ear.forget()  # a note-off was lost, or is missing: the books tell which

    def let_sound(self) -> None:
        """Hold a chord until notes of Antiphon's own sound with it.

        Raises:
            TimeoutError: none does.
        """
        until = time.monotonic() + MOST_S
        while True:
            for pitch in CHORD:
                self.keys.strike(pitch, 80)
            if self.ear.wait(lambda: bool(self.ear.own), 5 * POKE_S):
                return
            if time.monotonic() > until:
                raise TimeoutError(f"no reply to a chord within {MOST_S:g} s; it said {self.session.lines[-3:]}")

    def replies(self) -> bool:
        """Play a note; whether one of Antiphon's own came."""
        self.session.check()
        self.keys.strike(POKED, 70)
        plays = self.ear.plays(POKE_S)
        self.keys.release(POKED)
        return plays

    def silence_s(self, since_ns: int, stays_s: float = 0.0) -> float:
        """Wait until no note of Antiphon's own sounds; give how long after a time the last of them ended.

        Args:
            since_ns: in perf_counter_ns.
            stays_s: for so long none may begin.

        Raises:
            TimeoutError: some sound on.
        """
        until = time.monotonic() + MOST_S
        while time.monotonic() < until:
            if not self.ear.silent(_SETTLES_S):
                if not self.session.open_notes():  # the wire has lost a note-off that was sent: the books tell whose
                    self.ear.forget()
                continue
            if not (stays_s and self.ear.plays(stays_s)):
                return max(0, self.ear.last_off_ns - since_ns) / 1e9
        raise TimeoutError(f"{self.ear.sounding()} still sound after {MOST_S:g} s, or others began")

    def recovery_s(self, since_ns: int, most_s: float) -> float:
        """Play notes until one is replied to; give how long after a time that was.

        Raises:
            TimeoutError: none is within ``most_s`` from now.
        """
        until = time.monotonic() + most_s
        while not self.replies():
            if time.monotonic() > until:
                raise TimeoutError(f"no reply within {most_s:g} s; it said {self.session.lines[-3:]}")
        return (time.perf_counter_ns() - since_ns) / 1e9

    def accompany(self) -> float:
        """Have Antiphon accompany a MIDI clock that starts now; give how many seconds later it is heard to.

        Raises:
            TimeoutError: it is not.
        """
        self.keys.release_all()
        self.control.hold(mode="accompany", clock="midi")
        for name in _PLAIN:
            self.control.send(name, parameter(name).show(parameter(name).default))
        self.clockwork.start(self.rng.uniform(80.0, 180.0), 2.0, self.rng.getrandbits(32))
        began_ns = time.perf_counter_ns()
        if not self.ear.plays(MOST_S):
            self.clockwork.stop()
            raise TimeoutError(f"no accompaniment of a MIDI clock within {MOST_S:g} s")
        return (time.perf_counter_ns() - began_ns) / 1e9
