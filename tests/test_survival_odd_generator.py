"""The real ``antiphon jam`` on real ports with a generator that fails, tells nonsense, or is far too slow."""

from __future__ import annotations

import contextlib
import statistics
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from antiphon.daemon.bench.child import Session
from antiphon.daemon.commands.status import ask
from antiphon.daemon.errors import ControlError
from antiphon.daemon.messages import Kind, Trouble

from tests.jack_rig import JackServer, sounding, wait_until
from tests.live_rig import LiveSession
from tests.odd_brain import SWITCH
from tests.osc_rig import free_port
from tests.survival_rig import MS, THRU, TUNE, books_are_whole, let_go, made_again, start_playing, strike_until_told

pytestmark = [pytest.mark.jack, pytest.mark.survival]


@pytest.fixture
def switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that says what is wrong with the generator; sessions play with one that reads it."""
    path = tmp_path / "switch"
    monkeypatch.setenv(SWITCH, str(path))
    monkeypatch.setattr(Session, "program", (sys.executable, "-m", "tests.odd_brain"))
    return path


@pytest.mark.parametrize("what", ["raise", "memory", "nan", "wild"])
def test_a_generator_that_fails_is_told_counted_and_comes_back(
    jack: JackServer, tmp_path: Path, switch: Path, what: str
) -> None:
    port = free_port()
    with LiveSession(tmp_path / "takes", "--mode", "follow", "--osc", f"127.0.0.1:{port}", *THRU) as live:
        client = live.client
        start_playing(live, "follow")
        let_go(live)
        client.wait_for(lambda told: not sounding(told), "silence")
        switch.write_text(what)
        for pitch in TUNE:
            client.play(0x90, pitch, 80)
            client.play(0x80, pitch, 0)
        wait_until(lambda: any("the generator failed" in line for line in live.lines), "it is told")
        counters = ask(f"127.0.0.1:{port}")["counters"]
        assert counters["generator_faults"] >= 1
        assert counters["generator_faults"] + counters["unanswered"] == len(TUNE)
        switch.unlink()
        strike_until_told(live, 60, "the generator works again")
        client.wait_for(lambda told: not sounding(told), "silence")
        assert sum("the generator failed" in line for line in live.lines) == 1
        assert len(live.wire(Kind.BRAIN_UP)) == 1  # it never died
        assert live.interrupt() == 0
        books_are_whole(live)
        troubles = [record.a for record in live.log(Kind.TROUBLE)]
        assert troubles[-1] == Trouble.GENERATOR_BACK
        assert set(troubles[:-1]) == {Trouble.GENERATOR}
        made_again(live)  # by a generator that never fails


@pytest.mark.parametrize("mode", ["follow", "accompany"])
def test_a_generator_a_hundred_times_too_slow_is_never_late(
    jack: JackServer, tmp_path: Path, switch: Path, mode: str
) -> None:
    port = free_port()
    with LiveSession(tmp_path / "takes", "--mode", mode, "--osc", f"127.0.0.1:{port}", *THRU) as live:
        client = live.client
        start_playing(live, mode)
        let_go(live)
        switch.write_text("slow 0.2")
        thru_ms = []
        for number in range(60):
            pitch = 40 + number % 40
            sent = client.play(0x90, pitch, 33)
            thru_ms.append((client.wait_count(bytes((0x9F, pitch, 33)), 1 + number // 40) - sent) / MS)
            client.play(0x80, pitch, 0)
            threading.Event().wait(0.05)  # a performer's pace

        def told() -> dict[str, Any] | None:
            with contextlib.suppress(ControlError):
                return ask(f"127.0.0.1:{port}")["counters"]
            return None

        counters = wait_until(lambda: (seen := told()) and (seen["misses"] or seen["underruns"]) and seen, "it is told")
        print(f"\n0.2 s a call, {mode}: misses {counters['misses']}, underruns {counters['underruns']}, latest "
              f"{counters['lateness_max_ms']} ms; thru median {statistics.median(thru_ms):.2f} ms")  # fmt: skip
        assert statistics.median(thru_ms) < 10.0
        assert len(live.wire(Kind.BRAIN_UP)) == 1
        switch.unlink()
        assert live.interrupt() == 0
        books_are_whole(live)
