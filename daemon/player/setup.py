"""Makes the ports that a configuration asks for, and says what to connect. Before anything is in real time."""

from __future__ import annotations

from antiphon.daemon.errors import PortError
from antiphon.daemon.player.config import PlayerConfig
from antiphon.daemon.player.file_ports import FilePorts
from antiphon.daemon.player.loopbacks import choose, chosen_line
from antiphon.daemon.player.midi_system import SeenPorts, list_ports
from antiphon.daemon.player.ports import NoMidiSystem, PortNames, Ports
from antiphon.daemon.player.rtmidi_ports import RtMidiPorts
from antiphon.daemon.player.synth import SYNTH_NAME, Synth, programs

_NO_SYNTH = (
    "--synth: Windows gives fluidsynth no port that Antiphon could find; play to Windows' own synth with --connect"
)


def make_ports(config: PlayerConfig) -> tuple[Ports, Synth | None]:
    """Make the ports, unopened, and the synth that belongs to them.

    With a performer from a file the real ports are a bonus: without a MIDI system it plays on, and says so.

    Raises:
        PortError: no MIDI system, no such port.
        MidiFileError: the performer's file.
    """
    real, synth = None, None
    if config.ports:
        try:
            real, synth = _real_ports(config)
        except NoMidiSystem as error:
            if config.performer is None:
                raise
            config.tell(f"{error}: the performance plays unheard")
    if config.performer is not None:
        try:
            return FilePorts(config.performer, real), synth
        except BaseException:
            if synth is not None:
                synth.close()
            raise
    if real is None:
        raise PortError("nothing to play from: open ports, or give a performer's file")
    return real, synth


def _real_ports(config: PlayerConfig) -> tuple[RtMidiPorts, Synth | None]:
    seen = list_ports(config.api)
    keyboards = seen.keyboards if config.connect else ()
    synths = seen.synths if config.connect else ()
    synth = None
    if config.synth and seen.api == "windows":
        config.tell(_NO_SYNTH)
    elif config.synth:
        try:
            synth = Synth(seen.api)
        except PortError as error:
            config.tell(str(error))
    for line in advice(config, seen):
        config.tell(line)
    ports = RtMidiPorts(
        api=seen.api, joined_in=config.joined_in, joined_out=config.joined_out, also_in=config.also_in,
        part_ports=config.part_ports, keyboards=keyboards, synths=synths,
        awaited=SYNTH_NAME if synth else None, greeting=programs(), instance=config.life.instance if config.life else 1,
    )  # fmt: skip
    return ports, synth


def advice(config: PlayerConfig, seen: SeenPorts) -> list[str]:
    """Say what is plugged in and what to do so that the first run is not silence. Pure.

    Raises:
        NoMidiSystem: there are no virtual ports, and nothing in their place.
    """
    if seen.api == "windows":
        return _advice_without_virtual_ports(config, seen)
    lines = []
    if config.joined_in is None:
        if seen.keyboards:
            names = ", ".join(seen.keyboards)
            lines.append(f"connected keyboards: {names}" if config.connect
                         else f"keyboards seen: {names}; connect them with --connect")  # fmt: skip
        else:
            lines.append("no keyboard seen: route your DAW's or keyboard's output to 'Antiphon in'")
    if config.joined_out is None and not config.synth:
        if seen.synths:
            names = ", ".join(seen.synths)
            lines.append(f"connected synths: {names}" if config.connect
                         else f"synths seen: {names}; connect them with --connect")  # fmt: skip
        else:
            lines.append("no synth seen: route 'Antiphon out' to your DAW, or hear it with --synth")
    return lines


def _advice_without_virtual_ports(config: PlayerConfig, seen: SeenPorts) -> list[str]:
    if config.joined_in is None and config.joined_out is None:
        return [chosen_line(*choose(seen.inputs, seen.outputs))]
    return []  # the other one is chosen beside it, and told when it is open


def opened_line(names: PortNames) -> str:
    """Say which ports are open."""
    inputs, outputs = ", ".join(names.inputs) or "none", ", ".join(names.outputs) or "none"
    return f"ports open ({names.api}): in {inputs}; out {outputs}"
