"""JACK's transport on a real server: rolling, located, stopped, its timebase master or none, and a server that goes."""

from __future__ import annotations

import os
import select
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from antiphon.daemon.brain.clock_sources import ClockSources, MissingError, read_at
from antiphon.daemon.brain.jack_source import JackSource, told_of
from antiphon.daemon.brain.midi_clock import ClockEvent
from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.osc_wire import message
from antiphon.daemon.brain.told_clock import Source, Told
from antiphon.daemon.errors import ControlError
from antiphon.daemon.messages import Kind, Mark
from antiphon.daemon.settings import Settings

from tests.jack_rig import JackServer, in_environment, jack_installed, realtime_allowed, sounding, wait_until
from tests.live_rig import LiveSession

jack = pytest.importorskip("jack", exc_type=(ImportError, OSError))  # type: ignore[arg-type]  # no libjack: OSError
JACK = Settings().with_value("clock", "jack").with_value("tempo", 100.0)
RATE = 48_000


def position(frame: int, **bbt: float) -> dict[str, float]:
    return {"usecs": 0, "frame_rate": RATE, "frame": frame, **bbt}


def bbt(bar: int, beat: int, tick: int, bpm: float = 90.0, metre: float = 3.0) -> dict[str, float]:
    return {
        "bar": bar, "beat": beat, "tick": tick, "bar_start_tick": 0.0, "beats_per_bar": metre, "beat_type": 4.0,
        "ticks_per_beat": 1920.0, "beats_per_minute": bpm,
    }  # fmt: skip


def test_a_position_says_bar_beat_and_tempo() -> None:
    told = told_of(position(7, **bbt(3, 2, 960)), 5, True, 100.0)
    assert told == Told(Source.JACK, 5, 7.5, round(60e9 / 90), True, 3)


def test_what_a_position_says_of_another_frame_is_of_another_time() -> None:
    told = told_of(position(7, **bbt(1, 1, 0), bbt_offset=480), 10**9, False, 100.0)
    assert (told.t_ns, told.running) == (990_000_000, False)


@pytest.mark.parametrize("wrong", [{}, bbt(1, 1, 0, bpm=0.0), bbt(1, 1, 0, metre=0.0), bbt(1, 1, 0, metre=99.0)])
def test_seconds_become_beats_where_it_says_no_tempo(wrong: dict[str, float]) -> None:
    assert told_of(position(3 * RATE, **wrong), 5, True, 100.0) == Told(Source.JACK, 5, 5.0, 600_000_000)


@pytest.fixture
def server() -> Iterator[JackServer]:
    made = JackServer(f"antiphon-transport{os.getpid()}", synchronous=True, realtime=realtime_allowed(), period=128)
    with made as started, in_environment(started.environment):
        yield started


@pytest.fixture
def master(server: JackServer) -> Iterator[Any]:
    """Who rolls, stops and locates the transport."""
    client = jack.Client("master", no_start_server=True)
    client.activate()
    yield client
    client.deactivate()
    client.close()


class Following:
    """What the brain's loop does with a source: records into musical time. Counts what it hears."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bool]] = []
        self.events: list[ClockEvent] = []
        self.sources = ClockSources(lambda line, wrong: self.lines.append((line, wrong)))
        self.time = MusicalTime(time.perf_counter_ns(), JACK)
        self.time.select(JACK, time.perf_counter_ns())

    def listen(self) -> bool:
        readable, _, _ = select.select([self.sources], [], [], 0.05)
        for record in self.sources.take() if readable else ():
            said = Told.of(record)
            assert said is not None
            self.time.tell(said, JACK, max(time.perf_counter_ns(), said.t_ns))
        self.events += self.time.take_events()
        return True

    def until(self, condition: Callable[[], Any], what: str) -> None:
        wait_until(lambda: self.listen() and condition(), what)

    def beat(self, t_ns: int) -> float:
        assert self.time.grid is not None
        return (self.time.position(t_ns) - self.time.grid[0]) / self.time.grid[1]


@pytest.fixture
def following() -> Iterator[Following]:
    made = Following()
    yield made
    made.sources.close()


def off_ms(following: Following, master: Any, bpm: float) -> float:
    """How far the beat lies from the transport's own frame."""
    t_ns, frame = read_at(lambda: int(master.transport_frame))
    return following.beat(t_ns) * 60e3 / bpm - frame * 1e3 / RATE


@pytest.mark.jack
@pytest.mark.skipif(not jack_installed(), reason="jackd is not installed")
def test_rolling_locating_and_stopping_are_followed(server: JackServer, master: Any, following: Following) -> None:
    following.sources.follow(JACK)
    following.until(lambda: following.lines, "it is open")
    assert following.lines == [("clock jack: JACK's transport is followed, no tempo map: it goes at `tempo`", False)]
    assert not following.time.running
    master.transport_start()
    following.until(lambda: following.time.running, "it rolls")
    offs = [abs(off_ms(following, master, 100.0)) for _ in range(20) if following.listen()]
    assert statistics.median(offs) < 1.0  # where a busy server loses a cycle, the beat is some looks behind
    assert following.time.bpm == pytest.approx(100.0)
    assert following.events == [ClockEvent.STARTED]
    master.transport_frame = 60 * RATE
    following.until(lambda: following.beat(time.perf_counter_ns()) > 99, "it is located")
    following.until(lambda: abs(off_ms(following, master, 100.0)) < 2.0, "it is where the transport is")
    assert following.events == [ClockEvent.STARTED, ClockEvent.LOCATED]
    master.transport_stop()
    following.until(lambda: not following.time.running, "it stops")
    assert following.events[2:] == [ClockEvent.STOPPED]
    master.transport_start()
    following.until(lambda: following.time.running, "it rolls again")
    following.until(lambda: abs(off_ms(following, master, 100.0)) < 2.0, "from where it stood")


