"""``antiphon doctor``: what this machine has and lacks, a line each, and what to do about it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from antiphon.daemon.commands.parser import Parser
from antiphon.daemon.doctor import driver, machine, playing, timing
from antiphon.daemon.doctor.finding import WRONG, Check, examine


def main(argv: list[str]) -> int:
    """Tell of each thing that Antiphon uses; 1 when something that it needs is missing."""
    parser = Parser("doctor", "Say what this machine has and lacks, and what to do about it.")
    parser.add_argument("--json", action="store_true", help="the same, as JSON")
    args = parser.parse_args(argv)
    wrong, told = False, []
    for finding in examine(CHECKS):
        wrong |= finding.state == WRONG
        told.append(finding.facts())
        if not args.json:
            print(finding, flush=True)
    if args.json:
        print(json.dumps(told, indent=2))
    return 1 if wrong else 0


def _midi() -> str:
    from antiphon.daemon.commands.ports import systems  # noqa: PLC0415  rtmidi

    return "; ".join(systems())


def _session() -> str:
    from antiphon.daemon.commands.status import ask  # noqa: PLC0415
    from antiphon.daemon.config import load  # noqa: PLC0415

    counters = ask(load(None).options["osc"])["counters"]
    return f"one plays now: {counters.get('mode')} with {counters.get('model')} on {counters.get('provider')}"


def _takes_folder() -> Path:
    from antiphon.daemon.commands.which_take import folder_of  # noqa: PLC0415
    from antiphon.daemon.config import load  # noqa: PLC0415

    return folder_of(load(None))


#: In the order that they are told in: what is needed most first.
CHECKS = (
    Check("version", playing.version, needed=True),
    Check("MIDI", _midi, needed=True),
    Check("ports", driver.ports),
    Check("driver", driver.driver),
    Check("inference", playing.inference, needed=True),
    Check("models", playing.models, needed=True),
    Check("provider", playing.provider, needed=True),
    Check("live", playing.live),
    Check("session", _session),
    Check("takes", lambda: machine.takes(_takes_folder()), needed=True),
    Check("disk", lambda: machine.disk(_takes_folder())),
    Check("config", machine.config, needed=True),
    Check("scheduling", timing.scheduling),
    Check("jitter", timing.jitter),
    Check("memory", machine.memory),
    Check("governor", timing.governor),
    Check("bridges", playing.bridges),
    Check(
        "jackd", partial(machine.program, "jackd", "to play over JACK, install it (Debian: sudo apt install jackd2)")
    ),
    Check(
        "fluidsynth",
        partial(machine.program, "fluidsynth", "for --synth, install it (Debian: sudo apt install fluidsynth)"),
    ),
    Check("link", partial(playing.clock, "link")),
    Check("transport", partial(playing.clock, "jack")),
    Check("training", playing.training),
)
