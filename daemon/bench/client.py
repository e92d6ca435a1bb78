"""One MIDI client at another program's ports: sends, and stamps what comes back.

Threading model: the driver's thread stamps and appends under one lock; any thread may send, wait and read. rtmidi
must not make or delete a client while a callback is set (see `antiphon.daemon.player.rtmidi_clients`), so all clients
are made and joined first, and listen afterwards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from antiphon.daemon.errors import PortError
from antiphon.daemon.player.midi_system import new_input, new_output
from antiphon.daemon.player.rtmidi_clients import delete

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0
_LOOK_S = 0.01
_JOIN_S = 20.0
#: Long enough for a callback that is under way to end.
_CALLBACK_S = 0.005
Message = list[int]


class Client:
    """A context manager; leaving it closes.

    Attributes:
        received: (arrival in perf_counter_ns, message), in order.
        arrived: held while `received` grows, and told when it has.
    """

    def __init__(self, api: str, name: str, to: str, back: str) -> None:
        """Join both ports as soon as they are there; hear nothing yet (`listen`).

        Args:
            api: a MIDI system that answers.
            name: what this client is called.
            to: part of the name of the port to play to.
            back: part of the name of the port to hear.

        Raises:
            PortError: one of them does not appear within 20 s.
        """
        self.received: list[tuple[int, Message]] = []
        self.arrived = threading.Condition()
        self._sending = threading.Lock()
        self._out: Any = new_output(api, f"{name} out")
        self._in: Any = new_input(api, f"{name} in")
        self._in.ignore_types(sysex=True, timing=True, active_sense=True)
        try:
            _join(self._out, to, "Out")
            _join(self._in, back, "In")
        except BaseException:
            self.close()
            raise

    def listen(self) -> Self:
        """Hear what comes from now on."""
        while self._in.get_message() is not None:  # what came since it was joined
            pass
        self._in.set_callback(self._on_message)
        return self

    def send(self, *message: int) -> int:
        """Send, and give when. Thread-safe: yes, which rtmidi's own is not (two threads at once crash it)."""
        with self._sending:
            stamp = time.perf_counter_ns()
            self._out.send_message(message)
        return stamp

    def wait(self, wanted: Callable[[Message], bool], since: int, timeout_s: float) -> int | None:
        """Give when the first wanted message came, of those after index ``since``; None: none did in time."""
        deadline = time.monotonic() + timeout_s
        with self.arrived:
            while True:
                for stamp, message in self.received[since:]:
                    if wanted(message):
                        return stamp
                left = deadline - time.monotonic()
                if left <= 0 or not self.arrived.wait(left):
                    return None

    def wait_count(self, count: int, timeout_s: float) -> bool:
        """Wait until so many messages have come in all; False: they did not in time."""
        with self.arrived:
            return self.arrived.wait_for(lambda: len(self.received) >= count, timeout_s)

    def close(self) -> None:
        """Leave the MIDI system. Idempotent."""
        if self._in is None:
            return
        self._in.cancel_callback()
        time.sleep(_CALLBACK_S)
        delete((self._in, self._out))
        self._in = self._out = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _on_message(self, event: tuple[Message, float], _data: object) -> None:
        stamp = time.perf_counter_ns()
        with self.arrived:
            self.received.append((stamp, event[0]))
            self.arrived.notify_all()


def struck(message: Message) -> bool:
    """Whether a message begins a note."""
    return message[0] & 0xF0 == NOTE_ON and message[2] > 0


def sounding(received: Sequence[tuple[int, Message]]) -> set[tuple[int, int]]:
    """Say which (channel, pitch) were left sounding."""
    left: set[tuple[int, int]] = set()
    for _, message in received:
        if message[0] & 0xF0 in (NOTE_OFF, NOTE_ON):
            (left.add if struck(message) else left.discard)((message[0] & 0x0F, message[1]))
    return left


def _join(end: Any, wanted: str, name: str) -> None:
    deadline = time.monotonic() + _JOIN_S
    while time.monotonic() < deadline:
        for index, port in enumerate(end.get_ports()):
            if wanted in port:
                end.open_port(index, name)
                return
        time.sleep(_LOOK_S)
    raise PortError(
        f"no port with {wanted!r} in its name within {_JOIN_S:g} s; there are {end.get_ports()}; is the program that "
        "makes it still running?"
    )
