"""A fader bank for the tests of OSC."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from antiphon.daemon.brain.osc import OscControl
from antiphon.daemon.brain.osc_wire import Message, message, read
from antiphon.daemon.settings import Settings


def free_port() -> int:
    """Give a UDP port that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Controller:
    """A fader bank: one UDP socket that says and hears."""

    def __init__(self, control: OscControl) -> None:
        self._to = control.address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)

    def say(self, address: str, *values: float | int | str) -> None:
        self.socket.sendto(message(address, *values), self._to)

    def say_raw(self, data: bytes) -> None:
        self.socket.sendto(data, self._to)

    def hear(self) -> list[Message]:
        """Give the next datagram's messages."""
        return read(self.socket.recv(65_536))

    def hears_nothing(self) -> bool:
        self.socket.setblocking(False)
        try:
            self.socket.recv(65_536)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(5)
        return False


@contextlib.contextmanager
def fader_bank(control: OscControl) -> Iterator[Controller]:
    """Give one, and close it afterwards."""
    controller = Controller(control)
    try:
        yield controller
    finally:
        controller.socket.close()


@contextlib.contextmanager
def listening() -> Iterator[OscControl]:
    """Give OSC on a port that nobody has."""
    with OscControl(("127.0.0.1", 0), Settings()) as opened:
        yield opened
