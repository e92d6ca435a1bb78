"""A performer that is a MIDI file: its events come in at their times, as if someone played them.

Threading model: one thread waits on exact deadlines and calls the message callback, as a driver's thread
would. ``begin`` starts it and ``close`` ends it, both from the main thread. Output goes to the real ports
behind it, or nowhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from antiphon.daemon.performance_file import open_performance
from antiphon.daemon.player.ports import OnMessage, PortChange, PortNames, Ports

_NS = 1_000_000_000
_CHANNEL_MESSAGES = 0xF0
#: The index that the file's events carry; the ports behind it count from 1.
FILE_PORT = 0


@dataclass(frozen=True, slots=True)
class FileEvent:
    """One message of a performance, ``after_ns`` nanoseconds from its beginning."""

    after_ns: int
    message: bytes


def read_performance(path: Path) -> tuple[FileEvent, ...]:
    """Read the channel messages of a MIDI file, all tracks merged, in seconds by its own tempo map.

    Raises:
        MidiFileError: see `open_performance`.
    """
    now_s = 0.0
    events: list[FileEvent] = []
    for message in open_performance(path):
        now_s += message.time
        if not message.is_meta and message.bytes()[0] < _CHANNEL_MESSAGES:
            events.append(FileEvent(round(now_s * _NS), bytes(message.bytes())))
    return tuple(events)


class FilePorts:
    """Plays a performance in, in real time. See `ports.Ports`."""

    def __init__(self, path: Path, behind: Ports | None = None) -> None:
        """Read the file; nothing plays yet.

        Args:
            path: a Standard MIDI File.
            behind: real ports that output goes to, and whose input is heard as well.

        Raises:
            MidiFileError: see `read_performance`.
        """
        self._name = path.name
        self._events = read_performance(path)
        self._behind = behind
        self._on_message: OnMessage | None = None
        self._on_over: Callable[[], None] | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def duration_s(self) -> float:
        """Length of the performance, in seconds."""
        return self._events[-1].after_ns / _NS

    @property
    def names(self) -> PortNames:
        """The file, and the ports behind it."""
        if self._behind is None:
            return PortNames("none", (self._name,), ())
        names = self._behind.names
        return PortNames(names.api, (self._name, *names.inputs), names.outputs, names.sources)

    @property
    def malformed(self) -> int:
        """Messages refused at the inputs behind it."""
        return self._behind.malformed if self._behind else 0

    @property
    def period_ns(self) -> int:
        """The performance keeps to no cycle: 0."""
        return 0

    @property
    def send_errors(self) -> int:
        """Messages that the driver behind it refused."""
        return self._behind.send_errors if self._behind else 0

    def open(self, on_message: OnMessage, on_over: Callable[[], None]) -> None:
        """See `ports.Ports.open`; the performance itself waits for `begin`."""
        self._on_message = on_message
        self._on_over = on_over
        if self._behind is not None:
            self._behind.open(lambda t_ns, port, message: on_message(t_ns, port + 1, message), lambda: None)

    def begin(self) -> None:
        """Start the performance now. Idempotent."""
        if self._thread is None and self._on_message is not None:
            self._thread = threading.Thread(
                target=self._perform, args=(time.perf_counter_ns(),), name="performer", daemon=True
            )
            self._thread.start()

    def check(self) -> list[PortChange]:
        """Look at the ports behind it."""
        if self._behind is None:
            return []
        return [change if change.output else change._replace(port=change.port + 1) for change in self._behind.check()]

    def send(self, message: bytes) -> None:
        """Send to the ports behind it, or nowhere."""
        if self._behind is not None:
            self._behind.send(message)

    def send_kept(self) -> None:
        """Let the ports behind it send what they kept."""
        if self._behind is not None:
            self._behind.send_kept()

    def close(self) -> None:
        """End the performance and close the ports behind it. Idempotent."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        if self._behind is not None:
            self._behind.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _perform(self, t0_ns: int) -> None:
        assert self._on_message is not None
        assert self._on_over is not None
        for event in self._events:
            due_ns = t0_ns + event.after_ns
            while (left_ns := due_ns - time.perf_counter_ns()) > 0:
                if self._closing.wait(left_ns / _NS):
                    return
            # Stamped with its own time: a file plays exactly, whatever this thread's wake-up cost.
            self._on_message(due_ns, FILE_PORT, event.message)
        self._on_over()
