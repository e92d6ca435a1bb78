"""One rtmidi client each, with what it takes to open it again, and the ways to silence and end it that cannot crash.

rtmidi holds the GIL while it makes or deletes a client, and waits there for JACK's process thread, which may be waiting
in our callback for the GIL: tried, that costs 0.5-1 s a call, or forever. So no client is ever made or deleted while a
callback is set: `hush` takes the callbacks off (what arrives then waits in rtmidi's own queue).

Taking one off has a trap of its own: rtmidi drops what the callback needs while the driver's thread may be on its way
into it (tried, at 10,000 messages a second: a crash in every few hundred). So the driver's thread does it itself, at
its next message; only where none comes is it done from outside, with what the callback needs kept alive.

``close_port`` comes before ``delete``, with time for JACK's cycle in between: ``delete`` frees what the cycle reads. A
client whose server has gone is neither: JACK's library frees it by itself, and rtmidi must never touch it again.
"""

from __future__ import annotations

import ctypes
import gc
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import rtmidi
from antiphon.daemon.errors import PortError
from antiphon.daemon.player.midi_bytes import MidiInput
from antiphon.daemon.player.midi_system import new_input, new_output, port_names
from antiphon.daemon.player.ports import OnMessage

#: So long a driver's thread has to take its callback off at a message; longer than between two MIDI clocks.
_HUSH_S = 0.03
#: Long enough for a callback that is under way to end.
_CALLBACK_S = 0.005
#: Longer than a period of the slowest usual JACK (2048 frames at 44.1 kHz): a cycle that was under way is over.
CYCLE_S = 0.06
#: What a plug or a restart changes in a name: ALSA's address, and a2j's.
_ADDRESS = re.compile(r" \d+:\d+$| \[\d+\]")


class Port(ABC):
    """One port of ours, and the other side that it is joined to.

    Attributes:
        index: its number among the inputs, or the outputs.
        name: its own name.
        joined: the other side's name; None: a virtual port.
        client: rtmidi's; None while the other side is not there.
        output: whether it is played to, and not heard.
    """

    output = False

    def __init__(self, index: int, name: str, joined: str | None) -> None:
        self.index = index
        self.name = name
        self.joined = joined
        self.client: Any = None
        self._full = ""  # the other side's name when it was joined

    @abstractmethod
    def make(self, api: str, client: str) -> None:
        """Make its client and open its port. Raises: PortError."""

    def open(self, client: Any, api: str) -> None:
        """Open the one port of a new client. The other side may not be there: then the client is given back.

        Args:
            client: rtmidi's.
            api: its MIDI system, one of `midi_system.APIS`.

        Raises:
            PortError: the driver refuses.
        """
        try:
            if self.joined is None:
                client.open_virtual_port(self.name)
                self.client = client
                return
            there = port_names(client, api)
            self._full = self._side(there)
            if self._full:
                client.open_port(there.index(self._full), self.name)
                self.client = client
                return
        except rtmidi.RtMidiError as error:
            client.delete()
            raise PortError(
                f"cannot open the port {self.joined or self.name!r}: {error}; is it in use elsewhere?"
            ) from error
        client.delete()

    def moved(self, there: list[str]) -> bool:
        """Whether the other side has gone, or come back."""
        if self.joined is None:
            return False
        return self._full not in there if self.client is not None else bool(self._side(there))

    def abandon(self) -> None:
        """Leave a client alone for good, and what belongs to it in memory."""
        if self.client is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.client))
            self.client = None

    def _side(self, there: list[str]) -> str:
        """Find the other side by its name: exactly, else without the address, which a plug changes; '' is none."""
        assert self.joined is not None
        if self.joined in there:
            return self.joined
        bare = _ADDRESS.sub("", self.joined)
        return next((full for full in there if self._is(bare, full)), "")

    def _is(self, bare: str, full: str) -> bool:
        return _ADDRESS.sub("", full) == bare


