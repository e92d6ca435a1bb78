"""``antiphon calibrate``: how long the way out and back in is, and the offset that makes up for it, or a part's."""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from antiphon.daemon.calibration import LONGEST_NS, PROBES, Calibration, estimate, with_part_offset, with_setting
from antiphon.daemon.commands.flags import add_options, read_config
from antiphon.daemon.commands.parser import Parser, UsageError
from antiphon.daemon.config import Config, default_path
from antiphon.daemon.errors import ConfigError, PortError
from antiphon.daemon.options import option
from antiphon.daemon.settings import PARTS
from antiphon.models.parts import OUTPUT_CHANNEL, Part

_COUNT, _FEWEST, _MOST = 64, 10, 10_000
_WAIT_S = 60.0
_VELOCITY = 40
#: Between two notes: never a multiple of a driver's period for long.
_LEAST_S, _MOST_S = 0.02, 0.04
#: While nothing comes back yet, a note is tried this often.
_TRY_S = 0.25
_NOTE_OFF, _NOTE_ON = 0x80, 0x90


def main(argv: list[str]) -> int:
    """Measure, print, and write the setting down where that was asked for."""
    args, config = _read(argv)
    part: str | None = args.part
    found = _measure(config, args.notes, args.wait, part)
    offset_ms = found.offset_ms
    if part is not None:  # it comes on top of what holds for all
        offset_ms = round(offset_ms - config.settings.offset, 1)
        option("part_offsets").check({part: offset_ms})
    path = (args.config or default_path()) if args.write else None
    if path is not None:
        _write(path, part, offset_ms)
    if args.json:
        print(json.dumps({**asdict(found), **({"part": part} if part else {}), "offset_ms": offset_ms}, indent=2))
        return 0
    print(
        f"out and back in: {found.median_ms:.2f} ms median, {found.p95_ms:.2f} ms p95, "
        f"spread {found.spread_ms:.2f} ms ({_became(found)})"
    )
    if part is None:
        print(f"the setting to use: offset = {offset_ms:g}  (--offset {offset_ms:g}, or /antiphon/offset)")
    else:
        print(f"the option to use: part_offsets = '{part}={offset_ms:g}'  (--part-offsets {part}={offset_ms:g}), "
              f"beside offset = {config.settings.offset:g}")  # fmt: skip
    print(f"written into {path}" if path else "nothing was written; --write puts it into your antiphon.toml")
    return 0


def _read(argv: list[str]) -> tuple[argparse.Namespace, Config]:
    parser = Parser(
        "calibrate", "Measure how long a note takes from the output to the input, over a cable or a routing of yours.",
        epilog="Join the output to the input first: a MIDI cable, a DAW's track, or your patchbay. "
        "Without --out and --in, Antiphon's own ports are made and waited for to be joined (with --part: that part's).",
    )  # fmt: skip
    parser.add_argument("--part", choices=PARTS, metavar="PART", help="measure this part's port: " + ", ".join(PARTS))
    parser.add_argument("--notes", type=int, default=_COUNT, metavar="N",
                        help=f"how many are sent, {_FEWEST} to {_MOST} (default {_COUNT})")  # fmt: skip
    parser.add_argument("--wait", type=float, default=_WAIT_S, metavar="S",
                        help=f"how long to wait for the first to come back (default {_WAIT_S:g})")  # fmt: skip
    parser.add_argument("--write", action="store_true", help="write it into antiphon.toml (or --config's file)")
    parser.add_argument("--json", action="store_true", help="the figures, as JSON")
    add_options(parser, ("api", "in", "out"))
    args = parser.parse_args(argv)
    if not _FEWEST <= args.notes <= _MOST:
        raise UsageError(f"--notes: {args.notes} is not allowed; give {_FEWEST} to {_MOST}")
    if not args.wait > 0:
        raise UsageError(f"--wait: {args.wait:g} is not allowed; give more than 0 seconds")
    return args, read_config(args)


