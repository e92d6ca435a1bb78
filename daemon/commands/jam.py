"""``antiphon jam``: this process, or a fork of it, becomes the player: nothing heavy is imported before the ports."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.daemon.brain.osc_socket import bind_osc, parse_osc_address
from antiphon.daemon.commands.flags import add_options, add_settings, flag, read_config
from antiphon.daemon.commands.outcome import INTERRUPTED, outcome
from antiphon.daemon.commands.parser import Parser, UsageError
from antiphon.daemon.commands.session_end import anything_played, discard, leave_take, of_kind
from antiphon.daemon.commands.session_start import new_session, recover_aside
from antiphon.daemon.commands.which_take import folder_of
from antiphon.daemon.config import Config
from antiphon.daemon.errors import ConfigError, PortError
from antiphon.daemon.messages import Kind
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.settings import CLOCKS
from antiphon.models.model_files import find_model

if TYPE_CHECKING:
    from antiphon.daemon.player.lives import Life

#: There is no MIDI system; told apart from other mistakes, so that a script may do without.
NO_MIDI = 3
_NS_PER_MS = 1_000_000
_PORTS_AGAIN_S = 0.5
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
        _say(f"{error}. Without ports, {performer.name} plays the performer, in real time", config)
    return _play(config, performer, ports=ports)


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
        _say(f"--fast opens no ports: {', '.join(unused)} {'is' if len(unused) == 1 else 'are'} not used", config)


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


def _play(config: Config, performer: Path | None, *, ports: bool) -> int:
    from antiphon.daemon.player.lives import can_outlive, outlive  # noqa: PLC0415

    recovering = recover_aside(folder_of(config))
    session = new_session(config, performer, t0_ns=time.perf_counter_ns())
    live = partial(_live, config, performer, session, ports=ports)
    try:
        if performer is None and can_outlive():
            code = outlive(partial(_outlived, live, session, config), _warn)
        else:  # a performance from a file cannot be gone on with where it was
            code = live()
    except BaseException:  # Ctrl-C while the ports open too
        if not anything_played(session):
            discard(session)
        raise
    finally:
        if recovering is not None:
            recovering.wait()
    return _leave(config, performer, session, code)


def _outlived(live: Callable[..., int], session: SessionFolder, config: Config, life: Life) -> int:
    """Play in a process of its own; see to the take where whoever waited for this process is gone."""
    code = outcome(partial(_waiting_for_ports, partial(live, life=life), life))
    return outcome(partial(_leave, config, None, session, code)) if life.is_orphan else code


def _waiting_for_ports(live: Callable[..., int], life: Life) -> int:
    """Play; whoever plays in a dead one's place waits for what took the ports away, and does not end the session."""
    again = False
    while True:
        try:
            return live(again=again)
        except PortError as error:
            if life.number == 1:
                raise
            if not again:
                _warn(f"{error}; the player waits for it")
            again = True
        if life.is_orphan:
            return INTERRUPTED
        time.sleep(_PORTS_AGAIN_S)


def _live(
    config: Config, performer: Path | None, session: SessionFolder, *, ports: bool, life: Life | None = None,
    again: bool = False,
) -> int:  # fmt: skip
    """Be the player until it ends; give the exit status. ``again``: what there is to tell of the ports was told."""
    from antiphon.daemon.player.config import longest_tail_s  # noqa: PLC0415
    from antiphon.daemon.player.process import PlayerConfig, run_player  # noqa: PLC0415

    settings, options = config.settings, config.options
    player = PlayerConfig(
        session=session.path, api=options["api"], joined_in=options["in"], joined_out=options["out"],
        also_in=options["also_in"] or {}, part_ports=options["part_ports"], connect=options["connect"],
        synth=options["synth"], ports=ports, performer=performer,
        longest_tail_s=longest_tail_s(settings.mode),
        thru_channel=settings.thru_channel - 1 if settings.thru else None,
        offset_ns=round(settings.offset * _NS_PER_MS), part_offsets=options["part_offsets"] or {}, life=life,
        tell=(lambda _line: None) if again else lambda line: _say(line, config),
    )  # fmt: skip
    result = run_player(player)
    if not result.exit_code or anything_played(session):
        sent, dropped = result.sent, result.dropped
        if life and life.number > 1:  # with what the players before have sent
            sent, dropped = of_kind(session, Kind.SENT), of_kind(session, Kind.DROPPED)
        _say(f"sent {sent} notes, dropped {dropped} as too late", config)
        if result.unwritten:
            why = "there was no room for them (a full disk, or a machine too busy to make any)"
            _warn(f"{result.unwritten} events were not recorded: {why}")
    return result.exit_code


def _leave(config: Config, performer: Path | None, session: SessionFolder, code: int) -> int:
    """Make the take of what was played, if anything was; give the exit status."""
    if code and not anything_played(session):
        discard(session)
        return code
    render = config.options["render"]
    leave_take(session, render=render if render is not None else performer is not None)
    return code


def _bundled() -> Path:
    from antiphon.models.bundled import bundled_performance  # noqa: PLC0415

    return Path(str(bundled_performance()))


def _warn(line: str) -> None:
    print(f"antiphon: {line}", file=sys.stderr, flush=True)


def _say(line: str, config: Config) -> None:
    if not config.options["quiet"]:
        print(line, file=sys.stderr, flush=True)
