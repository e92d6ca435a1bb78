"""The player without a MIDI system: a performer's file, and what it must not import."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import mido
import pytest
from antiphon.daemon.journal import SEGMENT_RECORDS, SegmentWriter, preallocate, read_journal, segment_path
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.player.config import PlayerConfig
from antiphon.daemon.player.process import run_player
from antiphon.models.errors import MidiFileError

from tests.player_rig import BRAIN_HEAD, PlayerProcess, whole_books

pytestmark = pytest.mark.realtime


def _performance(path: Path, notes: int = 5) -> Path:
    file = mido.MidiFile(ticks_per_beat=100)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=100_000)])
    for pitch in range(60, 60 + notes):
        track.append(mido.Message("note_on", note=pitch, velocity=90, time=10))
        track.append(mido.Message("note_off", note=pitch, time=30))
    file.tracks.append(track)
    file.save(path)
    return path


@pytest.mark.patient
def test_it_imports_neither_numpy_nor_onnxruntime_nor_logging_nor_mido() -> None:
    script = (
        "import sys, antiphon.daemon.player.process\n"
        "print([name for name in ('numpy', 'onnxruntime', 'logging', 'mido', 'pretty_midi')"
        " if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_a_performance_begins_with_the_brain_plays_through_and_ends_the_session(tmp_path: Path) -> None:
    path = _performance(tmp_path / "a.mid")
    with PlayerProcess(tmp_path, ports=False, performer=str(path), tail_s=0.1) as player:
        result = player.result()
        assert player.lines[0] == "ports open (none): in a.mid; out none"
    assert (result["status"], result["reason"]) == (0, "performance")
    assert (result["received"], result["sent"], result["ended"], result["cut"]) == (10, 5, 5, 0)
    records = player.journal()
    whole_books(records)
    assert records[0].kind == Kind.BRAIN_UP
    assert records[-1].kind == Kind.STOP
    taken = [record for record in records if record.kind == Kind.MIDI_IN]
    gaps = [after.t_ns - before.t_ns for before, after in pairwise(taken)]
    assert gaps == [30_000_000, 10_000_000] * 4 + [30_000_000]
    assert records[-1].t_ns - taken[-1].t_ns >= 100_000_000


def test_notes_that_sound_at_the_end_of_a_performance_are_ended(tmp_path: Path) -> None:
    brain = """\
send(Kind.READY, t_ns=clock())
for record in records():
    if record.kind == Kind.MIDI_IN and record.a == 0x90:
        send(Kind.NOTE, b=record.b, c=1, id=record.b, t_ns=record.t_ns, value=900.0 * MS)
    if record.kind == Kind.STOP:
        send(Kind.NOTE, b=90, c=1, id=90, t_ns=clock(), value=900.0 * MS)  # too late to be played
        break
"""
    path = _performance(tmp_path / "a.mid")
    with PlayerProcess(tmp_path, brain, ports=False, performer=str(path), tail_s=0) as player:
        result = player.result()
    assert (result["sent"], result["cut"], result["cancelled"]) == (5, 5, 1)
    whole_books(player.journal())


def test_with_no_midi_system_the_performance_plays_unheard_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "antiphon-none")
    path = _performance(tmp_path / "a.mid")
    with PlayerProcess(tmp_path, performer=str(path), tail_s=0) as player:
        result = player.result()
        assert player.stderr == ""
        assert player.lines[0].startswith("JACK does not answer; start JACK")
        assert player.lines[0].endswith("the performance plays unheard")
    assert (result["status"], result["sent"]) == (0, 5)


@pytest.mark.patient
def test_the_journal_goes_on_into_the_segments_that_the_brain_made_ready(tmp_path: Path) -> None:
    preallocate(tmp_path, "wire", 0)
    with SegmentWriter(tmp_path, "wire") as writer:  # all but full
        for number in range(SEGMENT_RECORDS - 3):
            writer.append(Record(Kind.OUT, id=number))
    brain = """\
