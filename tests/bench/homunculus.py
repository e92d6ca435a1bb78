"""A note in, a generated note out: `follow` beside notochord's homunculus, and a bare echo, in one run.

``python -m tests.bench.homunculus PYTHON [N]``

PYTHON is the interpreter of an environment that has notochord 0.8 and what its homunculus imports:
``pip install torch==2.13.0 iipyper fire textual toml-file sf2utils && pip install --no-deps notochord==0.8.*`` (and
PortAudio from the system). Its network is built with its default sizes and random weights, so nothing is downloaded:
what an answer costs does not depend on them. It answers as it does by default: channel 2 follows channel 1. The three
take turns at every note, paced about 20 ms apart; the ratio's interval is a bootstrap over notes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from antiphon.daemon.bench.client import NOTE_OFF, NOTE_ON, Client, struck
from antiphon.daemon.bench.echo import running

from tests.bench.stage import jack

_PACE_S = 0.02
_READY_S = 60.0
_ROUNDS = 1000
_CHECKPOINT = """
import sys, torch
from notochord import Notochord
torch.manual_seed(0)
torch.save({"kw": {"model": {}}, "model_state": Notochord().state_dict()}, sys.argv[1])
"""
_CONFIG = "{1:{mode:input,inst:1,mute:False},2:{mode:follow,source:1,inst:12,mute:False}}"


def homunculus(python: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start notochord's homunculus on JACK, without its screen."""
    checkpoint = folder / "random.ckpt"
    subprocess.run([python, "-c", _CHECKPOINT, str(checkpoint)], check=True)
    ports = ["--midi_virtual_in_ports", "1", "--midi_virtual_out_ports", "1"]
    return subprocess.Popen(
        [python, "-m", "notochord", "homunculus", "--checkpoint", str(checkpoint), "--config", _CONFIG,
         "--use_tui", "False", *ports],
        env={**os.environ, "MIDO_BACKEND": "mido.backends.rtmidi/UNIX_JACK"},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def answers(client: Client) -> None:
    """Play until the client is answered: its player is ready.

    Raises:
        TimeoutError: it never is.
    """
    end = time.monotonic() + _READY_S
    while time.monotonic() < end:
        since = len(client.received)
        client.send(NOTE_ON, 60, 80)
        came = client.wait(struck, since, 1.0)
        client.send(NOTE_OFF, 60, 0)
        if came is not None:
            return
    raise TimeoutError("a player does not answer")


def measure(python: str, count: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Play ``count`` notes to each, in turn; give the delays in ms, and how many notes were not answered."""
    rng = np.random.default_rng(1)
    delays: dict[str, list[float]] = {"echo": [], "follow": [], "homunculus": []}
    lost = dict.fromkeys(delays, 0)
    with (
        tempfile.TemporaryDirectory() as folder,
        jack() as place,
        running(place.midi, "Echo"),
        place.session("--mode", "follow") as session,
    ):
        other = homunculus(python, Path(folder))
        try:
            with (
                Client(place.midi, "To echo", "Echo in", "Echo out") as echo,
                place.client(session.wait_ready()) as follow,
                Client(place.midi, "To notochord", "To iipyper", "From iipyper") as theirs,
            ):
                clients = {"echo": echo, "follow": follow, "homunculus": theirs}
                for client in clients.values():
                    client.listen()
                for client in clients.values():
                    answers(client)
                for _ in range(count):
                    for name, client in clients.items():
                        pitch, velocity = int(rng.integers(48, 84)), int(rng.integers(40, 110))
                        since = len(client.received)
                        sent = client.send(NOTE_ON, pitch, velocity)
                        came = client.wait(struck, since, 0.5)
                        if came is None:
                            lost[name] += 1
                        else:
                            delays[name].append((came - sent) / 1e6)
                        client.send(NOTE_OFF, pitch, 0)
                        time.sleep(float(_PACE_S * rng.uniform(0.5, 1.5)))
                session.stop()
        finally:
            other.kill()
            other.wait()
    return delays, lost


def main(argv: list[str]) -> int:
    """Print the table."""
    if not argv:
        print(__doc__)
        return 2
    found, lost = measure(argv[0], int(argv[1]) if len(argv) > 1 else 2000)
    delays = {name: np.array(values) for name, values in found.items()}
    print("| | n | median ms | p95 | p99 | not answered |\n| --- | --- | --- | --- | --- | --- |")
    for name, values in delays.items():
        figures = " | ".join(f"{np.percentile(values, q):.2f}" for q in (50, 95, 99))
        print(f"| {name} | {len(values)} | {figures} | {lost[name]} |")
    rng = np.random.default_rng(0)
    for label, q in (("median", 50), ("p99", 99)):

        def over(samples: dict[str, np.ndarray], q: int = q) -> tuple[float, float]:
            echo, ours, theirs = (float(np.percentile(samples[name], q)) for name in ("echo", "follow", "homunculus"))
            return ours - echo, theirs - echo

        ours, theirs = over(delays)
        shares = []
        for _ in range(_ROUNDS):
            drawn = over({name: rng.choice(values, len(values)) for name, values in delays.items()})
            shares.append(drawn[0] / drawn[1])
        low, high = np.percentile(shares, (2.5, 97.5))
        print(
            f"over the echo, {label}: follow {ours:.2f} ms, homunculus {theirs:.2f} ms: "
            f"{ours / theirs:.1%} of it (95% interval {low:.1%} to {high:.1%})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
