"""What sounds on the wire now, kept up as messages come in; and waiting for it to be so or so.

Threading model: a reader thread takes in what the listener's process writes, under one condition; the soak's main
thread asks and waits.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.soak import listener
from tests.soak.listener import RECORD
from tests.soak.music import NOTE_OFF, NOTE_ON

#: What the performer plays is passed on here (channels from 0): all else is Antiphon's own.
THRU = 15
_PATIENCE_S = 20.0


class Ear:
    """Listens at a port until it is left. A context manager.

    Attributes:
        heard: (perf_counter_ns, message) of every note-on and note-off, in order.
        xruns: when JACK told of one, in perf_counter_ns.
        own: Antiphon's own notes that sound, (channel, pitch).
        passed: the performer's that sound.
        own_struck: how many notes of its own Antiphon has begun.
        last_off_ns: when the last of its own notes ended.
        lost: messages that the listener had no room for; told when it is left.
    """

    def __init__(self, source: str) -> None:
        """Connect to the output port whose name has ``source`` in it."""
        self.heard: list[tuple[int, bytes]] = []
        self.xruns: list[int] = []
        self.own: set[tuple[int, int]] = set()
        self.passed: set[tuple[int, int]] = set()
        self.own_struck = 0
        self.last_off_ns = 0
        self.lost = 0
        self._answers: list[int] = []
        self._change = threading.Condition()
        command = [sys.executable, str(Path(listener.__file__)), source]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._read, name="ear")
        self._thread.start()

    def __enter__(self) -> Self:
        self._answer("listen at Antiphon's output")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hear no more. Idempotent."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if not self._process.stdin.closed:
            self._process.stdin.close()
            self._thread.join(_PATIENCE_S)
            self._process.wait(_PATIENCE_S)
            self._process.stdout.close()

    def connect(self, source: str, target: str, *, on: bool = True) -> None:
        """Connect two ports of JACK's, or disconnect them.

        Raises:
            RuntimeError: JACK refused.
        """
        assert self._process.stdin is not None
        verb = "connect" if on else "disconnect"
        self._process.stdin.write(f"{verb}\t{source}\t{target}\n".encode())
        self._process.stdin.flush()
        self._answer(f"{verb} {source} and {target}")

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something is so of what sounds; False: it was not in time."""
        with self._change:
            return self._change.wait_for(condition, timeout_s)

    def silent(self, timeout_s: float) -> bool:
        """Wait until no note of Antiphon's own sounds."""
        return self.wait(lambda: not self.own, timeout_s)

    def plays(self, timeout_s: float) -> bool:
        """Wait until a note of Antiphon's own begins."""
        before = self.own_struck
        return self.wait(lambda: self.own_struck > before, timeout_s)

    def sounding(self) -> list[tuple[int, int]]:
        """Give everything that sounds, (channel, pitch)."""
        return sorted(self.own | self.passed)

    def forget(self) -> None:
        """Take it that nothing sounds."""
        with self._change:
            self.own.clear()
            self.passed.clear()

    def _answer(self, what: str) -> None:
        if not self.wait(lambda: bool(self._answers), _PATIENCE_S):
            raise TimeoutError(f"the listener did not {what} within {_PATIENCE_S:g} s")
        if self._answers.pop() != listener.DONE:
            raise RuntimeError(f"the listener could not {what}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        while data := os.read(self._process.stdout.fileno(), RECORD.size * 4096):
            data = rest + data
            whole = len(data) - len(data) % RECORD.size
            data, rest = data[:whole], data[whole:]
            with self._change:
                for t_ns, what, a, b, c, count in RECORD.iter_unpack(data):
                    if what == listener.HEARD:
                        self._hear(t_ns, bytes((a, b, c)))
                    elif what == listener.XRUN:
                        self.xruns.append(t_ns)
                    elif what == listener.LOST:
                        self.lost = count
                    else:
                        self._answers.append(what)
                self._change.notify_all()

    def _hear(self, t_ns: int, message: bytes) -> None:
        kind, channel, pitch = message[0] & 0xF0, message[0] & 0x0F, message[1]
        if kind not in (NOTE_ON, NOTE_OFF):
            return
        self.heard.append((t_ns, message))
        own = channel != THRU
        notes = self.own if own else self.passed
        if kind == NOTE_ON and message[2]:
            notes.add((channel, pitch))
            self.own_struck += own
        else:
            notes.discard((channel, pitch))
            if own:
                self.last_off_ns = t_ns
