"""What can be said to Antiphon over OSC, beside the parameters.

Every parameter of the one table has its own address; what is no value (a trigger, a panic, a question) stands
here. Imports no OSC: the reference reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from antiphon.daemon.brain.metrics import Metrics

PREFIX = "/antiphon/"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 9010


@dataclass(frozen=True, slots=True)
class Address:
    """One address: its last part, what it takes, and what it does."""

    name: str
    takes: str
    doc: str

    @property
    def path(self) -> str:
        """The whole address."""
        return PREFIX + self.name


#: What Antiphon hears, beside ``/antiphon/<parameter>``.
ACTIONS = (
    Address("trigger", "", "answer, take over, or yield now (a 0, as from a button let go, does nothing)"),
    Address("panic", "", "silence at once, on every channel (a 0 does nothing)"),
    Address("reseed", "[seed]", "a fresh random stream: from this seed (0 to 4294967295), or a new one"),
    Address("tap", "", "a tap on the beat: from the fourth on, taps set `tempo` and where the internal clock's beat is "
            "(a 0 does nothing)"),
    Address("nudge", "beats", "move the internal clock's beat by this (-0.5 to 0.5; above 0: further on), while a beat "
            "passes"),
    Address("model", "[name]", "play on with another model: one that ships, or the one that the session began with "
            "(or its place among them, from 0); without a name, tell the sender which plays"),
    Address("get", "[name]", "tell the sender one parameter, or without a name all of them"),
    Address("subscribe", "[port]", "tell the sender all parameters now, and each that changes from then on; "
            "say it again every few minutes"),
    Address("unsubscribe", "[port]", "tell the sender no more"),
    Address("plan", "", "tell the sender what it is about to play, in one bundle"),
    Address("status", "", "tell the sender all parameters and counters, in one bundle"),
)  # fmt: skip

#: What Antiphon says.
REPLIES = (
    Address("<parameter>", "value", "a parameter as it is now, to subscribers when it changes, and to who asks"),
    Address("model", "name", "the model that plays, to subscribers when it changes, and to who asks"),
    Address(
        "metrics/<counter>",
        "value",
        "a counter, when `/antiphon/status` asks: "
        + ", ".join(entry.name for entry in fields(Metrics) if entry.name != "latest_ns")
        + ", misses, load, plan_kept, "
        "lateness_p50_ms, lateness_p99_ms, lateness_max_ms and more; `lateness` is a histogram, how many notes were "
        "sent by how late",
    ),
    Address(
        "plan/notes", "count", "how many notes are about to be played, when `/antiphon/plan` asks; `plan/note` follows"
    ),
    Address(
        "plan/note",
        "part pitch velocity beats length handed_over",
        "one of them: when from now and how long, in "
        "beats; whether the player has it already (else the performer may still change it)",
    ),
    Address("error", "text", "to the sender: what was not allowed, and what is"),
)
