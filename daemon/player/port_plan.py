"""Which ports a session has, decided before any is made: from what was asked for, and the names of what is there.

Inputs are numbered so that the brain knows them before they are open (`replay.port_parts_of`): the main one is 0, those
of ``--also-in`` are 1, 2 … in their order, and the keyboards of ``--connect`` come after. A port that is named twice is
opened once, under its first number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from antiphon.daemon.errors import PortError
from antiphon.daemon.player.loopbacks import choose
from antiphon.daemon.player.midi_system import match_port
from antiphon.daemon.player.part_ports import PORT_CHANNELS, channel_of
from antiphon.daemon.player.rtmidi_clients import InputPort, OutputPort

#: Where a message goes, by its status byte: a look-up for each message sent, and no question asked of each port.
Routes = tuple[tuple[OutputPort, ...], ...]
_STATUSES, _SYSTEM = 256, 0xF0


def input_ports(
    name: str, seen: Sequence[str], joined: str | None, also_in: Mapping[str, str], keyboards: Sequence[str]
) -> list[InputPort]:
    """Plan the inputs.

    Args:
        name: the instance's, ``Antiphon`` or ``Antiphon 2``.
        seen: every port that can be heard.
        joined: part of the name of the port to join as the main input; None: a virtual one.
        also_in: (part of) the names of ports to hear as well, each with its part of the performer's ('': none).
        keyboards: more, by full name.

    Raises:
        PortError: one matches no port or several, or has a part and is open under another number already.
    """
    main = seen[match_port(joined, seen, "--in")] if joined else None
    ports = [InputPort(0, f"{name} in", main)]
    opened: dict[str | None, str] = {main: f"--in {joined}"}
    for index, (wanted, part) in enumerate(also_in.items(), 1):
        full = seen[match_port(wanted, seen, "--also-in")]
        if full not in opened:
            opened[full] = f"--also-in {wanted}"
            ports.append(InputPort(index, f"{name} keyboard {index}", full))
        elif part:
            raise PortError(f"--also-in {wanted}={part}: {full!r} is open by {opened[full]} already; name it once")
    index = 1 + len(also_in)
    for full in keyboards:
        if full not in opened:
            ports.append(InputPort(index, f"{name} keyboard {index}", full))
            index += 1
    return ports


def output_ports(
    name: str, seen: Sequence[str], joined: str | None, synths: Sequence[str], greeting: tuple[bytes, ...], *,
    part_ports: bool,
) -> list[OutputPort]:  # fmt: skip
    """Plan the outputs: the main one, the synths, and where asked for one for each part.

    Args:
        name: the instance's.
        seen: every port that can be played to.
        joined: part of the name of the port to join as the main output; None: a virtual one.
        synths: more, by full name, or by part of one that is about to appear.
        greeting: sent to each of ``synths`` when it is joined.
        part_ports: make a virtual port for each part.

    Raises:
        PortError: ``joined`` matches no port or several.
    """
    main = seen[match_port(joined, seen, "--out")] if joined else None
    ports = [OutputPort(0, f"{name} out", main)]
    for full in synths:
        if full != main:
            appears = full not in seen
            ports.append(OutputPort(len(ports), f"{name} synth {len(ports)}", full, greeting, by_part=appears))
    for part in PORT_CHANNELS if part_ports else ():
        ports.append(OutputPort(len(ports), f"{name} {part}", None))
    return ports


def without_virtual(
    seen_in: Sequence[str], seen_out: Sequence[str], joined_in: str | None, joined_out: str | None
) -> tuple[str, str]:
    """Give the full names of what to join as main input and output where there are no virtual ports.

    Args:
        seen_in: every port that can be heard.
        seen_out: every port that can be played to.
        joined_in: part of the name of the input asked for; None: a loopback.
        joined_out: likewise of the output.

    Raises:
        PortError: a name matches no port or several.
        NoMidiSystem: there is no loopback.
    """
    return choose(
        seen_in, seen_out,
        seen_in[match_port(joined_in, seen_in, "--in")] if joined_in else None,
        seen_out[match_port(joined_out, seen_out, "--out")] if joined_out else None,
    )  # fmt: skip


def routes(outputs: Sequence[OutputPort]) -> Routes:
    """Give where messages go."""
    channels = (status & 0x0F if status < _SYSTEM else None for status in range(_STATUSES))
    return tuple(
        tuple(output for output in outputs if channel_of(output.name) in (None, channel)) for channel in channels
    )
