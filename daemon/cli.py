"""The command ``antiphon``: finds the command asked for and imports only that."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import partial

from antiphon.daemon.commands.outcome import outcome
from antiphon.models.errors import AntiphonError

#: Each is a module of `antiphon.daemon.commands` with ``main(argv) -> exit status``.
COMMANDS = {
    "jam": "play with it: opens its MIDI ports and listens",
    "ports": "list the MIDI ports that are there",
    "osc": "print every OSC address",
    "status": "ask a running Antiphon how it goes",
    "takes": "list the takes",
    "render": "make a WAV and a picture of a take",
    "replay": "play a take again, or let the model make it again",
    "recover": "make the takes of sessions that ended badly",
    "models": "list the shipped models",
    "corpus": "read folders of MIDI for training, and tell what was dropped and why",
    "train": "train a model (needs antiphon[train])",
    "learn": "adapt a model to your own music, and tell what that gained (needs antiphon[train])",
    "export": "turn a trained network into a model to play with (needs antiphon[train])",
    "evaluate": "score a model on music that it has not learnt from",
    "papers": "run a paper's experiments, our figures beside its own (needs antiphon[train])",
    "bench": "measure this machine: reply, timing, throughput, start-up, memory, load",
    "calibrate": "measure how long a note takes from the output to the input, and tell the offset to set",
    "doctor": "say what this machine has and lacks, and what to do about it",
    "version": "print the version",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status; see `outcome`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return outcome(partial(_run, arguments[0] if arguments else "--help", arguments[1:]))


def _run(name: str, arguments: list[str]) -> int:
    if name in ("-h", "--help", "help"):
        print(usage())
        return 0
    if name in ("-V", "--version"):
        name = "version"
    if name not in COMMANDS:
        raise AntiphonError(f"there is no command {name!r}; give one of {', '.join(COMMANDS)}")
    module = importlib.import_module(f"antiphon.daemon.commands.{name}")
    return int(module.main(arguments))


def usage() -> str:
    """Give the list of commands."""
    lines = ["usage: antiphon COMMAND ...", "", "A session musician beside your DAW.", ""]
    lines += [f"  {name:<9} {doc}" for name, doc in COMMANDS.items()]
    return "\n".join([*lines, "", "antiphon COMMAND --help tells more."])


if __name__ == "__main__":
    sys.exit(main())
