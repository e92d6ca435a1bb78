"""Idle cost, memory and start-up. ``python -m tests.bench.idle [SECONDS]``."""

from __future__ import annotations

import sys
from statistics import median

from antiphon.daemon.bench.standing import idle, start

from tests.bench.stage import jack


def main(argv: list[str]) -> int:
    """Print start-up times, processor share over three runs with nothing played, and memory."""
    seconds = float(argv[0]) if argv else 30.0
    with jack(seconds=3 * seconds) as place:
        start(place)
        warm = start(place)  # the second start is the warm one
        found = idle(place)
    print(
        f"second start: ports joined by another client after {warm.open_s:.2f} s, "
        f"first generated note after {warm.note_s:.2f} s"
    )
    told = ", ".join(f"{share:.2%}" for share in found.idle)
    print(f"idle, {len(found.idle)} runs of {seconds:g} s: {told} of a core; median {median(found.idle):.2%}")
    print(
        f"resident: player {found.player_mb:.0f} MB, brain {found.brain_mb:.0f} MB, "
        f"together {found.player_mb + found.brain_mb:.0f} MB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
