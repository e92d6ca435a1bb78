"""Accompanying a MIDI clock on real JACK. ``python -m tests.bench.accompany [SECONDS] [--solo] [--synchronous]``.

``--synchronous``: JACK waits for its clients (``jackd -S``). Without, a client that is late reads what the next period
writes; where the host takes the processor away that loses messages, and has crashed rtmidi.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from antiphon.daemon.messages import Kind, Record
from numpy.typing import NDArray

from tests.bench.stage import Client, Daemon, jack
from tests.host import stolen_ticks

_BPM = 120.0
#: Told apart by this much of the run: what the host takes away comes and goes.
_STRETCH_S = 20
_PERIOD_MS = 64 / 48.0
_TUNE = (72, 74, 76, 79, 76, 74, 72, 69, 72, 74, 76, 74, 72, 69, 67, 69)


def _clock(client: Client, started: list[int], seconds: float, stop: threading.Event) -> None:
    """Send start and 24 pulses a beat, each at its own absolute time."""
    tick_s = 60 / _BPM / 24
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
    with tempfile.TemporaryDirectory() as takes, jack(synchronous="--synchronous" in argv):
        daemon = Daemon(Path(takes), "--mode", "accompany", "--clock", "midi", "--tightness", "1", "--seed", "1")
        daemon.wait_ready()
        client = Client("Bench", "Antiphon in", "Antiphon out")
        started: list[int] = []
        clock = threading.Thread(target=_clock, args=(client, started, seconds, threading.Event()))
        clock.start()
        beat = 0
        stolen = [stolen_ticks()]
        while clock.is_alive():
            if started and time.perf_counter_ns() - started[0] > len(stolen) * _STRETCH_S * 1e9:
                stolen.append(stolen_ticks())
            if not solo and started and beat % 16 < 12:  # three bars of melody, a bar of rest
                pitch = _TUNE[beat % len(_TUNE)]
                client.send(0x90, pitch, 84)
                time.sleep(60 / _BPM * 0.8)
                client.send(0x80, pitch, 0)
                time.sleep(60 / _BPM * 0.2)
            else:
                time.sleep(60 / _BPM)
            beat += 1
        time.sleep(1.0)
        code = daemon.stop()
        time.sleep(0.2)
        received, wire = list(client.received), daemon.wire()
        client.close()
    return _report(received, started[0], seconds, wire, code, stolen)


def _off_grid(times_ns: list[int], started_ns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the harness's beats at some times, and how far each is from its sixteenths and eighth triplets, in ms."""
    slots = np.array(sorted({n / 4 for n in range(5)} | {n / 3 for n in range(4)}))
    beats = (np.array(times_ns) - started_ns) / 1e9 * _BPM / 60
    return beats, np.abs(beats[:, None] % 1.0 - slots[None, :]).min(axis=1) * 60e3 / _BPM


def _report(
    received: list[tuple[int, list[int]]], started_ns: int, seconds: float, wire: list[Record], code: int,
    stolen: list[int],
) -> int:  # fmt: skip
    sent = [record for record in wire if record.kind == Kind.SENT]
    heard = [stamp for stamp, message in received if message[0] & 0xF0 == 0x90 and message[2]]
    stages = {
        "meant": _off_grid([record.t_ns for record in sent], started_ns),
        "sent": _off_grid([record.u_ns for record in sent], started_ns),
        "heard": _off_grid(heard, started_ns),
    }
    limit_ms = _PERIOD_MS + 2.0
    beats, error_ms = stages["heard"]
    print(
        f"onsets {len(beats)}; off the grid: median {np.median(error_ms):.2f} ms, "
        f"p95 {np.percentile(error_ms, 95):.2f} ms"
    )
    print(f"within one period + 2 ms of the harness's beat: {100 * np.mean(error_ms <= limit_ms):.1f}%")
    pulses = sum(record.kind == Kind.MIDI_IN and record.a == 0xF8 for record in wire)
    print(f"clock ticks lost before they reached Antiphon: {int(seconds * _BPM / 60 * 24) - pulses}")
    print("within, of its onsets as meant (by its clock), as sent (by its player), as heard (here):")
    stretch = _STRETCH_S * _BPM / 60
    for index, (before, after) in enumerate(itertools.pairwise(stolen)):
        cells = []
        for name, (at, off_ms) in stages.items():
            chosen = off_ms[(at >= index * stretch) & (at < (index + 1) * stretch)]
            cells.append(f"{name} {100 * np.mean(chosen <= limit_ms) if len(chosen) else np.nan:5.1f}%")
        taken = 100 * (after - before) / (_STRETCH_S * os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1))
        print(f"  from {index * _STRETCH_S:3} s: {', '.join(cells)}; stolen by the host {taken:.1f}%")
    spans = [np.sum((beats >= b) & (beats < b + 32)) / 32 for b in np.arange(0, seconds * _BPM / 60 - 31, 4)]
    least, most = min(spans, default=0), max(spans, default=0)
    print(f"notes a beat in every 8 bars: least {least:.2f}, median {np.median(spans):.2f}, most {most:.2f}")
    dropped = sum(record.kind == Kind.DROPPED for record in wire)
    print(f"sent {len(sent)}, late-drops {dropped} ({100 * dropped / max(1, len(sent) + dropped):.2f}%)")
    sounding: dict[tuple[int, int], int] = {}
    for _, message in received:
        key = (message[0] & 0x0F, message[1])
        if message[0] & 0xF0 == 0x90 and message[2]:
            sounding[key] = sounding.get(key, 0) + 1
        elif message[0] & 0xF0 in (0x80, 0x90):
            sounding.pop(key, None)
    print(f"stuck notes: {len(sounding)}; exit {code}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
