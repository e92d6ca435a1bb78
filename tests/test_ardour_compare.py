"""The comparison of Ardour's regions with Antiphon's log finds what it is there to find; the bridge's file too."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path

import mido
import pytest
from antiphon.bridges.ardour.__main__ import main
from antiphon.bridges.ardour.session_file import SessionFile
from antiphon.daemon.messages import Kind, Record
from hypothesis import given
from hypothesis import strategies as st

from tests.ardour_compare import Note, Region, compare, passes_of, regions_of, sent_in

_TICK_NS = 20_000_000
_TOLERANCE = 0.01
_NOTES = tuple(Note(1.0 + 0.25 * step, 0, 60 + step % 3, 80) for step in range(12))


def _region(*notes: Note) -> Region:
    return Region(0.0, 4.0, notes)


def test_what_was_recorded_as_sent_is_matched() -> None:
    outcome = compare(_NOTES, _region(*_NOTES), 4.0, _TOLERANCE)
    assert (outcome.matched, outcome.errors) == (12, (0.0,) * 12)
    assert outcome.lost == outcome.strange == outcome.late == ()


@given(st.integers(0, 11))
def test_a_note_that_is_missing_doubled_or_late_is_found(which: int) -> None:
    note = _NOTES[which]
    others = tuple(other for other in _NOTES if other is not note)
    assert compare(_NOTES, _region(*others), 4.0, _TOLERANCE).lost == (note,)
    assert len(compare(_NOTES, _region(*_NOTES, note), 4.0, _TOLERANCE).strange) == 1
    assert len(compare(others, _region(*_NOTES), 4.0, _TOLERANCE).strange) == 1
    later = dataclasses.replace(note, at=note.at + 2 * _TOLERANCE)
    assert compare(_NOTES, _region(*others, later), 4.0, _TOLERANCE).late == (later,)
    louder = dataclasses.replace(note, velocity=81)
    outcome = compare(_NOTES, _region(*others, louder), 4.0, _TOLERANCE)
    assert (outcome.lost, outcome.strange) == ((note,), (louder,))


def test_a_note_at_the_very_end_may_be_in_or_out() -> None:
    last = Note(3.995, 0, 60, 80)
    assert compare([last], _region(), 4.0, _TOLERANCE).lost == ()
    assert compare([last], _region(), 4.0, _TOLERANCE).at_the_edge == 1
    assert compare([last], _region(last), 4.0, _TOLERANCE).matched == 1


def _clock(*events: tuple[int, int]) -> list[Record]:
    return [Record(Kind.MIDI_IN, status, t_ns=tick * _TICK_NS) for status, tick in events]


def test_the_clock_says_where_each_pass_is() -> None:
    first = _clock((0xFA, 0), *((0xF8, tick) for tick in range(48)), (0xFC, 48))
    located = [Record(Kind.MIDI_IN, 0xF2, 96, 0, t_ns=100 * _TICK_NS)]
    second = _clock((0xFB, 100), *((0xF8, tick) for tick in range(100, 124)), (0xFC, 124))
    sent = Record(Kind.SENT, 0x91, 60, 70, id=1, t_ns=0, u_ns=112 * _TICK_NS)
    begin, again = passes_of([*first, *located, *second, sent])
    assert (begin.start, begin.end) == (0.0, 2.0)
    assert (again.start, again.end) == (4.0, 5.0)
    assert sent_in(begin, [sent], _TICK_NS, 0) == []
    assert sent_in(again, [sent], _TICK_NS, 0) == [Note(4.5, 1, 60, 70)]


def test_a_clock_that_stands_still_is_told_on_the_notes_around_it() -> None:
    ticks = [*range(10), *range(12, 30)]
    (rolled,) = passes_of(_clock((0xFA, 0), *((0xF8, tick) for tick in ticks), (0xFC, 30)))
    # before, within it, when it was with the player already, when it could be known
    sent = [Record(Kind.SENT, 0x90, 60, 70, u_ns=tick * _TICK_NS) for tick in (4, 10, 16, 19)]
    assert [note.stalled for note in sent_in(rolled, sent, _TICK_NS, 0)] == pytest.approx([0.0, 2 / 24, 2 / 24, 0.0])


def test_a_region_shows_its_part_of_its_source(tmp_path: Path) -> None:
    folder = tmp_path / "interchange" / "S" / "midifiles"
    folder.mkdir(parents=True)
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(mido.MidiTrack(mido.Message("note_on", note=n, velocity=9, time=480) for n in range(60, 66)))
    file.save(folder / "Take1.mid")
    region = '<Region start="b3840" length="b3840@a564480000" layering-index="{}" master-source-0="7"/>'
    (tmp_path / "S.ardour").write_text(
        f'<Session><Source id="7" name="Take1.mid"/><Playlist name="Antiphon">{region.format(1)}</Playlist></Session>'
    )
    (found,) = regions_of(tmp_path / "S.ardour", "Antiphon", 120.0)
    assert (found.start, found.length) == (4.0, 2.0)
    assert [(note.at, note.pitch) for note in found.notes] == [(4.0, 61), (5.0, 62)]


_SESSION = (
    '<Session sample-rate="48000" id-counter="7"><MIDIPorts><Port name="MIDI Clock out"/></MIDIPorts><Locations>'
    '<Location id="3" flags="IsAutoLoop,IsHidden"/><Location id="4" flags="IsMark"/></Locations></Session>'
)


def test_slips_of_half_a_beat_add_up_and_a_tick_that_is_late_once_does_not() -> None:
    late_by = {12: 0.3, 20: 0.4, 24: 0.4}  # ticks: twice for good, between them once for a moment
    at, slipped = [], 0.0
    for tick in range(40):
        slipped += late_by.get(tick, 0.0)
        at.append(round((tick + slipped + (0.2 if tick == 15 else 0.0)) * _TICK_NS))
    clock = [Record(Kind.MIDI_IN, 0xF8, t_ns=t_ns) for t_ns in at]
    begun, ended = Record(Kind.MIDI_IN, 0xFA, t_ns=0), Record(Kind.MIDI_IN, 0xFC, t_ns=at[-1] + _TICK_NS)
    (rolled,) = passes_of([begun, *clock, ended])
    assert rolled.worst_slip(_TICK_NS) * 24 == pytest.approx(0.8)


def test_a_session_file_takes_a_loop_and_a_route_once() -> None:
    session = SessionFile(_SESSION)
    session.set_loop(48_000, 96_000)
    for _ in range(2):
        session.connect("MIDI Clock out", "Antiphon in:Antiphon in")
    root = ET.fromstring(session.text())
    assert [element.attrib["other"] for element in root.iter("Connection")] == ["Antiphon in:Antiphon in"]
    mark, loop = root.iter("Location")
    assert mark.attrib["flags"] == "IsMark"
    assert (loop.attrib["start"], loop.attrib["end"]) == ("a282240000", "a564480000")
    assert loop.attrib["id"] == root.attrib["id-counter"] == "8"
    with pytest.raises(KeyError):
        session.connect("no such port", "Antiphon in:Antiphon in")


def test_the_bridge_says_what_is_wrong_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Duet").mkdir()
    assert main(["--dir", str(tmp_path), "--name", "Duet"]) == 2
    assert main(["--dir", str(tmp_path), "--name", "a/b"]) == 2
    there, named = capsys.readouterr().err.splitlines()
    assert "is there already" in there
    assert "--name" in there
    assert "cannot name a session" in named


def test_the_bridge_says_when_ardour_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--dir", str(tmp_path), "--name", "New"]) == 2
    assert "install Ardour" in capsys.readouterr().err
    assert not (tmp_path / "New").exists()


def test_the_action_script_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--action"]) == 0
    assert capsys.readouterr().out.startswith("ardour {")
