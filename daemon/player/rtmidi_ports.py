"""Real ports through python-rtmidi: virtual ones of our own, joined ones of others, wired instruments.

Threading model: the driver's thread calls `_Input.on_event`, which stamps, checks and hands on. rtmidi holds
the GIL while it makes or deletes a client, and waits there for JACK's process thread, which may be waiting
in our callback for the GIL: tried, that costs 0.5-1 s a call, or forever. So no client is ever made or
deleted while a callback is set: `_paused` takes the callbacks off (what arrives then waits in rtmidi's own
queue), lets those that are under way finish, and afterwards hands over what waited.

Teardown order: callbacks, outputs (after what was sent has reached the wire), inputs. ``close_port`` leaves a
JACK client alive; ``delete`` ends it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import rtmidi
from antiphon.daemon.errors import PortError
from antiphon.daemon.player.midi_bytes import MidiInput
from antiphon.daemon.player.midi_system import (
    all_ports,
    choose_api,
    match_port,
    new_input,
    new_output,
    title,
)
from antiphon.daemon.player.ports import OnMessage, PortChange, PortNames

#: Long enough for a callback that is under way to end.
_CALLBACK_S = 0.005
#: Two periods of the slowest usual JACK (2048 frames at 44.1 kHz): what was sent is on the wire by then.
_FLUSH_S = 0.1
#: JACK carries nothing over a new connection until its graph has turned once (tried: 6 of 180 joins lost
#: what was sent first), so a greeting waits for two of the slowest usual periods.
_SETTLE_S = 0.1
_MOST_INSTANCES = 100


class _Input:
    """One rtmidi input and what it takes to open it again."""

    def __init__(self, index: int, name: str, joined: str | None) -> None:
        self.index = index
        self.name = name
        self.joined = joined  # the other side's full name; None: a virtual port
        self.client: Any = None
        self.checker = MidiInput()
        self._on_message: OnMessage | None = None

    def listen(self, on_message: OnMessage) -> None:
        self._on_message = on_message
        # rtmidi gives its queue out only while no callback is set: what arrives in the microsecond between
        # these two would be heard at the next pause. Pauses are rare (a cable), so that is let be.
        self.drain()
        self.client.set_callback(self.on_event)

    def drain(self) -> None:
        while (event := self.client.get_message()) is not None:
            self.on_event(event)

    def on_event(self, event: tuple[list[int], float], _data: object = None) -> None:
        """Stamp first. Runs in the driver's thread."""
        t_ns = time.perf_counter_ns()
        message = self.checker.take(event[0])
        if message is not None and self._on_message is not None:
            self._on_message(t_ns, self.index, message)


@dataclass(slots=True)
class _Output:
    """One rtmidi output; without a client when its other side is not there (yet)."""

    index: int
    name: str
    joined: str | None
    client: Any = None
    greeting: tuple[bytes, ...] = ()  # sent whenever it is joined: a synth's programs
    fresh: bool = False  # joined at the last look, and not greeted yet

    def greet(self) -> None:
        self.fresh = False
        for message in self.greeting:
            self.client.send_message(message)


