"""``antiphon jam`` as a child: a real session, watched from outside and read from its journal."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from antiphon.daemon.errors import TakeError
from antiphon.daemon.journal import read_journal
from antiphon.daemon.messages import Kind, Record

_READY_S = 60.0
_LEAVE_S = 20.0
_LOOK_S = 0.005
_OPENED = re.compile(r"ports open \(.*?\): in (?P<into>[^,;]+).*; out (?P<out>[^,;]+)")
_Found = TypeVar("_Found")


class _Process(NamedTuple):
    pid: int
    parent: int
    command: str


def _processes() -> list[_Process]:
    """List every process that is no zombie."""
    command = ["ps", "-o", "pid=,ppid=,stat=,args=", "-A"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    rows = (line.split(None, 3) for line in listed.splitlines())
    return [_Process(int(row[0]), int(row[1]), row[-1]) for row in rows if row[2][0] != "Z"]


def _descendants(rows: list[_Process], pid: int) -> list[_Process]:
    """Give a process's children, theirs, and so on."""
    children = [row for row in rows if row.parent == pid]
    return children + [row for child in children for row in _descendants(rows, child.pid)]


class Session:
    """A context manager: starts one with takes and settings of its own; whatever happens, it is gone in the end.

    Attributes:
        started_ns: when it was started, in perf_counter_ns.
        lines: what it has said on standard error.
        process: what was started: the player, or the process that waits for it.
        program: what is started, with ``jam`` and the flags after it.
    """

    program = (sys.executable, "-m", "antiphon.daemon.cli")

    def __init__(self, takes: Path, *flags: str) -> None:
        """Start it.

        Args:
            takes: a folder for this session's takes alone, in one that exists.
            flags: of `antiphon jam`.
        """
        self._takes = takes
        nothing = takes.parent / "nothing.toml"  # the user's own settings are not what is measured
        nothing.touch()
        command = [*self.program, "jam", "--takes", str(takes)]
        self.lines: list[str] = []
        self.started_ns = time.perf_counter_ns()
        self.process = subprocess.Popen(
            [*command, "--no-render", "--config", str(nothing), *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> list[str]:
        """End it, whatever it does, and whatever of it does not leave by itself. Idempotent.

        Returns:
            The commands of those that had to be ended: none.
        """
        if self.process.poll() is None:
            self.process.kill()  # the brain leaves at the end of its stream
        self.process.wait()
        self._reader.join(_LEAVE_S)
        hung: list[str] = []
        if self._reader.is_alive():  # somebody still has its standard error
            hung = _end_those_of(self._takes)
            self._reader.join(_LEAVE_S)
        if self.process.stderr is not None and not self._reader.is_alive():  # else closing would wait for the reader
            self.process.stderr.close()
        return hung

    @property
    def folder(self) -> Path:
        """The session's own folder. Raises: TakeError: it has not made it yet."""
        made = list(self._takes.iterdir()) if self._takes.is_dir() else []
        if not made:
            raise TakeError(f"there is no session in {self._takes} yet; wait until its ports are open")
        return made[0]

    @property
    def ports(self) -> tuple[str, str]:
        """Names of its first input and output; waits until they are open. Raises: TakeError: it ends before."""
        return self._await(self._opened, "open its ports")

    @property
    def player_pid(self) -> int:
        """The player's process id: of a fork of the process that was started, or where it has none, of that itself."""
        rows = _processes()
        command = next((row.command for row in rows if row.pid == self.process.pid), "")
        forks = (row.pid for row in _descendants(rows, self.process.pid) if row.command == command)
        return next(forks, self.process.pid)

    @property
    def brain_pid(self) -> int | None:
        """The brain's process id, or None while there is none."""
        return next(iter(self.children("antiphon.daemon.brain")), None)

    def children(self, word: str) -> list[int]:
        """Give the processes that descend from it, are no zombies, and whose command has a word in it."""
        return [row.pid for row in _descendants(_processes(), self.process.pid) if word in row.command]

    def wait_ready(self) -> Self:
        """Wait until the brain plays. Raises: TakeError: the session ends before."""
        self.wait_for(Kind.BRAIN_UP, "start its brain")
        return self

    def wait_for(self, kind: Kind, what: str) -> Record:
        """Give the first record of a kind at its ports, as soon as there is one. Raises: TakeError: it ends before."""
        return self._await(lambda: next((record for record in self.wire() if record.kind == kind), None), what)

    def wire(self) -> list[Record]:
        """What has happened at the ports so far; nothing before there is a journal."""
        try:
            return list(read_journal(self.folder, "wire"))
        except (OSError, TakeError):
            return []

    def log(self) -> list[Record]:
        """What the engine has taken in so far, and drawn."""
        return list(read_journal(self.folder, "engine"))

    def stop(self) -> int:
        """Ctrl-C; give the exit status when it has made its take."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(_LEAVE_S)

    def _opened(self) -> tuple[str, str] | None:
        found = next((match for line in self.lines if (match := _OPENED.match(line))), None)
        return None if found is None else (found["into"], found["out"])

    def _await(self, look: Callable[[], _Found | None], what: str) -> _Found:
        until = time.monotonic() + _READY_S
        while (found := look()) is None:
            if self.process.poll() is not None or time.monotonic() > until:
                self._reader.join(_LOOK_S)
                said = "; ".join(self.lines) or "nothing"
                raise TakeError(f"the measured session did not {what} within {_READY_S:g} s; it said: {said}")
            time.sleep(_LOOK_S)
        return found

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())


def _end_those_of(folder: Path) -> list[str]:
    """Kill every process in whose command a folder is, and give the commands; knows of them on Linux alone."""
    ended = []
    for told in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has left meanwhile
            command = told.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in command and int(told.parent.name) != os.getpid():
                os.kill(int(told.parent.name), signal.SIGKILL)
                ended.append(command)
    return ended
