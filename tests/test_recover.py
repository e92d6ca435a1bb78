from __future__ import annotations

import json
from pathlib import Path

import pytest
from antiphon.daemon.errors import TakeError
from antiphon.daemon.journal import SegmentWriter, preallocate
from antiphon.daemon.messages import Mark, Record
from antiphon.daemon.recover import recover
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.takes import close_session
from antiphon.export.take_midi import midi_bytes
from antiphon.export.take_read import read_take
from antiphon.models.parts import Part

from tests.take_records import ended, mark, midi_in, sampled, sent

WIRE = [midi_in(0, 0x90, 60, 100), midi_in(500, 0x80, 60, 0), sent(1, 900, 4, 64), ended(1, 1200, 4, 64)]
ENGINE = [sampled(1, Part.PIANO, 64), mark(Mark.ANSWER, 800)]


def write_journal(folder: Path, prefix: str, records: list[Record]) -> None:
    preallocate(folder, prefix, 0, records=64)
    writer = SegmentWriter(folder, prefix)
    for record in records:
        writer.append(record)
    writer.close()


@pytest.fixture
def session(tmp_path: Path) -> SessionFolder:
    """A session with a journal and no take, whose process is gone."""
    folder = SessionFolder.create(tmp_path / "takes", {"t0_ns": 0, "seed": 3, "settings": {}})
    folder.write_model({"name": "antiphon", "sha256": "ab"})
    write_journal(folder.path, "wire", WIRE)
    write_journal(folder.path, "engine", ENGINE)
    folder.release()
    return folder


def test_closing_a_session_makes_its_take(session: SessionFolder) -> None:
    path = close_session(session.path, midi_bytes)
    take = read_take(path)
    assert path == session.path / "take.mid"
    assert [(note.player, note.part, note.pitch) for note in take.notes] == [
        ("performer", "performer", 60),
        ("antiphon", "piano", 64),
    ]
    facts = json.loads((session.path / "take.json").read_text())
    assert facts["notes"] == {"performer": 1, "piano": 1}
    assert (facts["session"]["seed"], facts["model"]["sha256"], facts["counters"]["sent"]) == (3, "ab", 1)
    assert facts["markers"] == [{"t_s": 0.8, "text": "answer"}]


def test_a_lost_session_is_recovered_once(session: SessionFolder) -> None:
    takes_dir = session.path.parent
    lines = list(recover(takes_dir, midi_bytes))
    assert lines == [f"recovered the take of {session.name}: {session.path / 'take.mid'}"]
    assert len(read_take(session.path / "take.mid").notes) == 2
    assert list(recover(takes_dir, midi_bytes)) == []


def test_a_running_session_is_left_alone(tmp_path: Path) -> None:
    running = SessionFolder.create(tmp_path, {"t0_ns": 0})
    write_journal(running.path, "wire", WIRE)
    assert list(recover(tmp_path, midi_bytes)) == []
    assert not running.has_take
    running.release()
    assert len(list(recover(tmp_path, midi_bytes))) == 1


def test_a_broken_description_costs_no_note(session: SessionFolder) -> None:
    (session.path / "session.json").write_text("{")
    (session.path / "model.json").write_text("nonsense")
    assert len(list(recover(session.path.parent, midi_bytes))) == 1
    facts = json.loads((session.path / "take.json").read_text())
    assert "not JSON" in facts["session_error"]
    assert "not JSON" in facts["model_error"]
    assert len(read_take(session.path / "take.mid").notes) == 2


def test_a_session_that_recorded_nothing_is_an_empty_take(tmp_path: Path) -> None:
    SessionFolder.create(tmp_path, {"t0_ns": 5}).release()
    (line,) = recover(tmp_path, midi_bytes)
    assert line.startswith("recovered")
    assert read_take(next(tmp_path.glob("*/take.mid"))).notes == ()


def test_one_that_fails_does_not_keep_the_next_from_it(session: SessionFolder) -> None:
    second = SessionFolder.create(session.path.parent, {"t0_ns": 0})
    write_journal(second.path, "wire", WIRE)
    second.release()
    (session.path / "take.json").mkdir()  # where take.json has to go
    lines = list(recover(session.path.parent, midi_bytes))
    assert len(lines) == 2
    assert lines[0].startswith(f"could not recover the take of {session.name}: cannot write")
    assert lines[1].startswith("recovered")
    assert not session.has_take


def test_a_crash_while_the_take_is_written_leaves_it_to_be_recovered(session: SessionFolder) -> None:
    def crash(_: object) -> bytes:
        raise MemoryError

    with pytest.raises(MemoryError):
        close_session(session.path, crash)
    assert not session.has_take
    assert len(list(recover(session.path.parent, midi_bytes))) == 1


def test_no_takes_folder_is_nothing_to_recover(tmp_path: Path) -> None:
    assert list(recover(tmp_path / "nowhere", midi_bytes)) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(TakeError, match="cannot read"):
        list(recover(tmp_path / "file", midi_bytes))
