"""Floods: more than anyone plays or turns, and what nobody ought to send."""

from __future__ import annotations

import threading
import time

from tests.jack_rig import wait_until
from tests.soak.clockwork import TICK
from tests.soak.scene import MOST_S, Scene

_GARBAGE = 200
_OSC_MESSAGES = 3000
_RATES = (5_000, 10_000, 20_000)
_FLOOD_S = (0.3, 1.0)
_BATCH_S = 0.002
_CONTROLLERS = (1, 2, 7, 10, 11, 71, 74)


def garble_osc(scene: Scene) -> None:
    """Send datagrams that are no OSC, or ask for what is not allowed; every one of them must be counted.

    Raises:
        TimeoutError: they are not.
    """
    before = _refused(scene)
    for number in range(_GARBAGE):
        if number % 2:
            scene.control.send_raw(scene.rng.randbytes(scene.rng.randint(1, 300)))
        else:
            scene.control.send(scene.rng.choice(("tempo", "nosuch", "mode")), "x" * scene.rng.randint(1, 50))
        threading.Event().wait(0.001)  # a socket's buffer drops what is faster than anyone reads
    wait_until(lambda: _refused(scene) - before >= _GARBAGE, f"{_GARBAGE} bad datagrams are counted", MOST_S)


def _refused(scene: Scene) -> float:
    told = scene.control.counters()
    return float(told["osc_malformed"]) + float(told["osc_refused"])


def flood_osc(scene: Scene) -> None:
    """Send changes of parameters as fast as they go, and questions among them."""
    for _ in range(_OSC_MESSAGES):
        if scene.rng.random() < 0.05:
            scene.control.send("status")
        else:
            scene.control.send("temperature", scene.rng.uniform(0.5, 1.2))


def flood_midi(scene: Scene) -> None:
    """Send 5,000 to 20,000 messages a second for a moment: notes, or controllers, or realtime messages."""
    rng = scene.rng
    rate, seconds, what = rng.choice(_RATES), rng.uniform(*_FLOOD_S), rng.choice(("notes", "controllers", "ticks"))
    pitches = rng.sample(range(36, 96), 24)
    began, sent = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        while sent < rate * spent:
            if what == "notes":
                pitch = pitches[sent // 2 % len(pitches)]
                scene.keys.send(0x80 if sent % 2 else 0x90, pitch, 64)
            elif what == "controllers":
                scene.keys.send(0xB0, rng.choice(_CONTROLLERS), rng.randrange(128))
            else:
                scene.keys.send(TICK)
            sent += 1
        threading.Event().wait(_BATCH_S)
    if sent % 2 and what == "notes":
        scene.keys.send(0x80, pitches[sent // 2 % len(pitches)], 64)
