"""Several inputs and a port per part on real JACK: alone, around a player that is killed, in a whole session."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from antiphon.daemon.commands import ports as ports_command
from antiphon.daemon.errors import PortError
from antiphon.daemon.messages import Kind
from antiphon.daemon.player import midi_system
from antiphon.daemon.player.ledger import Ledger
from antiphon.daemon.player.midi_system import list_ports
from antiphon.daemon.player.rtmidi_ports import RtMidiPorts
from antiphon.daemon.replay import regenerate
from antiphon.daemon.settings import PARTS
from antiphon.models.load import load_generator
from antiphon.models.parts import OUTPUT_CHANNEL, Part

from tests.guard_rig import guarded, guards
from tests.jack_rig import JackServer, Recorder, sounding, wait_until
from tests.live_rig import LiveSession
from tests.player_rig import PlayerProcess, whole_books

pytestmark = pytest.mark.jack
THRU = 15
MS = 1_000_000
_NAMES = tuple(f"Antiphon {part}" for part in PARTS)


def _open(ports: RtMidiPorts, heard: list[tuple[int, bytes]]) -> None:
    ports.open(lambda _t, port, message: heard.append((port, message)), lambda: None)


@pytest.fixture
def ears(jack: JackServer) -> Iterator[dict[str, Recorder]]:
    """A client for each of a player's outputs, not joined yet."""
    with ExitStack() as stack:
        yield {part: stack.enter_context(Recorder(f"ear {part}")) for part in ("out", *PARTS)}


def _passed_on(messages: list[bytes]) -> set[int]:
    """The pitches that sound by thru."""
    return {pitch for channel, pitch in sounding(messages) if channel == THRU}


def _passes(pitch: int, messages: list[bytes]) -> bool:
    return pitch in _passed_on(messages)


def _carries(ports: RtMidiPorts, message: bytes, ear: Recorder) -> bool:
    ports.send(message)
    return message in ear.messages()


def _ends_with(wanted: list[bytes], messages: list[bytes]) -> bool:
    return messages[len(messages) - len(wanted) :] == wanted


def _has(heard: list[tuple[int, bytes]], count: int) -> bool:
    return len(heard) >= count


def _join(ears: dict[str, Recorder]) -> None:
    for part, ear in ears.items():
        ear.join(None, f"Antiphon {part}")


# ---- a port per part ---------------------------------------------------------------------------------------------


@pytest.mark.patient
def test_each_part_has_a_port_and_each_port_its_part_alone(ears: dict[str, Recorder]) -> None:
    with RtMidiPorts(api="jack", part_ports=True) as ports:
        _open(ports, [])
        assert ports.names.outputs == ("Antiphon out", *_NAMES)
        assert ports.names.sources == tuple((name, name) for name in ("Antiphon out", *_NAMES))
        _join(ears)
        first = b"\xb0\x07\x01"
        for part, ear in ears.items():  # JACK may lose what comes first over a connection that is new
            channel = OUTPUT_CHANNEL[Part[part.upper()]] if part != "out" else 5
            message = bytes((first[0] | channel, *first[1:]))
            wait_until(partial(_carries, ports, message, ear), f"{part} is joined")
        sent = [bytes((kind | channel, 60, 64)) for channel in range(16) for kind in (0x80, 0x90)] + Ledger().panic()
        sent += [b"\xf8", bytes((0x90 | OUTPUT_CHANNEL[Part.BASS], 40, 1)), bytes((0xC9, 0)), bytes((0x95, 99, 99))]
        for message in sent:
            ports.send(message)
        ears["out"].wait_count(sent[-1])
        for part in PARTS:
            own = [m for m in sent if m[0] < 0xF0 and m[0] & 0x0F == OUTPUT_CHANNEL[Part[part.upper()]]]
            ears[part].wait_for(partial(_ends_with, own), part)
        assert ears["out"].messages()[-len(sent) :] == sent
        assert ports.send_errors == 0


