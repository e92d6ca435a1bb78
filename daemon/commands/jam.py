"""``antiphon jam``: what is asked for, and whether it can be had. Nothing heavy is imported before ports are open."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from antiphon.daemon.brain.osc_socket import bind_osc, parse_osc_address
from antiphon.daemon.commands.flags import add_options, add_settings, flag, read_config
from antiphon.daemon.commands.parser import Parser, UsageError
from antiphon.daemon.commands.session_play import play_session, say
from antiphon.daemon.config import Config
from antiphon.daemon.errors import ConfigError
from antiphon.daemon.settings import CLOCKS
from antiphon.models.model_files import find_model

#: There is no MIDI system; told apart from other mistakes, so that a script may do without.
NO_MIDI = 3
#: Clocks that somebody else keeps, in real time.
_LIVE_CLOCKS = ("link", "jack")
#: Options that are about ports alone.
_PORT_OPTIONS = ("in", "out", "also_in", "part_ports", "connect", "synth")


def main(argv: list[str]) -> int:
    """Play one session, and leave its take."""
    config, performer, fast, or_bundled = _read(argv)
    _check(config)
    if fast:
        assert performer is not None
        from antiphon.daemon.commands.fast import play_fast  # noqa: PLC0415  the brain, in this process

        return play_fast(config, performer)
    # rtmidi comes with these two
    from antiphon.daemon.player.midi_system import choose_api  # noqa: PLC0415
    from antiphon.daemon.player.ports import NoMidiSystem  # noqa: PLC0415

    ports = True
    try:
        choose_api(config.options["api"])
    except NoMidiSystem as error:
        ports = False
        if performer is None and not or_bundled:
            print(f"antiphon: {error}", file=sys.stderr)
            return NO_MIDI
        performer = performer or _bundled()
        say(f"{error}. Without ports, {performer.name} plays the performer, in real time", config)
    return play_session(config, performer, ports=ports)


def _read(argv: list[str]) -> tuple[Config, Path | None, bool, bool]:
    parser = Parser("jam", "Open the MIDI ports, listen, and play.")
    group = parser.add_argument_group("a file for a performer")
    group.add_argument("--performer", type=Path, metavar="FILE.mid", help="a MIDI file that plays your side")
    group.add_argument("--fast", action="store_true", help="with --performer: no ports, as fast as it goes")
    group.add_argument("--or-bundled", action="store_true",
                       help="where there is no MIDI system, play the performance that comes with it")  # fmt: skip
    add_options(parser)
    add_settings(parser)
    args: argparse.Namespace = parser.parse_args(argv)
    if args.fast and args.performer is None:
        raise UsageError("--fast needs a performance: give --performer FILE.mid with it")
    if args.performer is not None and not args.performer.is_file():
        raise UsageError(f"--performer: {_what_it_is(args.performer)}; give a MIDI file")
    config = read_config(args)
    if args.fast:
        _check_fast(args, config)
    return config, args.performer, args.fast, args.or_bundled


def _what_it_is(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder"
    return f"{path} is no plain file" if path.exists() else f"there is no file {path}"


def _check_fast(args: argparse.Namespace, config: Config) -> None:
    """Refuse a clock that there is none of without real time; say which flags do nothing without ports."""
    clock = config.settings.clock
    if clock in _LIVE_CLOCKS:
        others = [name for name in CLOCKS if name not in _LIVE_CLOCKS]
        raise UsageError(
            f"--fast has no clock {clock!r} to follow; give --clock {', '.join(others[:-1])} or {others[-1]}"
        )
    unused = [flag(name) for name in _PORT_OPTIONS if getattr(args, f"option_{name}")]
    if unused:
        say(f"--fast opens no ports: {', '.join(unused)} {'is' if len(unused) == 1 else 'are'} not used", config)


def _check(config: Config) -> None:
    """Tell what would go wrong in the brain now, while nothing is open.

    Raises:
        ConfigError: the lowest pitch is above the highest.
        ModelError: the model is not there or not whole.
        ControlError: the UDP port that was asked for is in use. Of the default port the brain says so.
    """
    low, high = config.settings.low, config.settings.high
    if low > high:
        raise ConfigError(
            f"low, high: {low} and {high} are not allowed together; give a low of {high} or below, or a high of {low} "
            "or above (MIDI pitch)"
        )
    find_model(config.options["model"])
    address = parse_osc_address(config.options["osc"])
    if address is not None and "osc" in config.given:
        bind_osc(*address).close()


def _bundled() -> Path:
    from antiphon.models.bundled import bundled_performance  # noqa: PLC0415

    return Path(str(bundled_performance()))
