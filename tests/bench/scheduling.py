"""How exactly planned notes leave while the brain works flat out. ``python -m tests.bench.scheduling [SECONDS]``."""

from __future__ import annotations

import sys

import numpy as np
from antiphon.daemon.bench.playing import scheduling

from tests.bench.stage import jack


def main(argv: list[str]) -> int:
    """Accompany a restless performer (each note makes the brain plan anew), and print the errors at the send call."""
    with jack(seconds=float(argv[0]) if argv else 60.0) as place:
        found = scheduling(place)
    print(f"brain at {found.load:.0%} of a core; dropped {found.dropped}")
    print("| | n | median ms | p95 | p99 | worst |\n| --- | --- | --- | --- | --- | --- |")
    for name, error in (("note-on", found.on_ms), ("note-off", found.off_ms)):
        figures = " | ".join(f"{np.percentile(error, q):.3f}" for q in (50, 95, 99, 100))
        print(f"| {name} | {len(error)} | {figures} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
