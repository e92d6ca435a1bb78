"""Reply latency of `follow` over a bare rtmidi echo, interleaved in one run. ``python -m tests.bench.follow [N]``."""

from __future__ import annotations

import sys

import numpy as np
from antiphon.daemon.bench.reply import measure

from tests.bench.stage import jack


def main(argv: list[str]) -> int:
    """Print the table."""
    with jack() as place:
        replies = measure(place, int(argv[0]) if argv else 2000)
    print("| | n | median ms | p95 | p99 |\n| --- | --- | --- | --- | --- |")
    both = (("echo", replies.echo), ("follow", replies.follow))
    for name, values in both:
        figures = " | ".join(f"{np.percentile(values, q):.3f}" if values.size else "none came" for q in (50, 95, 99))
        print(f"| {name} | {len(values)} | {figures} |")
    heard = all(values.size for _, values in both)
    for label, share in (("median", 50), ("p99", 99)) if heard else ():
        over, low, high = replies.over(share)
        print(f"over the echo, {label}: {over:.3f} ms (95% interval {low:.3f} to {high:.3f})")
    print(f"lost {replies.lost}; exit {replies.code}; replies {replies.sent}, not a logged sample: {replies.unlogged}")
    return 0 if heard else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
