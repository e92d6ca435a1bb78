"""What a brain that comes back is told: from the journals alone."""

from __future__ import annotations

from pathlib import Path

from antiphon.daemon.brain.recovery import context_records, resume_records
from antiphon.daemon.journal import SegmentWriter, preallocate
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.settings import Settings
from antiphon.models.parts import Part

from tests.engine_rig import change, ns, off, on
from tests.fake_generator import FakeGenerator


def _journal(folder: SessionFolder, prefix: str, records: list[Record]) -> None:
    preallocate(folder.path, prefix, 0, records=64)
    with SegmentWriter(folder.path, prefix) as journal:
        for record in records:
            journal.append(record)


def _session(tmp_path: Path, mode: str) -> SessionFolder:
    return SessionFolder.create(
        tmp_path, {"settings": {"mode": mode}, "seed": 3, "channel_parts": {"10": "drums"}, "t0_ns": 0}
    )


def test_a_session_that_is_new_starts(tmp_path: Path) -> None:
    folder = _session(tmp_path, "accompany")
    engine, opening = resume_records(folder, FakeGenerator())
    assert [(record.kind, record.id) for record in opening] == [(Kind.START, 3)]
    engine.handle(on(0.5, 38, channel=9))
    assert [note.part for note in engine.window.notes] == [Part.DRUMS]


def test_one_that_was_lost_goes_on_with_its_settings_its_notes_and_its_beat(tmp_path: Path) -> None:
    folder = _session(tmp_path, "answer")
    log = [Record(Kind.START, t_ns=ns(0), id=3), change(1.0, "mode", "accompany"), change(1.0, "tempo", 90.0)]
    _journal(folder, "engine", log)
    _journal(folder, "wire", [on(2, 60), on(2, 38, channel=9), off(3, 60), on(4, 64)])
    engine, opening = resume_records(folder, FakeGenerator())
    restart, *notes = opening
    assert (restart.kind, restart.a, restart.id, restart.u_ns) == (Kind.RESTART, 1, 4, 1)
    at_change = -0.1 * 120 / 60  # its lead-in, at the tempo of then
    assert abs(restart.value - (at_change + (restart.t_ns - ns(1.0)) * 90 / 60e9)) < 1e-6
    assert [(note.a, note.b, note.u_ns) for note in notes] == [
        (Part.LEAD, 60, ns(3)), (Part.DRUMS, 38, 0), (Part.LEAD, 64, 0),
    ]  # fmt: skip
    assert engine.settings.tempo == 90.0
    for record in opening:
        engine.handle(record)
    assert len(engine.window.notes) == 3


def test_notes_keep_the_parts_of_their_channels() -> None:
    wire = [on(1, 60), on(1, 38, channel=9)]
    told = context_records(wire, [], Settings(), {9: int(Part.DRUMS)})
    assert [record.a for record in told] == [Part.PIANO, Part.DRUMS]
