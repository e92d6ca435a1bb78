"""Ports for life: closed under traffic, unplugged and back, known again under another address."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from antiphon.daemon.messages import Kind
from antiphon.daemon.player.rtmidi_clients import InputPort, OutputPort

from tests.jack_rig import JackServer, Recorder, sounding
from tests.player_rig import PlayerProcess, whole_books

pytestmark = [pytest.mark.jack, pytest.mark.survival]
MS = 1_000_000
THRU = 15

#: A keyboard that never rests, on `flood out`, 10,000 messages a second, until its standard input ends.
_FLOOD = """\
import select, sys, rtmidi
out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="flood out")
out.open_virtual_port("flood out")
print("up", flush=True)
while not select.select([sys.stdin], (), (), 0.002)[0]:
    for pitch in range(20):
        out.send_message([0x90, 40 + pitch, 1 + pitch])
"""

#: Opens and closes all ports N times while they are played to and play; a crash is its exit status.
_OPENINGS = """\
import faulthandler, sys, threading
faulthandler.enable()
from antiphon.daemon.player.rtmidi_ports import RtMidiPorts
heard = threading.Event()
count = 0
def on_message(t_ns, port, message):
    global count
    count += 1
    if count % 50 == 0:
        heard.set()
for opening in range(int(sys.argv[1])):
    with RtMidiPorts(api="jack", joined_in="flood out") as ports:
        ports.open(on_message, lambda: None)
        heard.clear()
        assert heard.wait(10)
        for pitch in range(100):
            ports.send(bytes((0x90, pitch, 64)))
        ports.check()
print(count)
"""


def test_fifty_openings_and_closings_under_traffic_end_well(jack: JackServer) -> None:
    flood = subprocess.Popen([sys.executable, "-c", _FLOOD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert flood.stdin is not None
    assert flood.stdout is not None
    try:
        assert flood.stdout.readline() == "up\n"
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", _OPENINGS, "50"], capture_output=True, text=True, timeout=120, check=False
        )
        print(f"50 openings and closings in {time.monotonic() - began:.1f} s, {done.stdout.strip()} messages heard")
        assert (done.returncode, done.stderr.replace("MidiInJack: message queue limit reached!!", "").strip()) == (
            0,
            "",
        )
        assert int(done.stdout) >= 50 * 50
    finally:
        flood.stdin.close()
        flood.wait(10)
        flood.stdout.close()


def test_a_lost_synth_is_told_and_played_to_again_when_it_is_back(jack: JackServer, tmp_path: Path) -> None:
    synth = Recorder("synth").own_ports()
    with (
        PlayerProcess(tmp_path, joined_out="synth in", thru_channel=THRU) as player,
        Recorder("board") as board,
    ):
        try:
            board.join("Antiphon in", None)
            player.ready()
            board.play(0x90, 60, 100)
            synth.wait_count(bytes((0x9F, 60, 100)))
        finally:
            unplugged = time.perf_counter_ns()
            synth.close()
        (lost,) = player.wait_journal(Kind.PORT)
        assert (lost.a, lost.b, lost.id) == (0, 1, 0)
        with Recorder("synth") as again:
            plugged = time.perf_counter_ns()
            again.own_ports()
            back = player.wait_journal(Kind.PORT, 2)[1]
            assert (back.a, back.b, back.id) == (1, 1, 0)
            again.wait_count(bytes((0xBF, 123, 0)))  # whoever is back starts from silence
            board.play(0x90, 62, 90)
            again.wait_count(bytes((0x9F, 62, 90)))
            board.play(0x80, 62, 0)
            again.wait_for(lambda heard: not sounding(heard), "silence")
        print(f"synth unplugged: told after {(lost.t_ns - unplugged) / 1e9:.2f} s, "
              f"played to {(back.t_ns - plugged) / 1e9:.2f} s after it was back")  # fmt: skip
        assert player.stop()["status"] == 0
    whole_books(player.journal())


class _Driver:
    """What a port asks of rtmidi, without one."""

    def __init__(self, there: list[str]) -> None:
        self.there = there
        self.opened: list[tuple[str, str]] = []
        self.deleted = False

    def get_ports(self) -> list[str]:
        return self.there

    def open_port(self, index: int, name: str) -> None:
        self.opened.append((self.there[index], name))

    def delete(self) -> None:
        self.deleted = True


def test_a_keyboard_is_known_again_though_alsa_gave_it_another_address() -> None:
    port = InputPort(0, "Antiphon in", "Keys:Keys MIDI 1 20:0")
    twins = ["Keys:Keys MIDI 1 20:0", "Keys:Keys MIDI 1 24:0"]
    port.open(_Driver(twins[::-1]), "alsa")
    assert port.client.opened == [("Keys:Keys MIDI 1 20:0", "Antiphon in")]
    assert not port.moved(twins)
    assert port.moved(twins[1:])  # its twin is not it
    port.client = None
    assert not port.moved(["Other:Other 20:0"])
    assert port.moved(["Keys:Keys MIDI 1 28:0"])
    back = _Driver(["Other:Other 20:0", "Keys:Keys MIDI 1 28:0"])
    port.open(back, "alsa")
    assert back.opened == [("Keys:Keys MIDI 1 28:0", "Antiphon in")]
    assert port.moved(["Keys:Keys MIDI 1 20:0"])
    port.client = None
    gone = _Driver([])
    port.open(gone, "alsa")
    assert (port.client, gone.deleted) == (None, True)


@pytest.mark.parametrize(
    ("joined", "other", "again"),
    [
        ("system:midi_capture_1", "system:midi_capture_10", "system:midi_capture_1"),
        ("USB MIDI:USB MIDI MIDI 1 24:0", "USB MIDI:USB MIDI MIDI 10 28:9", "USB MIDI:USB MIDI MIDI 1 28:0"),
        ("Kbd:keys 1", "Other Kbd:keys 1", "Kbd:keys 1"),
        ("a2j:Keys 61 [20] (capture)", "a2j:Keys 61 Pro [24] (capture)", "a2j:Keys 61 [24] (capture)"),
    ],
)
def test_another_whose_name_holds_the_lost_ones_is_not_it(joined: str, other: str, again: str) -> None:
    for port in (InputPort(0, "Antiphon in", joined), OutputPort(0, "Antiphon out", joined)):
        assert not port.moved([other])
        assert port.moved([other, again])
        there = _Driver([other, again])
        port.open(there, "alsa")
        assert there.opened == [(again, port.name)]
    synth = OutputPort(1, "Antiphon synth 1", "FLUID", by_part=True)  # it is about to appear, by a name of its own
    assert synth.moved(["FLUID Synth (77):left"])