@pytest.mark.jack
@pytest.mark.skipif(not jack_installed(), reason="jackd is not installed")
def test_a_timebase_masters_bars_and_tempo_are_followed(server: JackServer, master: Any, following: Following) -> None:
    def timebase(_state: int, _frames: int, pos: Any, _new: bool) -> None:
        ticks = pos.frame * 90.0 / 60.0 / RATE * 1920.0
        beat, tick = divmod(int(ticks), 1920)
        pos.valid = 0x10  # JackPositionBBT
        pos.bar, pos.beat, pos.tick = beat // 3 + 1, beat % 3 + 1, tick
        pos.beats_per_bar, pos.beat_type, pos.ticks_per_beat, pos.beats_per_minute = 3.0, 4.0, 1920.0, 90.0

    assert master.set_timebase_callback(timebase)
    master.transport_start()
    following.sources.follow(JACK)
    following.until(lambda: following.time.running and following.time.bpm == pytest.approx(90.0), "its tempo is known")
    assert following.time.grid is not None
    assert following.time.grid[2] == 3
    following.until(lambda: abs(off_ms(following, master, 90.0)) < 2.0, "the beat is the master's")
    assert set(following.events) == {ClockEvent.STARTED}


@pytest.mark.patient
@pytest.mark.jack
@pytest.mark.skipif(not jack_installed(), reason="jackd is not installed")
def test_a_server_that_goes_stops_the_clock_and_is_waited_for(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.daemon.brain.clock_sources.LOOK_EVERY_S", 0.1)
    name = f"antiphon-comes-back{os.getpid()}"
    first = JackServer(name, period=128)
    with in_environment(first.environment):
        following.sources.follow(JACK)
        following.until(lambda: following.lines, "there is no server")
        assert following.lines == [
            ("clock jack: no JACK server answers; start one (it is looked for on), or choose another clock", True)
        ]
        for _ in range(2):
            heard = len(following.lines)
            with JackServer(name, period=128):
                following.until(lambda heard=heard: len(following.lines) > heard, "it is found")  # type: ignore[misc]
                assert following.lines[-1][1] is False
                client = jack.Client("starter", no_start_server=True)
                client.transport_start()
                following.until(lambda: following.time.running, "it rolls")
                client.close()
            following.until(lambda: not following.time.running, "it is gone")
            assert following.lines[-1] == (
                "clock jack: the JACK server is gone; start it again (it is looked for on)", True
            )  # fmt: skip


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jack", None)
    with pytest.raises(MissingError, match=r"clock jack: .*pip install 'antiphon\[jack\]'"):
        JackSource().open(JACK)


def test_without_a_server_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "antiphon-nobody")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    with pytest.raises(ControlError, match="no JACK server answers"):
        JackSource().open(JACK)


@pytest.mark.jack
@pytest.mark.skipif(not jack_installed(), reason="jackd is not installed")
def test_a_whole_session_plays_while_the_transport_rolls(server: JackServer, master: Any, tmp_path: Path) -> None:
    flags = (
        "--mode",
        "accompany",
        "--clock",
        "free",
        "--tempo",
        "100",
        "--tightness",
        "1",
        "--mute",
        "on",
        "--osc",
        "127.0.0.1:0",
    )
    with LiveSession(tmp_path / "takes", *flags) as session:
        assert not session.log(Kind.TOLD_BEAT)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller:
            address = next(line for line in session.lines if "OSC on" in line).rpartition(":")
            for name, value in (("clock", "jack"), ("mute", "off")):
                controller.sendto(message(f"/antiphon/{name}", value), ("127.0.0.1", int(address[2])))
        wait_until(lambda: any("JACK's transport" in line for line in session.lines), "the transport is found")
        assert not session.wire(Kind.SENT)
        master.transport_start()
        frames: list[tuple[int, int]] = []  # (time, the transport's frame then)

        def plays() -> bool:
            frames.append(read_at(lambda: int(master.transport_frame)))
            return len(session.wire(Kind.SENT)) >= 24

        wait_until(plays, "it plays", 20)
        master.transport_stop()
        stopped_ns = time.perf_counter_ns()
        wait_until(lambda: [r for r in session.log(Kind.MARK) if r.a == Mark.CLOCK_STOP], "the stop is heard")
        wait_until(lambda: not sounding(session.client.messages()), "nothing sounds on")
        sent = session.wire(Kind.SENT)
        assert max(record.u_ns for record in sent) < stopped_ns + 100_000_000
        offs_ms = []
        for record in sent:  # from the transport's own ticks; these move under a note where the server loses a cycle
            t_ns, frame = min(frames, key=lambda look: abs(look[0] - record.t_ns))
            ticks = (frame / RATE + (record.t_ns - t_ns) / 1e9) * 100 / 60 * 24
            offs_ms.append(abs(ticks - round(ticks)) * 25.0)
        assert statistics.quantiles(offs_ms)[0] < 1.0
        assert {record.a for record in session.log(Kind.TOLD_BEAT)} == {Source.JACK}
        assert session.interrupt() == 0
