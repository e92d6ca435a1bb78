"""The installed daemon with the shipped model, on real ports and real OSC."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import mido
import pytest
from antiphon.daemon.messages import Kind
from antiphon.daemon.settings import parameter
from pythonosc.osc_message_builder import OscMessageBuilder

from tests.jack_rig import JackServer, sounding, wait_until
from tests.live_rig import ANTIPHON, LiveSession
from tests.osc_rig import free_port

pytestmark = pytest.mark.jack

_TUNE = (60, 64, 67, 72, 71, 67, 64, 62)


def _ons(messages: list[bytes]) -> list[bytes]:
    return [message for message in messages if message[0] & 0xF0 == 0x90 and message[2]]


def _replies(count: int) -> Callable[[list[bytes]], bool]:
    return lambda heard: len(_ons(heard)) >= count


def _play_tune(live: LiveSession) -> None:
    """Play a tune, each note when the reply to the last is there."""
    for number, pitch in enumerate(_TUNE, len(_ons(live.client.messages())) + 1):
        live.client.play(0x90, pitch, 80)
        live.client.wait_for(_replies(number), f"reply {number}")
        live.client.play(0x80, pitch, 0)


def _silent(live: LiveSession) -> None:
    live.client.wait_for(lambda heard: not sounding(heard), "silence")


def test_follow_answers_each_note_and_its_take_is_made_again_equal(jack: JackServer, tmp_path: Path) -> None:
    with LiveSession(tmp_path / "takes", "--mode", "follow", "--osc", "off") as live:
        _play_tune(live)
        _silent(live)
        assert live.interrupt() == 0
        sent, sampled = live.wire(Kind.SENT), {record.id: record for record in live.log(Kind.SAMPLED)}
        assert len(sent) == len(_TUNE)
        for record in sent:  # every reply is a logged draw of the model
            assert (sampled[record.id].b, sampled[record.id].c) == (record.b, record.c)
            assert sampled[record.id].value < 0
        ended = live.wire(Kind.ENDED, Kind.CUT)
        assert sorted(record.id for record in sent) == sorted(record.id for record in ended)
        take = mido.MidiFile(live.folder.path / "take.mid")
        assert sum(m.type == "note_on" and m.velocity > 0 for track in take.tracks for m in track) == 2 * len(_TUNE)
        done = subprocess.run(
            [*ANTIPHON, "replay", "--regenerate", str(live.folder.path)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert f"all {len(_TUNE)} notes" in done.stdout


def test_a_killed_brain_costs_a_moment_and_nothing_played(jack: JackServer, tmp_path: Path) -> None:
    flags = ("--mode", "follow", "--osc", "off", "--thru", "on", "--thru-channel", "16")
    with LiveSession(tmp_path / "takes", *flags) as live:
        client = live.client
        for kill in range(1, 4):
            heard = len(client.messages())
            client.play(0x90, 60, 80)
            client.wait_for(lambda all_, heard=heard: any(m[0] & 15 != 15 for m in _ons(all_[heard:])), "a reply")  # type: ignore[misc]
            live.kill_brain()
            client.wait_for(lambda all_: all(channel == 15 for channel, _ in sounding(all_)), "own notes off")
            client.play(0x90, 67, 80)  # while there is no brain
            client.wait_count(bytes((0x9F, 67, 80)), kill)
            client.play(0x80, 67, 0)
            client.play(0x80, 60, 0)
            wait_until(lambda kill=kill: len(live.wire(Kind.BRAIN_UP)) > kill, "another brain")  # type: ignore[misc]
        heard = len(client.messages())
        client.play(0x90, 72, 80)
        client.wait_for(lambda all_: any(m[0] & 15 != 15 for m in _ons(all_[heard:])), "a reply of the fourth brain")
        client.play(0x80, 72, 0)
        _silent(live)
        assert live.interrupt() == 0
        lost, cut = live.wire(Kind.BRAIN_LOST), live.wire(Kind.CUT)
        assert len(lost) == 3
        for moment in lost:
            assert min(abs(record.u_ns - moment.t_ns) for record in cut) < 100_000_000
        played = [record for record in live.wire(Kind.MIDI_IN) if record.a == 0x90]
        assert [record.b for record in played] == [60, 67] * 3 + [72]
        sent = live.wire(Kind.SENT)
        assert len({record.id for record in sent}) == len(sent)
        assert len(live.wire(Kind.ENDED, Kind.CUT)) == len(sent)
        assert len(live.log(Kind.RESTART)) == 3
        assert live.log(Kind.CONTEXT)
        done = subprocess.run(
            [*ANTIPHON, "replay", "--regenerate", str(live.folder.path)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr


def test_osc_is_heard_from_the_next_note_and_echoed(jack: JackServer, tmp_path: Path) -> None:
    port = free_port()
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    control.bind(("127.0.0.1", 0))
    control.settimeout(10)

    def tell(address: str, *values: str | float) -> None:
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        control.sendto(builder.build().dgram, ("127.0.0.1", port))

    with control, LiveSession(tmp_path / "takes", "--mode", "follow", "--osc", f"127.0.0.1:{port}") as live:
        tell("/antiphon/subscribe")
        control.sendto(b"no osc at all", ("127.0.0.1", port))
        tell("/antiphon/voice", "bass")
        tell("/antiphon/low", 30)
        tell("/antiphon/high", 40)
        tell("/antiphon/key", "C")
        index = parameter("key").index
        wait_until(lambda: any(record.id == index for record in live.log(Kind.SET)), "the change is taken")
        echoed = b""
        while b"/antiphon/key\0\0\0,s\0\0C" not in echoed:
            echoed = control.recv(65536)
        _play_tune(live)
        low = [message[1] for message in _ons(live.client.messages())]
        assert all(30 <= pitch <= 40 and pitch % 12 in (0, 2, 4, 5, 7, 9, 11) for pitch in low)
        live.client.play(0x90, 60, 80)
        live.client.wait_for(_replies(len(_TUNE) + 1), "a last reply")
        tell("/antiphon/panic")
        live.client.wait_for(lambda heard: bytes((0xBF, 123, 0)) in heard and not sounding(heard), "panic")
        assert live.interrupt() == 0


def test_answer_waits_for_the_phrase_and_yields(jack: JackServer, tmp_path: Path) -> None:
    with LiveSession(tmp_path / "takes", "--mode", "answer", "--osc", "off") as live:
        client = live.client
        client.play(0xB0, 64, 127)  # a held pedal is no silence
        for pitch in _TUNE:
            client.play(0x90, pitch, 80)
            client.play(0x80, pitch, 0)
            threading.Event().wait(0.03)  # a performer's pace, which is the answer's
        assert not _ons(client.messages())
        client.play(0xB0, 64, 0)
        client.wait_for(_replies(2), "an answer")
        back = client.play(0x90, 60, 80)
        client.play(0x80, 60, 0)
        _silent(live)
        assert live.interrupt() == 0
        # what had not gone out when the performer came back never did, but for one note already on its way
        came = next(record.t_ns for record in live.wire(Kind.MIDI_IN) if record.t_ns >= back)
        late = [record for record in live.wire(Kind.SENT) if came < record.u_ns < came + 200_000_000]
        assert len(late) <= 1


def test_a_session_that_is_killed_whole_is_recovered(jack: JackServer, tmp_path: Path) -> None:
    with LiveSession(tmp_path / "takes", "--mode", "follow", "--osc", "off") as live:
        _play_tune(live)
        live.session.process.kill()
        live.session.process.wait(10)
        wait_until(lambda: not live.folder.is_running, "the lock is gone")
        done = subprocess.run(
            [*ANTIPHON, "recover", "--takes", str(tmp_path / "takes")], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        take = mido.MidiFile(live.folder.path / "take.mid")
    assert sum(m.type == "note_on" and m.velocity > 0 for track in take.tracks for m in track) == 2 * len(_TUNE)
