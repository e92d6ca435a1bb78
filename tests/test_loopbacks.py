"""Windows, which has no virtual ports: by the names of its ports alone, for there is none here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import rtmidi
from antiphon.daemon.doctor import driver
from antiphon.daemon.doctor.finding import Lacking
from antiphon.daemon.errors import PortError
from antiphon.daemon.player import midi_system, rtmidi_ports
from antiphon.daemon.player.config import PlayerConfig
from antiphon.daemon.player.loopbacks import choose, chosen_line
from antiphon.daemon.player.midi_system import SeenPorts
from antiphon.daemon.player.rtmidi_ports import RtMidiPorts
from antiphon.daemon.player.setup import advice, make_ports
from antiphon.models.bundled import bundled_performance
from hypothesis import given
from hypothesis import strategies as st

_DEFAULT = ["Default App Loopback (A)", "Default App Loopback (B)"]
_SYNTH = "Microsoft GS Wavetable Synth"


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["Antiphon in", "Antiphon out"], ("Antiphon in", "Antiphon out")),
        (["loopMIDI Port", "antiphon OUT", "Antiphon In", *_DEFAULT], ("Antiphon In", "antiphon OUT")),
        (["loopMIDI Port", "loopMIDI Port 1"], ("loopMIDI Port", "loopMIDI Port 1")),
        (["loopMIDI Port 1", "loopMIDI Port", "LoopBe Internal MIDI"], ("loopMIDI Port 1", "loopMIDI Port")),
        (_DEFAULT, (_DEFAULT[0], _DEFAULT[0])),
        (["Keystation", *_DEFAULT[::-1], "loopMIDI Port"], (_DEFAULT[0], _DEFAULT[0])),
        (["Antiphon in", "loopMIDI Port"], ("Antiphon in", "loopMIDI Port")),
        (["loopMIDI Port", "Antiphon out"], ("loopMIDI Port", "Antiphon out")),
        (["Antiphon (B)", "Antiphon (A)"], ("Antiphon (A)", "Antiphon (A)")),
        (["Antiphon in (A)", "Antiphon in (B)", "Antiphon out (A)", "Antiphon out (B)"],
         ("Antiphon in (A)", "Antiphon out (A)")),
        (["My Loopback", "My other loopback"], ("My Loopback", "My other loopback")),
    ],
)  # fmt: skip
def test_loopbacks_are_found_by_their_names(there: list[str], chosen: tuple[str, str]) -> None:
    assert choose([*there, "Keystation"], [_SYNTH, *there]) == chosen


@pytest.mark.parametrize(
    ("there", "why"),
    [
        ([], "there is no loopback between programs"),
        (["LoopA", "LoopB"], "there is no loopback between programs"),
        (["loopMIDI Port"], r"there is no loopback for each way \('loopMIDI Port' alone would carry what it plays"),
        (["Antiphon in"], r"no loopback for each way \('Antiphon in' alone"),
        (["Perm Loopback 1A", "Perm Loopback 1B"],
         "of 'Perm Loopback 1A' and 'Perm Loopback 1B' only you know whether each is a loopback of its own"),
        (["a loopback (A)"], r"of 'a loopback \(A\)' only you know whether each"),
    ],
)  # fmt: skip
def test_where_there_is_none_the_remedy_is_told_in_one_error(there: list[str], why: str) -> None:
    with pytest.raises(PortError, match=f"^Windows makes no virtual ports, and .*{why}") as told:
        choose([*there, "Keystation"], [_SYNTH, *there])
    assert "install loopMIDI (https://www.tobias-erichsen.de/software/loopmidi.html)" in str(told.value)
    assert "two ports in it named 'Antiphon in' and 'Antiphon out'" in str(told.value)
    assert "antiphon jam --in NAME --out NAME" in str(told.value)
    assert "\n" not in str(told.value)


def test_what_is_chosen_by_hand_is_kept_and_the_other_never_feeds_it() -> None:
    there = [*_DEFAULT, "loopMIDI Port", "Keystation"]
    assert choose(there, there, joined_in="Keystation") == ("Keystation", _DEFAULT[0])
    assert choose(there, there, joined_in=_DEFAULT[0]) == (_DEFAULT[0], _DEFAULT[0])
    assert choose(there, there, joined_in=_DEFAULT[1]) == (_DEFAULT[1], _DEFAULT[1])
    assert choose(there, there, joined_out="loopMIDI Port") == (_DEFAULT[0], "loopMIDI Port")
    assert choose(there, there, joined_in="loopMIDI Port", joined_out="loopMIDI Port") == ("loopMIDI Port",) * 2
    with pytest.raises(PortError, match="no loopback for each way"):
        choose(["loopMIDI Port"], ["loopMIDI Port"], joined_in="loopMIDI Port")


_PLAIN = st.lists(
    st.sampled_from(["loopMIDI Port", "LoopBe", "a loopback", "Antiphon in", "Antiphon out"]), unique=True
)
_SIDED = st.lists(st.sampled_from(["One Loopback", "Two Loopback", "Antiphon"]), unique=True).map(
    lambda roots: [f"{root} ({side})" for root in roots for side in "AB"]
)


@given(_PLAIN, _SIDED, st.lists(st.sampled_from(["Keys", _SYNTH]), unique=True), st.randoms())
def test_what_is_played_never_comes_in_again(plain: list[str], sided: list[str], others: list[str], order: Any) -> None:
    there = [*plain, *sided, *others]
    order.shuffle(there)
    try:
        hear, play = choose(there, there)
    except PortError:
        assert not sided
        assert len(plain) < 2
        return
    assert {hear, play} <= {*plain, *sided}
    comes_in = (
        {play} if play in plain else {play.replace("(A)", "(B)") if "(A)" in play else play.replace("(B)", "(A)")}
    )
    assert hear not in comes_in
    assert hear != "Antiphon out"
    assert play != "Antiphon in"


def test_the_user_is_told_what_to_route() -> None:
    assert chosen_line("Antiphon in", "Antiphon out") == (
        "loopbacks chosen: in Antiphon in, out Antiphon out; "
        "in your DAW, play to 'Antiphon in' and listen to 'Antiphon out'"
    )
    assert chosen_line(_DEFAULT[0], _DEFAULT[0]).endswith(f"play to {_DEFAULT[1]!r} and listen to {_DEFAULT[1]!r}")


class _WinMM:
    """What rtmidi gives on Windows, by its names: a number behind each, no virtual ports."""

    ports: tuple[list[str], list[str]] = ([], [])

    def __init__(self, kind: int) -> None:
        self._there = [f"{name} {number}" for number, name in enumerate(self.ports[kind])]
        self.joined = ""

    def get_ports(self) -> list[str]:
        return self._there

    def open_port(self, number: int, _name: str) -> None:
        self.joined = self._there[number]

    def open_virtual_port(self, _name: str) -> None:
        raise NotImplementedError("Virtual ports are not supported by the Windows MultiMedia API.")

    def ignore_types(self, **_kinds: bool) -> None:
        pass

    def set_callback(self, _callback: object) -> None:
        pass

    def cancel_callback(self) -> None:
        pass

    def get_message(self) -> None:
        return None

    def send_message(self, _message: bytes) -> None:
        pass

    def close_port(self) -> None:
        pass

    def delete(self) -> None:
        pass


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> type[_WinMM]:
    """This machine with Windows' MIDI system, as far as Antiphon can tell by names."""
    monkeypatch.setattr(midi_system, "_make", lambda kind, _api, _client: _WinMM(int(kind is rtmidi.MidiOut)))
    monkeypatch.setattr(rtmidi, "get_compiled_api", lambda: [rtmidi.API_WINDOWS_MM])
    monkeypatch.setattr(rtmidi_ports, "_FLUSH_S", 0.0)
    monkeypatch.setattr(_WinMM, "ports", ([], []))
    return _WinMM


