"""What a mode is: a small state machine that is told what happens and plays on the stage."""

from __future__ import annotations

from antiphon.daemon.brain.performer import PlayedNote
from antiphon.daemon.brain.plan import Plan
from antiphon.daemon.brain.stage import Stage


class Mode:
    """Listens only. Each mode overrides what it does differently. ``t_ns`` is always now."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @property
    def turn(self) -> str:
        """Whose turn it is, in a word for people."""
        return "listening"

    @property
    def plan(self) -> Plan | None:
        """What it is about to play; None where it plays at once."""
        return None

    def enter(self, t_ns: int) -> None:
        """Become the mode in use."""

    def struck(self, note: PlayedNote, t_ns: int) -> None:
        """The performer struck a note."""
        self.stage.hear(note, t_ns)

    def released(self, note: PlayedNote, t_ns: int, silenced: bool) -> None:
        """A note of the performer's ended (``silenced``: by a stop or reset, which is no phrasing)."""
        self.stage.hear_end(note, t_ns)

    def pedalled(self, t_ns: int) -> None:
        """A pedal moved."""

    def trigger(self, t_ns: int) -> None:
        """The performer gave the sign."""

    def hush(self, t_ns: int) -> None:
        """Everything is being ended (panic, stop, mode change): plan nothing, forget what is planned."""

    def rest(self, t_ns: int) -> None:
        """After `hush`: play nothing until there is a new reason to (a panic must stay silent)."""

    def changed(self, t_ns: int) -> None:
        """A setting changed: what is not yet handed over should be planned anew."""

    def corrected(self, t_ns: int) -> None:
        """A note was not played as planned; the window has been put right."""

    def failed(self) -> None:
        """The generator failed; what is planned may be played."""

    def wake(self, t_ns: int) -> bool:
        """Time went on. Do a little; True where the generator was at work."""
        return False

    def next_wake_ns(self, now_ns: int) -> int | None:
        """When it wants `wake`; now or earlier: at once."""
        return None
