"""Idle cost, memory and start-up. ``python -m tests.bench.idle [SECONDS]``."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench.processes import cpu_s, resident_mb
from tests.bench.stage import Client, Daemon, jack

_RUNS = 3


def main(argv: list[str]) -> int:
    """Print processor share over three runs with both ports joined and nothing played; memory; start-up times."""
    seconds = float(argv[0]) if argv else 30.0
    with tempfile.TemporaryDirectory() as takes, jack():
        for _ in range(2):  # the second start is the warm one
            began = time.perf_counter()
            daemon = Daemon(Path(takes), "--mode", "follow")
            client = Client("Bench", "Antiphon in", "Antiphon out")
            ports_s = time.perf_counter() - began
            came = None
            while came is None and time.perf_counter() - began < 20:
                since = len(client.received)
                client.send(0x90, 60, 80)
                came = client.wait(lambda message: message[0] & 0xF0 == 0x90, since, 0.05)
                client.send(0x80, 60, 0)
            first_s = time.perf_counter() - began
            daemon.stop()
            client.close()
        print(
            f"second start: ports joined by another client after {ports_s:.2f} s, "
            f"first generated note after {first_s:.2f} s"
        )
        daemon = Daemon(Path(takes), "--mode", "answer")
        daemon.wait_ready()
        client = Client("Bench", "Antiphon in", "Antiphon out")
        brain = daemon.brain_pid
        assert brain is not None
        pids = (daemon.process.pid, brain)
        time.sleep(3)
        shares = []
        for _ in range(_RUNS):
            before, began = [cpu_s(pid) for pid in pids], time.perf_counter()
            time.sleep(seconds)
            used = sum(cpu_s(pid) - was for pid, was in zip(pids, before, strict=True))
            shares.append(100 * used / (time.perf_counter() - began))
        memory = [resident_mb(pid) for pid in pids]
        daemon.stop()
        client.close()
    told = ", ".join(f"{share:.2f}%" for share in shares)
    print(f"idle, {_RUNS} runs of {seconds:g} s: {told} of a core; median {median(shares):.2f}%")
    print(f"resident: player {memory[0]:.0f} MB, brain {memory[1]:.0f} MB, together {sum(memory):.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
