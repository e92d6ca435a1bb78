"""JACK's server killed, started again, and standing still: its clients end what sounds, and wait for nobody."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from antiphon.daemon.messages import Kind
from antiphon.daemon.player.jack_cycle import JackCycle
from antiphon.daemon.player.rtmidi_ports import RtMidiPorts

from tests.jack_rig import JackServer, Recorder, in_environment, jack_installed, sounding, wait_until
from tests.player_rig import PlayerProcess, whole_books

pytestmark = [pytest.mark.jack, pytest.mark.survival]
MS = 1_000_000
THRU = 15


class _Mortal(JackServer):
    """A server that can be made to stand still, and started again under its name."""

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[int]:
        """Make it stand still, and say since when; it goes on, come what may: clients wait for it to leave."""
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            yield time.perf_counter_ns()
        finally:
            process.send_signal(signal.SIGCONT)  # nothing where it has been killed meanwhile

    def start(self) -> None:
        """Start it again."""
        self.__enter__()


@pytest.fixture
def mortal() -> Iterator[_Mortal]:
    if not jack_installed():
        pytest.skip("there is no jackd")
    server = _Mortal(f"antiphon-mortal{os.getpid()}", synchronous=True, realtime=False)
    with server, in_environment(server.environment):
        yield server


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_jacks_server_may_leave_and_come_back(mortal: _Mortal, tmp_path: Path, number: int) -> None:
    with PlayerProcess(tmp_path, thru_channel=THRU) as player:
        client = Recorder("first").join()
        player.ready()
        for pitch in (60, 64):
            client.play(0x90, pitch, 100)
            client.wait_count(bytes((0x91, pitch + 7, 100)))
        client.abandon()
        killed = mortal.kill(number)
        lost = player.wait_journal(Kind.PORT, 2)
        assert {(record.a, record.b, record.c) for record in lost} == {(0, 0, 1), (0, 1, 2)}
        silent = max(record.u_ns for record in player.wait_journal(Kind.CUT, 2))
        started = time.perf_counter_ns()
        mortal.start()
        back = player.wait_journal(Kind.PORT, 4)[2:]
        assert {(record.a, record.b, record.c) for record in back} == {(1, 0, 1), (1, 1, 2)}
        print(f"JACK killed by {number}: notes ended after {(silent - killed) / 1e9:.2f} s, "
              f"ports back {(back[-1].t_ns - started) / 1e9:.2f} s after it was started")  # fmt: skip
        with Recorder("second") as again:
            again.join()
            wait_until(lambda: _carries(again), "JACK carries again")
            again.play(0x90, 62, 90)
            again.wait_count(bytes((0x91, 69, 90)))
            again.play(0x80, 62, 0)
            again.wait_for(lambda heard: not sounding(heard), "silence")
        result = player.stop()
        assert (result["status"], result["brains"], result["brains_lost"]) == (0, 1, 0)
        assert player.stderr == ""
    records = player.journal()
    whole_books(records)
    assert [record.b for record in records if record.kind == Kind.MIDI_IN and record.a == 0x90] == [60, 64, 62]


def test_a_server_that_stood_still_before_it_left_is_lost_once(mortal: _Mortal, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path) as player:
        player.ready()
        with mortal.standing_still():
            player.wait_journal(Kind.PORT, 2)
            mortal.kill()
        mortal.start()
        told = [(record.a, record.b, record.c) for record in player.wait_journal(Kind.PORT, 4)]
        assert sorted(told[:2]) == [(0, 0, 1), (0, 1, 2)]
        assert sorted(told[2:]) == [(1, 0, 1), (1, 1, 2)]
        assert player.stop()["status"] == 0


def test_the_brain_is_told_jacks_period_and_told_anew(mortal: _Mortal, tmp_path: Path) -> None:
    brain = """\
send(Kind.READY, t_ns=clock())
for record in records():
    if record.kind == Kind.STOP:
        break
    if record.kind == Kind.PERIOD:
        with open(os.path.join(folder, "periods"), "a") as told:
            told.write(f"{record.u_ns}\\n")
