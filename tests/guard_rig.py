"""A session's guard as a test sees it from outside: found by its command line, watched through ``/proc``."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from tests.jack_rig import wait_until

#: Less than the guard's quarter of a second, and longer than JACK takes to answer.
_NAP_S = 0.1


def guards(session: Path) -> list[int]:
    """The process ids of the guards of a session."""
    found = []
    for told in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = told.read_bytes()
            if b"antiphon.daemon.commands.session_guard" in words and str(session).encode() in words:
                found.append(int(told.parent.name))
    return found


def runs(process: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        with open(f"/proc/{process}/stat") as told:
            return told.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def guarded(session: Path) -> int:
    """Wait for the guard, and until it has looked at the connections as they are now."""
    (guard,) = wait_until(lambda: guards(session), "a guard")
    wait_until(lambda: _is_client(guard), "the guard is JACK's client")
    _await_nap(guard)
    before = _naps(guard)
    wait_until(lambda: _naps(guard) > before, "the guard wakes up")
    _await_nap(guard)  # it has looked
    return int(guard)


def _await_nap(guard: int) -> None:
    """Wait until it sleeps as long as it only does between two looks; what it asks of JACK makes it sleep too."""
    last = (-1, 0.0)

    def asleep() -> bool:
        nonlocal last
        now, naps = time.monotonic(), _naps(guard)
        if naps != last[0]:
            last = (naps, now)
        return now - last[1] >= _NAP_S

    wait_until(asleep, "the guard sleeps")


def _is_client(guard: int) -> bool:
    links = []
    for link in Path(f"/proc/{guard}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            links.append(os.readlink(link))
    return any(link.startswith("socket:") for link in links)


def _naps(process: int) -> int:
    """How often it has gone to sleep: the guard does so between two looks."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
