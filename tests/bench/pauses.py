"""What a reply costs after a pause, while the processor sleeps or spins meanwhile. ``python -m tests.bench.pauses``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from antiphon.daemon.brain.model_start import rehearse, warm_up
from antiphon.models.generator import HeldNote
from antiphon.models.load import load_generator

_PAUSES_MS = (0.0, 0.1, 0.5, 2.0, 5.0, 20.0)
_CALLS = 200


def main() -> int:
    """Print the table."""
    generator = load_generator("antiphon")
    warm_up(generator)
    state = generator.step(generator.initial(), HeldNote(0, 0, 60, 80))

    def call() -> None:
        rehearse(generator, state)

    print("| pause ms | spinning: median us | p95 | sleeping: median us | p95 |\n| --- | --- | --- | --- | --- |")
    for pause_ms in _PAUSES_MS:
        figures = []
        for wait in (_spin, time.sleep):
            times = np.array([_after(wait, pause_ms / 1e3, call) for _ in range(_CALLS)])
            figures += [f"{value:.0f}" for value in np.percentile(times, [50, 95])]
        print(f"| {pause_ms:g} | {' | '.join(figures)} |")
    return 0


def _after(wait: Callable[[float], None], pause_s: float, call: Callable[[], None]) -> float:
    """Give what a call takes after a pause, in microseconds."""
    if pause_s:
        wait(pause_s)
    began_ns = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - began_ns) / 1e3


def _spin(seconds: float) -> None:
    end_ns = time.perf_counter_ns() + round(seconds * 1e9)
    while time.perf_counter_ns() < end_ns:
        pass


if __name__ == "__main__":
    sys.exit(main())