class RtMidiPorts:
    """Ports on ALSA, JACK or CoreMIDI. See `ports.Ports`.

    Attributes:
        send_errors: messages that the driver refused.
    """

    def __init__(
        self, *, api: str = "auto", joined_in: str | None = None, joined_out: str | None = None,
        keyboards: tuple[str, ...] = (), synths: tuple[str, ...] = (), awaited: str | None = None,
        greeting: tuple[bytes, ...] = (),
    ) -> None:  # fmt: skip
        """Choose; nothing is opened yet.

        Args:
            api: one of `midi_system.APIS`.
            joined_in: join the port of this name (part) instead of making ``Antiphon in``.
            joined_out: likewise for ``Antiphon out``.
            keyboards: ports to hear as well, by full name.
            synths: ports to play to as well, by full name.
            awaited: part of the name of a synth that is about to appear, to be joined when it does.
            greeting: messages for each of ``synths`` and ``awaited`` when it is joined.

        Raises:
            PortError: there is no such MIDI system.
        """
        self.send_errors = 0
        self._api = choose_api(api)
        self._joined_in = joined_in
        self._joined_out = joined_out
        self._keyboards = keyboards
        self._synths = synths
        self._awaited = awaited
        self._greeting = greeting
        self._inputs: list[_Input] = []
        self._outputs: list[_Output] = []
        self._on_message: OnMessage | None = None
        self._instance = "Antiphon"

    @property
    def names(self) -> PortNames:
        """The ports that are open."""
        return PortNames(
            title(self._api),
            tuple(port.joined or port.name for port in self._inputs if port.client),
            tuple(port.joined or port.name for port in self._outputs if port.client),
        )

    @property
    def malformed(self) -> int:
        """Messages refused at the inputs."""
        return sum(port.checker.malformed for port in self._inputs)

    def open(self, on_message: OnMessage, on_over: Callable[[], None]) -> None:
        """Open every port; see `ports.Ports.open`. Real ports are never over."""
        del on_over
        try:
            with _one_at_a_time(self._api):
                seen_in, seen_out = all_ports(self._api)
                self._instance = _free_name([*seen_in, *seen_out])
                self._plan(seen_in, seen_out)
                for output in self._outputs:
                    self._open_output(output)
                for port in self._inputs:
                    self._open_input(port)
        except BaseException:
            self.close()
            raise
        greeted = [output for output in self._outputs if output.client and output.greeting]
        if greeted:
            time.sleep(_SETTLE_S)
        for output in greeted:
            output.greet()
        self._on_message = on_message
        for port in self._inputs:
            if port.client:
                port.listen(on_message)

    def begin(self) -> None:
        """Nothing to start: someone plays."""

    def check(self) -> list[PortChange]:
        """See `ports.Ports.check`. An output that is back is told at the next call, when it carries again."""
        changes: list[PortChange] = []
        for output in self._outputs:
            if output.fresh:
                output.greet()
                changes.append(PortChange(back=True, output=True, port=output.index))
        if any(port.joined for port in self._inputs):
            there = self._look(self._inputs, new_input)
            for port in self._inputs:
                if _moved(port.joined, port.client, there):
                    self._change_input(port)
                    changes.append(PortChange(back=bool(port.client), output=False, port=port.index))
        if any(output.joined for output in self._outputs):
            there = self._look(self._outputs, new_output)
            for output in self._outputs:
                if _moved(output.joined, output.client, there):
                    self._change_output(output)
                    output.fresh = output.client is not None
                    if not output.fresh:
                        changes.append(PortChange(back=False, output=True, port=output.index))
        return changes

    def send(self, message: bytes) -> None:
        """Send to every output; one that refuses is counted. Realtime-safe: yes."""
        for output in self._outputs:
            client = output.client
            if client is not None:
                try:
                    client.send_message(message)
                except (rtmidi.RtMidiError, ValueError):
                    self.send_errors += 1

    def close(self) -> None:
        """See `ports.Ports.close`."""
        for port in self._inputs:
            if port.client:
                port.client.cancel_callback()
        if any(output.client for output in self._outputs):
            time.sleep(_FLUSH_S)
        clients = [output.client for output in self._outputs] + [port.client for port in self._inputs]
        self._outputs.clear()
        self._inputs.clear()
        for client in clients:
            if client is not None:
                client.delete()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _plan(self, seen_in: list[str], seen_out: list[str]) -> None:
        """Decide on every port, before any is made."""
        name = self._instance
        join_in, join_out = self._joined_in, self._joined_out
        main_in = seen_in[match_port(join_in, seen_in, "--in")] if join_in else None
        main_out = seen_out[match_port(join_out, seen_out, "--out")] if join_out else None
        self._inputs = [_Input(0, f"{name} in", main_in)]
        self._outputs = [_Output(0, f"{name} out", main_out)]
        for full in self._keyboards:
            if full != main_in:
                index = len(self._inputs)
                self._inputs.append(_Input(index, f"{name} keyboard {index}", full))
        for full in (*self._synths, *([self._awaited] if self._awaited else [])):
            if full != main_out:
                index = len(self._outputs)
                self._outputs.append(_Output(index, f"{name} synth {index}", full, greeting=self._greeting))

    def _open_input(self, port: _Input) -> None:
        client = new_input(self._api, self._client(port.name))
        client.ignore_types(sysex=True, timing=False, active_sense=True)
        port.client = _opened(client, port.name, port.joined)

    def _open_output(self, port: _Output) -> None:
        port.client = _opened(new_output(self._api, self._client(port.name)), port.name, port.joined)

    def _client(self, port: str) -> str:
        # JACK has one client a port, so each gets the port's own name; elsewhere all share one.
        return port if self._api == "jack" else self._instance

    def _look(self, ports: list[Any], new: Callable[[str, str], Any]) -> list[str]:
        """List the other sides' ports: through a client that is there, since making one is dear."""
        for port in ports:
            if port.client is not None:
                return list(port.client.get_ports())
        with self._paused():
            look = new(self._api, "Antiphon look")
            found = list(look.get_ports())
            look.delete()
        return found

    def _change_input(self, port: _Input) -> None:
        with self._paused():
            if port.client is None:
                self._open_input(port)
            else:
                port.client.delete()
                port.client = None

    def _change_output(self, output: _Output) -> None:
        with self._paused():
            if output.client is None:
                self._open_output(output)
            else:
                gone, output.client = output.client, None
                gone.delete()

    @contextlib.contextmanager
    def _paused(self) -> Iterator[None]:
        """Take every callback off, so that clients may be made and deleted; see the module's top."""
        listening = [port for port in self._inputs if port.client]
        for port in listening:
            port.client.cancel_callback()
        time.sleep(_CALLBACK_S)
        try:
            yield
        finally:
            for port in self._inputs:
                if port.client and self._on_message is not None:
                    port.listen(self._on_message)


