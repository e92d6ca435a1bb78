"""How exactly planned notes leave while the brain works flat out. ``python -m tests.bench.scheduling [SECONDS]``."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from antiphon.daemon.messages import Kind

from tests.bench.processes import cpu_s
from tests.bench.stage import Client, Daemon, jack


def main(argv: list[str]) -> int:
    """Accompany a restless performer (each note makes the brain plan anew), and print the errors at the send call."""
    seconds = float(argv[0]) if argv else 60.0
    rng = np.random.default_rng(2)
    with tempfile.TemporaryDirectory() as takes, jack():
        daemon = Daemon(
            Path(takes), "--mode", "accompany", "--tempo", "140", "--lookahead", "8", "--density", "8", "--seed", "1"
        )
        daemon.wait_ready()
        client = Client("Bench", "Antiphon in", "Antiphon out")
        brain = daemon.brain_pid
        assert brain is not None
        began, used = time.perf_counter(), cpu_s(brain)
        while time.perf_counter() - began < seconds:
            pitch = int(rng.integers(60, 84))
            client.send(0x90, pitch, 80)
            time.sleep(0.04)
            client.send(0x80, pitch, 0)
            time.sleep(0.01)
        load = 100 * (cpu_s(brain) - used) / (time.perf_counter() - began)
        daemon.stop()
        client.close()
        wire = daemon.wire()
    sent = [record for record in wire if record.kind == Kind.SENT]
    ended = [record for record in wire if record.kind == Kind.ENDED]
    dropped = sum(record.kind == Kind.DROPPED for record in wire)
    print(f"brain at {load:.0f}% of a core; dropped {dropped}")
    print("| | n | median ms | p95 | p99 | worst |\n| --- | --- | --- | --- | --- | --- |")
    for name, records in (("note-on", sent), ("note-off", ended)):
        error = np.abs([(record.u_ns - record.t_ns) / 1e6 for record in records])
        figures = " | ".join(f"{np.percentile(error, q):.3f}" for q in (50, 95, 99, 100))
        print(f"| {name} | {len(error)} | {figures} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
