"""What a predicted event costs, beside notochord's and impsy's, in one run.

``python -m tests.bench.predict [--notochord DIR] [--impsy DIR] [--calls N]``: see `antiphon.daemon.bench.predicted`;
the ratio's interval is a bootstrap over pairs of blocks.

Neither is a dependency: ``pip install --no-deps --target DIR 'notochord==0.8.*' 'pandas<3' tqdm appdirs joblib
cloudpickle loky python-dateutil pytz tzdata six`` and ``pip install --target DIR2 impsy``.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from antiphon.daemon.bench.figures import block_ratio
from antiphon.daemon.bench.others import OTHERS
from antiphon.daemon.bench.predicted import OURS, WARM, Call, measure


def _importable(folders: list[str]) -> dict[str, Call]:
    sys.path.extend(folders)  # last: nothing of this environment's is replaced
    found: dict[str, Call] = {}
    for name, other in OTHERS.items():
        try:
            found[name] = other.make()
        except ImportError as error:
            assert __doc__ is not None
            print(f"{name} cannot be imported ({error}): its row is left out.{__doc__.split('dependency:')[1]}")
    return found


def main(argv: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.predict")
    parser.add_argument("--notochord", help="the folder that it was installed in, where it is not importable already")
    parser.add_argument("--impsy", help="likewise")
    parser.add_argument("--model", default="antiphon", help="a model's name or folder")
    parser.add_argument("--calls", type=int, default=1000, help="of each")
    args = parser.parse_args(argv)
    times = measure(args.model, _importable([folder for folder in (args.notochord, args.impsy) if folder]), args.calls)
    print(f"{'us an event, one every 20 ms':34} {'median':>10} {'p95':>10} {'p99':>10} {'least':>10} {'calls':>7}")
    for name, sample in times.items():
        median, p95, p99 = np.percentile(sample, [50, 95, 99])
        print(f"{name:34} {median:10.0f} {p95:10.0f} {p99:10.0f} {sample.min():10.0f} {sample.size:7d}")
    for other in times.keys() - {OURS, WARM}:
        for name, verb in ((OURS, "costs"), (WARM, "takes")):
            middle, low, high = block_ratio(times[name], times[other])
            print(f"an event of {other} {verb} {middle:.1f} times what {name}'s does (95%: {low:.1f} to {high:.1f})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
