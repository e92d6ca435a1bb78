"""The player's side of its guard (`guard`): starts it, keeps it, and says good-bye to it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

from antiphon.daemon.player.ports import PortNames
from antiphon.daemon.player.sounding_table import Guarding, SoundingTable

GUARD_COMMAND = (sys.executable, "-m", "antiphon.daemon.commands.session_guard")
_APIS = {"JACK": "jack", "ALSA": "alsa"}
#: A guard that died is started again so much later, at the earliest.
_AGAIN_NS = 5_000_000_000
#: A guard that was told leaves in milliseconds; one that does not is ended.
_LEAVES_S = 1.0


class Guard:
    """The one guard of a session. Belongs to the main thread; `table` is marked by whoever sends.

    Attributes:
        table: what the guard ends when the player dies.
    """

    def __init__(self, session: Path, handle: int | None = None) -> None:
        """Remember the session; nothing starts yet.

        Args:
            session: its folder.
            handle: the descriptor of the table, where whoever started the player has made it; it stays theirs.

        Raises:
            OSError: there is no memory for the table.
        """
        self.table, self._handle = SoundingTable.make() if handle is None else SoundingTable.of(handle)
        self._session = session
        self._names: PortNames | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: int | None = None
        self._started_ns = 0

    def start(self, names: PortNames, now_ns: int) -> str:
        """Start it, if these ports can be guarded.

        Returns:
            A line for the user where they cannot; else nothing.
        """
        api = _APIS.get(names.api)
        if not names.sources:
            return ""
        if api is None or sys.platform != "linux":
            return f"no guard on {names.api} here: if this process is killed, what sounds goes on sounding"
        facts = json.dumps({"api": api, "sources": names.sources, "sinks": names.sinks, "session": str(self._session)})
        self._names, self._started_ns = names, now_ns
        try:
            ours, self._pipe = os.pipe()
        except OSError:  # no descriptor is left: `keep` tries again
            return ""
        command = [*GUARD_COMMAND, str(ours), str(self._handle), facts]
        try:
            self._process = subprocess.Popen(
                command, pass_fds=(ours, self._handle), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
            self.table.guard = Guarding.WATCHES
            # the player's own priority is not for a child that starts up while notes are due
            os.setpriority(os.PRIO_PROCESS, self._process.pid, 0)
        except OSError:
            if self._process is None:
                self._hang_up()
        finally:
            os.close(ours)
        return ""

    def keep(self, now_ns: int) -> None:
        """Start another one if it died. About twice a second."""
        died = self._process is None or self._process.poll() is not None
        if self._names is not None and died and now_ns - self._started_ns > _AGAIN_NS:
            self._hang_up()
            self.start(self._names, now_ns)

    def close(self, *, failed: bool = False) -> None:
        """Let it leave: from here on there is nothing to guard. Idempotent.

        Args:
            failed: another player follows; the guard takes this one's end for a death.
        """
        self._names = None
        if failed:
            self._process = None
        else:
            self.table.guard = Guarding.ABSENT
        if self._pipe is not None and not failed:
            with contextlib.suppress(OSError):  # it died
                os.write(self._pipe, b"\0")
        self._hang_up()
        process, self._process = self._process, None
        if process is not None:
            try:
                process.wait(_LEAVES_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.table.close()
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def _hang_up(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            os.close(pipe)