"""
    with PlayerProcess(tmp_path, brain) as player:
        player.ready()
        wait_until(lambda: _periods(tmp_path) == [mortal.period_ns], "the brain knows the period")
        mortal.kill()
        player.wait_journal(Kind.PORT, 2)
        wait_until(lambda: _periods(tmp_path)[1:] == [0], "the brain knows that there is none")
        mortal.start()
        wait_until(lambda: _periods(tmp_path)[2:] == [mortal.period_ns], "the brain knows it again")
        assert player.stop()["status"] == 0


def _periods(folder: Path) -> list[int]:
    told = folder / "periods"
    return [int(line) for line in told.read_text().split()] if told.exists() else []


def test_a_named_input_comes_back_after_jacks_server(mortal: _Mortal, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path, also_in={"pads": "drums"}, thru_channel=THRU) as player:
        pads, ear = Recorder("pads").own_ports(), Recorder("ear").join(None)
        player.ready()
        pads.play(0x90, 60, 100)
        ear.wait_count(bytes((0x9F, 60, 100)))
        for client in (pads, ear):
            client.abandon()
        mortal.kill(signal.SIGKILL)
        lost = player.wait_journal(Kind.PORT, 3)
        assert {(record.a, record.b, record.id) for record in lost} == {(0, 0, 0), (0, 0, 1), (0, 1, 0)}
        mortal.start()
        back = player.wait_journal(Kind.PORT, 5)[3:]
        assert {(record.a, record.b, record.id) for record in back} == {(1, 0, 0), (1, 1, 0)}
        with Recorder("ear") as ear_again, Recorder("pads") as again:
            ear_again.join(None)
            again.own_ports()
            found = player.wait_journal(Kind.PORT, 6)[5]
            assert (found.a, found.b, found.id) == (1, 0, 1)
            again.play(0x90, 62, 90)
            ear_again.wait_count(bytes((0x9F, 62, 90)))
        assert player.stop()["status"] == 0
    heard = [(record.id >> 8, record.b) for record in player.journal() if record.kind == Kind.MIDI_IN]
    assert heard == [(1, 60), (1, 62)]


def test_jacks_server_may_stand_still_and_go_on(mortal: _Mortal, tmp_path: Path) -> None:
    brain = """\
