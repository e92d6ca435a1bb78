"""OSC that no controller sends: garbage, and what is not allowed, thousands of datagrams a second."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from collections.abc import Callable, Iterator

from antiphon.daemon.brain.osc_addresses import PREFIX
from antiphon.daemon.brain.osc_wire import bundle, message


def garbage(rng: random.Random) -> bytes:
    whole = bundle([message(PREFIX + "tempo", 120.0), message(PREFIX + "mode", "follow")])
    kinds: list[Callable[[], bytes]] = [
        lambda: rng.randbytes(rng.randrange(1, 400)),
        lambda: whole[: rng.randrange(1, len(whole))],
        lambda: message(PREFIX + "tempo", "fast"),
        lambda: message(PREFIX + "mode", 3.7),
        lambda: message(PREFIX + "nobody", 1),
        lambda: message(PREFIX + "low", 1, 2, 3),
        lambda: b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xff",
        lambda: message(PREFIX + "low", 28),
    ]
    return rng.choice(kinds)()


@contextlib.contextmanager
def osc_flood(port: int, a_second: int) -> Iterator[list[int]]:
    """Send garbage at a rate, in another process: this one's threads must not wait for it."""
    script = (
        "import random, socket, sys, time; from tests.osc_flooding import garbage\n"
        f"rng, where, rate = random.Random(1), ('127.0.0.1', {port}), {a_second}\n"
        "sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sent, began = 0, time.perf_counter()\n"
        "made = [garbage(rng) for _ in range(5000)]; print('ready', flush=True)\n"
        "import select\n"
        "while not select.select([sys.stdin], [], [], 0.002)[0]:\n"
        "    for _ in range(max(0, min(200, int((time.perf_counter() - began) * rate) - sent))):\n"
        "        sock.sendto(made[sent % 5000], where); sent += 1\n"
        "print(sent, time.perf_counter() - began)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    told: list[int] = []
    try:
        yield told
    finally:
        out, _ = child.communicate("\n")
        sent, seconds = out.split()
        told += [int(sent), round(int(sent) / float(seconds))]
