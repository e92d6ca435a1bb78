"""``antiphon replay``."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator

from antiphon.daemon.commands.flags import add_options, read_config
from antiphon.daemon.commands.parser import Parser
from antiphon.daemon.commands.which_take import TAKE_HELP, find_midi, find_session, folder_of
from antiphon.daemon.config import Config
from antiphon.daemon.errors import PortError

#: Two periods of the slowest usual JACK: what was sent is on the wire by then.
_FLUSH_S = 0.1
_SYNTH_S = 10.0
_LOOK_S = 0.05


def main(argv: list[str]) -> int:
    """Play a take again, or make its notes again and compare."""
    parser = Parser("replay", "Play a take again out of a MIDI port, or let the model make it again.")
    parser.add_argument("take", metavar="TAKE", help=TAKE_HELP)
    parser.add_argument("--regenerate", action="store_true",
                        help="let the model make its notes again from what it heard, and compare")  # fmt: skip
    parser.add_argument("--only", choices=("performer", "antiphon"), help="play one side alone")
    add_options(parser, ("takes", "api", "out", "synth", "model", "provider"))
    args = parser.parse_args(argv)
    config = read_config(args)
    return _regenerate(args, config) if args.regenerate else _play(args, config)


def _regenerate(args: argparse.Namespace, config: Config) -> int:
    session = find_session(args.take, folder_of(config))
    facts = session.read_session()
    model, provider = (
        config.options[name] if name in config.given else str(facts.get(name, config.options[name]))
        for name in ("model", "provider")
    )
    from antiphon.daemon.replay import regenerate  # noqa: PLC0415
    from antiphon.models.load import load_generator  # noqa: PLC0415  a third of a second

    made = regenerate(session, load_generator(model, provider), lambda name: load_generator(name, provider))
    differing = len(made.differing)
    if differing:
        print(f"{differing} of {len(made.sent)} notes that were played were not made again equal")
        return 1
    print(f"all {len(made.sent)} notes that were played were made again, each equal")
    return 0


def _play(args: argparse.Namespace, config: Config) -> int:
    midi = find_midi(args.take, folder_of(config))
    from antiphon.daemon.playback import EVERYONE, RealTime, play_take  # noqa: PLC0415
    from antiphon.export.take_read import read_take  # noqa: PLC0415  imports mido

    take = read_take(midi)
    options = config.options
    with _output(options["api"], options["out"], synth=options["synth"]) as (name, send):
        minutes, seconds = divmod(round(take.length_s), 60)
        print(f"playing {midi} ({minutes}:{seconds:02}) to {name}", flush=True)
        play_take(take, send, RealTime(), EVERYONE if args.only is None else (args.only,), programs=options["synth"])
    return 0


@contextlib.contextmanager
def _output(api: str, wanted: str | None, *, synth: bool) -> Iterator[tuple[str, Callable[[bytes], None]]]:
    """Open one output: the synth's, the one wanted, or a virtual one. Gives its name and what sends."""
    from antiphon.daemon.player.midi_system import choose_api, match_port, new_output  # noqa: PLC0415
    from antiphon.daemon.player.synth import SYNTH_NAME, Synth  # noqa: PLC0415

    api = choose_api(api)
    with contextlib.ExitStack() as stack:
        if synth:
            stack.callback(Synth(api).close)
        client = new_output(api, "Antiphon replay")
        stack.callback(client.delete)
        if synth:
            wanted = SYNTH_NAME
            _await_port(client.get_ports, SYNTH_NAME)
        if wanted is None:
            name = "Antiphon out"
            client.open_virtual_port(name)
        else:
            ports = client.get_ports()
            place = match_port(wanted, ports, "--out")
            name = ports[place]
            client.open_port(place, "Antiphon replay")
        try:
            yield name, client.send_message
        finally:
            time.sleep(_FLUSH_S)


def _await_port(ports: Callable[[], list[str]], name: str) -> None:
    until = time.monotonic() + _SYNTH_S
    while not any(name in port for port in ports()):
        if time.monotonic() > until:
            raise PortError(
                f"--synth: fluidsynth opened no MIDI port within {_SYNTH_S:g} s; try it by hand, or give --out NAME"
            )
        time.sleep(_LOOK_S)
