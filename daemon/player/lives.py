"""The process that a player is a child of: it waits, and starts the player again when that dies.

It makes the session, and makes its take in the end; in between it does nothing that could fail. A new player goes on in
the same session: the journal after its last record, the brain from what the journals tell, the ports under their names,
their cables as the guard remembers them. So the guard must be done first: two clients of one name would be renamed.

Threading model: one thread, and a `fork` of it; so nothing that has threads may live in this process by then.

Signals: a terminal's Ctrl-C reaches both, `kill` only this one, which hands it on (the player takes two within a moment
for one). Should this process die, the player is told to end, and does so as for Ctrl-C.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from antiphon.daemon.player.sounding_table import Guarding, SoundingTable

#: The exit status of a player that ended by an exception that nobody foresaw.
FAULT = 1
#: The exit status where the player died too often.
GAVE_UP = 70
_KILLED = 128  # as a shell counts
_MOST_DEATHS, _WITHIN_NS = 3, 60_000_000_000
#: A guard is silent within a quarter of a second, and half a second later where the brain hangs.
_GUARD_S, _LOOK_S = 3.0, 0.005
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Life:
    """One player's.

    Attributes:
        number: how many there have been, this one included.
        table: descriptor of its `SoundingTable`.
        died_ns: when the one before died; 0: there was none.
        parent: the process that waits for it.
    """

    number: int
    table: int
    died_ns: int
    parent: int

    @property
    def is_orphan(self) -> bool:
        """Whether that process is gone, so that nobody else sees to the session."""
        return os.getppid() != self.parent


@dataclass(slots=True)
class Deaths:
    """When players died."""

    at_ns: list[int] = field(default_factory=list)

    def go_on(self, now_ns: int) -> bool:
        """Take note of one more, and say whether it is worth to start another."""
        self.at_ns = [*(at for at in self.at_ns if now_ns - at < _WITHIN_NS), now_ns]
        return len(self.at_ns) < _MOST_DEATHS


def can_outlive() -> bool:
    """Whether this system has what is needed here."""
    return sys.platform == "linux"


def outlive(live: Callable[[Life], int], tell: Callable[[str], None]) -> int:
    """Run players until one ends by itself; give its exit status, or `GAVE_UP`.

    Args:
        live: plays, in a process of its own, and gives the exit status.
        tell: takes lines for the user.

    Raises:
        OSError: there is no memory for a process.
    """
    waited = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    deaths, number, died_ns = Deaths(), 0, 0
    try:
        while True:
            number += 1
            table, handle = SoundingTable.make()
            with contextlib.closing(table):
                life = Life(number, handle, died_ns, os.getpid())
                child = os.fork()
                if child == 0:
                    _be(live, life, before)
                status = _end_of(child, waited)
                died_ns = time.perf_counter_ns()
                os.close(handle)
                if status >= 0 and status != FAULT:
                    return status
                if -status in waited:  # told to end before it could take that for itself
                    return _KILLED - status
                _await_silence(table)
            if not deaths.go_on(died_ns):
                tell(f"the player died {_MOST_DEATHS} times within a minute, and is not started again")
                return GAVE_UP
            tell("the player is started again; the session goes on")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _be(live: Callable[[Life], int], life: Life, mask: set[int | signal.Signals]) -> None:
    """Be the player. Never returns."""
    status = FAULT
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        status = live(life)
    except BaseException:  # whatever it is, this process must not go on as its parent would
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _end_of(child: int, waited: set[signal.Signals]) -> int:
    """Wait for its end, handing on what only this process was told; give its exit status, or minus its signal."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        told = signal.sigwaitinfo(waited)
        if told.si_signo != signal.SIGCHLD and told.si_pid:  # the terminal's own come from no process
            os.kill(child, told.si_signo)


def _await_silence(table: SoundingTable) -> None:
    until = time.monotonic() + _GUARD_S
    while table.guard == Guarding.WATCHES and time.monotonic() < until:
        time.sleep(_LOOK_S)
