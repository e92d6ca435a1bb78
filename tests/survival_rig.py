"""What the tests that break something share: playing until it sounds, losing a brain, and the books at the end."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable
from typing import Any

from antiphon.daemon.messages import Kind

from tests.jack_rig import sounding, wait_until
from tests.live_rig import ANTIPHON, LiveSession

S, MS = 1_000_000_000, 1_000_000
THRU = ("--thru", "on", "--thru-channel", "16")
TUNE = (60, 62, 64, 65, 67, 69, 71, 72)


def own_ons(messages: list[bytes]) -> list[bytes]:
    """Note-ons of Antiphon's: not thru's."""
    return [told for told in messages if told[0] & 0xF0 == 0x90 and told[2] and told[0] & 15 != 15]


def quiet(messages: list[bytes]) -> bool:
    return all(channel == 15 for channel, _ in sounding(messages))


def start_playing(live: LiveSession, mode: str) -> None:
    """Do what makes Antiphon sound in a mode, until it does."""
    client = live.client
    heard = len(client.messages())
    if mode == "follow":

        def sounds() -> bool:  # a machine that stands still for a moment makes a reply too late to be sent
            client.play(0x80, 60, 0)
            client.play(0x90, 60, 80)
            with contextlib.suppress(TimeoutError):
                client.wait_for(lambda told: bool(own_ons(told[heard:])) and not quiet(told), "a reply", 1)
                return True
            return False

        wait_until(sounds, "a reply sounds", 20)
    elif mode in ("answer", "continue"):
        for pitch in TUNE:
            client.play(0x90, pitch, 80)
            client.play(0x80, pitch, 0)
        if mode == "continue":
            client.play(0xB0, 67, 127)
            client.play(0xB0, 67, 0)
    client.wait_for(
        lambda told: bool(own_ons(told[heard:])) and not quiet(told), f"a note of Antiphon's sounds ({mode})", 20
    )


def strike_until_told(live: LiveSession, pitch: int, line: str) -> None:
    """Strike a key again and again, until the session says so: it looks at what it was when something comes in."""

    def told() -> bool:
        live.client.play(0x90, pitch, 80)
        live.client.play(0x80, pitch, 0)
        return any(line in said for said in live.lines)

    wait_until(told, f"it says {line!r}")


def let_go(live: LiveSession) -> None:
    live.client.play(0x80, 60, 0)


def lose_and_regain(live: LiveSession, mode: str, lose: Callable[[], Any], what: str) -> tuple[float, float]:
    """Lose the brain while Antiphon sounds; give seconds to silence, and until it plays again."""
    client, brains = live.client, len(live.wire(Kind.BRAIN_UP))
    start_playing(live, mode)
    lost_ns = time.perf_counter_ns()
    lose()
    silent_ns = client.wait_for(quiet, "its notes are ended")
    if len(live.wire(Kind.BRAIN_LOST)) < brains:
        wait_until(lambda: len(live.wire(Kind.BRAIN_LOST)) >= brains, "the loss is written down")
    let_go(live)
    client.play(0x90, 50, 90)  # the performer is unharmed
    client.wait_count(bytes((0x9F, 50, 90)), brains)
    client.play(0x80, 50, 0)
    wait_until(lambda: len(live.wire(Kind.BRAIN_UP)) > brains, "another brain")
    start_playing(live, mode)
    back_ns = time.perf_counter_ns()
    let_go(live)
    silence, back = max(0.0, (silent_ns - lost_ns) / S), (back_ns - lost_ns) / S
    print(f"\n{what}, {mode}: silent after {silence:.3f} s, playing again after {back:.2f} s")
    return silence, back


def books_are_whole(live: LiveSession) -> None:
    sent = {record.id for record in live.wire(Kind.SENT)}
    assert sent == {record.id for record in live.wire(Kind.ENDED, Kind.CUT)}
    late = [(record.u_ns - record.t_ns) / MS for record in live.wire(Kind.SENT)]
    assert max(late, default=0.0) <= 60.0  # the tolerance: what is later is dropped


def made_again(live: LiveSession) -> None:
    done = subprocess.run(
        [*ANTIPHON, "replay", "--regenerate", str(live.folder.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
