"""The performer's keyboard: a named port of its own that can be pulled out and put back, and a record of what it sent.

Threading model: any thread may send; one lock keeps rtmidi to one thread at a time (two at once crash it). Only the
soak's main thread plugs and unplugs. The output runs no Python in JACK's thread.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any, Self

import rtmidi
from antiphon.daemon.player.rtmidi_clients import delete

from tests.soak.music import NOTE_OFF, NOTE_ON

NAME = "Soak keys"


class Keys:
    """A context manager; leaving it ends its port.

    Attributes:
        sent: (perf_counter_ns, message) of every note-on and note-off, in order.
        struck: how many note-ons there were.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.struck = 0
        self._lock = threading.Lock()
        self._held: set[int] = set()
        self._out: Any = None
        self.plug_in()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unplug()

    def plug_in(self) -> None:
        """Make the port."""
        with self._lock:
            self._out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=NAME)
            self._out.open_virtual_port(NAME)

    def unplug(self) -> None:
        """Take the port away, whatever is held. Idempotent."""
        with self._lock:
            self._held.clear()
            if self._out is not None:
                delete((self._out,))
                self._out = None

    def send(self, *message: int) -> int:
        """Send one message, and give when. Thread-safe."""
        with self._lock:
            return self._send(message)

    def strike(self, pitch: int, velocity: int) -> int:
        """Press a key, which is let go first where it is down; give when."""
        with self._lock:
            if pitch in self._held:
                self._send((NOTE_OFF, pitch, 64))
            self._held.add(pitch)
            return self._send((NOTE_ON, pitch, max(1, velocity)))

    def release(self, pitch: int) -> None:
        """Let a key go where it is down."""
        with self._lock:
            if pitch in self._held:
                self._held.discard(pitch)
                self._send((NOTE_OFF, pitch, 64))

    def release_all(self) -> None:
        """Let every key go."""
        for pitch in sorted(self._held):
            self.release(pitch)

    def _send(self, message: tuple[int, ...]) -> int:
        now_ns = time.perf_counter_ns()
        if self._out is None:
            return now_ns
        if message[0] & 0xE0 == NOTE_OFF:
            self.sent.append((now_ns, bytes(message)))
            self.struck += message[0] & 0xF0 == NOTE_ON and message[2] > 0
        self._out.send_message(message)
        return now_ns
