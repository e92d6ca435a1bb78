"""What a predicted event costs, beside notochord's, in one run.

``python -m tests.bench.predict [--notochord DIR] [--calls N]``

An event is a note taken in and the next one drawn, all of its attributes, from a state that is carried: Antiphon's
`step` and `sample` from a window of 128 to 256 notes, notochord's default `feed_query` (half of its events are ends of
notes). Both on one thread, one call every 20 ms as in live play, in blocks that take turns. The ratio's interval is a
bootstrap over pairs of blocks.

notochord is no dependency: ``pip install --no-deps --target DIR 'notochord==0.8.*' 'pandas<3' tqdm appdirs joblib
cloudpickle loky python-dateutil pytz tzdata six``. Its network is built with its default sizes and random weights, so
nothing is downloaded: what a call costs does not depend on them.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from antiphon.models.generator import UNIFORMS, Constraints, HeldNote
from antiphon.models.onnx_generator import OnnxGenerator
from numpy.typing import NDArray

_PACE_S = 0.02
_BLOCK = 25
_WINDOW = 128
_PITCHES = (60, 64, 67, 71, 72, 67, 64, 62)
_RESAMPLED = 2000
Call = Callable[[], object]


def antiphon_event(model: str) -> Call:
    """Give a call that takes a note in and draws the next, again and again."""
    generator = OnnxGenerator.load(model)
    notes = [
        HeldNote(6 * n, n % 2 * 5, _PITCHES[n % 8], 70 + n % 9, 6 * n % 24, n // 4 % 4, 6 * n + 9.0)
        for n in range(2 * _WINDOW)
    ]
    primed = generator.prime(notes[:_WINDOW])
    free, random = Constraints(), np.random.default_rng(0)
    state, number = primed, _WINDOW

    def call() -> object:
        nonlocal state, number
        if number == len(notes):
            state, number = primed, _WINDOW
        state = generator.step(state, notes[number])
        number += 1
        return generator.sample(state, free, random.random(UNIFORMS), (0, 24, 4))

    return call


def notochord_event(folder: str | None) -> Call:
    """Give a call of its `feed_query`. Raises: ImportError."""
    if folder is not None:
        sys.path.append(folder)  # last: nothing of this environment's is replaced
    os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp()  # it makes a folder where it is imported
    network = importlib.import_module("notochord.model").Notochord().eval()
    network.reset()
    number = 0

    def call() -> object:
        nonlocal number
        number += 1
        velocity = 80.0 if number % 2 else 0.0
        return network.feed_query(1, _PITCHES[number // 2 % 8], 0.1, velocity)

    return call


def paced_us(call: Call, count: int) -> NDArray[np.float64]:
    """Time calls that start at multiples of the pace, in microseconds."""
    times = np.empty(count)
    due = time.perf_counter() + _PACE_S
    for index in range(count):
        time.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        call()
        ended = time.perf_counter()
        times[index] = (ended - began) * 1e6
        due = max(due + _PACE_S, ended + _PACE_S / 2)  # a call that is longer than the pace still waits for the next
    return times


def told(name: str, times: NDArray[np.float64]) -> str:
    """Give a row of the table."""
    median, p95, p99 = np.percentile(times, [50, 95, 99])
    return f"{name:34} {median:10.0f} {p95:10.0f} {p99:10.0f} {times.min():10.0f} {times.size:7d}"


def ratio(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float, float]:
    """Give theirs over ours, of the medians of [blocks, calls], and its 95% interval."""
    random = np.random.default_rng(0)
    pairs = random.integers(0, len(ours), (_RESAMPLED, len(ours)))
    drawn = [float(np.median(theirs[chosen]) / np.median(ours[chosen])) for chosen in pairs]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.median(theirs) / np.median(ours)), float(low), float(high)


def _notochord(folder: str | None) -> Call | None:
    try:
        threads: Any = importlib.import_module("torch")
        threads.set_num_threads(1)
        return notochord_event(folder)
    except ImportError as error:
        print(f"notochord cannot be imported ({error}): its row is left out. It takes torch and\n{_install()}")
        return None


def _install() -> str:
    assert __doc__ is not None
    return __doc__.split("no dependency: ")[1].split(". Its")[0]


def main(argv: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.predict")
    parser.add_argument("--notochord", help="the folder that it was installed in, where it is not importable already")
    parser.add_argument("--model", default="antiphon", help="a model of the kind antiphon")
    parser.add_argument("--calls", type=int, default=1000, help="of each")
    args = parser.parse_args(argv)
    calls = {"antiphon step + sample": antiphon_event(args.model)}
    theirs = _notochord(args.notochord)
    if theirs is not None:
        calls["notochord feed_query (its default)"] = theirs
    blocks: dict[str, list[NDArray[np.float64]]] = {name: [] for name in calls}
    for call in calls.values():
        paced_us(call, _BLOCK)  # the first calls of each allocate
    gc.collect()
    for _ in range(max(2, args.calls // _BLOCK)):
        for name, call in calls.items():
            blocks[name].append(paced_us(call, _BLOCK))
    print(f"{'us an event, one every 20 ms':34} {'median':>10} {'p95':>10} {'p99':>10} {'least':>10} {'calls':>7}")
    for name, times in blocks.items():
        print(told(name, np.concatenate(times)))
    if theirs is not None:
        ours, others = (np.stack(times) for times in blocks.values())
        middle, low, high = ratio(ours, others)
        print(f"a predicted event of antiphon costs 1/{middle:.1f} of notochord's (95%: 1/{low:.1f} .. 1/{high:.1f})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
