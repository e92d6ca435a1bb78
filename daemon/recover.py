"""Takes of sessions that ended without one: a crash, a power cut, a kill. Run at the next start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from antiphon.daemon.session import SessionFolder, sessions_without_take
from antiphon.daemon.takes import TakeEncoder, close_session
from antiphon.models.errors import AntiphonError


def recover(takes_dir: Path, encode: TakeEncoder) -> Iterator[str]:
    """Make the take of every session under ``takes_dir`` that lacks one and no longer runs.

    One session that cannot be recovered does not keep the others from it.

    Args:
        takes_dir: the folder of all sessions; it may be missing.
        encode: `antiphon.export.take_midi.midi_bytes`.

    Yields:
        One plain line a session, as it is done.

    Raises:
        TakeError: ``takes_dir`` itself cannot be read.
    """
    for session in sessions_without_take(takes_dir):
        if not session.is_running:
            yield recover_session(session.path, encode)


def recover_session(folder: Path, encode: TakeEncoder) -> str:
    """Make the take of one session that no longer runs, and say in a plain line how that went."""
    session = SessionFolder(folder)
    try:
        return f"recovered the take of {session.name}: {close_session(session.path, encode)}"
    except AntiphonError as error:
        return f"could not recover the take of {session.name}: {error}"
