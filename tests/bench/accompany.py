"""Accompanying a MIDI clock on real JACK. ``python -m tests.bench.accompany [SECONDS] [--solo] [--synchronous]``.

``--synchronous``: JACK waits for its clients (``jackd -S``). Without, a client that is late reads what the next period
writes; where the host takes the processor away that loses messages, and has crashed rtmidi.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time

import numpy as np
from antiphon.daemon.bench.client import Client, sounding, struck
from antiphon.daemon.bench.figures import off_grid
from antiphon.daemon.bench.host import stolen_ticks
from antiphon.daemon.bench.playing import BPM, TUNE
from antiphon.daemon.messages import Kind, Record

from tests.bench.stage import jack

#: Told apart by this much of the run: what the host takes away comes and goes.
_STRETCH_S = 20
_PERIOD_MS = 64 / 48.0


def _clock(client: Client, started: list[int], seconds: float, stop: threading.Event) -> None:
    """Send start and 24 pulses a beat, each at its own absolute time."""
    tick_s = 60 / BPM / 24
    client.send(0xFA)
    began = time.perf_counter()
    for pulse in range(int(seconds / tick_s)):
        due = began + pulse * tick_s
        while (left := due - time.perf_counter()) > 0:
            time.sleep(max(0.0, left - 0.0003))
        if pulse == 0:
            started.append(time.perf_counter_ns())
        client.send(0xF8)
        if stop.is_set():
            return
    client.send(0xFC)


def main(argv: list[str]) -> int:
    """Print onsets a beat, distance from the harness's grid, drops and stuck notes."""
    solo = "--solo" in argv
    numbers = [float(arg) for arg in argv if not arg.startswith("-")]
    seconds = numbers[0] if numbers else 300.0
    flags = ("--mode", "accompany", "--clock", "midi", "--tightness", "1")
    with (
        jack(synchronous="--synchronous" in argv) as place,
        place.session(*flags) as daemon,
        place.client(daemon.wait_ready()) as client,
    ):
        client.listen()
        started: list[int] = []
        clock = threading.Thread(target=_clock, args=(client, started, seconds, threading.Event()))
        clock.start()
        beat = 0
        stolen = [stolen_ticks()]
        while clock.is_alive():
            if started and time.perf_counter_ns() - started[0] > len(stolen) * _STRETCH_S * 1e9:
                stolen.append(stolen_ticks())
            if not solo and started and beat % 16 < 12:  # three bars of melody, a bar of rest
                pitch = TUNE[beat % len(TUNE)]
                client.send(0x90, pitch, 84)
                time.sleep(60 / BPM * 0.8)
                client.send(0x80, pitch, 0)
                time.sleep(60 / BPM * 0.2)
            else:
                time.sleep(60 / BPM)
            beat += 1
        time.sleep(1.0)
        code = daemon.stop()
        time.sleep(0.2)
        received, wire = list(client.received), daemon.wire()
    return _report(received, started[0], seconds, wire, code, stolen)


def _report(
    received: list[tuple[int, list[int]]], started_ns: int, seconds: float, wire: list[Record], code: int,
    stolen: list[int],
) -> int:  # fmt: skip
    sent = [record for record in wire if record.kind == Kind.SENT]
    heard = [stamp for stamp, message in received if struck(message)]
    stages = {
        "meant": off_grid([record.t_ns for record in sent], started_ns, BPM),
        "sent": off_grid([record.u_ns for record in sent], started_ns, BPM),
        "heard": off_grid(heard, started_ns, BPM),
    }
    limit_ms = _PERIOD_MS + 2.0
    beats, error_ms = stages["heard"]
    print(
        f"onsets {len(beats)}; off the grid: median {np.median(error_ms):.2f} ms, "
        f"p95 {np.percentile(error_ms, 95):.2f} ms"
    )
    print(f"within one period + 2 ms of the harness's beat: {100 * np.mean(error_ms <= limit_ms):.1f}%")
    pulses = sum(record.kind == Kind.MIDI_IN and record.a == 0xF8 for record in wire)
    print(f"clock ticks lost before they reached Antiphon: {int(seconds * BPM / 60 * 24) - pulses}")
    print("within, of its onsets as meant (by its clock), as sent (by its player), as heard (here):")
    stretch = _STRETCH_S * BPM / 60
    for index, (before, after) in enumerate(itertools.pairwise(stolen)):
        cells = []
        for name, (at, off_ms) in stages.items():
            chosen = off_ms[(at >= index * stretch) & (at < (index + 1) * stretch)]
            cells.append(f"{name} {100 * np.mean(chosen <= limit_ms) if len(chosen) else np.nan:5.1f}%")
        taken = 100 * (after - before) / (_STRETCH_S * os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1))
        print(f"  from {index * _STRETCH_S:3} s: {', '.join(cells)}; stolen by the host {taken:.1f}%")
    spans = [np.sum((beats >= b) & (beats < b + 32)) / 32 for b in np.arange(0, seconds * BPM / 60 - 31, 4)]
    if spans:  # it may have been shorter
        least, middle, most = np.percentile(spans, [0, 50, 100])
        print(f"notes a beat in every 8 bars: least {least:.2f}, median {middle:.2f}, most {most:.2f}")
    dropped = sum(record.kind == Kind.DROPPED for record in wire)
    print(f"sent {len(sent)}, late-drops {dropped} ({100 * dropped / max(1, len(sent) + dropped):.2f}%)")
    print(f"stuck notes: {len(sounding(received))}; exit {code}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