send(Kind.READY, t_ns=clock())
for count, record in enumerate(records()):
    if record.kind == Kind.STOP:
        break
    if record.kind == Kind.MIDI_IN and record.a == 0xB0 and record.c == 2:
        for step in range(3000):
            at = clock() + (300 + step // 2) * MS
            send(Kind.NOTE, a=1, b=40 + step % 80, c=90, id=1 + step, t_ns=at, u_ns=at + 5 * MS, value=50.0 * MS)
"""
    with PlayerProcess(tmp_path, brain, thru_channel=THRU) as player, Recorder("client") as client:
        client.join()
        player.ready()
        wait_until(lambda: _carries(client), "thru")
        client.play(0xB0, 7, 2)
        client.wait_for(sounding, "the brain's notes")
        with mortal.standing_still() as paused:
            lost = player.wait_journal(Kind.PORT, 2)
            assert {(record.a, record.b, record.c) for record in lost} == {(0, 0, 1), (0, 1, 2)}
            player.wait_journal(Kind.SENT, 2700)  # and the player goes on, though nothing can be sent
            went_on = time.perf_counter_ns()
        back = player.wait_journal(Kind.PORT, 4)[2:]
        assert {(record.a, record.b, record.c) for record in back} == {(1, 0, 1), (1, 1, 2)}
        client.wait_for(lambda heard: not sounding(heard), "silence")
        print(f"JACK stood still: told after {(lost[0].t_ns - paused) / 1e9:.2f} s, "
              f"back {(back[0].t_ns - went_on) / 1e9:.2f} s after it went on")  # fmt: skip
        wait_until(lambda: _carries(client), "thru")
        result = player.stop()
        assert (result["status"], result["brains_lost"]) == (0, 0)
        assert result["send_errors"] > 0
    whole_books(player.journal())


def test_a_server_that_stands_still_at_the_end_keeps_nobody(mortal: _Mortal, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path) as player:
        player.ready()
        with mortal.standing_still():
            player.wait_journal(Kind.PORT, 2)
            began = time.monotonic()
            assert player.stop()["status"] == 0
            print(f"stopped in {time.monotonic() - began:.2f} s while JACK stood still")
        wait_until(lambda: not _uses(tmp_path), "nothing of it is left")
    mortal.kill()  # told to leave, it waits ten seconds for whom it did not see leave


@dataclass
class _Frames:
    """What is asked of JACK's client here."""

    frames: int = 64


def test_nobody_sends_more_than_there_is_room_for_to_a_server_that_stands_still() -> None:
    jack, cycle = _Frames(), JackCycle()
    for _ in range(10):  # what a stall kept back, all in one cycle
        assert all(cycle.may_send(jack) for _ in range(2000))
        jack.frames += 64
        assert not cycle.look(jack)
    assert all(cycle.may_send(jack) for _ in range(99))
    jack.frames += 64
    sent = 99 + sum(cycle.may_send(jack) for _ in range(5000))  # and now it stands still
    assert 2000 < sent < 2340
    assert cycle.look(jack)
    assert not cycle.may_send(jack)
    jack.frames += 64
    assert cycle.may_send(jack)  # as soon as it turns, not at the next look
    assert not cycle.look(jack)
    jack.frames += 64
    assert [cycle.look(jack) for _ in range(4)] == [False, False, False, True]  # also where nobody sends
    assert not cycle.may_send(jack)


@dataclass
class _Jack(_Frames):
    """And by the ports."""

    gone: bool = False


@dataclass
class _Output:
    """An output, its own client, that writes down what is sent."""

    sent: list[bytes]

    @property
    def client(self) -> _Output:
        return self

    def send_message(self, message: bytes) -> None:
        self.sent.append(message)


def _ports_on(jack: _Jack) -> tuple[RtMidiPorts, list[bytes]]:
    ports, output = RtMidiPorts(api="jack"), _Output([])
    vars(ports).update(_jack=jack, _routes=defaultdict(lambda: [output]))
    return ports, output.sent


def test_what_a_burst_leaves_no_room_for_waits_for_the_next_cycle_in_its_order(jack: JackServer) -> None:
    cycle = _Jack()
    ports, sent = _ports_on(cycle)
    burst = [bytes((0x90, n % 128, 1 + n // 128)) for n in range(5000)]
    for message in burst:
        ports.send(message)
    assert 2000 < len(sent) < 2340
    cycle.frames += 64
    ports.send(bytes((0x80, 0, 0)))  # not before what waits
    while cycle.frames < 64 * 8:
        cycle.frames += 64
        ports.send_kept()
    assert sent == [*burst, bytes((0x80, 0, 0))]
    assert ports.send_errors == 0


def test_what_waits_for_a_server_that_stands_still_is_given_up_and_counted(jack: JackServer) -> None:
    cycle = _Jack()
    ports, sent = _ports_on(cycle)
    for n in range(3000):
        ports.send(bytes((0x90, n % 128, 90)))
    went = len(sent)
    assert ports.send_errors == 0
    for _ in range(5):
        ports.check()
    ports.send(bytes((0x80, 60, 0)))
    assert (len(sent), ports.send_errors) == (went, 3001 - went)
    cycle.frames += 64
    ports.send(bytes((0x80, 61, 0)))  # it turns again
    assert sent[went:] == [bytes((0x80, 61, 0))]
    for _ in range(20_000):  # and stands still anew, unseen
        ports.send(bytes((0x80, 61, 0)))
    assert ports.send_errors > 10_000


def _carries(client: Recorder) -> bool:
    """Whether a controller comes back by thru; over a connection that is new JACK may lose what comes first."""
    client.play(0xB0, 7, 1)
    return bytes((0xB0 | THRU, 7, 1)) in client.messages()


def test_a_server_that_is_gone_at_the_end_keeps_nobody(mortal: _Mortal, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path) as player:
        client = Recorder("first").join()
        player.ready()
        client.play(0x90, 60, 100)
        client.wait_count(bytes((0x91, 67, 100)))
        client.abandon()
        mortal.kill(signal.SIGKILL)
        assert player.stop()["status"] == 0
        assert player.stderr == ""
    whole_books(player.journal())
    wait_until(lambda: not _uses(tmp_path), "nothing of it is left")
    mortal.start()  # under its name, so that its place in JACK's list of servers is given back


def _uses(session: Path) -> bool:
    for told in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(session).encode() in told.read_bytes():
                return True
        except OSError:
            continue
    return False
