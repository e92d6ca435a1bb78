"""``python -m antiphon.bridges.ardour``: make a routed session, or print the script that routes one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from antiphon.bridges.ardour.action import ACTION
from antiphon.bridges.ardour.session import SAMPLE_RATE, create_session
from antiphon.bridges.ardour.shell import ArdourError

_MISTAKE = 2


def main(argv: list[str] | None = None) -> int:
    """Run it and give the exit status: 2 for what the user can mend, told in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m antiphon.bridges.ardour",
        description="Make an Ardour session that is routed to Antiphon and back.",
    )
    parser.add_argument(
        "--dir", type=Path, default=Path(), metavar="DIR", help="folder for the session (default: here)"
    )
    parser.add_argument("--name", default="Antiphon", help="the session's name (default Antiphon)")
    parser.add_argument("--rate", type=int, default=SAMPLE_RATE, metavar="HZ", help=f"(default {SAMPLE_RATE})")
    parser.add_argument("--action", action="store_true",
                        help="only print the Lua script `Connect Antiphon`, for Ardour's script folder")  # fmt: skip
    args = parser.parse_args(argv)
    if args.action:
        print(ACTION, end="")
        return 0
    try:
        file = create_session(args.dir.expanduser(), args.name, sample_rate=args.rate)
    except (ArdourError, OSError) as error:
        print(f"antiphon: {error}", file=sys.stderr)
        return _MISTAKE
    print(f"made {file}; with `antiphon jam` running, open it: ardour {file.parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
