"""A session's folder: made before the ports open, read when the take is made.

Threading model: one object belongs to one thread of the launcher (the player process). What another process
writes into the folder (the brain's model.json) it writes whole, under another name first, so that a reader
never sees half a file. Imports neither numpy nor onnxruntime.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import platformdirs
from antiphon.daemon.errors import TakeError
from antiphon.daemon.session_lock import hold_lock, is_locked, release_lock

SESSION_FILE = "session.json"
MODEL_FILE = "model.json"
TAKE_MIDI = "take.mid"
TAKE_FACTS = "take.json"
LOCK_FILE = "lock"
#: So many sessions could start in one second before something else must be wrong.
_MAX_SAME_SECOND = 1000


def default_takes_dir() -> Path:
    """Give the folder that takes go to where the user names none."""
    return platformdirs.user_music_path() / "Antiphon"


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """One session's folder. Make a new one with `create`; any existing one by its path."""

    path: Path

    @classmethod
    def create(cls, takes_dir: Path | None, session: Mapping[str, Any]) -> SessionFolder:
        """Make the folder of a session that starts now, with its session.json, and lock it.

        ``pid`` and ``started_at`` are added to ``session`` where they are missing. The lock is held until
        this process ends or calls `release`: it keeps `recover` off a session that still runs.

        Args:
            takes_dir: None for `default_takes_dir`.
            session: what session.json is to hold (see docs/architecture.md).

        Raises:
            TakeError: the folder cannot be made or written.
        """
        takes_dir = default_takes_dir() if takes_dir is None else takes_dir
        started = datetime.now().astimezone()
        facts = {"started_at": started.isoformat(timespec="milliseconds"), "pid": os.getpid(), **session}
        try:
            takes_dir.mkdir(parents=True, exist_ok=True)
            folder = cls(_make_unique(takes_dir, started.strftime("%Y-%m-%dT%H-%M-%S")))
            hold_lock(folder.path / LOCK_FILE)
        except OSError as error:
            raise _cannot("write takes to", takes_dir, error) from error
        folder.write_session(facts)
        return folder

    @property
    def name(self) -> str:
        """The folder's own name: when the session started."""
        return self.path.name

    @property
    def has_take(self) -> bool:
        """The take was made."""
        return (self.path / TAKE_MIDI).is_file()

    @property
    def is_running(self) -> bool:
        """The process that records this session still lives."""
        return is_locked(self.path / LOCK_FILE)

    def release(self) -> None:
        """Drop the lock of a session that this process has ended."""
        release_lock(self.path / LOCK_FILE)

    def write_session(self, facts: Mapping[str, Any]) -> None:
        """Write session.json whole. Raises: TakeError."""
        write_json(self.path / SESSION_FILE, facts)

    def write_model(self, facts: Mapping[str, Any]) -> None:
        """Write model.json whole. Raises: TakeError."""
        write_json(self.path / MODEL_FILE, facts)

    def read_session(self) -> dict[str, Any]:
        """Read session.json.

        Raises:
            TakeError: missing or not JSON.
        """
        return _read_json(self.path / SESSION_FILE)

    def read_model(self) -> dict[str, Any]:
        """Read model.json; empty when the brain never got as far as loading a model.

        Raises:
            TakeError: not JSON.
        """
        path = self.path / MODEL_FILE
        return _read_json(path) if path.exists() else {}


def list_sessions(takes_dir: Path) -> list[SessionFolder]:
    """Give every session under ``takes_dir``, oldest first; none when the folder is not there.

    A folder is a session's when it holds session.json or a journal.

    Raises:
        TakeError: the folder cannot be read.
    """
    if not takes_dir.exists():
        return []
    try:
        folders = sorted((entry for entry in takes_dir.iterdir() if entry.is_dir()), key=_age)
        return [SessionFolder(folder) for folder in folders if _is_session(folder)]
    except OSError as error:
        raise _cannot("read", takes_dir, error) from error


def sessions_without_take(takes_dir: Path) -> Iterator[SessionFolder]:
    """Yield the sessions under ``takes_dir`` that have no take yet, running ones too."""
    return (session for session in list_sessions(takes_dir) if not session.has_take)


def write_json(path: Path, facts: Mapping[str, Any]) -> None:
    """Write ``facts`` so that whoever reads ``path`` finds all of it or what was there before.

    Raises:
        TakeError: the folder cannot be written.
    """
    text = json.dumps(facts, indent=2, ensure_ascii=False, default=str) + "\n"
    replace_whole(path, text.encode())


def replace_whole(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` in one step: a crash leaves the old file or the new, never half of one.

    Raises:
        TakeError: the folder cannot be written.
    """
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files that only the owner may read; a take is an ordinary file
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise _cannot("write", path, error) from error


def _make_unique(takes_dir: Path, name: str) -> Path:
    """Make a new folder; ``mkdir`` itself decides between two that start in the same second."""
    for attempt in range(1, _MAX_SAME_SECOND + 1):
        path = takes_dir / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{name} and {_MAX_SAME_SECOND - 1} more of the same second exist")


def _age(folder: Path) -> tuple[str, int, str]:
    """Order by the second in the name, then `-2` before `-10`."""
    return folder.name[:19], len(folder.name), folder.name


def _is_session(folder: Path) -> bool:
    return (folder / SESSION_FILE).is_file() or next(folder.glob("wire-*.seg"), None) is not None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise TakeError(f"{path} is missing; give the folder of a session (it holds {path.name})") from None
    except OSError as error:
        raise _cannot("read", path, error) from error
    except ValueError as error:
        raise TakeError(
            f"{path} is not JSON ({error}); move it away: the take is made from the journal beside it"
        ) from error
    if not isinstance(facts, dict):
        raise TakeError(f"{path} holds a {type(facts).__name__}, not an object; move it away")
    return facts


def _cannot(what: str, path: Path, error: OSError) -> TakeError:
    reason = error.strerror or str(error)
    return TakeError(f"cannot {what} {path}: {reason}; make room or give another folder with --takes DIR")
