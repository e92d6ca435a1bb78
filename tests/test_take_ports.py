"""Takes of several inputs and of parts with offsets, and how a lost input is named."""

from __future__ import annotations

from antiphon.daemon.brain.news import warning
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.offline import engine_log, run_offline, wire_log
from antiphon.daemon.replay import engine_of
from antiphon.daemon.takes import take_from_records

from tests.engine_rig import midi, ns, phrase
from tests.fake_generator import FakeGenerator


def test_a_take_has_each_note_where_it_was_meant_to_be_heard() -> None:
    session = {
        "settings": {"mode": "accompany", "parts": ["bass", "drums"]}, "seed": 3, "t0_ns": 0,
        "part_offsets": {"bass": -60.0, "drums": 40.0},
    }  # fmt: skip
    log = run_offline(engine_of(session, FakeGenerator()), phrase(1.0, range(60, 76), 0.5, 0.4), ns(9))
    take = take_from_records(wire_log(log), engine_log(log), session, {})
    sent = {record.id for record in log if record.kind == Kind.SENT}
    meant = sorted((record.t_ns / 1e9, record.b) for record in log if record.kind == Kind.NOTE and record.id in sent)
    assert {note.part for note in take.notes_of("antiphon")} == {"bass", "drums"}
    assert sorted((note.onset_s, note.pitch) for note in take.notes_of("antiphon")) == meant


def test_a_session_that_is_broken_costs_no_take() -> None:
    assert len(take_from_records([midi(0, 0x90, 60, 90)], [], {"t0_ns": 0, "part_offsets": "?"}, {}).notes) == 1


def test_two_keyboards_on_one_channel_and_key_are_two_notes_of_the_take() -> None:
    wire = [
        midi(0, 0x90, 60, 90), midi(0, 0x90, 60, 80, port=1), midi(1, 0x80, 60, 0), midi(2, 0x80, 60, 0, port=1),
        midi(3, 0xB0, 64, 127, port=1), midi(4, 0x9F, 62, 70), midi(5, 0x8F, 62, 0),
    ]  # fmt: skip
    take = take_from_records(wire, [], {"t0_ns": 0}, {})
    notes = [(note.channel, note.pitch, note.velocity, note.onset_s, note.end_s) for note in take.notes]
    assert sorted(notes) == [(0, 60, 90, 0.0, 1.0), (14, 62, 70, 4.0, 5.0), (15, 60, 80, 0.0, 2.0)]
    assert [event.data for event in take.events] == [bytes((0xBF, 64, 127))]


def test_a_named_input_is_told_by_its_name() -> None:
    ports = {"in": "Upper", "out": None, "also_in": ["Lower", "Pads"]}
    told = [warning(Record(Kind.PORT, 0, out, id=number), ports) for out, number in ((0, 0), (0, 2), (0, 3), (1, 1))]
    assert [line.partition(" is gone")[0] for line in told] == ["input 'Upper'", "input 'Pads'", "input 4", "output 2"]
