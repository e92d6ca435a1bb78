from __future__ import annotations

import pytest
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.takes import describe, take_from_records
from antiphon.models.parts import Part
from antiphon.models.take import Marker, Take, TakeEvent, TakeNote

from tests.take_records import MS, ended, mark, midi_in, sampled, sent

SESSION = {"t0_ns": 0, "settings": {"beats_per_bar": 4}}


def take_of(wire: list[Record], engine: list[Record] | None = None) -> Take:
    return take_from_records(wire, engine or [], SESSION, {})


def spans(take: Take) -> list[tuple[str, int, float, float]]:
    return [(note.part, note.pitch, note.onset_s, note.end_s) for note in take.notes]


def test_a_whole_session() -> None:
    wire = [
        Record(Kind.BRAIN_UP, id=1),
        midi_in(1000, 0x90, 60, 100),
        midi_in(1010, 0xB0, 64, 127),
        midi_in(1020, 0x92, 64, 90),
        midi_in(1500, 0x80, 60, 0),
        midi_in(1600, 0x92, 64, 0),
        midi_in(1700, 0xB0, 64, 0),
        midi_in(1800, 0xC0, 5),
        sent(1, 2000, 4, 67, 70, late_ms=0.25),
        sent(2, 2000, 1, 48, 60),
        ended(1, 2500, 4, 67),
        ended(2, 2600, 1, 48, cut=True),
        Record(Kind.DROPPED, id=3, t_ns=2100 * MS, u_ns=2300 * MS),
        Record(Kind.CANCELLED, id=4, t_ns=2100 * MS, u_ns=2300 * MS),
        Record(Kind.STOP, t_ns=3000 * MS),
    ]
    engine = [
        sampled(1, Part.PIANO, 67),
        sampled(2, Part.CHORDS, 48),
        mark(Mark.PHRASE_END, 1650),
        mark(Mark.ANSWER, 1900),
        mark(Mark.YIELD, 2600),
    ]
    take = take_of(wire, engine)
    assert take.notes == (
        TakeNote(1.0, 1.5, 60, 100, 0),
        TakeNote(1.02, 1.6, 64, 90, 2),
        TakeNote(2.0, 2.6, 48, 60, 1, "chords", "antiphon", 2),
        TakeNote(2.00025, 2.5, 67, 70, 4, "piano", "antiphon", 1),
    )
    assert take.events == (
        TakeEvent(1.01, bytes((0xB0, 64, 127))),
        TakeEvent(1.7, bytes((0xB0, 64, 0))),
        TakeEvent(1.8, bytes((0xC0, 5))),
    )
    assert take.markers == (Marker(1.65, "phrase end"), Marker(1.9, "answer"), Marker(2.6, "yield"))
    counters = take.facts.counters
    assert (counters.heard, counters.sent, counters.dropped, counters.cancelled, counters.cut) == (2, 2, 1, 1, 1)
    assert (counters.unfinished, counters.brain_restarts) == (0, 0)
    assert counters.lateness_max_ms == pytest.approx(0.25)
    assert describe(take)["notes"] == {"performer": 2, "chords": 1, "piano": 1}


def test_a_journal_that_ends_in_the_middle_of_notes_ends_them_with_it() -> None:
    wire = [midi_in(0, 0x90, 60, 100), sent(1, 200, 4, 67), sent(2, 300, 4, 69), midi_in(900, 0xB0, 1, 5)]
    take = take_of(wire)
    assert spans(take) == [("performer", 60, 0.0, 0.9), ("piano", 67, 0.2, 0.9), ("piano", 69, 0.3, 0.9)]
    assert take.facts.counters.unfinished == 2


def test_a_retriggered_pitch_is_ended_and_restarted() -> None:
    wire = [midi_in(0, 0x90, 60, 100), midi_in(300, 0x90, 60, 90), midi_in(700, 0x80, 60, 0), midi_in(800, 0x80, 60, 0)]
    assert spans(take_of(wire)) == [("performer", 60, 0.0, 0.3), ("performer", 60, 0.3, 0.7)]


def test_equal_notes_of_two_ports_are_two_notes() -> None:
    wire = [
        midi_in(0, 0x90, 60, 100, port=0),
        midi_in(100, 0x90, 60, 90, port=1),
        midi_in(200, 0x80, 60, 0, port=0),
        midi_in(400, 0x80, 60, 0, port=1),
    ]
    assert spans(take_of(wire)) == [("performer", 60, 0.0, 0.2), ("performer", 60, 0.1, 0.4)]


