"""Real ports through python-rtmidi: virtual ones of our own, joined ones of others, wired instruments.

Threading model: the driver's thread calls `InputPort.on_event`, which stamps, checks and hands on; all else is the main
thread's. How clients are silenced and ended without harm is told in `rtmidi_clients`.

Teardown order: callbacks, then (after what was sent has reached the wire) ports, then clients.

JACK's server may leave and come back: its clients are then left alone, and every port is made anew. It may also stand
still; rtmidi then waits for room, for ever and with the GIL, once 2,340 messages have piled up (tried): so nothing is
sent to a server that no cycle was seen of.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import rtmidi
from antiphon.daemon.errors import PortError
from antiphon.daemon.player.instances import free_instance, instance_name, one_at_a_time
from antiphon.daemon.player.jack_cycle import JackCycle
from antiphon.daemon.player.jack_library import JackClient, hush_jack
from antiphon.daemon.player.midi_system import all_ports, choose_api, new_input, new_output, port_names, title
from antiphon.daemon.player.part_ports import NO_PART_PORTS
from antiphon.daemon.player.port_plan import Routes, input_ports, output_ports, routes, without_virtual
from antiphon.daemon.player.ports import OnMessage, PortChange, PortNames
from antiphon.daemon.player.rtmidi_clients import InputPort, OutputPort, Port, end, hush

#: Two periods of the slowest usual JACK (2048 frames at 44.1 kHz): what was sent is on the wire by then.
_FLUSH_S = 0.1
#: JACK carries nothing over a new connection until its graph has turned once (tried: 6 of 180 joins lost
#: what was sent first), so a greeting waits for two of the slowest usual periods.
_SETTLE_S = 0.1
#: What may wait for JACK's next cycle: three times what rtmidi's own queue holds.
_MOST_KEPT = 6000


class RtMidiPorts:
    """Ports on ALSA, JACK, CoreMIDI or Windows MIDI. See `ports.Ports`.

    Attributes:
        send_errors: messages that the driver refused.
    """

    def __init__(
        self, *, api: str = "auto", joined_in: str | None = None, joined_out: str | None = None,
        also_in: Mapping[str, str] | None = None, part_ports: bool = False, keyboards: tuple[str, ...] = (),
        synths: tuple[str, ...] = (), awaited: str | None = None, greeting: tuple[bytes, ...] = (), instance: int = 1,
    ) -> None:  # fmt: skip
        """Choose; nothing is opened yet.

        Args:
            api: one of `midi_system.APIS`.
            joined_in: join the port of this name (part) instead of making ``Antiphon in``.
            joined_out: likewise for ``Antiphon out``.
            also_in: ports to hear as well, by (part of their) name, with the part that each plays ('': none).
            part_ports: make an output port for each part as well.
            keyboards: ports to hear as well, by full name.
            synths: ports to play to as well, by full name.
            awaited: part of the name of a synth that is about to appear, to be joined when it does.
            greeting: messages for each of ``synths`` and ``awaited`` when it is joined.
            instance: what to be among several of Antiphon, where that is free.

        Raises:
            PortError: there is no such MIDI system, or it has no virtual ports that parts could have.
        """
        self.send_errors = 0
        self._api = choose_api(api)
        if part_ports and self._api == "windows":
            raise PortError(NO_PART_PORTS)
        self._joined_in = joined_in
        self._joined_out = joined_out
        self._also_in = also_in or {}
        self._part_ports = part_ports
        self._keyboards = keyboards
        self._synths = synths
        self._awaited = awaited
        self._greeting = greeting
        self._inputs: list[InputPort] = []
        self._outputs: list[OutputPort] = []
        self._routes: Routes = routes(())
        self._on_message: OnMessage | None = None
        self._instance = instance
        self._jack: JackClient | None = None
        self._away = False  # JACK's server is
        self._cycle = JackCycle()
        self._told_stands = False
        self._kept: deque[bytes] = deque()

    @property
    def names(self) -> PortNames:
        """The ports that are open."""
        return PortNames(
            title(self._api),
            tuple(port.joined or port.name for port in self._inputs if port.client),
            tuple(port.joined or port.name for port in self._outputs if port.client),
            sources=tuple((self._client(port.name), port.name) for port in self._outputs),
            sinks=tuple((self._client(port.name), port.name) for port in self._inputs),
            instance=self._instance,
        )

    @property
    def malformed(self) -> int:
        """Messages refused at the inputs."""
        return sum(port.checker.malformed for port in self._inputs)

    @property
    def period_ns(self) -> int:
        """JACK's; see `ports.Ports.period_ns`."""
        return 0 if self._jack is None or self._away else self._jack.period_ns

    def open(self, on_message: OnMessage, on_over: Callable[[], None]) -> None:
        """Open every port; see `ports.Ports.open`. Real ports are never over."""
        del on_over
        try:
            with one_at_a_time(self._api):
                seen_in, seen_out = all_ports(self._api)
                self._instance = free_instance([*seen_in, *seen_out], self._instance)
                self._plan(seen_in, seen_out)
                self._make_all()
                self._watch()
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
        if self._jack is not None and (self._away or self._jack.gone):
            return self._return(self._jack) if self._away else self._leave(self._jack)
        changes = self._stood_still()
        if self._cycle.stands:
            return changes
        for output in self._outputs:
            if output.fresh:
                output.greet()
                changes.append(PortChange(back=True, output=True, port=output.index))
        for ports in (self._inputs, self._outputs):
            if not any(port.joined for port in ports):
                continue
            there = self._look(ports)
            for port in ports:
                if port.moved(there):
                    change = self._change(port)
                    if change is not None:
                        changes.append(change)
        return changes

    def send(self, message: bytes) -> None:
        """Send to every output that carries it; one that refuses is counted. Realtime-safe: yes.

        Where a burst leaves no room before JACK's next cycle it is kept, for that: the end of a note must not be lost.
        """
        if self._jack is None:
            self._pass_on(message)
            return
        if self._told_stands:
            self._give_up_kept()
        room = self._cycle.may_send(self._jack)
        if room and not self._kept:
            self._pass_on(message)
        elif self._told_stands or len(self._kept) >= _MOST_KEPT:
            self.send_errors += 1
        else:
            self._kept.append(message)
            if room:
                self.send_kept()

    def send_kept(self) -> None:
        """Send what waits for JACK's next cycle, as far as there is room. Realtime-safe: yes."""
        if self._told_stands:
            self._give_up_kept()
        kept = self._kept
        while kept and self._jack is not None and self._cycle.may_send(self._jack):
            self._pass_on(kept.popleft())

    def _give_up_kept(self) -> None:
        """JACK stands still: what waited so long is no music any more, and what sounds is ended when it turns again."""
        kept, self._kept = self._kept, deque()
        self.send_errors += len(kept)

    def _pass_on(self, message: bytes) -> None:
        for output in self._routes[message[0]]:
            client = output.client
            if client is not None:
                try:
                    client.send_message(message)
                except (rtmidi.RtMidiError, ValueError):
                    self.send_errors += 1

    def close(self) -> None:
        """See `ports.Ports.close`."""
        if self._jack is not None and (self._jack.gone or self._cycle.look(self._jack)):
            hush(self._inputs)
            self._abandon(self._jack)  # a server that stands still would be waited for
        hush(self._inputs)
        while any(output.client for output in self._outputs):
            before = len(self._kept)
            self.send_kept()
            time.sleep(_FLUSH_S)
            if not self._kept or len(self._kept) == before:
                break
        end([*self._outputs, *self._inputs])
        self._outputs.clear()
        self._inputs.clear()
        self._routes = routes(())
        if self._jack is not None:
            self._jack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _plan(self, seen_in: list[str], seen_out: list[str]) -> None:
        """Decide on every port, before any is made."""
        name, join_in, join_out = instance_name(self._instance), self._joined_in, self._joined_out
        if self._api == "windows":
            join_in, join_out = without_virtual(seen_in, seen_out, join_in, join_out)
        synths = (*self._synths, *([self._awaited] if self._awaited else []))
        self._inputs = input_ports(name, seen_in, join_in, self._also_in, self._keyboards)
        self._outputs = output_ports(name, seen_out, join_out, synths, self._greeting, part_ports=self._part_ports)
        self._routes = routes(self._outputs)

    def _make_all(self) -> None:
        for port in (*self._outputs, *self._inputs):
            port.make(self._api, self._client(port.name))

    def _client(self, port: str) -> str:
        # JACK has one client a port, so each gets the port's own name; elsewhere all share one.
        return port if self._api == "jack" else instance_name(self._instance)

    def _look(self, ports: Sequence[Port]) -> list[str]:
        """List the other sides' ports: through a client that is there, since making one is dear."""
        inputs = ports is self._inputs
        if self._jack is not None:
            return self._jack.ports(inputs=inputs)
        for port in ports:
            if port.client is not None:
                return port_names(port.client, self._api)
        with self._paused():
            look: Any = (new_input if inputs else new_output)(self._api, "Antiphon look")
            found = port_names(look, self._api)
            look.delete()
        return found

    def _change(self, port: Port) -> PortChange | None:
        """Join a port whose other side is back, or end one whose other side has gone, and tell; see `check`."""
        with self._paused():
            if port.client is None:
                port.make(self._api, self._client(port.name))
                self._keep_apart([port])
            else:
                end([port])
        back = port.client is not None
        if isinstance(port, OutputPort):
            port.fresh = back
            return None if back else PortChange(back=False, output=True, port=port.index)
        return PortChange(back=back, output=False, port=port.index)

    @contextlib.contextmanager
    def _paused(self) -> Iterator[None]:
        """Take every callback off, so that clients may be made and deleted; see `rtmidi_clients`."""
        hush(self._inputs)
        try:
            yield
        finally:
            self._listen()

    def _listen(self) -> None:
        for port in self._inputs:
            if port.client is not None and self._on_message is not None:
                port.listen(self._on_message)

    # ---- JACK's server ---------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Have somebody who is told when the server leaves; where that cannot be, ports stay as they are."""
        if self._api != "jack":
            return
        with contextlib.suppress(OSError):
            jack = JackClient()
            hush_jack()
            if jack.open(f"{instance_name(self._instance)} watch"):
                self._jack = jack
                self._keep_apart(self._inputs)

    def _keep_apart(self, ports: Iterable[Port]) -> None:
        """Have JACK copy what these inputs are to hear; see `JackClient.keep_apart`."""
        for port in ports:
            if self._jack is not None and port.client is not None and not port.output:
                self._jack.keep_apart(f"{self._client(port.name)}:{port.name}")

    def _stood_still(self) -> list[PortChange]:
        """Look whether JACK's server turns, and tell when that changed."""
        if self._jack is None:
            return []
        stands = self._cycle.look(self._jack)
        if stands == self._told_stands:
            return []
        self._told_stands = stands
        ports = [port for port in (*self._inputs, *self._outputs) if port.client is not None]
        return [_with_system(port, back=not stands) for port in ports]

    def _abandon(self, jack: JackClient) -> None:
        for port in (*self._inputs, *self._outputs):
            port.abandon()
        jack.forget()
        self._away = True
        self._cycle, self._told_stands = JackCycle(), False
        self._give_up_kept()

    def _leave(self, jack: JackClient) -> list[PortChange]:
        """The server is gone, and every port with it; where it stood still before, that was told already."""
        told = self._told_stands
        lost = [] if told else [port for port in (*self._inputs, *self._outputs) if port.client is not None]
        self._abandon(jack)
        return [_with_system(port, back=False) for port in lost]

    def _return(self, jack: JackClient) -> list[PortChange]:
        """Make every port anew, if the server is there again; one whose other side is not, is looked for later."""
        if not jack.open(f"{instance_name(self._instance)} watch"):
            return []
        try:
            self._make_all()
        except PortError:  # it left again
            self._abandon(jack)
            return []
        self._away = False
        self._keep_apart(self._inputs)
        self._listen()
        for output in self._outputs:
            if output.client is not None:
                output.greet()
        return [_with_system(port, back=True) for port in (*self._inputs, *self._outputs) if port.client is not None]


def _with_system(port: Port, *, back: bool) -> PortChange:
    return PortChange(back, port.output, port.index, system=True)
