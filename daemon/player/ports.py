"""What the player asks of ports, whatever is behind them: rtmidi, or a performer's file.

Threading model: `open`, `begin`, `check` and `close` belong to the main thread. The message callback runs in
the driver's own thread. `send` is called from both, one at a time: the caller holds a lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from antiphon.daemon.errors import PortError


class NoMidiSystem(PortError):  # noqa: N818  a state of the machine, not a mistake
    """There is no MIDI system on this machine at all."""


#: Called in the driver's thread with the arrival time, the input port's index and the message.
OnMessage = Callable[[int, int, bytes], None]


@dataclass(frozen=True, slots=True)
class PortNames:
    """The ports that are open, by the names that other programs see.

    Attributes:
        sources: our own output ports, those included that wait for their other side: client and port.
        sinks: our own input ports, likewise.
        instance: which of several of Antiphon this is; 0: ports that have no such names.
    """

    api: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    sources: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    sinks: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    instance: int = field(default=0, compare=False)


class PortChange(NamedTuple):
    """A port that went away or came back. ``system``: with every other one, because the MIDI system did."""

    back: bool
    output: bool
    port: int
    system: bool = False


class Ports(Protocol):
    """Inputs and outputs of one session. A context manager: leaving it closes them."""

    @property
    def names(self) -> PortNames:
        """The ports that are open."""

    @property
    def malformed(self) -> int:
        """Messages refused at the inputs."""

    @property
    def period_ns(self) -> int:
        """Length of the cycles at whose start inputs come; 0 where they come at any time."""

    @property
    def send_errors(self) -> int:
        """Messages that the driver refused to send."""

    def open(self, on_message: OnMessage, on_over: Callable[[], None]) -> None:
        """Open every port, and from now on call ``on_message`` for each message that comes in.

        Args:
            on_message: see `OnMessage`.
            on_over: called once, in some thread, when a performance that has an end is over.

        Raises:
            PortError: a port cannot be opened; the message lists the candidates.
        """

    def begin(self) -> None:
        """Start the performance, where it is one that waits for the brain. Idempotent."""

    def check(self) -> list[PortChange]:
        """Look whether joined ports, and the system, are still there; bring back what came back. Once a second."""

    def send(self, message: bytes) -> None:
        """Send to every output that carries this channel. Never raises. Realtime-safe: yes."""

    def send_kept(self) -> None:
        """Send what found no room at once and was kept. Never raises. Realtime-safe: yes."""

    def close(self) -> None:
        """Let what was sent reach the wire, then close. Idempotent."""

    def __enter__(self) -> Self:
        """Give the ports themselves."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
