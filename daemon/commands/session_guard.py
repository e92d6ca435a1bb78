"""The guard's process: `antiphon.daemon.player.guard`, and what it needs to know and do of a session's folder.

That is imported when it is needed: while it waits, the guard is to be small.
"""

from __future__ import annotations

import sys
from pathlib import Path

from antiphon.daemon.player.guard import main


def goes_on(session: Path) -> bool:
    """Whether somebody still holds the session, and so starts its player again."""
    from antiphon.daemon.session import SessionFolder  # noqa: PLC0415

    return SessionFolder(session).is_running


def recovered(session: Path) -> str:
    """Make the session's take, and say where it lies."""
    from antiphon.daemon.recover import recover_session  # noqa: PLC0415
    from antiphon.export.take_midi import midi_bytes  # noqa: PLC0415  imports mido

    return recover_session(session, midi_bytes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], goes_on, recovered))