def _measure(config: Config, count: int, wait_s: float, part: str | None) -> Calibration:
    # rtmidi comes with these
    from antiphon.daemon.player.priority import prompt, take_fifo  # noqa: PLC0415
    from antiphon.daemon.player.rtmidi_ports import RtMidiPorts  # noqa: PLC0415

    heard: list[tuple[int, int]] = []
    arrived = threading.Event()

    def on_message(t_ns: int, _port: int, message: bytes) -> None:
        """Keep what begins. Runs in the driver's thread."""
        if message[0] & 0xF0 == _NOTE_ON and message[2]:
            heard.append((t_ns, message[1]))
            arrived.set()

    options = config.options
    channel = OUTPUT_CHANNEL[Part[part.upper()]] if part else 0
    own_port = part is not None and options["out"] is None
    # the ports and the priority that the player has, so that what is measured is its way
    with (
        RtMidiPorts(
            api=options["api"], joined_in=options["in"], joined_out=options["out"], part_ports=own_port
        ) as ports,
        prompt(),
    ):  # fmt: skip
        ports.open(on_message, lambda: None)
        take_fifo()
        names = ports.names
        to = next(name for name in names.outputs if not own_port or name.endswith(f" {part}"))
        back = names.inputs[0]

        def send(message: bytes) -> None:
            ports.send(bytes((message[0] | channel, *message[1:])))

        print(f"{names.api}: out {to}; in {back}", file=sys.stderr, flush=True)
        _await_loop(send, arrived, wait_s, f"{to!r} to {back!r}")
        heard.clear()
        return estimate(_send(send, count), heard)


def _await_loop(send: Callable[[bytes], None], arrived: threading.Event, wait_s: float, way: str) -> None:
    """Try a note until one comes back.

    Raises:
        PortError: none did.
    """
    until, told = time.monotonic() + wait_s, False
    while time.monotonic() < until:
        _strike(send, PROBES[0])
        came = arrived.wait(_TRY_S)
        send(bytes((_NOTE_OFF, PROBES[0], 0)))
        if came:
            time.sleep(LONGEST_NS / 1e9)  # what else is on its way arrives before it counts
            return
        if not told:
            print(f"waiting for {way} to be joined", file=sys.stderr, flush=True)
            told = True
    raise PortError(f"no note came back from {way} within {wait_s:g} s; join them, or give others with --out and --in")


def _send(send: Callable[[bytes], None], count: int) -> list[tuple[int, int]]:
    """Send the notes, and give when each began."""
    pace = random.Random(0)
    sent = []
    for number in range(count):
        pitch = PROBES[number % len(PROBES)]
        sent.append((_strike(send, pitch), pitch))
        time.sleep(pace.uniform(_LEAST_S, _MOST_S) / 2)
        send(bytes((_NOTE_OFF, pitch, 0)))
        time.sleep(pace.uniform(_LEAST_S, _MOST_S) / 2)
    time.sleep(LONGEST_NS / 1e9)
    return sent


def _strike(send: Callable[[bytes], None], pitch: int) -> int:
    t_ns = time.perf_counter_ns()
    send(bytes((_NOTE_ON, pitch, _VELOCITY)))
    return t_ns


def _write(path: Path, part: str | None, offset_ms: float) -> None:
    """Put the offset into a configuration file. Raises: ConfigError: it cannot be read, changed or written."""
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        changed = with_part_offset(text, part, offset_ms) if part else with_setting(text, "offset", offset_ms)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")  # a full disk must not cost what is there
        fresh.write_text(changed, encoding="utf-8")
        fresh.replace(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"config: cannot write {path} ({error}); give another with --config, or leave --write"
        ) from None


def _became(found: Calibration) -> str:
    told = f"{found.sent} notes, {found.lost or 'none'} lost"
    return told + (f", {found.twice} came back twice: the output reaches the input two ways" if found.twice else "")
