"""The real ``antiphon jam`` on real ports, and everything that can happen to its brain's process.

Each test prints how long Antiphon took to fall silent and to play again.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import pytest
from antiphon.daemon.messages import Kind

from tests.jack_rig import JackServer, sounding, wait_until
from tests.live_rig import LiveSession
from tests.survival_rig import THRU, TUNE, S, books_are_whole, let_go, lose_and_regain, made_again, start_playing

pytestmark = [pytest.mark.jack, pytest.mark.survival]


@pytest.mark.parametrize("mode", ["follow", "answer", "continue", "accompany"])
def test_a_killed_brain_in_every_mode(jack: JackServer, tmp_path: Path, mode: str) -> None:
    with LiveSession(tmp_path / "takes", "--mode", mode, "--osc", "off", *THRU) as live:
        silence, back = lose_and_regain(live, mode, live.kill_brain, "killed")
        assert silence < 0.3
        assert back < 10
        assert live.interrupt() == 0
        books_are_whole(live)
        made_again(live)


@pytest.mark.parametrize("mode", ["follow", "accompany"])
def test_a_brain_that_hangs_is_replaced(jack: JackServer, tmp_path: Path, mode: str) -> None:
    with LiveSession(tmp_path / "takes", "--mode", mode, "--osc", "off", *THRU) as live:

        def stop() -> None:
            wait_until(lambda: bool(live.brain_pids()), "there is a brain")
            for pid in live.brain_pids():
                os.kill(pid, signal.SIGSTOP)

        silence, back = lose_and_regain(live, mode, stop, "stopped")
        assert silence < 4.2  # three seconds without a heartbeat, seen every half second
        assert back < 14
        assert live.interrupt() == 0
        books_are_whole(live)
        made_again(live)


def test_a_brain_out_of_memory_lives_on_or_is_replaced(jack: JackServer, tmp_path: Path) -> None:
    with LiveSession(tmp_path / "takes", "--mode", "follow", "--osc", "off", *THRU) as live:
        client = live.client
        start_playing(live, "follow")
        for pid in live.brain_pids():
            resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))  # not one page more
        began_ns = time.perf_counter_ns()
        client.play(0xB0, 64, 0)
        for _ in range(40):
            for pitch in TUNE:
                client.play(0x90, pitch, 80)
                client.play(0x80, pitch, 0)
        let_go(live)
        client.wait_for(lambda told: not sounding(told), "its notes are ended")
        print(f"\nout of memory: silent {(time.perf_counter_ns() - began_ns) / S:.3f} s after; "
              f"{len(live.wire(Kind.BRAIN_LOST))} brains lost")  # fmt: skip
        up = len(live.wire(Kind.BRAIN_UP))
        live.kill_brain()  # what comes after it may have all there is
        wait_until(lambda: len(live.wire(Kind.BRAIN_UP)) > up, "another brain")
        start_playing(live, "follow")
        let_go(live)
        client.wait_for(lambda told: not sounding(told), "silence")
        assert live.interrupt() == 0
        books_are_whole(live)
