"""What a brain that comes back is told: from the journals alone."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path

import pytest
from antiphon.daemon.brain.journal_scan import scan
from antiphon.daemon.brain.recovery import context_records, pedal_context, resume_records
from antiphon.daemon.errors import ConfigError
from antiphon.daemon.journal import SegmentWriter, preallocate, read_journal
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.replay import engine_of
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.settings import PARAMETERS, Settings, parameter
from antiphon.models.parts import Part

from tests.engine_rig import cc, change, clock_ticks, in_order, midi, ns, off, on, phrase
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


def test_pedals_that_are_down_stay_down_and_hold_what_they_held(tmp_path: Path) -> None:
    folder = _session(tmp_path, "answer")
    _journal(folder, "engine", [Record(Kind.START, t_ns=0, id=3)])
    _journal(folder, "wire", [cc(1.0, 64, 127), on(1.1, 60), off(1.5, 60), on(1.6, 64), on(1.7, 67), off(1.8, 67)])
    engine, opening = resume_records(folder, FakeGenerator())
    assert [(r.b, r.u_ns, r.value) for r in opening if r.kind == Kind.CONTEXT] == [(60, 0, 1), (64, 0, 0), (67, 0, 1)]
    for record in opening:
        engine.handle(record)
    now_s = opening[0].t_ns / 1e9 + 0.1
    engine.handle(on(now_s, 72))
    engine.handle(off(now_s + 0.1, 72))
    assert all(note.off_tick == math.inf for note in engine.window.notes)  # the pedal is down
    engine.handle(cc(now_s + 0.2, 64, 0))
    assert [note.pitch for note in engine.window.notes if note.off_tick == math.inf] == [64]  # its key is down still


@pytest.mark.parametrize(
    "broken",
    [
        Record(Kind.SET, t_ns=ns(2), id=len(PARAMETERS), value=1.0),
        Record(Kind.SET, t_ns=ns(2), id=parameter("mode").index, value=9.0),
        Record(Kind.SET, t_ns=ns(2), id=parameter("mode").index, value=-1.0),
        Record(Kind.SET, t_ns=ns(2), id=parameter("tempo").index, value=math.nan),
        Record(Kind.SET, t_ns=ns(2), id=parameter("low").index, value=1e9),
    ],
)
def test_a_setting_that_was_refused_is_skipped(tmp_path: Path, broken: Record) -> None:
    folder = _session(tmp_path, "answer")
    settings = [change(1.0, "mode", "accompany"), broken, change(3.0, "tempo", 90.0)]
    _journal(folder, "engine", [Record(Kind.START, t_ns=0, id=3), *settings])
    _journal(folder, "wire", [on(2, 60)])
    engine, opening = resume_records(folder, FakeGenerator())
    assert (engine.settings.mode, engine.settings.tempo) == ("accompany", 90.0)
    assert opening[0].a == 1  # the internal clock's beat is known
    for record in (*opening, broken):
        engine.handle(record)
    assert engine.counters.malformed == 1  # as the lost one took it
    assert engine.settings.mode == "accompany"


@pytest.mark.parametrize("seed", ["x", -1, None, 1.5, 2**32])
def test_a_broken_seed_is_told_in_one_line(tmp_path: Path, seed: object) -> None:
    facts = {"settings": {"mode": "answer"}, "t0_ns": 0, **({} if seed is None else {"seed": seed})}
    folder = SessionFolder.create(tmp_path, facts)
    line = re.escape(f"seed: {seed!r} is not allowed; give a whole number from 0 to 4294967295")
    with pytest.raises(ConfigError, match=line):
        resume_records(folder, FakeGenerator())
    with pytest.raises(ConfigError, match=line):
        engine_of(facts, FakeGenerator())


def test_pedals_that_came_up_or_were_reset_are_up() -> None:
    assert pedal_context([cc(1, 64, 127), cc(2, 64, 0)]) == []
    assert pedal_context([cc(1, 64, 127), cc(2, 66, 127), cc(3, 121, 0)]) == []
    assert pedal_context([cc(1, 64, 127), midi(2, 0xFC)]) == []
    assert pedal_context([cc(1, 64, 127), cc(1, 64, 90, channel=2), cc(2, 64, 3)]) == [cc(1, 64, 90, channel=2)]
    assert pedal_context([cc(1, 64, 127)], trigger_cc=64) == []


def test_a_scan_gives_what_reading_gives(tmp_path: Path) -> None:
    folder = _session(tmp_path, "accompany")
    ticks = clock_ticks(0.0, 8)
    records = [Record(Kind.START, id=3), on(0, 60), *ticks[:50], Record(Kind.RESTART, id=4), Record(Kind.WAKE), *ticks]
    _journal(folder, "engine", records)
    assert len(list(folder.path.glob("engine-*"))) > 1
    read = list(read_journal(folder.path, "engine"))
    assert scan(folder.path, "engine", set(Kind)) == read == records
    chosen = scan(folder.path, "engine", (Kind.START, Kind.RESTART), first_clock_after=(Kind.START, Kind.RESTART))
    assert chosen[:2] == [records[0], ticks[0]]
    restart = chosen.index(Record(Kind.RESTART, id=4))
    assert chosen[restart + 1] == ticks[0]
    assert scan(tmp_path / "nothing", "engine", (Kind.START,)) == []


def test_a_brain_comes_back_to_an_hour_of_music(tmp_path: Path) -> None:
    """Its journals are read in a small part of the time that a clean start takes, however long it has been played."""
    folder = _session(tmp_path, "accompany")
    hour = [midi(tick * 0.5 / 24, 0xF8) for tick in range(3600 * 48)]
    played = [note for second in range(3600) for note in phrase(second, (60, 62, 64, 65, 67), 0.2, 0.1)]
    wire = in_order([midi(0, 0xFA)], hour, played)
    log = [Record(Kind.START, id=3), *(Record(Kind.WAKE, t_ns=n) for n in range(600_000)), *wire]
    for prefix, records in (("wire", wire), ("engine", log)):
        folder.path.joinpath(f"{prefix}-0000.seg").write_bytes(b"".join(record.pack() for record in records))
    began = time.process_time()
    _, opening = resume_records(folder, FakeGenerator())
    scanned = time.process_time() - began
    began = time.process_time()
    everything = sum(1 for _ in read_journal(folder.path, "engine"))
    whole = time.process_time() - began
    assert everything == len(log)
    assert opening[0].kind == Kind.RESTART
    assert len([record for record in opening if record.kind == Kind.CONTEXT]) == 192
    assert scanned < 4 * whole
    print(f"\n{len(log) + len(wire)} records: {scanned:.2f} s; reading only the engine's half: {whole:.2f} s")
