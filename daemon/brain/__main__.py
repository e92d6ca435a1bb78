"""``python -m antiphon.daemon.brain FD SESSION_DIR``: how the player starts the brain."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

from antiphon.bridges.terminal.screen import Screen
from antiphon.daemon.brain.process import run_brain
from antiphon.daemon.session import SessionFolder
from antiphon.models.errors import AntiphonError


def _load(model: str, provider: str) -> Any:
    from antiphon.models.onnx_generator import OnnxGenerator  # noqa: PLC0415  a third of a second

    return OnnxGenerator.load(model, provider)


def main(argv: list[str]) -> int:
    """Join the player on the other end of a socket."""
    player = socket.socket(fileno=int(argv[0]))
    folder = SessionFolder(Path(argv[1]))
    screen = Screen(quiet=bool(folder.read_session().get("quiet", False)))
    try:
        return run_brain(player, folder, _load, screen)
    except AntiphonError as error:
        screen.say(str(error), wrong=True)
        return 2  # the player does not start a brain again that told its own remedy


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
