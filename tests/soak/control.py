"""Antiphon's OSC, as a fader bank in mad hands uses it."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Any, Self

from antiphon.daemon.brain.osc_addresses import PREFIX
from antiphon.daemon.brain.osc_wire import message
from antiphon.daemon.commands.status import ask
from antiphon.daemon.errors import ControlError

from tests.jack_rig import wait_until

_PATIENCE_S = 30.0


class Control:
    """Sends to one Antiphon. A context manager."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, name: str, *values: Any) -> int:
        """Say something to an address, and give when."""
        return self.send_raw(message(PREFIX + name, *values))

    def send_raw(self, data: bytes) -> int:
        """Send a datagram, whatever is in it, and give when."""
        now_ns = time.perf_counter_ns()
        self._socket.sendto(data, self._address)
        return now_ns

    def hold(self, **wanted: str) -> None:
        """Set parameters, and wait until they hold; a brain that is not there yet is told again.

        Raises:
            TimeoutError: nobody answers, or they do not hold.
        """

        def holds() -> bool:
            for name, value in wanted.items():
                self.send(name, value)
            told = self.status()
            return told is not None and all(told["parameters"].get(name) == value for name, value in wanted.items())

        wait_until(holds, f"{wanted} holds", _PATIENCE_S)

    def counters(self) -> dict[str, Any]:
        """Give the brain's counters.

        Raises:
            TimeoutError: nobody answers.
        """
        told: dict[str, dict[str, Any]] = wait_until(self.status, "status is told", _PATIENCE_S)
        return told["counters"]

    def status(self) -> dict[str, dict[str, Any]] | None:
        """Ask for everything; None: nobody answers."""
        try:
            return ask(f"{self._address[0]}:{self._address[1]}")
        except ControlError:
            return None