@pytest.mark.patient
def test_they_are_told_as_antiphons_own_and_offered_to_nobody(
    jack: JackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with RtMidiPorts(api="jack", part_ports=True) as first, RtMidiPorts(api="jack", part_ports=True) as second:
        _open(first, [])
        _open(second, [])
        assert second.names.outputs == ("Antiphon 2 out", *(f"Antiphon 2 {part}" for part in PARTS))
        seen = list_ports("jack")
        assert (seen.inputs, seen.outputs, seen.keyboards, seen.synths) == ((), (), (), ())
        assert len(seen.own) == 2 * (2 + len(PARTS))
        assert ports_command.main(["--api", "jack"]) == 0
        told = capsys.readouterr().out
        assert "  Antiphon's own, now:\n" in told
        assert "    Antiphon 2 bass:Antiphon 2 bass\n" in told
    assert midi_system.all_ports("jack") == ([], [])


@pytest.mark.patient
def test_a_killed_player_falls_silent_at_each_parts_port(ears: dict[str, Recorder], tmp_path: Path) -> None:
    with PlayerProcess(tmp_path, part_ports=True) as player, Recorder("keys") as keys:
        keys.join("Antiphon in", None)
        _join(ears)
        player.ready()
        assert player.lines[-1] == f"ports open (JACK): in Antiphon in; out {', '.join(('Antiphon out', *_NAMES))}"
        chords, lead = ears["chords"], ears["lead"]  # the small brain's answers, and its long note and pedal
        for pitch in (60, 64):
            keys.play(0x90, pitch, 100)
            chords.wait_count(bytes((0x91, pitch + 7, 100)))
        keys.play(0xB0, 1, 5)
        lead.wait_count(bytes((0xB0, 64, 127)))
        assert sounding(chords.messages()) == {(1, 67), (1, 71)}
        assert sounding(lead.messages()) == {(0, 51)}
        guarded(tmp_path)
        os.kill(player.pid, signal.SIGKILL)
        for ear in (chords, lead, ears["out"]):
            ear.wait_for(lambda heard: not sounding(heard), "silence")
        lead.wait_count(bytes((0xB0, 64, 0)))
        wait_until(lambda: not guards(tmp_path), "the guard leaves")
        for part in PARTS:
            assert {m[0] & 0x0F for m in ears[part].messages()} <= {OUTPUT_CHANNEL[Part[part.upper()]]}
        assert ears["bass"].messages() == ears["drums"].messages() == []
    assert "notes that it left sounding: 3, all ended" in player.stderr


def test_the_notes_of_a_part_are_moved_by_its_own_offset(jack: JackServer, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path, part_offsets={"chords": 120.0, "bass": -200.0}) as player, Recorder() as recorder:
        recorder.join()
        player.ready()
        struck = recorder.play(0x90, 60, 100)
        assert recorder.wait_count(bytes((0x91, 67, 100))) - struck >= 120 * MS
        lifted = recorder.play(0x80, 60, 0)
        assert recorder.wait_count(bytes((0x81, 67, 64))) - lifted >= 120 * MS
        began = recorder.play(0xB0, 1, 1)  # fifty notes of the lead's
        assert recorder.wait_count(bytes((0x90, 40, 90))) - began < 100 * MS
        recorder.wait_count(bytes((0x80, 89, 64)))
        player.stop()
    records = player.journal()
    whole_books(records)
    late = sorted(record.u_ns - record.t_ns for record in records if record.kind in (Kind.SENT, Kind.ENDED))
    assert 0 <= late[0] <= late[len(late) // 2] < MS  # what was moved is not late


@pytest.mark.patient
def test_a_stop_ends_the_notes_at_every_port(ears: dict[str, Recorder], tmp_path: Path) -> None:
    with PlayerProcess(tmp_path, part_ports=True) as player, Recorder("keys") as keys:
        keys.join("Antiphon in", None)
        _join(ears)
        player.ready()
        keys.play(0x90, 60, 100)
        ears["chords"].wait_count(bytes((0x91, 67, 100)))
        assert player.stop()["status"] == 0
        ears["chords"].wait_for(lambda heard: not sounding(heard), "silence")
        assert ears["out"].messages() == ears["chords"].messages()
    whole_books(player.journal())


# ---- several inputs ----------------------------------------------------------------------------------------------


@pytest.mark.patient
def test_named_inputs_are_heard_by_their_numbers_and_each_is_opened_once(jack: JackServer) -> None:
    with Recorder("board") as board, Recorder("pads") as pads, Recorder("keys") as keys:
        for client in (board, pads, keys):
            client.own_ports()
        heard: list[tuple[int, bytes]] = []
        seen = list_ports("jack")
        also_in = {"pads": "drums", "board out": "", "BOARD": ""}
        with RtMidiPorts(api="jack", also_in=also_in, keyboards=seen.keyboards) as ports:
            _open(ports, heard)
            assert ports.names.inputs == (
                "Antiphon in", "pads out:pads out", "board out:board out", "keys out:keys out",
            )  # fmt: skip
            for number, client in enumerate((pads, board, keys)):
                client.play(0x90, 60 + number, 100)
                wait_until(partial(_has, heard, number + 1), "heard")
            assert [port for port, _ in heard] == [1, 2, 4]
        with pytest.raises(PortError, match=r"--also-in 'flute' matches no port; there are .*'pads out:pads out'"):
            _open(RtMidiPorts(api="jack", also_in={"flute": ""}), heard)


@pytest.mark.patient
def test_a_named_input_that_vanishes_ends_its_notes_and_is_heard_again(jack: JackServer, tmp_path: Path) -> None:
    with Recorder("board") as board, Recorder("ear") as ear:
        board.own_ports()
        pads = Recorder("pads").own_ports()
        with PlayerProcess(tmp_path, joined_in="board out", also_in={"pads": "drums"}, thru_channel=THRU) as player:
            ear.join(None, "Antiphon out")
            player.ready()
            for client, pitch in ((board, 60), (board, 62), (pads, 62), (pads, 64)):
                client.play(0x90, pitch, 100)
                ear.wait_for(partial(_passes, pitch), "thru")
            ear.wait_count(bytes((0x9F, 62, 100)), 2)
            pads.close()
            (lost,) = player.wait_journal(Kind.PORT)
            assert (lost.a, lost.b, lost.id) == (0, 0, 1)
            ear.wait_for(lambda heard: _passed_on(heard) == {60, 62}, "its own note alone ends")
            with Recorder("pads") as again:
                again.own_ports()
                back = player.wait_journal(Kind.PORT, 2)[1]
                assert (back.a, back.b, back.id) == (1, 0, 1)
                again.play(0x90, 67, 90)
                ear.wait_count(bytes((0x9F, 67, 90)))
                board.play(0x80, 62, 0)
                ear.wait_for(lambda heard: _passed_on(heard) == {60, 67}, "the first keyboard's")
            player.stop()
        assert sounding(ear.messages()) == set()
        ports = [record.id >> 8 for record in player.journal() if record.kind == Kind.MIDI_IN]
        assert ports == [0, 0, 1, 1, 1, 0]


# ---- all of it, from the shell to the take -----------------------------------------------------------------------


@pytest.mark.patient
def test_a_band_of_two_keyboards_and_a_port_for_each_part(ears: dict[str, Recorder], tmp_path: Path) -> None:
    flags = ("--also-in", "pads=drums,bottom=bass", "--part-ports", "--mode", "accompany", "--parts", "chords+pad",
             "--tempo", "140", "--osc", "off")  # fmt: skip
    with Recorder("pads") as pads, Recorder("bottom") as bottom:
        pads.own_ports()
        bottom.own_ports()
        with LiveSession(tmp_path / "takes", *flags) as live:
            _join(ears)
            if shutil.which("jack_lsp"):
                listed = subprocess.run(["jack_lsp"], capture_output=True, text=True, check=False).stdout.split("\n")
                assert {f"{name}:{name}" for name in ("Antiphon in", "Antiphon out", *_NAMES)} <= set(listed)
            live.client.play(0x90, 60, 90)
            bottom.play(0x90, 36, 80)
            pads.play(0x90, 38, 70)
            ears["chords"].wait_for(lambda heard: sum(m[0] == 0x91 for m in heard) >= 4, "chords", 30)
            for client, pitch in ((live.client, 60), (bottom, 36), (pads, 38)):
                client.play(0x80, pitch, 0)
            wait_until(lambda: len(live.wire(Kind.MIDI_IN)) == 6, "all was heard")
            assert live.interrupt() == 0
            folder = live.folder
            played = {record.a & 0x0F for record in live.wire(Kind.SENT)}
        assert any("out Antiphon out, Antiphon lead, Antiphon chords, Antiphon bass" in line for line in live.lines)
        for part, ear in ears.items():
            assert sounding(ear.messages()) == set()
            if part != "out":  # joined a little later than what carries everything
                channel = OUTPUT_CHANNEL[Part[part.upper()]]
                assert _ends_with(ear.messages(), [m for m in ears["out"].messages() if m[0] & 0x0F == channel])
    assert played <= {OUTPUT_CHANNEL[Part.CHORDS], OUTPUT_CHANNEL[Part.PAD]}
    session = folder.read_session()
    assert session["also_in"] == {"pads": "drums", "bottom": "bass"}
    assert session["ports"]["part_ports"] is True
    heard = [(record.id >> 8, record.b) for record in live.wire(Kind.MIDI_IN) if record.a & 0xF0 == 0x90]
    assert sorted(heard) == [(0, 60), (1, 38), (2, 36)]
    assert folder.has_take
    again = regenerate(folder, load_generator(session["model"]))
    assert again.sent
    assert again.equal
