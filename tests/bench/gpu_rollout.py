"""256 candidates of four bars on a GPU: ``python -m tests.bench.gpu_rollout MODEL [--candidates K] [--notes N]``.

MODEL is a folder that ``antiphon export RUN --out MODEL --rollout --precision fp16`` wrote. Times `turn.onnx` with its
state bound to the device, as separate kernels and as CUDA graphs, and in 16-bit arithmetic. Where there is no GPU (or
no onnxruntime that uses one) it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import onnx
import onnxruntime
from antiphon.export.precisions import half_computed
from antiphon.export.rollout_binding import BoundRollout
from antiphon.export.rollout_feed import rollout_feed
from antiphon.models.generator import UNIFORMS, Constraints, HeldNote
from antiphon.models.onnx_generator import OnnxGenerator

_HEARD = 128
_NOTES = 32  # of four bars: two notes a beat
_CALLS = 20


def main(argv: list[str]) -> int:
    """Print the times of one rollout."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu_rollout")
    parser.add_argument("model", help="a model's folder with turn.onnx")
    parser.add_argument("--candidates", type=int, default=256)
    parser.add_argument("--notes", type=int, default=_NOTES)
    args = parser.parse_args(argv)
    there = onnxruntime.get_available_providers()
    if "CUDAExecutionProvider" not in there:
        print(f"no GPU here: onnxruntime {onnxruntime.__version__} has {', '.join(there)}; nothing was measured")
        return 0
    generator = OnnxGenerator.load(args.model, "cpu")
    heard = [HeldNote(6 * n, n % 2 * 5, 60 + n % 8, 80, 6 * n % 24, n // 4 % 4, 6 * n + 9.0) for n in range(_HEARD)]
    uniforms = np.random.default_rng(0).random((args.candidates, args.notes, UNIFORMS))
    feed = rollout_feed(generator, generator.prime(heard), Constraints(), uniforms, (0, 24, 4))
    graph = onnx.load(f"{args.model}/turn.onnx")
    print(f"{args.candidates} candidates of {args.notes} notes, ms a rollout: least, median of {_CALLS}")
    for name, model in (("as exported", graph), ("16-bit arithmetic", half_computed(graph))):
        for recorded in (False, True):
            told = f"{name}, {'CUDA graphs' if recorded else 'kernels'}"
            try:
                rollout = BoundRollout(model.SerializeToString(), feed, recorded=recorded)
                rollout(feed)
            except Exception as error:  # onnxruntime raises a class of its own for each kind of fault
                print(f"{told}: {str(error).splitlines()[0]}")
                continue
            times = []
            for _ in range(_CALLS):
                began = time.perf_counter()
                rollout(feed)
                times.append(1e3 * (time.perf_counter() - began))
            print(f"{told}: {min(times):.1f}, {np.median(times):.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
