"""Each precision's bytes, time and loss of likelihood: ``python -m tests.bench.precisions RUN [--pieces N]``.

RUN is a training run's folder: its network is exported in 32 bits, scored on its own validation part (window 128 + hop
128, as `antiphon evaluate`), and again at each precision. The step is timed hot and once every 20 ms.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from antiphon.export.graph_specs import graphs
from antiphon.export.onnx_export import export_graph
from antiphon.export.precisions_table import COMPARED, compared, sampled, show
from antiphon.models.training import CHECKPOINT, load_network, set_threads


def main(argv: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.precisions")
    parser.add_argument("run", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="another than the run's")
    parser.add_argument("--pieces", type=int, default=48, help="of the validation part, up to 160 notes of each")
    args = parser.parse_args(argv)
    set_threads(1)
    network, _ = load_network(args.checkpoint or args.run / CHECKPOINT)
    full = {spec.name: export_graph(spec) for spec in graphs(network) if spec.name in COMPARED}
    table = compared(full, sampled(args.run / "valid.npz", args.pieces))
    print("\n".join(show(table)))
    print(f"{next(iter(table.values()))['notes']} notes scored")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
