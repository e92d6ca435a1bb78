"""``antiphon ports``."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.daemon.commands.flags import add_options, read_config
from antiphon.daemon.commands.parser import Parser
from antiphon.daemon.player.ports import NoMidiSystem


def main(argv: list[str]) -> int:
    """List the ports of other programs and devices."""
    parser = Parser("ports", "List the MIDI ports that Antiphon can hear and play to.")
    add_options(parser, ("api",))
    api = read_config(parser.parse_args(argv)).options["api"]
    from antiphon.daemon.player.midi_system import list_ports, title  # noqa: PLC0415  opens the MIDI system

    seen = list_ports(api)
    print(title(seen.api))
    _list("to hear (--in NAME)", seen.inputs, seen.keyboards, "keyboard")
    _list("to play to (--out NAME)", seen.outputs, seen.synths, "synth")
    if seen.own:
        _list("Antiphon's own, now", seen.own, (), "")
    return 0


def systems() -> list[str]:
    """Tell of each MIDI system that can be built into rtmidi whether it answers; at least one does.

    Raises:
        NoMidiSystem: none does.
    """
    from antiphon.daemon.player.midi_system import APIS, choose_api, title  # noqa: PLC0415

    first = choose_api("auto")
    told = [f"{title(first)} answers"]
    for api in APIS[1:]:
        if api != first:
            try:
                choose_api(api)
            except NoMidiSystem:
                continue
            told.append(f"{title(api)} answers too (--api {api})")
    return told


def _list(head: str, names: Sequence[str], instruments: Sequence[str], what: str) -> None:
    print(f"  {head}:")
    for name in names:
        print(f"    {name}{f'  [{what}]' if name in instruments else ''}")
    if not names:
        print("    none")
