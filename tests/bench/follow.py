"""Reply latency of `follow` over a bare rtmidi echo, interleaved in one run. ``python -m tests.bench.follow [N]``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from antiphon.daemon.messages import Kind

from tests.bench.stage import Client, Daemon, interval, jack

_PACE_S = 0.02


def measure(count: int) -> dict[str, Any]:
    """Play ``count`` notes to each, in turn, and give the delays in ms."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as takes, jack():
        echo = subprocess.Popen([sys.executable, "-m", "tests.bench.echo"])
        daemon = Daemon(Path(takes), "--mode", "follow", "--seed", "1")
        daemon.wait_ready()
        clients = {
            "echo": Client("To echo", "Echo in", "Echo out"),
            "follow": Client("To antiphon", "Antiphon in", "Antiphon out"),
        }
        delays: dict[str, list[float]] = {name: [] for name in clients}
        lost = 0
        for _ in range(count):
            for name, client in clients.items():
                pitch, velocity = int(rng.integers(48, 84)), int(rng.integers(40, 110))
                since = len(client.received)
                sent = client.send(0x90, pitch, velocity)
                came = client.wait(lambda message: message[0] & 0xF0 == 0x90, since, 0.5)
                if came is None:
                    lost += 1
                else:
                    delays[name].append((came - sent) / 1e6)
                client.send(0x80, pitch, 0)
                time.sleep(float(_PACE_S * rng.uniform(0.5, 1.5)))
        code = daemon.stop()
        sent_ids = {record.id for record in daemon.wire() if record.kind == Kind.SENT}
        sampled = {record.id for record in daemon.log() if record.kind == Kind.SAMPLED}
        for client in clients.values():
            client.close()
        echo.terminate()
        echo.wait()
    return {"delays": delays, "lost": lost, "code": code, "unlogged": len(sent_ids - sampled), "sent": len(sent_ids)}


def main(argv: list[str]) -> int:
    """Print the table."""
    result = measure(int(argv[0]) if argv else 2000)
    delays = {name: np.array(values) for name, values in result["delays"].items()}
    print("| | n | median ms | p95 | p99 |\n| --- | --- | --- | --- | --- |")
    for name, values in delays.items():
        figures = " | ".join(f"{np.percentile(values, q):.3f}" for q in (50, 95, 99))
        print(f"| {name} | {len(values)} | {figures} |")
    for label, q in (("median", 50), ("p99", 99)):
        over = float(np.percentile(delays["follow"], q) - np.percentile(delays["echo"], q))
        low, high = interval(lambda sample, q=q: float(np.percentile(sample, q)), delays["follow"], delays["echo"])  # type: ignore[misc]
        print(f"over the echo, {label}: {over:.3f} ms (95% interval {low:.3f} to {high:.3f})")
    print(
        f"lost {result['lost']}; exit {result['code']}; "
        f"replies {result['sent']}, not a logged sample: {result['unlogged']}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
