"""The process that a player is a child of: it waits, and starts the player again when that dies.

It makes the session, and makes its take in the end. A new player goes on in the same session: the journal after its
last record, the brain from what the journals tell, the ports under their names, their cables as the guard remembers
them. So the guard must be done first: two clients of one name would be renamed.

Threading model: one thread, and a `fork` of it; so nothing that has threads may live in this process by then.

Signals that end a session are handed on to the player, as a terminal may tell this process alone; the player takes two
within a moment for one. After one of them no other player is started, whatever becomes of this one. Should this process
die, the player is told to end, and does so as for Ctrl-C.
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
from typing import Any

from antiphon.daemon.player.sounding_table import Guarding, SoundingTable

#: The exit status of a player that ended by an exception that nobody foresaw.
FAULT = 1
#: The exit status where the player died too often.
GAVE_UP = 70
_KILLED = 128  # as a shell counts
_MOST_DEATHS, _WITHIN_NS = 3, 60_000_000_000
#: A guard is silent within a quarter of a second, within two where JACK waits for the dead, and half a second later
#: where the brain hangs.
_GUARD_S, _LOOK_S = 6.0, 0.005
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Life:
    """One player's.

    Attributes:
        number: how many there have been, this one included.
        table: descriptor of its `SoundingTable`.
        parent: the process that waits for it.
        died_ns: when the one before died; 0: there was none.
        instance: which of several of Antiphon that was.
    """

    number: int
    table: int
    parent: int
    died_ns: int = 0
    instance: int = 1

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
    """Run players until one ends by itself, or is told to; give its exit status, or `GAVE_UP`.

    Args:
        live: plays, in a process of its own, and gives the exit status.
        tell: takes lines for the user.

    Raises:
        OSError: there is no memory for the first.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who started this may have had it ignored
    waited = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    try:
        return _Waiting(live, tell, waited, before).run()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Waiting:
    """One player after the other, with these signals blocked.

    Attributes:
        told: the last signal to end that came; None: none.
    """

    def __init__(
        self, live: Callable[[Life], int], tell: Callable[[str], None], waited: set[signal.Signals], before: set[Any]
    ) -> None:
        self._live, self._tell, self._waited, self._before = live, tell, waited, before
        self._deaths, self._pid = Deaths(), os.getpid()
        self._died_ns, self._instance = 0, 1
        self.told: int | None = None

    def run(self) -> int:
        """Give the exit status in the end."""
        number = 0
        while True:
            number += 1
            try:
                status = self._one(number)
            except OSError as error:
                if number == 1:
                    raise
                self._say(f"the player cannot be started again: {error.strerror or error}")
                return GAVE_UP
            self._hear()
            if self.told is not None and (status < 0 or status == FAULT):
                return _KILLED + self.told
            if status >= 0 and status != FAULT:
                return status
            if not self._deaths.go_on(time.perf_counter_ns()):
                self._say(f"the player died {_MOST_DEATHS} times within a minute, and is not started again")
                return GAVE_UP
            self._say("the player is started again; the session goes on")
            self._hear()
            if self.told is not None:
                return _KILLED + self.told

    def _one(self, number: int) -> int:
        """Run one player; give its exit status, or minus the signal that it died of."""
        table, handle = SoundingTable.make()
        try:
            child = os.fork()
            if child == 0:
                _be(self._live, Life(number, handle, self._pid, self._died_ns, self._instance), self._before)
            status = self._end_of(child)
            if table.guard != Guarding.ABSENT or not self._died_ns:  # it had come to play
                self._died_ns = time.perf_counter_ns()
            self._instance = table.instance or self._instance
            if status < 0 or status == FAULT:
                _await_silence(table)
            return status
        finally:
            table.close()
            os.close(handle)

    def _end_of(self, child: int) -> int:
        """Wait for its end, handing on what this process is told."""
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            told = signal.sigwaitinfo(self._waited).si_signo
            if told != signal.SIGCHLD:
                self.told = told
                os.kill(child, told)

    def _hear(self) -> None:
        """Take what has come since."""
        while (info := signal.sigtimedwait(self._waited, 0)) is not None:
            if info.si_signo != signal.SIGCHLD:
                self.told = info.si_signo

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # whoever read it is gone; somebody may play all the same
            self._tell(line)


def _be(live: Callable[[Life], int], life: Life, mask: set[Any]) -> None:
    """Be the player. Never returns."""
    status = FAULT
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if life.is_orphan:  # it died before it was to be told of
            os.kill(os.getpid(), signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        status = live(life)
    except KeyboardInterrupt:  # before it could take that for itself
        status = _KILLED + signal.SIGINT
    except BaseException:  # whatever it is, this process must not go on as its parent would
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _await_silence(table: SoundingTable) -> None:
    until = time.monotonic() + _GUARD_S
    while table.guard == Guarding.WATCHES and time.monotonic() < until:
        time.sleep(_LOOK_S)
