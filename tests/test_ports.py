from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from antiphon.daemon.errors import PortError
from antiphon.daemon.player import midi_system, synth
from antiphon.daemon.player.config import PlayerConfig
from antiphon.daemon.player.midi_system import SeenPorts, choose_api, list_ports, match_port
from antiphon.daemon.player.ports import NoMidiSystem, PortNames
from antiphon.daemon.player.rtmidi_ports import RtMidiPorts
from antiphon.daemon.player.setup import advice
from antiphon.models.parts import OUTPUT_CHANNEL

from tests.jack_rig import JackServer, Recorder, wait_until

_CANDIDATES = ["Keystation:Keystation MIDI 1", "Keystation:Keystation MIDI 2", "ardour:MIDI out"]


def test_a_port_is_found_by_part_of_its_name() -> None:
    assert match_port("ARDOUR", _CANDIDATES, "--in") == 2
    assert match_port("midi 2", _CANDIDATES, "--in") == 1
    assert match_port("a", ["a", "ab"], "--in") == 0  # a whole name wins


def test_none_or_several_matches_list_the_candidates() -> None:
    with pytest.raises(PortError, match=r"--in 'key' matches 2 ports: 'Keystation:Keystation MIDI 1', 'Key"):
        match_port("key", _CANDIDATES, "--in")
    with pytest.raises(PortError, match=r"--out 'x' matches no port; there are .*'ardour:MIDI out'"):
        match_port("x", _CANDIDATES, "--out")
    with pytest.raises(PortError, match="there are no ports to join"):
        match_port("x", [], "--out")


def test_instruments_are_told_from_programs() -> None:
    seen = SeenPorts(
        "alsa",
        ("Midi Through:Midi Through Port-0 14:0", "Keystation:Keystation MIDI 1 20:0", "ardour:MIDI out"),
        ("FLUID Synth:Synth input port 128:0", "ardour:MIDI in"),
    )
    assert seen.keyboards == ("Keystation:Keystation MIDI 1 20:0",)
    assert seen.synths == ("FLUID Synth:Synth input port 128:0",)


def test_the_first_run_says_what_to_connect(tmp_path: Path) -> None:
    config = PlayerConfig(tmp_path)
    seen = SeenPorts("alsa", ("Keystation MIDI 1",), ("FLUID Synth",))
    assert advice(config, SeenPorts("alsa", (), ())) == [
        "no keyboard seen: route your DAW's or keyboard's output to 'Antiphon in'",
        "no synth seen: route 'Antiphon out' to your DAW, or hear it with --synth",
    ]
    assert advice(config, seen) == [
        "keyboards seen: Keystation MIDI 1; connect them with --connect",
        "synths seen: FLUID Synth; connect them with --connect",
    ]
    assert advice(PlayerConfig(tmp_path, connect=True), seen) == [
        "connected keyboards: Keystation MIDI 1",
        "connected synths: FLUID Synth",
    ]
    assert advice(PlayerConfig(tmp_path, joined_in="a", joined_out="b"), seen) == []


def test_no_midi_system_is_one_line_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(midi_system, "_ALSA_SEQUENCER", tmp_path / "seq")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "antiphon-none")
    with pytest.raises(NoMidiSystem, match=r"no MIDI system: .*modprobe snd-seq.*start JACK.*--performer"):
        choose_api()
    with pytest.raises(NoMidiSystem, match="JACK does not answer; start JACK"):
        choose_api("jack")
    with pytest.raises(NoMidiSystem, match="ALSA does not answer"):
        choose_api("alsa")
    with pytest.raises(PortError, match="'oss' is not allowed; give one of auto, alsa, jack, coremidi, windows"):
        choose_api("oss")
    assert capfd.readouterr() == ("", "")  # libjack's own complaints are kept off the terminal


def test_the_synth_is_given_a_command_for_each_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name == "fluidsynth" else None)
    font = synth.soundfont()
    assert font.suffix == ".sf2"
    for api, audio, midi in (("jack", "jack", "jack"), ("alsa", "alsa", "alsa_seq"),
                             ("coremidi", "coreaudio", "coremidi")):  # fmt: skip
        command = synth.synth_command(api, font)
        assert command[0] == "/bin/fluidsynth"
        assert command[command.index("-a") + 1] == audio
        assert command[command.index("-m") + 1] == midi
        assert command[-1] == str(font)
        assert not {"-s", "--server"} & set(command)  # no open network port
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(PortError, match="no fluidsynth here; install it"):
        synth.synth_command("jack", font)
    assert {program[0] & 0x0F for program in synth.programs()} == set(OUTPUT_CHANNEL.values())


def _open(ports: RtMidiPorts, heard: list[tuple[int, bytes]]) -> None:
    ports.open(lambda _t, port, message: heard.append((port, message)), lambda: None)


def _plays(ports: RtMidiPorts, synth_port: Recorder) -> bool:
    ports.send(bytes((0x90, 70, 1)))
    return bytes((0x90, 70, 1)) in synth_port.messages()


@pytest.mark.patient
@pytest.mark.jack
def test_virtual_ports_carry_their_names_and_a_second_instance_is_told_apart(jack: JackServer) -> None:
    for _ in range(2):  # the same again after a restart
        with RtMidiPorts(api="jack") as first, RtMidiPorts(api="jack") as second:
            _open(first, [])
            assert first.names == PortNames("JACK", ("Antiphon in",), ("Antiphon out",))
            _open(second, [])
            assert second.names.inputs == ("Antiphon 2 in",)
            seen = midi_system.all_ports("jack")
            assert sorted(seen[1]) == ["Antiphon 2 in:Antiphon 2 in", "Antiphon in:Antiphon in"]
            own = ("Antiphon 2 out:Antiphon 2 out", "Antiphon out:Antiphon out")
            silent = ("Antiphon 2 watch:silence", "Antiphon watch:silence")
            assert sorted(seen[0]) == sorted((*own, *silent))
            assert sorted(list_ports("jack").own) == sorted((*own, *seen[1]))
            assert list_ports("jack").inputs == ()  # its own are no candidates
    assert midi_system.all_ports("jack") == ([], [])