@pytest.mark.parametrize("controller", [120, 123])
def test_all_notes_off_ends_what_its_channel_holds(controller: int) -> None:
    wire = [
        midi_in(0, 0x90, 60, 100),
        midi_in(0, 0x91, 62, 100),
        midi_in(500, 0xB0, controller, 0),
        midi_in(900, 0x81, 62, 0),
    ]
    assert spans(take_of(wire)) == [("performer", 60, 0.0, 0.5), ("performer", 62, 0.0, 0.9)]


def test_reset_all_controllers_ends_nothing() -> None:
    wire = [midi_in(0, 0x90, 60, 100), midi_in(500, 0xB0, 121, 0), midi_in(900, 0x80, 60, 0)]
    assert spans(take_of(wire)) == [("performer", 60, 0.0, 0.9)]


def test_without_a_log_the_part_is_the_channels() -> None:
    wire = [sent(1, 0, 9, 36), ended(1, 50, 9, 36), sent(2, 0, 2, 40), ended(2, 100, 2, 40)]
    assert {(note.part, note.pitch) for note in take_of(wire).notes} == {("drums", 36), ("bass", 40)}


def test_an_id_used_again_by_a_new_brain_names_two_notes() -> None:
    wire = [
        Record(Kind.BRAIN_UP, id=1, t_ns=0),
        sent(1, 100, 0, 60),
        ended(1, 400, 0, 60, cut=True),
        Record(Kind.BRAIN_LOST, id=1, t_ns=400 * MS),
        Record(Kind.BRAIN_UP, id=2, t_ns=900 * MS),
        sent(1, 1000, 1, 62),
        ended(1, 1300, 1, 62),
    ]
    engine = [sampled(1, Part.LEAD, 60), sampled(1, Part.CHORDS, 62)]
    take = take_of(wire, engine)
    assert spans(take) == [("lead", 60, 0.1, 0.4), ("chords", 62, 1.0, 1.3)]
    assert take.markers == (Marker(0.4, "brain lost"), Marker(0.9, "brain back"))
    assert take.facts.counters.brain_restarts == 1


def test_thru_and_the_sweep_of_a_panic_are_no_part_of_the_take() -> None:
    def out(t_ms: float, a: int, b: int, c: int, *, thru: bool = False) -> Record:
        return Record(Kind.OUT, a, b, c, int(thru), 0, round(t_ms * MS))

    wire = [
        sent(1, 0, 4, 60),
        out(10, 0x9F, 60, 90, thru=True),
        out(20, 0xBF, 64, 127, thru=True),
        out(30, 0xB4, 1, 99),
        ended(1, 100, 4, 60),
        *[out(100, 0xB0 | channel, 120, 0) for channel in range(16)],
        *[out(100, 0xB0 | channel, 64, 0) for channel in range(16)],
    ]
    take = take_of(wire)
    assert take.events == (
        TakeEvent(0.03, bytes((0xB4, 1, 99)), "antiphon"),
        TakeEvent(0.1, bytes((0xB4, 64, 0)), "antiphon"),
    )
    assert len(take.notes) == 1


def test_without_session_json_time_starts_with_the_first_record() -> None:
    wire = [midi_in(5000, 0x90, 60, 100), midi_in(5500, 0x80, 60, 0)]
    assert spans(take_from_records(wire, [], {}, {})) == [("performer", 60, 0.0, 0.5)]


def test_sysex_and_active_sensing_leave_nothing() -> None:
    take = take_of([midi_in(0, 0xFE), midi_in(10, 0xF0, 1, 2), midi_in(20, 0xF7)])
    assert (take.notes, take.events) == ((), ())


def test_lateness_is_told_in_percentiles() -> None:
    wire = [
        record
        for i in range(100)
        for record in (sent(i + 1, i * 10, 0, 60, late_ms=i / 10), ended(i + 1, i * 10 + 9.99, 0, 60))
    ]
    counters = take_of(wire).facts.counters
    assert counters.lateness_p50_ms == pytest.approx(4.9)
    assert counters.lateness_p99_ms == pytest.approx(9.8)
    assert counters.lateness_max_ms == pytest.approx(9.9)
