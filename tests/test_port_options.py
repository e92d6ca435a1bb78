"""Several inputs and a port per part: what is decided before any port is open, and who plays what then."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from typing import Any

import pytest
from antiphon.daemon import option_maps, part_offsets
from antiphon.daemon.brain.performer import Performer, Released, Struck
from antiphon.daemon.brain.recovery import context_records, pedal_context, resume_records
from antiphon.daemon.config import from_table
from antiphon.daemon.errors import ConfigError, PortError
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.options import option
from antiphon.daemon.player import loopbacks, midi_system, part_ports
from antiphon.daemon.player.ledger import Ledger
from antiphon.daemon.player.port_plan import input_ports, output_ports, routes
from antiphon.daemon.replay import engine_of, port_parts_of
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.settings import PARTS, Settings
from antiphon.models.generator import HeldNote
from antiphon.models.parts import OUTPUT_CHANNEL, Part
from hypothesis import given
from hypothesis import strategies as st

from tests.engine_rig import midi, ns
from tests.fake_generator import FakeGenerator

_SEEN = ["Keystation:Keystation 1", "Keystation:Keystation 2", "LPD8:pads", "ardour:MIDI out"]


@pytest.mark.parametrize("module", [option_maps, loopbacks, part_ports, part_offsets])
def test_the_examples_hold(module: Any) -> None:
    found = doctest.testmod(module)
    assert (found.failed, found.attempted > 0) == (0, True)


# ---- several inputs: the option ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("Keystation", {"Keystation": ""}),
        (" Keystation = Bass ,LPD8=drums, c", {"Keystation": "bass", "LPD8": "drums", "c": ""}),
        ("a=b=bass", {"a=b": "bass"}),
        ({"Pads, big": "drums", "x=y": ""}, {"Pads, big": "drums", "x=y": ""}),
        ({}, {}),
    ],
)
def test_inputs_are_named_in_their_order_each_with_its_part_or_none(value: Any, read: dict[str, str]) -> None:
    checked = option("also_in").check(value)
    assert list(checked.items()) == list(read.items())
    assert list(option("also_in").check(json.loads(json.dumps(checked))).items()) == list(read.items())


@pytest.mark.parametrize("value", ["", "a,", "a=", "=bass", "a=flute", "a,a", "a=bass,a", ["a"], {"": "bass"}, 3, None])
def test_a_list_of_inputs_is_whole_or_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^also_in: .* is not allowed; give NAME,\.\.\. or NAME=PART"):
        option("also_in").check(value)


_NAMES = st.text(st.characters(exclude_characters=",=", codec="utf-8"), min_size=1).map(str.strip)


@given(st.dictionaries(_NAMES.filter(bool), st.sampled_from(["", *PARTS])))
def test_a_text_and_a_table_say_the_same(named: dict[str, str]) -> None:
    text = ",".join(f"{name}={part}" if part else name for name, part in named.items())
    if named:
        assert list(option("also_in").check(text).items()) == list(named.items())
    assert option("also_in").check(named) == named


def test_a_file_may_have_a_table_of_them() -> None:
    config = from_table({"jam": {"also_in": {"Keystation": "bass", "LPD8": ""}, "part_ports": True}})
    assert config.options["also_in"] == {"Keystation": "bass", "LPD8": ""}
    assert config.options["part_ports"] is True


# ---- several inputs: their numbers -------------------------------------------------------------------------------


def _inputs(joined: str | None, also_in: dict[str, str], *keyboards: str) -> list[tuple[int, str, str | None]]:
    planned = input_ports("Antiphon", _SEEN, joined, also_in, keyboards)
    return [(port.index, port.name, port.joined) for port in planned]


def test_inputs_are_numbered_main_then_also_in_then_keyboards() -> None:
    assert _inputs(None, {"lpd8": "drums", "station 2": ""}, _SEEN[0], _SEEN[3]) == [
        (0, "Antiphon in", None), (1, "Antiphon keyboard 1", _SEEN[2]), (2, "Antiphon keyboard 2", _SEEN[1]),
        (3, "Antiphon keyboard 3", _SEEN[0]), (4, "Antiphon keyboard 4", _SEEN[3]),
    ]  # fmt: skip


def test_a_port_in_several_lists_is_opened_once_and_the_numbers_of_others_stay() -> None:
    assert _inputs("station 1", {"LPD8": "", "lpd": "", "station 1": "", "ardour": "bass"}, *_SEEN) == [
        (0, "Antiphon in", _SEEN[0]), (1, "Antiphon keyboard 1", _SEEN[2]), (4, "Antiphon keyboard 4", _SEEN[3]),
        (5, "Antiphon keyboard 5", _SEEN[1]),
    ]  # fmt: skip


def test_a_part_is_never_lost_in_silence() -> None:
    with pytest.raises(PortError, match=r"^--also-in lpd=bass: 'LPD8:pads' is open by --also-in LPD8 already; name it"):
        _inputs(None, {"LPD8": "drums", "lpd": "bass"})
    with pytest.raises(PortError, match="--also-in station 1=bass: 'Keystation:Keystation 1' is open by --in Keys"):
        _inputs("Keystation:Keystation 1", {"station 1": "bass"})


def test_an_input_that_is_not_there_lists_what_is() -> None:
    with pytest.raises(PortError, match=r"--also-in 'x y' matches no port; there are 'Keystation:Keystation 1', .*LPD"):
        _inputs(None, {"LPD8": "", "x y": "bass"})
    with pytest.raises(PortError, match="--also-in 'keyst' matches 2 ports"):
        _inputs(None, {"keyst": ""})


def test_the_brain_numbers_them_as_the_player_does() -> None:
    named = {"lpd8": "drums", "station 2": "", "ardour": "bass"}
    planned = {port.joined: port.index for port in input_ports("Antiphon", _SEEN, None, named, ())}
    assert port_parts_of({"also_in": named}) == {planned[_SEEN[2]]: Part.DRUMS, planned[_SEEN[3]]: Part.BASS}
    # a performer's file is input 0, and moves all others up by one
    assert port_parts_of({"also_in": named, "performer": "a.mid"}) == {2: Part.DRUMS, 4: Part.BASS}
    assert port_parts_of({"performer": None}) == {}


# ---- several inputs: who plays what ------------------------------------------------------------------------------


def _struck(performer: Performer, port: int, channel: int, pitch: int = 60) -> int:
    (struck,) = performer.feed(midi(0, 0x90 | channel, pitch, 80, port=port))
    assert isinstance(struck, Struck)
    return struck.note.part


def test_a_ports_part_goes_before_its_channels() -> None:
    performer = Performer({9: Part.DRUMS}, port_parts={2: Part.BASS})
    assert [_struck(performer, *where) for where in ((0, 0), (0, 9), (2, 0), (2, 9), (3, 9))] == [
        -1, Part.DRUMS, Part.BASS, Part.BASS, Part.DRUMS,
    ]  # fmt: skip


def test_a_port_of_its_own_part_has_its_own_pedal() -> None:
    performer = Performer(port_parts={1: Part.BASS})
    performer.feed(midi(0, 0xB0, 64, 127, port=1))
    _struck(performer, 0, 0)
    _struck(performer, 1, 0)
    (ended,) = performer.feed(midi(1, 0x80, 60, 0, port=0))
    assert isinstance(ended, Released)
    assert ended.note.key == (0, 0, 60)
    assert performer.feed(midi(2, 0x80, 60, 0, port=1)) == []
    assert [note.key for note in performer.held()] == [(1, 0, 60)]


def test_two_keyboards_on_one_key_end_their_own_notes() -> None:
    performer = Performer()
    _struck(performer, 0, 0)
    _struck(performer, 1, 0)
    (first,) = performer.feed(midi(1, 0x80, 60, 0, port=1))
    assert isinstance(first, Released)
    assert first.note.key == (1, 0, 60)
    assert [note.key for note in performer.held()] == [(0, 0, 60)]
    performer.feed(midi(2, 0xB0, 123, 0, port=1))
    assert [note.key for note in performer.held()] == [(0, 0, 60)]  # what one sends is not for the other
    performer.feed(midi(3, 0xB0, 123, 0, port=0))
    assert performer.silent


def test_two_notes_held_from_before_end_one_by_one() -> None:
    performer = Performer()
    for number in range(2):
        performer.adopt(HeldNote(number, Part.PIANO, 60, 80), ns(1))
    assert len(list(performer.held())) == 2
    assert len(performer.feed(midi(2, 0x80, 60, 0, port=0))) == 1
    assert len(list(performer.held())) == 1
    assert len(performer.feed(midi(2, 0x80, 60, 0, port=1))) == 1
    assert performer.silent


def test_a_lost_port_ends_what_may_have_been_its_own_from_before() -> None:
    performer = Performer()
    performer.adopt(HeldNote(0, Part.PIANO, 60, 80), ns(1))
    assert len(performer.silence(ns(2), 1)) == 1
    assert performer.silent


_MESSAGES = st.tuples(
    st.integers(0, 2), st.sampled_from([0x80, 0x81, 0x90, 0x91]), st.integers(58, 62), st.integers(0, 1)
)


@given(st.lists(_MESSAGES, max_size=40), st.dictionaries(st.integers(0, 2), st.sampled_from([2, 3])))
def test_any_ports_hold_exactly_the_keys_that_are_down(messages: Any, port_parts: dict[int, int]) -> None:
    performer = Performer({1: 0}, port_parts=port_parts)
    down: set[tuple[int, int, int]] = set()
    for port, status, pitch, velocity in messages:
        performer.feed(midi(0, status, pitch, velocity, port=port))
        key = (port, status & 0x0F, pitch)
        (down.add if status >= 0x90 and velocity else down.discard)(key)
        assert {note.key for note in performer.held()} == down
    for note in performer.held():
        port, channel, _ = note.key
        assert note.part == port_parts.get(port, 0 if channel == 1 else -1)


def test_thru_keeps_a_pitch_until_the_last_keyboard_lets_go() -> None:
    ledger = Ledger()
    assert ledger.start_thru((0, 0, 60), 15, 80) == [bytes((0x9F, 60, 80))]
    assert ledger.start_thru((1, 0, 60), 15, 70) == [bytes((0x8F, 60, 64)), bytes((0x9F, 60, 70))]
    assert ledger.end_thru((0, 0, 60)) == []
    assert ledger.end_thru((1, 0, 60)) == [bytes((0x8F, 60, 64))]


def test_a_brain_that_comes_back_knows_the_parts_by_port(tmp_path: Path) -> None:
    wire = [
        midi(0, 0x90, 40, 80, port=1), midi(0.1, 0x90, 60, 80, port=0), midi(0.2, 0xB0, 64, 127, port=0),
        midi(0.3, 0xB0, 64, 127, port=1), midi(0.4, 0xB0, 123, 0, port=1),
    ]  # fmt: skip
    found = context_records(wire, [], Settings(), None, {1: Part.BASS})
    assert [(record.a, record.b, record.u_ns > 0) for record in found] == [
        (Part.BASS, 40, True),
        (Part.PIANO, 60, False),
    ]
    assert [(record.id >> 8, record.b) for record in pedal_context(wire)] == [(0, 64)]
    folder = SessionFolder.create(tmp_path, {"settings": {}, "seed": 1, "also_in": {"LPD8": "drums"}, "t0_ns": 0})
    engine, _ = resume_records(folder, FakeGenerator())
    engine.handle(Record(Kind.START, id=1))
    engine.handle(midi(1, 0x90, 38, 80, port=1))
    engine.handle(midi(1.1, 0x90, 60, 80))
    assert [note.part for note in engine.window.notes] == [Part.DRUMS, Part.PIANO]
    folder.release()


def test_a_session_without_the_option_is_as_it_was() -> None:
    engine = engine_of({"settings": {}, "seed": 1}, FakeGenerator())
    engine.handle(Record(Kind.START, id=1))
    engine.handle(midi(1, 0x99, 38, 80, port=3))
    assert [note.part for note in engine.window.notes] == [Part.PIANO]


# ---- a port per part ---------------------------------------------------------------------------------------------


def test_a_port_for_each_part_beside_what_carries_everything() -> None:
    planned = output_ports("Antiphon 2", _SEEN, "ardour", _SEEN[2:], (b"\xc0\x01",), part_ports=True)
    assert [(port.index, port.name, port.joined, port.greeting) for port in planned] == [
        (0, "Antiphon 2 out", _SEEN[3], ()), (1, "Antiphon 2 synth 1", _SEEN[2], (b"\xc0\x01",)),
        *((2 + at, f"Antiphon 2 {part}", None, ()) for at, part in enumerate(PARTS)),
    ]  # fmt: skip
    assert len(output_ports("Antiphon", _SEEN, None, (), (), part_ports=False)) == 1


def test_each_message_goes_where_its_channel_is_carried() -> None:
    ways = routes(output_ports("Antiphon", [], None, (), (), part_ports=True))
    named = [[port.name.removeprefix("Antiphon ") for port in way] for way in ways]
    parts = {channel: part.name.lower() for part, channel in OUTPUT_CHANNEL.items()}
    for status, way in enumerate(named):
        channel = status & 0x0F
        assert way == (["out", parts[channel]] if status < 0xF0 and channel in parts else ["out"])
    assert [len(way) for way in routes(output_ports("Antiphon", [], None, (), (), part_ports=False))] == [1] * 256


@given(st.lists(st.tuples(st.integers(0x80, 0xFF), st.integers(0, 127), st.integers(0, 127)).map(bytes)))
def test_a_parts_port_carries_its_channel_and_no_other(messages: list[bytes]) -> None:
    assert part_ports.carried(messages, "Antiphon 3 out") == messages
    of_ports = [part_ports.carried(messages, f"Antiphon {part}") for part in PARTS]
    for part, own in zip(Part, of_ports, strict=True):
        assert own == [m for m in messages if m[0] < 0xF0 and m[0] & 0x0F == OUTPUT_CHANNEL[part]]


@pytest.mark.parametrize("part", PARTS)
def test_parts_ports_are_antiphons_own(part: str) -> None:
    for name in (f"Antiphon {part}:Antiphon {part}", f"Antiphon:Antiphon 2 {part} 128:3", f"Antiphon {part}"):
        assert midi_system._is_own(name, "jack")
    assert not midi_system._is_own(f"Antiphonal {part}", "jack")
    assert not midi_system._is_own(f"My {part}", "jack")
