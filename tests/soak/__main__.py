"""Hours on a stage in minutes, with everything that goes wrong there: exit status 1 where anything does not hold.

``python -m tests.soak [--minutes M] [--seed S] [--faults NAMES] [--music DIR] [--out DIR]``
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from pathlib import Path

from tests.host import HostWatch, told
from tests.jack_rig import JackServer, in_environment, realtime_allowed
from tests.soak.run import soak
from tests.soak.schedule import FAULTS, SHORTEST_S


def main(argv: list[str]) -> int:
    """Soak, and print the reckoning."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help=f"how long, {SHORTEST_S / 60:g} at least (10)")
    parser.add_argument("--seed", type=int, default=1, help="of what is played and what goes wrong (1)")
    parser.add_argument("--music", type=Path, help="a folder of MIDI files to play from (the performance that ships)")
    parser.add_argument(
        "--out", type=Path, help="a folder for session, wire log and table (otherwise they are deleted)"
    )
    parser.add_argument("--faults", help="names of faults, with commas between: only these (then any length will do)")
    args = parser.parse_args(argv)
    faults = tuple(FAULTS) if args.faults is None else tuple(name.strip() for name in args.faults.split(","))
    if not set(faults) <= FAULTS.keys():
        parser.error(f"--faults: {args.faults} is not allowed; give some of: {', '.join(FAULTS)}")
    if args.faults is None and 60 * args.minutes < SHORTEST_S:
        parser.error(f"--minutes: {args.minutes:g} is not allowed; give {SHORTEST_S / 60:g} or more")
    # synchronous: JACK loses nothing where it keeps up, so that what is missing at the end is Antiphon's loss
    server = JackServer(f"antiphon-soak{os.getpid()}", synchronous=True, realtime=realtime_allowed())
    with contextlib.ExitStack() as stack:
        host = HostWatch()
        stack.enter_context(server)
        stack.enter_context(in_environment(server.environment))
        folder = args.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            parser.error(f"--out: {folder} is not empty; name another folder")
        with host:
            found = soak(folder, 60 * args.minutes, args.seed, lambda line: print(line, file=sys.stderr, flush=True),
                         args.music, faults)  # fmt: skip
    print(f"{args.minutes:g} minutes, seed {args.seed}, {told(host.stolen)}")
    print(found.text())
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