def test_on_windows_ports_are_joined_in_place_of_virtual_ones(windows: type[_WinMM]) -> None:
    windows.ports = (["Keys", "Antiphon in", "Antiphon out"], [_SYNTH, "Antiphon in", "Antiphon out"])
    seen = midi_system.list_ports("auto")
    assert (seen.api, seen.own) == ("windows", ())
    assert (seen.keyboards, seen.synths) == (("Keys",), (_SYNTH,))
    with RtMidiPorts(also_in={"Keys": "bass"}) as ports:
        ports.open(lambda *_: None, lambda: None)
        assert ports.names.api == "Windows MIDI"
        assert (ports.names.inputs, ports.names.outputs) == (("Antiphon in", "Keys"), ("Antiphon out",))
        joined = [port.client.joined for port in (*ports._inputs, *ports._outputs)]
        assert joined == ["Antiphon in 1", "Keys 0", "Antiphon out 2"]
        windows.ports = (["New", "Keys", "Antiphon in", "Antiphon out"], [_SYNTH, "Antiphon in", "Antiphon out"])
        for port in ports._inputs:
            port.client = _WinMM(0)
        assert ports.check() == []  # another device moved every number, and nothing went away
        windows.ports = (["New", "Antiphon in", "Antiphon out"], windows.ports[1])
        for port in ports._inputs:
            port.client = _WinMM(0)
        assert [(change.port, change.back) for change in ports.check()] == [(1, False)]


