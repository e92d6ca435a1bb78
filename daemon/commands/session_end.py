"""What every session ends with: its take, or nothing where nothing was played."""

from __future__ import annotations

from antiphon.daemon.messages import Kind
from antiphon.daemon.session import SessionFolder


def leave_take(session: SessionFolder, *, render: bool) -> None:
    """Make the take of a session that has ended, and say where it lies.

    Raises:
        TakeError: the folder cannot be written.
    """
    from antiphon.daemon.takes import close_session  # noqa: PLC0415
    from antiphon.export.take_midi import midi_bytes  # noqa: PLC0415  imports mido

    paths = [close_session(session.path, midi_bytes)]
    try:
        if render:
            from antiphon.export.take_render import render_take  # noqa: PLC0415  numpy, symusic and pillow

            paths += render_take(paths[0])
    finally:
        print(f"take: {', '.join(map(str, paths))}", flush=True)


def anything_played(session: SessionFolder) -> bool:
    """Whether anyone played a note in it, the performer or Antiphon."""
    from antiphon.daemon.journal import read_journal  # noqa: PLC0415

    return any(record.kind in (Kind.MIDI_IN, Kind.SENT) for record in read_journal(session.path, "wire"))


def of_kind(session: SessionFolder, kind: Kind) -> int:
    """Count the records of a kind at its ports."""
    from antiphon.daemon.journal import read_journal  # noqa: PLC0415

    return sum(record.kind == kind for record in read_journal(session.path, "wire"))


def discard(session: SessionFolder) -> None:
    """Leave no empty session behind one that could not start."""
    import shutil  # noqa: PLC0415

    shutil.rmtree(session.path, ignore_errors=True)
