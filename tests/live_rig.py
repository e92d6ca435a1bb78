"""``antiphon jam`` as a child on a private JACK server, with one client at its ports."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from antiphon.daemon.bench.child import Session
from antiphon.daemon.journal import read_journal
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.session import SessionFolder

from tests.jack_rig import Recorder, wait_until

ANTIPHON = [sys.executable, "-m", "antiphon.daemon.cli"]
_READY_S, _LEAVE_S = 30.0, 20.0


class LiveSession:
    """A context manager: starts, waits until the brain plays, and makes sure that it is gone in the end.

    Nothing of it is left in the end, however that comes, so that no later test meets its ports; a part of it that
    did not leave by itself is a failure.

    Attributes:
        client: joined to its ports.
    """

    def __init__(self, takes: Path, *flags: str) -> None:
        self._takes, self._flags = takes, flags
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.client = stack.enter_context(Recorder("tester"))
            self.session = Session(self._takes, "--api", "jack", "--seed", "7", *self._flags)
            stack.callback(self._end)
            wait_until(lambda: any(self.wire(Kind.BRAIN_UP)), "the brain is up", _READY_S)
            self.client.join()
            self._held = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    @property
    def lines(self) -> list[str]:
        """What it has said on standard error."""
        return self.session.lines

    @property
    def folder(self) -> SessionFolder:
        """The session's folder."""
        return SessionFolder(self.session.folder)

    def wire(self, *kinds: Kind) -> list[Record]:
        """The records of some kinds at the ports, so far."""
        return [record for record in self.session.wire() if record.kind in kinds]

    def log(self, *kinds: Kind) -> list[Record]:
        """The records of some kinds in the engine's log, so far."""
        return [record for record in read_journal(self.folder.path, "engine") if record.kind in kinds]

    def brain_pids(self) -> list[int]:
        """The brain's process ids."""
        return self.session.children("antiphon.daemon.brain")

    def kill_brain(self) -> None:
        """kill -9."""
        for pid in self.brain_pids():
            os.kill(pid, signal.SIGKILL)

    def interrupt(self) -> int:
        """Ctrl-C; give the exit status."""
        self.session.process.send_signal(signal.SIGINT)
        return self.session.process.wait(_LEAVE_S)

    def _end(self) -> None:
        hung = self.session.close()
        assert not hung, f"they did not leave: {hung}"