@pytest.mark.patient
@pytest.mark.jack
def test_messages_go_in_and_out(jack: JackServer) -> None:
    with Recorder() as recorder:
        recorder.own_ports()
        ports_heard: list[tuple[int, bytes]] = []
        with RtMidiPorts(api="jack", joined_in="recorder out", joined_out="recorder in") as joined:
            _open(joined, ports_heard)
            assert joined.names.inputs == ("recorder out:recorder out",)
            recorder.play(0x90, 60, 100)
            recorder.play(0xF8)
            recorder.play(0xF0, 1, 2, 3, 0xF7)
            recorder.play(0xFE)
            recorder.play(0x80, 60, 0)
            wait_until(lambda: len(ports_heard) >= 3, "three messages")
            assert ports_heard == [(0, bytes((0x90, 60, 100))), (0, b"\xf8"), (0, bytes((0x80, 60, 0)))]
            assert joined.malformed == 0
            joined.send(bytes((0x90, 61, 99)))
            recorder.wait_count(bytes((0x90, 61, 99)))


@pytest.mark.patient
@pytest.mark.jack
def test_what_was_sent_just_before_closing_still_arrives(jack: JackServer) -> None:
    with Recorder() as recorder:
        recorder.own_ports()
        ports = RtMidiPorts(api="jack", joined_out="recorder in")
        _open(ports, [])
        for pitch in range(100):
            ports.send(bytes((0x80, pitch, 64)))
        ports.close()
        ports.close()
        recorder.wait_for(lambda heard: len(heard) == 100, "a hundred note-offs")


@pytest.mark.patient
@pytest.mark.jack
def test_a_port_that_is_not_there_is_one_plain_error_and_leaves_nothing_open(jack: JackServer) -> None:
    with Recorder() as recorder:
        recorder.own_ports()
        ports = RtMidiPorts(api="jack", joined_in="no such")
        with pytest.raises(PortError, match=r"--in 'no such' matches no port; there are 'recorder out:rec"):
            _open(ports, [])
        assert midi_system.all_ports("jack") == (["recorder out:recorder out"], ["recorder in:recorder in"])


@pytest.mark.patient
@pytest.mark.jack
def test_connect_hears_every_keyboard_and_plays_to_every_synth(jack: JackServer) -> None:
    heard: list[tuple[int, bytes]] = []
    with Recorder("board") as board, Recorder("module") as module:
        board.own_ports()
        module.own_ports()
        seen = list_ports("jack")
        greeting = (bytes((0xC0, 11)),)
        with RtMidiPorts(api="jack", keyboards=seen.keyboards, synths=seen.synths, greeting=greeting) as ports:
            _open(ports, heard)
            assert len(ports.names.inputs) == len(ports.names.outputs) == 3
            board.play(0x90, 60, 100)
            wait_until(lambda: len(heard) == 1, "the first keyboard")
            module.play(0x90, 61, 100)
            wait_until(lambda: len(heard) == 2, "the second keyboard")
            assert len({port for port, _ in heard}) == 2
            ports.send(bytes((0x90, 70, 1)))
            for synth_port in (board, module):
                synth_port.wait_count(bytes((0x90, 70, 1)))
                assert synth_port.messages()[0] == greeting[0]


@pytest.mark.patient
@pytest.mark.jack
def test_a_cable_that_is_pulled_and_plugged_in_again_is_noticed_and_used_again(jack: JackServer) -> None:
    heard: list[tuple[int, bytes]] = []
    with RtMidiPorts(api="jack", awaited="late in") as ports:
        _open(ports, heard)
        assert ports.check() == []
        for _ in range(2):
            with Recorder("late") as late:
                late.own_ports()
                assert ports.check() == []  # joined, but JACK carries nothing yet
                assert len(ports.names.outputs) == 2
                changes = ports.check()
                assert [(change.back, change.output) for change in changes] == [(True, True)]
                assert ports.check() == []
                wait_until(partial(_plays, ports, late), "a note at the synth")
            assert [(change.back, change.output) for change in ports.check()] == [(False, True)]
            ports.send(bytes((0x80, 70, 1)))  # to nobody: no error
    with Recorder("board") as board:
        board.own_ports()
        with RtMidiPorts(api="jack", joined_in="board out") as ports:
            _open(ports, heard)
            board.close()
            assert [(change.back, change.output) for change in ports.check()] == [(False, False)]
            with Recorder("board") as again:
                again.own_ports()
                assert [(change.back, change.output) for change in ports.check()] == [(True, False)]
                again.play(0x90, 60, 100)
                wait_until(lambda: heard, "the keyboard again")


@pytest.mark.patient
@pytest.mark.jack
@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="there is no fluidsynth")
def test_fluidsynth_starts_is_joined_when_it_appears_and_leaves(jack: JackServer) -> None:
    running = synth.Synth("jack")
    try:
        with RtMidiPorts(api="jack", awaited=synth.SYNTH_NAME, greeting=synth.programs()) as ports:
            _open(ports, [])
            wait_until(lambda: ports.check() or len(ports.names.outputs) == 2, "FluidSynth's port")
            wait_until(lambda: len(ports.names.outputs) == 2, "the output to it")
            ports.send(bytes((0x90, 60, 100)))
            ports.send(bytes((0x80, 60, 64)))
            assert running.running
    finally:
        running.close()
    assert not running.running
    running.close()