def test_on_windows_without_loopbacks_one_error_says_what_to_do(windows: type[_WinMM], tmp_path: Path) -> None:
    windows.ports = (["Keys"], [_SYNTH])
    ports = RtMidiPorts()
    with pytest.raises(PortError, match="install loopMIDI"):
        ports.open(lambda *_: None, lambda: None)
    with pytest.raises(PortError, match="install loopMIDI"):
        advice(PlayerConfig(tmp_path), midi_system.list_ports())
    with RtMidiPorts(joined_in="keys", joined_out="wave") as joined:
        joined.open(lambda *_: None, lambda: None)
        assert (joined.names.inputs, joined.names.outputs) == (("Keys",), (_SYNTH,))
    with pytest.raises(
        PortError, match=r"--part-ports: Windows makes no virtual ports; .*: 1 lead, 2 chords, 3 bass, 10 d"
    ):
        RtMidiPorts(part_ports=True)


def test_on_windows_without_loopbacks_a_file_still_plays_unheard(windows: type[_WinMM], tmp_path: Path) -> None:
    windows.ports = (["Keys"], [_SYNTH])
    told: list[str] = []
    config = PlayerConfig(tmp_path, performer=Path(str(bundled_performance())), synth=True, tell=told.append)
    ports, synth = make_ports(config)
    assert len(ports.names.inputs) == 1  # the file
    assert (ports.names.outputs, synth) == ((), None)
    assert told[0].startswith("--synth: Windows gives fluidsynth no port")
    assert told[1].endswith("(look with: antiphon ports): the performance plays unheard")


def test_on_windows_the_first_run_says_which_loopbacks_were_chosen(tmp_path: Path) -> None:
    seen = SeenPorts("windows", tuple(_DEFAULT), (_SYNTH, *_DEFAULT))
    assert advice(PlayerConfig(tmp_path), seen) == [chosen_line(_DEFAULT[0], _DEFAULT[0])]
    assert advice(PlayerConfig(tmp_path, joined_in="x", joined_out="y"), seen) == []


def test_on_windows_the_doctor_says_whether_there_are_loopbacks(
    windows: type[_WinMM], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    windows.ports = (_DEFAULT, _DEFAULT)
    assert driver.driver().startswith("Windows MIDI; loopbacks chosen: in Default App Loopback (A)")
    windows.ports = (["Keys"], [_SYNTH])
    with pytest.raises(Lacking, match="no virtual ports"):
        driver.driver()
