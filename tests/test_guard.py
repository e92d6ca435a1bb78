"""The player's guard: its table and its view of connections as pure parts, itself against killed players on JACK."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from antiphon.daemon.player.connections import alsa_connections
from antiphon.daemon.player.guarding import Guard
from antiphon.daemon.player.ports import PortNames
from antiphon.daemon.player.sounding_table import SoundingTable
from hypothesis import given
from hypothesis import strategies as st

from tests.guard_rig import guarded, guards, runs
from tests.jack_rig import JackServer, Recorder, sounding, wait_until
from tests.player_rig import PlayerProcess

MS = 1_000_000

_SENT = st.one_of(
    st.builds(
        lambda kind, channel, pitch: bytes((kind | channel, pitch, 64)),
        st.sampled_from((0x80, 0x90)), st.integers(0, 15), st.integers(0, 127),
    ),
    st.builds(
        lambda channel, controller, value: bytes((0xB0 | channel, controller, value)),
        st.integers(0, 15), st.sampled_from((1, 64, 66)), st.integers(0, 127),
    ),
    st.builds(lambda channel, value: bytes((0xE0 | channel, 0, value)), st.integers(0, 15), st.integers(0, 127)),
)  # fmt: skip


def _pedals(messages: list[bytes]) -> set[tuple[int, int]]:
    down: set[tuple[int, int]] = set()
    for message in messages:
        if message[0] & 0xF0 == 0xB0 and message[1] in (64, 66):
            (down.add if message[2] >= 64 else down.discard)((message[0] & 0x0F, message[1]))
    return down


@given(st.lists(_SENT))
def test_the_table_ends_whatever_was_sent_also_what_the_driver_may_have_kept(sent: list[bytes]) -> None:
    table, handle = SoundingTable.make()
    try:
        for message in sent:
            table.mark(message)
        other = SoundingTable(handle)  # as the guard has it
        assert other.sounding == len(sounding(sent))
        ends = other.ends()
        other.close()
    finally:
        table.close()
        os.close(handle)
    for lost in range(len(sent) + 1):  # the driver sent only so many of them
        assert not sounding(sent[:lost] + ends)
        assert not _pedals(sent[:lost] + ends)
    first = [(message[0] & 0x0F, message[1]) for message in ends[: len(sounding(sent))]]
    assert set(first) == sounding(sent)  # what surely sounds is ended first
    used = {message[0] & 0x0F for message in sent if message[0] < 0xA0}
    assert {message[0] & 0x0F for message in ends if message[1] == 123} == used


_ALSA = """\
Client info
  cur  clients : 4
Client   0 : "System" [Kernel]
  Port   1 : "Announce" (R-e-)
    Connecting To: 130:0
Client 128 : "Antiphon" [User Legacy]
  Port   0 : "Antiphon out" (R-e-) [In/Out]
    Connecting To: 14:0[r:0], 20:1[ex]
  Port   1 : "Antiphon in" (-We-) [In/Out]
    Connected From: 24:0
  Port   2 : "Antiphon synth 1" (R-e-) [In/Out]
Client 131 : "Antiphon 2" [User Legacy]
  Port   0 : "Antiphon out" (R-e-) [In/Out]
    Connecting To: 32:0
"""


def test_alsa_says_where_each_of_our_ports_plays_to() -> None:
    sources = [("Antiphon", "Antiphon out"), ("Antiphon", "Antiphon synth 1"), ("Antiphon", "none")]
    assert alsa_connections(_ALSA, sources) == {
        ("Antiphon", "Antiphon out"): ("14:0", "20:1"),
        ("Antiphon", "Antiphon synth 1"): (),
    }


def test_where_the_system_allows_no_guard_it_says_so(tmp_path: Path) -> None:
    guard = Guard(tmp_path)
    try:
        assert guard.start(PortNames("none", ("a.mid",), ()), 0) == ""
        told = guard.start(PortNames("CoreMIDI", (), ("b",), (("Antiphon", "Antiphon out"),)), 0)
        assert told == "no guard on CoreMIDI here: if this process is killed, what sounds goes on sounding"
    finally:
        guard.close()


def _held(player: PlayerProcess, recorder: Recorder) -> None:
    """Notes of Antiphon's own, and a pedal down."""
    for pitch in (60, 64):
        recorder.play(0x90, pitch, 100)
        recorder.wait_count(bytes((0x91, pitch + 7, 100)))
    recorder.play(0xB0, 1, 5)
    recorder.wait_count(bytes((0xB0, 64, 127)))
    assert len(sounding(recorder.messages())) >= 3
    guarded(player.session)


@pytest.mark.survival
@pytest.mark.jack
def test_a_killed_player_falls_silent_and_leaves_its_take(jack: JackServer, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path, thru_channel=15) as player, Recorder() as recorder:
        recorder.join()
        player.ready()
        _held(player, recorder)
        brain = player.brains()[-1]
        guard = guards(tmp_path)[0]
        killed = time.perf_counter_ns()
        os.kill(player.pid, signal.SIGKILL)
        silent = recorder.wait_for(lambda heard: not sounding(heard) and not _pedals(heard), "silence")
        print(f"player killed: silent after {(silent - killed) / MS:.0f} ms")
        assert silent - killed < 1000 * MS
        wait_until(lambda: not runs(guard), "the guard leaves")
        assert not runs(brain)
        wait_until(lambda: "the player died" in player.stderr, "its line")
    assert player.stderr.count("\n") == 1
    assert "the player died; notes that it left sounding: 5, all ended; recovered the take of" in player.stderr
    assert (tmp_path / "take.mid").is_file()


@pytest.mark.survival
@pytest.mark.jack
def test_a_player_that_ends_takes_its_guard_with_it(jack: JackServer, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path) as player:
        player.ready()
        guard = guarded(tmp_path)
        os.kill(guard, signal.SIGINT)
        assert os.getsid(guard) == guard  # no terminal is its own, and none's Ctrl-C reaches it
        open_to = {os.readlink(f"/proc/{guard}/fd/{number}") for number in (0, 1)}
        assert open_to == {os.devnull}
        assert runs(guard)
        began = time.monotonic()
        assert player.stop()["status"] == 0
        print(f"stopped in {time.monotonic() - began:.2f} s")
        assert not runs(guard)
    assert player.stderr == ""
    assert not (tmp_path / "take.mid").exists()


@pytest.mark.survival
@pytest.mark.jack
def test_a_guard_that_dies_is_replaced(jack: JackServer, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path) as player, Recorder() as recorder:
        recorder.join()
        player.ready()
        first = guarded(tmp_path)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: guards(tmp_path) not in ([], [first]), "another guard")
        _held(player, recorder)
        os.kill(player.pid, signal.SIGKILL)
        recorder.wait_for(lambda heard: not sounding(heard), "silence")
        wait_until(lambda: not guards(tmp_path), "the guard leaves")


@pytest.mark.survival
@pytest.mark.jack
def test_a_brain_that_hangs_does_not_outlive_a_killed_player(jack: JackServer, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path) as player, Recorder() as recorder:
        recorder.join()
        player.ready()
        _held(player, recorder)
        brain = player.brains()[-1]
        os.kill(brain, signal.SIGSTOP)
        os.kill(player.pid, signal.SIGKILL)
        recorder.wait_for(lambda heard: not sounding(heard), "silence")
        wait_until(lambda: not runs(brain), "the brain is ended")
