"""``antiphon bench``: this machine's own table of figures."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.daemon.commands.parser import Parser, UsageError
from antiphon.daemon.errors import TakeError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Long enough for a p99 to mean something, short enough to wait for; and just long enough to see each figure.
_DEFAULT_S, _QUICK_S = 15.0, 3.0
_LEAST_S, _MOST_S = 1.0, 3600.0


def main(argv: list[str]) -> int:
    """Measure, and print the table; 1 when something that could be measured failed."""
    # numpy and rtmidi come with these
    from antiphon.daemon.bench.suite import MEASUREMENTS  # noqa: PLC0415

    return _measure(_read(argv, tuple(MEASUREMENTS)))


def _read(argv: list[str], names: tuple[str, ...]) -> argparse.Namespace:
    parser = Parser(
        "bench", "Measure this machine: real sessions on its MIDI system, or on a JACK server started for it.",
        epilog="Measurements: " + ", ".join(names) + ". Your takes and settings are not touched.",
    )  # fmt: skip
    parser.add_argument("--only", metavar="NAME,...", help="only some of the measurements (default all)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, default=_DEFAULT_S, metavar="S",
                        help=f"how long each takes, {_LEAST_S:g} to {_MOST_S:g} (default {_DEFAULT_S:g})")  # fmt: skip
    length.add_argument("--quick", action="store_const", dest="seconds", const=_QUICK_S,
                        help=f"{_QUICK_S:g} s each: the figures, with wide intervals")  # fmt: skip
    parser.add_argument("--api", default="auto", metavar="NAME", help="MIDI system: auto, alsa, jack, coremidi")
    parser.add_argument("--model", default="antiphon", metavar="NAME|DIR", help="the model that plays")
    parser.add_argument("--notochord", metavar="DIR", help="folder that notochord is installed in, to set it beside")
    parser.add_argument("--impsy", metavar="DIR", help="folder that impsy is installed in, to set it beside")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there as well (- for only that)")
    args = parser.parse_args(argv)
    if not _LEAST_S <= args.seconds <= _MOST_S:
        raise UsageError(f"--seconds: {args.seconds:g} is not allowed; give {_LEAST_S:g} to {_MOST_S:g}")
    args.names = names if args.only is None else tuple(args.only.split(","))
    if unknown := [name for name in args.names if name not in names]:
        raise UsageError(f"--only: there is no measurement {unknown[0]!r}; give some of {', '.join(names)}")
    for name in ("notochord", "impsy"):
        folder = getattr(args, name)
        if folder is not None and not Path(folder).is_dir():
            raise UsageError(f"--{name}: {folder!r} is no folder; give the one that pip's --target named")
    return args


def _measure(args: argparse.Namespace) -> int:
    import tempfile  # noqa: PLC0415

    from antiphon.daemon.bench.host import HostWatch  # noqa: PLC0415
    from antiphon.daemon.bench.place import Place  # noqa: PLC0415
    from antiphon.daemon.bench.suite import machine, run  # noqa: PLC0415
    from antiphon.daemon.bench.table import as_json, markdown  # noqa: PLC0415
    from antiphon.models.model_files import find_model  # noqa: PLC0415

    find_model(args.model)  # raises now, not after a minute
    model = str(Path(args.model).resolve()) if Path(args.model).is_dir() else args.model
    sys.path.extend(folder for folder in (args.notochord, args.impsy) if folder)  # last: nothing of ours is replaced
    with (
        _midi(args.api) as (api, title),
        tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder,
        HostWatch() as host,
    ):
        place = Place(Path(folder), api, model, args.seconds)
        rows = list(run(args.names, place, _say))
    told = machine(place, title, host.stolen)
    only_json = args.json is not None and str(args.json) == "-"
    print(as_json(rows, told) if only_json else markdown(rows, told))
    if args.json is not None and not only_json:
        _write(args.json, as_json(rows, told) + "\n")
    return 1 if any(row.failed for row in rows) else 0


@contextlib.contextmanager
def _midi(wanted: str) -> Iterator[tuple[str | None, str]]:
    """Give a MIDI system that answers, or one started for this, or None; and what it is.

    Raises:
        PortError: one was asked for by name and is not there: another's table is not what was wanted.
    """
    from antiphon.daemon.bench import own_jack  # noqa: PLC0415
    from antiphon.daemon.player.midi_system import choose_api, title  # noqa: PLC0415
    from antiphon.daemon.player.ports import NoMidiSystem  # noqa: PLC0415

    try:
        api = choose_api(wanted)
    except NoMidiSystem as error:
        if wanted in ("auto", "jack") and own_jack.can_start():
            with own_jack.running() as what:
                _say(f"no MIDI system runs: measured on {what}")
                yield "jack", what
        elif wanted == "auto":
            _say(f"{error}. Measured is what needs no ports")
            yield None, "none"
        else:
            raise
    else:
        yield api, title(api)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TakeError(f"--json: cannot write {path} ({error.strerror}); give another file") from error


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
