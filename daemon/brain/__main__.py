"""``python -m antiphon.daemon.brain FD SESSION_DIR``: how the player starts the brain."""

from __future__ import annotations

import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from antiphon.bridges.terminal.screen import Screen
from antiphon.daemon.brain.start import run_brain
from antiphon.daemon.memory_lock import lock_memory
from antiphon.daemon.session import SessionFolder
from antiphon.models.errors import AntiphonError


def _load(model: str, provider: str) -> Any:
    from antiphon.models.load import load_generator  # noqa: PLC0415  a third of a second

    return load_generator(model, provider)


def main(argv: list[str]) -> int:
    """Join the player on the other end of a socket."""
    lock_memory()
    player = socket.socket(fileno=int(argv[0]))
    folder = SessionFolder(Path(argv[1]))
    screen = Screen(quiet=bool(folder.read_session().get("quiet", False)))
    try:
        return run_brain(player, folder, _load, screen)
    except AntiphonError as error:
        screen.say(str(error), wrong=True)
        return 2  # the player does not start a brain again that told its own remedy
    except Exception as error:  # a fault of ours: the player goes on, and starts the next brain
        where = folder.path / "brain-error.txt"
        where.write_text(traceback.format_exc())
        screen.say(f"the brain failed ({error!r}) and is started again; what led to it is in {where}", wrong=True)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