from pathlib import Path
from antiphon.daemon.journal import preallocate
preallocate(Path(folder), "wire", 1)
send(Kind.SEGMENT, id=1)
send(Kind.SEGMENT, id=7)  # not there
send(Kind.READY, t_ns=clock())
for record in records():
    if record.kind == Kind.STOP:
        break
"""
    path = _performance(tmp_path / "a.mid")
    with PlayerProcess(tmp_path, brain, ports=False, performer=str(path), tail_s=0) as player:
        result = player.result()
    records = player.journal()
    assert [record.id for record in records[: SEGMENT_RECORDS - 3]] == list(range(SEGMENT_RECORDS - 3))
    assert len([record for record in records if record.kind == Kind.MIDI_IN]) == 10
    second = [Record.unpack(segment_path(tmp_path, "wire", 1).read_bytes(), 32 * at) for at in range(9)]
    assert second == records[SEGMENT_RECORDS:][:9]
    assert not segment_path(tmp_path, "wire", 2).exists()
    assert result["unwritten"] == 0


@pytest.mark.patient
def test_a_damaged_performance_is_one_plain_error_and_starts_no_brain(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"MThd")
    started = tmp_path / "started"
    config = PlayerConfig(
        tmp_path, ports=False, performer=tmp_path / "a.mid",
        brain=(sys.executable, "-c", f"open({str(started)!r}, 'w')"),
    )  # fmt: skip
    with pytest.raises(MidiFileError, match="damaged or no MIDI file"):
        run_player(config)
    assert not started.exists()


@pytest.mark.patient
def test_a_brain_that_told_its_remedy_ends_the_session_however_slowly_it_leaves(tmp_path: Path) -> None:
    leaves = "import os, sys, threading; os.close(int(sys.argv[1])); threading.Event().wait(0.5); sys.exit(2)"
    config = PlayerConfig(
        tmp_path, ports=False, performer=_performance(tmp_path / "a.mid"), brain=(sys.executable, "-c", leaves)
    )
    result = run_player(config)
    assert (result.exit_code, result.reason, result.brains) == (2, "brain", 1)


def test_a_machine_that_slept_ends_what_sounded_and_sends_no_burst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brain = """\
send(Kind.READY, t_ns=clock())
for record in records():
    if record.kind == Kind.MIDI_IN and record.a == 0x90:
        send(Kind.NOTE, b=60, c=80, id=1, t_ns=clock(), u_ns=clock() + 60_000 * MS, value=900.0 * MS)
        for number in range(2, 9):
            send(Kind.NOTE, b=60 + number, c=80, id=number, t_ns=clock() + 30_000 * MS, value=900.0 * MS)
    if record.kind == Kind.SENT:
        open(os.path.join(folder, "sounds"), "w").close()
    if record.kind == Kind.STOP:
        break
"""
    script = tmp_path / "small_brain.py"
    script.write_text(BRAIN_HEAD + brain)
    sounds, hour_ns = tmp_path / "sounds", 3600 * 1_000_000_000

    def boot_clock() -> Callable[[], int]:
        return lambda: time.perf_counter_ns() + (hour_ns if sounds.exists() else 0)

    monkeypatch.setattr("antiphon.daemon.player.process.boot_clock", boot_clock)
    config = PlayerConfig(
        tmp_path, ports=False, performer=_performance(tmp_path / "a.mid", 1), tail_s=1.5,
        brain=(sys.executable, str(script)),
    )  # fmt: skip
    result = run_player(config)
    assert (result.sent, result.cut, result.cancelled) == (1, 1, 7)
    records = list(read_journal(tmp_path, "wire"))
    (slept,) = [record for record in records if record.kind == Kind.SLEPT]
    assert slept.u_ns == pytest.approx(hour_ns, abs=1e6)
    assert all(record.u_ns <= slept.t_ns + 5_000_000 for record in records if record.kind == Kind.CUT)
    whole_books(records)
