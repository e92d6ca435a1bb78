"""What is music and what is not; what was there before, also moved; and the report of all that."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest
from antiphon.models.corpus import read_corpus
from antiphon.models.errors import DataError
from antiphon.models.filters import Reason, Seen, fault_of, is_noise, shape_digest
from antiphon.models.notes import COLUMNS, Column, NoteTable
from antiphon.models.parts import Part
from hypothesis import given
from hypothesis import strategies as st

from tests.midi_making import Row, midi_bytes, scale
from tests.tables import wide


def _table(rows: list[Row], part: Part = Part.PIANO) -> NoteTable:
    return wide([[o // 20, d // 20, p, v, part, o // 20 % 96] for o, d, p, v in rows])


def _song(seed: int, notes: int = 96) -> list[Row]:
    """A walk through a scale with its phrase repeated: music enough."""
    rng = np.random.default_rng(seed)
    phrase = 60 + np.array([0, 2, 4, 5, 7, 9, 11, 12])[np.clip(3 + np.cumsum(rng.integers(-2, 3, 16)), 0, 7)]
    return [(i * 240, 200, int(phrase[i % 16]), int(60 + rng.integers(0, 30))) for i in range(notes)]


def _noise(seed: int, notes: int = 300) -> list[Row]:
    rng = np.random.default_rng(seed)
    onsets = np.cumsum(rng.integers(1, 400, notes))
    return [(int(o), int(rng.integers(20, 900)), int(rng.integers(21, 109)), 64) for o in onsets]


def test_music_is_kept() -> None:
    for seed in range(20):
        assert fault_of(_table(_song(seed))) is None
    assert fault_of(_table(scale(notes=16))) is None
    assert fault_of(_table([(i * 120, 100, 38, 90) for i in range(40)], Part.DRUMS)) is None  # one drum is a part


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], Reason.SILENT),
        ([(o, d, p, 1) for o, d, p, _ in scale()], Reason.SILENT),
        (scale(notes=15), Reason.SHORT),
        ([(0, 400, 40 + i, 80) for i in range(30)], Reason.SHAPELESS),
        ([(i * 240, 200, 60, 80) for i in range(60)], Reason.SHAPELESS),
        (_noise(3), Reason.SHAPELESS),
    ],
    ids=["nothing", "too soft", "short", "one chord", "one pitch", "noise"],
)
def test_what_is_no_music_is_told_by_its_reason(rows: list[Row], reason: Reason) -> None:
    found = fault_of(_table(rows) if rows else np.zeros((0, COLUMNS), np.int32))
    assert found is not None
    assert found.reason is reason
    assert any(character.isdigit() for character in found.why)


def test_most_noise_is_found() -> None:
    assert sum(is_noise(_table(_noise(seed))) for seed in range(50)) >= 40


def test_a_piece_comes_once_in_whatever_key_and_place() -> None:
    song = _table(_song(1))
    seen = Seen()
    assert seen.fault(song, "first") is None
    again = seen.fault(song.copy(), "again")
    assert again is not None
    assert (again.reason, "first" in again.why) == (Reason.SAME, True)
    moved = song.copy()
    moved[:, Column.PITCH] += 3
    moved[:, Column.ONSET] += 77
    found = seen.fault(moved, "moved")
    assert found is not None
    assert found.reason is Reason.MOVED
    assert seen.fault(_table(_song(2)), "other") is None
    # short ones may be alike by chance
    assert seen.fault(_table(scale(60, 40)), "scale") is None
    assert seen.fault(_table(scale(62, 40)), "the scale in D") is None


@given(st.integers(-20, 20), st.integers(0, 10_000), st.integers(0, 95), st.sampled_from((0, 1, 2, 3)))
def test_a_shape_stays_where_a_piece_is_moved_and_nowhere_else(up: int, later: int, row: int, column: int) -> None:
    song = _table(_song(5))
    moved = song.copy()
    moved[:, Column.PITCH] += up
    moved[:, Column.ONSET] += later
    assert shape_digest(moved) == shape_digest(song)
    changed = song.copy()
    changed[row, column] += 1
    assert row == 0 or shape_digest(changed) != shape_digest(song)


def test_drums_do_not_change_key() -> None:
    beat = _table(_song(1), Part.DRUMS)
    other = beat.copy()
    other[:, Column.PITCH] += 2
    assert shape_digest(other) != shape_digest(beat)


def _silent() -> bytes:
    return midi_bytes({"": [(i * 240, 200, 60, 0) for i in range(40)]})


def test_the_report_tells_every_file_that_was_dropped_and_why(tmp_path: Path) -> None:
    for seed in range(14):
        (tmp_path / f"song{seed}.mid").write_bytes(midi_bytes({"": _song(seed)}))
    wrong = {
        "cut.mid": (midi_bytes({"": _song(50)})[:300], "broken"),
        "short.mid": (midi_bytes({"": scale(notes=5)}), "too short"),
        "silent.mid": (_silent(), "silent"),
        "noise.mid": (midi_bytes({"": _noise(3)}), "no structure"),
        "twice.mid": (midi_bytes({"": _song(3)}), "the same notes"),
        "up.mid": (midi_bytes({"": [(o + 960, d, p + 5, v) for o, d, p, v in _song(4)]}), "the same notes, moved"),
    }
    for name, (data, _) in wrong.items():
        (tmp_path / name).write_bytes(data)
    lines: list[str] = []
    corpus = read_corpus([tmp_path], lines.append)
    report = json.loads(json.dumps(corpus.report.as_dict()))
    assert {drop["name"]: drop["reason"] for drop in report["dropped"]} == {
        name: reason for name, (_, reason) in wrong.items()
    }
    assert all(drop["why"] and drop["source"] == tmp_path.name for drop in report["dropped"])
    (source,) = report["sources"]
    assert source["files"] == 20 == report["files"]
    assert source["train"] + source["valid"] == 14 == report["pieces"]
    assert source["train"] == len(corpus.train) > 0 < len(corpus.valid) == source["valid"]
    assert source["notes"] == sum(len(piece.notes) for piece in corpus.train + corpus.valid)
    assert source["timing"] == {"beats of the file": 14}
    assert sum(source["dropped"].values()) == 6
    table = corpus.report.table()
    header, row = table.splitlines()[:2]
    assert len(header) == len(row)
    assert row.split()[1] == "20"
    for reason in Reason:
        if reason is not Reason.LICENCE:
            assert f"\n{reason}: 1, such as {tmp_path.name}/" in table
    assert lines[-1] == f"{tmp_path.name}: 14 pieces, {source['notes']} notes; 6 of 20 files dropped"


def test_progress_is_told_every_few_seconds(tmp_path: Path) -> None:
    for seed in range(30):
        (tmp_path / f"song{seed:02}.mid").write_bytes(midi_bytes({"": _song(seed)}))
    ticking = iter(range(1000))
    lines: list[str] = []
    read_corpus([tmp_path], lines.append, now=lambda: float(next(ticking)))  # each look at the clock is a second later
    told = [line for line in lines if "of 30 files" in line and "dropped" not in line]
    assert 3 <= len(told) <= 6
    assert told[0].endswith(f"{96 * int(told[0].split(': ')[1].split()[0])} notes")


def test_a_small_folder_has_something_to_check_with(tmp_path: Path) -> None:
    for seed in range(2):
        (tmp_path / f"{seed}.mid").write_bytes(midi_bytes({"": _song(seed)}))
    corpus = read_corpus([tmp_path])
    assert (len(corpus.train), len(corpus.valid)) == (1, 1)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("splits.json", "{", "not readable JSON"),
        ("splits.json", "[1]", "lists of names"),
        ("splits.json", '{"train": "a.mid"}', "'train' must be a list of names"),
        ("splits.json", '{"valid": [1]}', "'valid' must be a list of names"),
        ("manifest.json", "nonsense", "not readable JSON"),
        ("midi.zip", "no archive", "not a readable archive"),
    ],
)
def test_a_broken_list_is_told_by_its_name(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes({"": _song(1)}))
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=told) as caught:
        read_corpus([tmp_path])
    assert name in str(caught.value)


def test_a_damaged_member_of_an_archive_is_one_file_lost(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "midi.zip", "w") as archive:
        for seed in range(6):
            archive.writestr(f"{seed}.mid", midi_bytes({"": _song(seed)}))
        archive.writestr("bomb.mid", bytes(20 << 20), zipfile.ZIP_DEFLATED)
    data = bytearray((tmp_path / "midi.zip").read_bytes())
    at = data.index(midi_bytes({"": _song(2)})[40:80])
    data[at] ^= 0xFF
    (tmp_path / "midi.zip").write_bytes(data)
    corpus = read_corpus([tmp_path])
    assert len(corpus.train) + len(corpus.valid) == 5
    assert {drop.name: drop.reason for drop in corpus.dropped} == {
        "2.mid": Reason.BROKEN,
        "bomb.mid": Reason.BROKEN,
    }


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe\x00", b"one two three\n" * 9, b"1 0 1\n2 0\n3 0 0\n4 0 0\n", b"nan 0 1\n" * 9]
)
def test_broken_beats_are_told_not_passed_over(tmp_path: Path, text: bytes) -> None:
    for seed in range(3):
        song = tmp_path / str(seed)
        song.mkdir()
        (song / "song.mid").write_bytes(midi_bytes({"": _song(seed)}))
    (tmp_path / "1" / "beat_midi.txt").write_bytes(text)
    corpus = read_corpus([tmp_path])
    (drop,) = corpus.dropped
    assert (drop.name, drop.reason) == ("1/song.mid", Reason.BROKEN)
    assert "beat_midi.txt" in drop.why


def test_karaoke_and_riff_files_are_midi_files(tmp_path: Path) -> None:
    song = midi_bytes({"": _song(1)})
    (tmp_path / "a.KAR").write_bytes(song)
    other = midi_bytes({"": _song(2)})
    (tmp_path / "b.rmi").write_bytes(b"RIFF\0\0\0\0RMIDdata" + len(other).to_bytes(4, "little") + other)
    corpus = read_corpus([tmp_path])
    assert {piece.name for piece in corpus.train + corpus.valid} == {"a.KAR", "b.rmi"}


def test_a_name_that_is_no_text_is_no_obstacle(tmp_path: Path) -> None:
    song = mido.MidiFile(ticks_per_beat=480, charset="shift-jis")
    track = mido.MidiTrack([mido.MetaMessage("track_name", name="ピアノ")])
    for _, length, pitch, velocity in _song(1):
        track.append(mido.Message("note_on", note=pitch, velocity=velocity, time=0))
        track.append(mido.Message("note_off", note=pitch, time=length))
    song.tracks.append(track)
    song.save(tmp_path / "ピアノ.mid")
    assert len(read_corpus([tmp_path]).train + read_corpus([tmp_path]).valid) == 1
