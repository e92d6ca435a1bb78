"""``antiphon jam`` as the soak has it: for hours, with what its journal told so far kept, not read again."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Self

from antiphon.daemon.bench import child
from antiphon.daemon.brain.journal_scan import scan
from antiphon.daemon.messages import Kind, Record

from tests.jack_rig import wait_until
from tests.soak.tail import Tail

#: Making the take of an hour may take minutes.
_READY_S, _LEAVE_S = 60.0, 300.0


class SessionLost(Exception):  # noqa: N818  what happened, not a mistake of the caller's
    """Antiphon has left by itself, or does not play any more."""


class Session(child.Session):
    """Waits until its brain plays; see `antiphon.daemon.bench.child.Session`."""

    def __init__(self, folder: Path, *flags: str) -> None:
        """Start it in a folder that exists: takes and settings of its own go there."""
        self._tail: Tail | None = None
        self._counts: Counter[Kind] = Counter()
        self._since_brain: Counter[Kind] = Counter()
        self._open: set[int] = set()
        self._made = folder / "takes"
        super().__init__(self._made, "--api", "jack", *flags)

    def __enter__(self) -> Self:
        try:
            wait_until(lambda: self.count(Kind.BRAIN_UP), "the brain is up", _READY_S)
        except TimeoutError as error:
            self.close()
            raise TimeoutError(f"{error}; it said {self.lines[-5:]}") from None
        except BaseException:
            self.close()
            raise
        return self

    @property
    def folder(self) -> Path:
        """The session's own folder."""
        made: Path = wait_until(lambda: next(iter(self._made.glob("*")), None), "the session's folder is there")
        return made

    def since_brain(self) -> Counter[Kind]:
        """Count what has happened at the ports since the present brain came, by kind."""
        self._read_on()
        return self._since_brain

    def drawn(self) -> list[Record]:
        """What the model has drawn so far and was handed to the player."""
        return scan(self.folder, "engine", (Kind.SAMPLED,))

    def count(self, kind: Kind) -> int:
        """How many records of a kind there are at the ports so far; raises `SessionLost` where it has left."""
        self.check()
        self._read_on()
        return self._counts[kind]

    def open_notes(self) -> set[int]:
        """Give the ids of the notes that were sent and have not ended, by the player's own record."""
        self._read_on()
        return self._open

    def check(self) -> None:
        """Make sure that it still runs.

        Raises:
            SessionLost: it does not.
        """
        if self.process.poll() is not None:
            raise SessionLost(f"antiphon left with {self.process.returncode}; it said {self.lines[-5:]}")

    def stop(self) -> int:
        """Ctrl-C; give the exit status when it has made its take."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(_LEAVE_S)

    def _read_on(self) -> None:
        if self._tail is None:
            self._tail = Tail(self.folder, "wire")
        for record in self._tail.read():
            kind = Kind(record.kind)
            if kind == Kind.BRAIN_UP:
                self._since_brain.clear()
            self._counts[kind] += 1
            self._since_brain[kind] += 1
            if record.kind == Kind.SENT:
                self._open.add(record.id)
            elif record.kind in (Kind.ENDED, Kind.CUT):
                self._open.discard(record.id)
