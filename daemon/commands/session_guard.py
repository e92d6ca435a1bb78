"""The guard's process: `antiphon.daemon.player.guard`, and what makes the take of a session whose player died."""

from __future__ import annotations

import sys
from pathlib import Path

from antiphon.daemon.player.guard import main


def recovered(session: Path) -> str:
    """Make the session's take, and say where it lies."""
    # here and not before: while it waits, the guard is to be small
    from antiphon.daemon.recover import recover_session  # noqa: PLC0415
    from antiphon.export.take_midi import midi_bytes  # noqa: PLC0415  imports mido

    return recover_session(session, midi_bytes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], recovered))