class InputPort(Port):
    """One rtmidi input."""

    def __init__(self, index: int, name: str, joined: str | None) -> None:
        super().__init__(index, name, joined)
        self.checker = MidiInput()
        self._on_message: OnMessage | None = None
        self._lock = threading.Lock()
        self._listens = False
        self._leaving = False
        self._left = threading.Event()
        self._kept: list[Any] = []

    def make(self, api: str, client: str) -> None:
        """See `Port.make`."""
        made = new_input(api, client)
        made.ignore_types(sysex=True, timing=False, active_sense=True)
        self.open(made, api)

    def listen(self, on_message: OnMessage) -> None:
        """Hand over what waited in rtmidi's queue, and whatever comes from now on."""
        self._on_message = on_message
        # rtmidi gives its queue out only while no callback is set: what arrives in the microsecond between
        # these two would be heard at the next pause. Pauses are rare (a cable), so that is let be.
        while (event := self.client.get_message()) is not None:
            self._hear(event)
        self._leaving = False
        self._left.clear()
        self._listens = True
        self.client.set_callback(self.on_event)

    def on_event(self, event: tuple[list[int], float], _data: object = None) -> None:
        """Runs in the driver's thread."""
        self._hear(event)
        if self._leaving:
            self._uncall()

    def leave(self) -> None:
        """Ask the driver's thread to take the callback off at its next message."""
        self._leaving = True

    def left(self, until: float) -> None:
        """Wait for that until a moment of ``time.monotonic``, then do it from here."""
        if self._listens and not self._left.wait(max(0.0, until - time.monotonic())):
            self._uncall()

    def abandon(self) -> None:
        """See `Port.abandon`."""
        super().abandon()
        self._listens = False

    def _hear(self, event: tuple[list[int], float]) -> None:
        t_ns = time.perf_counter_ns()  # first of all
        message = self.checker.take(event[0])
        if message is not None and self._on_message is not None:
            self._on_message(t_ns, self.index, message)

    def _uncall(self) -> None:
        with self._lock:
            if not self._listens:
                return
            self._listens = False
            # rtmidi's pair of callback and argument, which it frees below while a call may hold it
            self._kept = [held for held in gc.get_referents(self.client) if isinstance(held, tuple)]
            self.client.cancel_callback()
        self._left.set()


class OutputPort(Port):
    """One rtmidi output.

    Attributes:
        greeting: sent whenever it is joined: a synth's programs.
        fresh: joined at the last look, and not greeted yet.
    """

    output = True

    def __init__(
        self, index: int, name: str, joined: str | None, greeting: tuple[bytes, ...] = (), *, by_part: bool = False
    ) -> None:
        super().__init__(index, name, joined)
        self.greeting = greeting
        self._by_part = by_part  # the other side's whole name is not known: it has not appeared yet
        self.fresh = False

    def make(self, api: str, client: str) -> None:
        """See `Port.make`."""
        self.open(new_output(api, client), api)

    def _is(self, bare: str, full: str) -> bool:
        return super()._is(bare, full) or (self._by_part and bare in full)

    def greet(self) -> None:
        """Send the greeting."""
        self.fresh = False
        for message in self.greeting:
            self.client.send_message(message)


def hush(ports: Iterable[InputPort]) -> None:
    """Take every callback off, and let those that are under way end."""
    listening = [port for port in ports if port.client is not None]
    for port in listening:
        port.leave()
    until = time.monotonic() + _HUSH_S
    for port in listening:
        port.left(until)
    time.sleep(_CALLBACK_S)


def end(ports: Iterable[Port]) -> None:
    """Close and delete clients whose callbacks are off, and to which nothing is sent any more."""
    clients = [port.client for port in ports if port.client is not None]
    for port in ports:
        port.client = None
    delete(clients)


def delete(clients: Sequence[Any], cycle_s: float = CYCLE_S) -> None:
    """Close and delete rtmidi's own objects; ``cycle_s``: longer than a cycle that may be under way."""
    for client in clients:
        client.close_port()
    if clients:
        time.sleep(cycle_s)
    for client in clients:
        client.delete()
