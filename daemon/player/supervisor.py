"""Starts the brain, and starts it again whenever it is lost.

The brain is a child in the player's own process group, born with SIGINT blocked: Ctrl-C reaches the player
only, whichever instant of the brain's life it falls into, and a terminal's Ctrl-Z still stops both. It leaves
at the end of its stream, so it cannot outlive the player.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from antiphon.daemon.player.link import BrainLink

_SOCKET_BYTES = 1 << 20
#: Starts are this far apart at least, so that a brain that dies at once does not eat the machine.
RESTART_NS = 500_000_000
#: A brain that has sent a heartbeat before and then nothing for this long hangs. It beats twice a second.
HANG_NS = 3_000_000_000
#: Loading a model, and a first timed trial of providers, may take this long before READY.
READY_NS = 120_000_000_000
#: numpy's BLAS starts a thread for each further processor, which costs a tenth of a second before it sleeps: while the
#: player has notes to send, and for nothing, as a brain's products are small.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def next_start_ns(losses: int, last_start_ns: int, now_ns: int) -> int:
    """Say when the next brain may start: at once after the first loss, then `RESTART_NS` apart. Pure."""
    return now_ns if losses <= 1 else max(now_ns, last_start_ns + RESTART_NS)


class Supervisor:
    """The one brain process of the moment. Belongs to the main thread.

    Attributes:
        starts: how many brains there have been.
        losses: how many of them were lost.
        ready: whether the present one has said READY.
        link: the socket to the present one; None while there is none.
    """

    def __init__(self, command: Sequence[str], session: Path, on_backlog: Callable[[], None]) -> None:
        """Remember how; nothing starts yet.

        Args:
            command: what runs a brain; the socket's number and the session's folder are appended.
            session: the session's folder.
            on_backlog: see `BrainLink`.
        """
        self.starts = 0
        self.losses = 0
        self.ready = False
        self.link: BrainLink | None = None
        self._command = tuple(command)
        self._session = session
        self._on_backlog = on_backlog
        self._process: subprocess.Popen[bytes] | None = None
        self._last_start_ns = 0
        self._heard_ns = 0
        self._beats = False

    @property
    def process_id(self) -> int:
        """The present brain's process id; 0: there is none."""
        return 0 if self._process is None or self.link is None else self._process.pid

    @property
    def status(self) -> int | None:
        """The last brain's exit status; None: it runs, or was never started."""
        return None if self._process is None else self._process.poll()

    def start(self, now_ns: int) -> BrainLink | None:
        """Start a brain; None: the system refused, try again later."""
        self.starts += 1
        self.ready = self._beats = False
        self._last_start_ns = self._heard_ns = now_ns
        try:
            ours, theirs = socket.socketpair()
        except OSError:  # no descriptor is left
            self.losses += 1
            return None
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        command = [*self._command, str(theirs.fileno()), str(self._session)]
        with theirs:
            try:
                with _no_interrupts():
                    self._process = subprocess.Popen(
                        command, pass_fds=(theirs.fileno(),), env=_ONE_THREAD | os.environ
                    )  # fmt: skip
            except OSError:
                ours.close()
                self.losses += 1
                return None
        self._at_usual_priority()
        self.link = BrainLink(ours, self._on_backlog)
        return self.link

    def restart_ns(self, now_ns: int) -> int:
        """Say when the next brain may start."""
        return next_start_ns(self.losses, self._last_start_ns, now_ns)

    def heard(self, now_ns: int, *, beat: bool) -> None:
        """Take note that the brain said something."""
        self._heard_ns = now_ns
        self._beats = self._beats or beat

    def hangs(self, now_ns: int) -> bool:
        """Whether the present brain is alive but silent for too long, or gone with its socket left open."""
        if self.link is None:
            return False
        silent = now_ns - self._heard_ns
        if not self.ready:
            return silent > READY_NS or self.status is not None
        return (self._beats and silent > HANG_NS) or self.status is not None

    def lost(self) -> None:
        """Drop the present brain, which is gone or hangs."""
        self.losses += 1
        self.close()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    def close(self) -> None:
        """Close the socket; a brain leaves at the end of its stream. Idempotent."""
        if self.link is not None:
            self.link.close()
            self.link = None

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the brain to exit, and give its status; None: it has not."""
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End the brain for good and reap it."""
        self.close()
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()

    def _at_usual_priority(self) -> None:
        """Undo for the brain what the player's own priority passed on to it."""
        if self._process is not None and hasattr(os, "setpriority"):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, 0)


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Block SIGINT in this thread: a child inherits that, and here it is only put off."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
