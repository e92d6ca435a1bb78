"""What a predicted event costs, in this process and on one thread, beside others' where they can be imported.

An event is a note taken in and the next one drawn, all of its attributes, from a state that is carried: Antiphon's
`reply`, which is a step and a draw. One call every 20 ms as in live play, in blocks that take turns.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping

import numpy as np
from antiphon.daemon.bench.figures import Row, block_ratio
from antiphon.daemon.bench.others import OTHERS
from antiphon.daemon.bench.place import Place
from antiphon.daemon.brain.arrivals import Arrivals
from antiphon.daemon.brain.warming import Warming
from antiphon.models.generator import UNIFORMS, Constraints, HeldNote
from antiphon.models.load import load_generator
from numpy.typing import NDArray

PACE_S = 0.02
#: Of JACK's cycles in a pace: 64 frames at 48 kHz; and notes that were played before the first one that is timed.
_CYCLES, _PLAYED = 15, 8
_BLOCK = 25
_FEWEST_BLOCKS = 4
_WINDOW = 128
_PITCHES = (60, 64, 67, 71, 72, 67, 64, 62)
#: Both from bar 0 of a grid of four beats.
_GRID = (0, 24, 4)
#: Names of Antiphon's two rows; what others cost is set against the first.
OURS, WARM = "antiphon", "antiphon kept warm"
Call = Callable[[], object]


def antiphon_event(model: str) -> tuple[Call, Callable[[], None]]:
    """Give a call that takes a note in and draws the next, again and again; and one that does so for nothing.

    Raises:
        ModelError: the model is not there or not whole.
    """
    generator = load_generator(model)
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
        note = notes[number]
        number += 1
        state, draw = generator.reply(state, note, free, random.random(UNIFORMS), _GRID)
        return draw

    def rehearse() -> None:
        generator.rehearse(state, free)

    return call, rehearse


def paced_us(call: Call, count: int, rehearse: Callable[[], None] | None = None) -> NDArray[np.float64]:
    """Time calls that are asked for at multiples of the pace, in microseconds.

    Args:
        call: what is timed.
        count: how often.
        rehearse: runs between them, as the brain has it run while somebody plays to `follow` on JACK (`Warming`):
            what is played comes at the start of cycles. One that is under way when a call is asked for is waited for,
            and the wait counts.
    """
    times = np.empty(count)
    pace_ns = round(PACE_S * 1e9)
    due_ns = time.perf_counter_ns() + pace_ns
    warming = None if rehearse is None else Warming(rehearse)
    if warming is not None:
        warming.arrivals = Arrivals(pace_ns // _CYCLES)
        for before in range(_PLAYED, 0, -1):
            warming.heard(due_ns - before * pace_ns, played=True)
    for index in range(count):
        asked_ns = _wait_until(due_ns, warming)
        if warming is not None:
            warming.heard(due_ns, played=True)
        call()
        ended_ns = time.perf_counter_ns()
        times[index] = (ended_ns - asked_ns) / 1e3
        # the next, where a call is longer than the pace: it still waits for it
        due_ns = max(due_ns + pace_ns, ended_ns + pace_ns // 2)
    return times


def _wait_until(due_ns: int, warming: Warming | None) -> int:
    """Wait, keeping warm meanwhile; give when the call was asked for."""
    while (now_ns := time.perf_counter_ns()) < due_ns:
        warm_ns = None if warming is None else warming.next_ns(now_ns)
        time.sleep((min(due_ns, warm_ns or due_ns) - now_ns) / 1e9)
        began_ns = time.perf_counter_ns()
        if began_ns >= due_ns:
            return began_ns
        if warming is not None:
            warming.run()
            warming.ran(began_ns, time.perf_counter_ns())
    return due_ns


def measure(model: str, others: Mapping[str, Call], calls: int) -> dict[str, NDArray[np.float64]]:
    """Time so many calls of each, in blocks that take turns.

    Args:
        model: its name or folder.
        others: calls to set beside it, by name.
        calls: of each; a hundred at least.

    Returns:
        Microseconds a call [blocks, calls in a block], by name: `OURS`, the others, `WARM`.
    """
    event, rehearse = antiphon_event(model)
    every = {OURS: event, **others}
    blocks: dict[str, list[NDArray[np.float64]]] = {name: [] for name in (*every, WARM)}
    for call in every.values():
        paced_us(call, _BLOCK)  # the first calls of each allocate
    gc.collect()
    for _ in range(max(_FEWEST_BLOCKS, calls // _BLOCK)):
        for name, call in every.items():
            blocks[name].append(paced_us(call, _BLOCK))
        blocks[WARM].append(paced_us(event, _BLOCK, rehearse))
    return {name: np.stack(times) for name, times in blocks.items()}


def rows(place: Place) -> list[Row]:
    """Measure for the table: a row for each."""
    others, missing = {}, []
    for name, other in OTHERS.items():
        try:
            others[name] = other.make()
        except ImportError as error:
            missing.append(f"{name}: {error}")
    times = measure(place.model, others, round(place.seconds / PACE_S / (2 + len(others))))
    return [_row(name, sample, times[OURS]) for name, sample in times.items()] + [_absent(line) for line in missing]


def _row(name: str, sample: NDArray[np.float64], ours: NDArray[np.float64]) -> Row:
    middle, late = (float(value) for value in np.percentile(sample, [50, 99]))
    told = f"{middle / 1e3:.2f} ms median, {late / 1e3:.2f} ms p99"
    figures = {"median_ms": middle / 1e3, "p99_ms": late / 1e3, "calls": float(sample.size)}
    meaning = {
        OURS: "a note taken in and the next drawn, from a state that is carried; one every 20 ms",
        WARM: "the same while somebody plays to `follow`: the graph runs between notes too",
    }.get(name, "")
    if name in OTHERS:
        meaning = OTHERS[name].event
        times, low, high = block_ratio(ours, sample)
        told += f"; {times:.1f} times Antiphon's ({low:.1f} to {high:.1f})"
        figures |= {"times_antiphon": times, "times_antiphon_low": low, "times_antiphon_high": high}
    return Row("predicted", f"a predicted event: {name}, n = {sample.size}", told, meaning, figures)


def _absent(line: str) -> Row:
    name, _, why = line.partition(": ")
    return Row(
        "predicted", f"a predicted event: {name}", f"not measured: {why}", "set beside it where it is installed", {}
    )
