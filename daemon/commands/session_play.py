"""One session from its folder to its take: this process, or a fork of it, becomes the player."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.daemon.commands.outcome import INTERRUPTED, outcome
from antiphon.daemon.commands.session_end import anything_played, discard, leave_take, of_kind
from antiphon.daemon.commands.session_start import new_session, recover_aside
from antiphon.daemon.commands.which_take import folder_of
from antiphon.daemon.config import Config
from antiphon.daemon.errors import PortError
from antiphon.daemon.messages import Kind
from antiphon.daemon.session import SessionFolder

if TYPE_CHECKING:
    from antiphon.daemon.player.lives import Life

_NS_PER_MS = 1_000_000
_PORTS_AGAIN_S = 0.5


def play_session(config: Config, performer: Path | None, *, ports: bool) -> int:
    """Play one session to its end, through however many players it takes, and leave its take; give the exit status.

    Args:
        config: what was asked for.
        performer: a MIDI file that plays the performer; None: someone plays.
        ports: open real ports.
    """
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
        tell=(lambda _line: None) if again else lambda line: say(line, config),
    )  # fmt: skip
    result = run_player(player)
    if not result.exit_code or anything_played(session):
        sent, dropped = result.sent, result.dropped
        if life and life.number > 1:  # with what the players before have sent
            sent, dropped = of_kind(session, Kind.SENT), of_kind(session, Kind.DROPPED)
        say(f"sent {sent} notes, dropped {dropped} as too late", config)
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


def say(line: str, config: Config) -> None:
    """Tell the user, unless it is to be quiet."""
    if not config.options["quiet"]:
        print(line, file=sys.stderr, flush=True)


def _warn(line: str) -> None:
    print(f"antiphon: {line}", file=sys.stderr, flush=True)
