"""A brain is lost while another program's clock runs: the one that comes after it is in time."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from pathlib import Path

import pytest
from antiphon.daemon.messages import Kind, Mark, Record

from tests.jack_rig import JackServer, wait_until
from tests.live_rig import LiveSession
from tests.survival_rig import THRU, S, lose_and_regain

pytestmark = [pytest.mark.jack, pytest.mark.survival]


class _MidiClock(threading.Thread):
    """A master: start, then 24 ticks a beat until it is told to end."""

    def __init__(self, live: LiveSession, bpm: float) -> None:
        super().__init__()
        self._live, self._period_s, self._over = live, 60 / bpm / 24, threading.Event()

    def run(self) -> None:
        self.began_ns = time.perf_counter_ns()
        self._live.client.play(0xFA)
        tick = 0
        while not self._over.wait(max(0.0, self.began_ns / S + tick * self._period_s - time.perf_counter())):
            self._live.client.play(0xF8)
            tick += 1

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def __enter__(self) -> _MidiClock:
        self.start()
        return self


def test_a_new_brain_is_in_time_with_the_midi_clock(jack: JackServer, tmp_path: Path) -> None:
    flags = ("--mode", "accompany", "--clock", "midi", "--tightness", "1", "--osc", "off", *THRU)
    with LiveSession(tmp_path / "takes", *flags) as live, _MidiClock(live, 120.0):
        lose_and_regain(live, "accompany", live.kill_brain, "killed under MIDI clock")
        wait_until(lambda: len(_after_the_loss(live, Kind.SENT)) > 12, "it accompanies")
        ticks = [record.t_ns for record in live.wire(Kind.MIDI_IN) if record.a == 0xF8]
        beats = [(record.t_ns - ticks[0]) / (S / 2) for record in _after_the_loss(live, Kind.SENT)]
        off_ms = [abs(beat * 24 - round(beat * 24)) / 24 * 500 for beat in beats]  # 5.2 where it were anywhere
        print(f"off the master's ticks: median {statistics.median(off_ms):.2f} ms")
        assert statistics.median(off_ms) < 2.5
        assert not [record for record in live.log(Kind.MARK) if record.a == Mark.CLOCK_STOP]


def _after_the_loss(live: LiveSession, kind: Kind) -> list[Record]:
    up_ns = live.wire(Kind.BRAIN_UP)[-1].t_ns
    return [record for record in live.wire(kind) if record.t_ns > up_ns]


def test_a_new_brain_is_in_time_with_the_jack_transport(jack: JackServer, tmp_path: Path) -> None:
    client_library = pytest.importorskip("jack", exc_type=(ImportError, OSError))  # type: ignore[arg-type]
    flags = ("--mode", "accompany", "--clock", "jack", "--tempo", "120", "--tightness", "1", "--osc", "off", *THRU)
    master = client_library.Client("transport", no_start_server=True)
    with contextlib.closing(master), LiveSession(tmp_path / "takes", *flags) as live:
        wait_until(lambda: any("JACK's transport" in line for line in live.lines), "the transport is found")
        master.transport_frame = 0
        master.transport_start()
        lose_and_regain(live, "accompany", live.kill_brain, "killed under JACK's transport")
        wait_until(lambda: len(_after_the_loss(live, Kind.SENT)) > 12, "it accompanies")
        master.transport_stop()
        played = _after_the_loss(live, Kind.SENT)
        told = [record for record in live.log(Kind.TOLD_BEAT) if record.b]
        off_ms = []
        for record in played:
            by_then = [one for one in told if one.t_ns <= record.t_ns]
            # by what was known when it was planned: where the server loses a cycle, its ticks move afterwards; and
            # until it has heard from JACK itself, a new brain goes by what the last one was told
            known = [one for one in by_then if record.t_ns - one.t_ns < S // 2] or by_then[-1:]
            ticks = [24 * (one.value + (record.t_ns - one.t_ns) / one.u_ns) for one in known]
            off_ms.append(min(abs(tick - round(tick)) for tick in ticks) / 24 * 500)  # 5.2 where it were anywhere
        print(f"off the transport's ticks: median {statistics.median(off_ms):.2f} ms")
        assert statistics.median(off_ms) < 1.5
