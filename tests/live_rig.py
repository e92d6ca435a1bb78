"""``antiphon jam`` as a child on a private JACK server, with one client at its ports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from antiphon.daemon.journal import read_journal
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.session import SessionFolder

from tests.jack_rig import Recorder, wait_until

ANTIPHON = [sys.executable, "-m", "antiphon.daemon.cli"]


class LiveSession:
    """A context manager: starts, waits until the brain plays, and makes sure that it is gone in the end."""

    def __init__(self, takes: Path, *flags: str) -> None:
        self._takes = takes
        command = [*ANTIPHON, "jam", "--api", "jack", "--takes", str(takes), "--no-render", "--seed", "7", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.client = Recorder("tester")

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(line.rstrip() for line in self.process.stderr)

    def __enter__(self) -> Self:
        wait_until(lambda: any(self.wire(Kind.BRAIN_UP)), "the brain is up", 30)
        self.client.join()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self._reader.join()
        self.client.close()

    @property
    def folder(self) -> SessionFolder:
        """The session's folder."""
        (path,) = self._takes.iterdir()
        return SessionFolder(path)

    def wire(self, *kinds: Kind) -> list[Record]:
        """The records of some kinds at the ports, so far."""
        if not self._takes.is_dir() or not any(self._takes.iterdir()):
            return []
        return [record for record in read_journal(self.folder.path, "wire") if record.kind in kinds]

    def log(self, *kinds: Kind) -> list[Record]:
        """The records of some kinds in the engine's log, so far."""
        return [record for record in read_journal(self.folder.path, "engine") if record.kind in kinds]

    def brain_pids(self) -> list[int]:
        """The brain's process ids."""
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout.splitlines()
        return [int(line.split()[0]) for line in listed if "antiphon.daemon.brain" in line]

    def kill_brain(self) -> None:
        """kill -9."""
        for pid in self.brain_pids():
            os.kill(pid, signal.SIGKILL)

    def interrupt(self) -> int:
        """Ctrl-C; give the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)