def _opened(client: Any, name: str, joined: str | None) -> Any:
    """Open a client's one port; None when the port to join went away."""
    try:
        if joined is None:
            client.open_virtual_port(name)
            return client
        for index, full in enumerate(client.get_ports()):
            if joined in full:
                client.open_port(index, name)
                return client
    except rtmidi.RtMidiError as error:
        client.delete()
        raise PortError(f"cannot open the port {joined or name!r}: {error}; is it in use elsewhere?") from error
    client.delete()
    return None


def _moved(joined: str | None, client: Any, there: list[str]) -> bool:
    """Whether a joined port's other side went away or came back."""
    return joined is not None and any(joined in full for full in there) != (client is not None)


def _free_name(taken: list[str]) -> str:
    """Give ``Antiphon``, or ``Antiphon 2`` … while an earlier instance runs."""
    for number in range(1, _MOST_INSTANCES):
        name = "Antiphon" if number == 1 else f"Antiphon {number}"
        if not any(f"{name} in" in port or f"{name} out" in port for port in taken):
            return name
    raise PortError(f"{_MOST_INSTANCES} instances of Antiphon are running; end some of them")


@contextlib.contextmanager
def _one_at_a_time(api: str) -> Iterator[None]:
    """Keep two instances that start together from choosing the same name (where there is file locking)."""
    try:
        import fcntl  # noqa: PLC0415  POSIX only
    except ImportError:
        yield
        return
    server = os.environ.get("JACK_DEFAULT_SERVER", "default").replace(os.sep, "_")
    path = os.path.join(tempfile.gettempdir(), f"antiphon-{os.getuid()}-{api}-{server}.lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:  # no writable temporary folder: go without
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
