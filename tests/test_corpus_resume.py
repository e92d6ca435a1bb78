"""A reading that is killed goes on where it was; what the command says of folders it cannot learn from."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from antiphon.models.corpus import Corpus, load_pieces, read_corpus
from antiphon.models.errors import DataError
from antiphon.models.filters import Fault, Reason
from antiphon.models.midi_read import Reading, Timing
from antiphon.models.prepare import main, prepare
from antiphon.models.reading_cache import NAME, ReadingCache
from hypothesis import given
from hypothesis import strategies as st

from tests.midi_making import midi_bytes

_FILES = 30


def _song(seed: int, notes: int = 40) -> bytes:
    """A walk of eighths, written by hand: there will be thousands."""
    rng = np.random.default_rng(seed)
    pitches, velocities = 60 + np.cumsum(rng.integers(-2, 3, notes)), rng.integers(40, 100, notes)
    events = b"".join(
        bytes((40, 0x90, pitch, velocity, 0x81, 0x48, 0x80, pitch, 64))
        for pitch, velocity in zip(pitches.tolist(), velocities.tolist(), strict=True)
    )
    track = events + b"\0\xff\x2f\0"
    return struct.pack(">4sIHHH4sI", b"MThd", 6, 0, 1, 480, b"MTrk", len(track)) + track


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for seed in range(_FILES):
        (folder / f"{seed:02}.mid").write_bytes(_song(seed))
    (folder / "30.mid").write_bytes(_song(7)[:99])
    return folder


class _KilledError(Exception):
    pass


def _killed_after(music: Path, out: Path, files: int) -> None:
    """Read, and be interrupted when so many files are done: the clock is looked at once a file."""
    looks = 0

    def now() -> float:
        nonlocal looks
        looks += 1
        if looks > files + 2:  # once at the beginning, once a folder
            raise _KilledError
        return 0.0

    with pytest.raises(_KilledError), ReadingCache(out) as cache:
        read_corpus([music], cache=cache, now=now)


def _same(one: Corpus, other: Corpus) -> None:
    for before, after in ((one.train, other.train), (one.valid, other.valid)):
        assert [(p.name, p.source) for p in before] == [(p.name, p.source) for p in after]
        for piece, again in zip(before, after, strict=True):
            np.testing.assert_array_equal(piece.notes, again.notes)
            assert piece.notes.dtype == again.notes.dtype
    assert one.dropped == other.dropped
    assert [s.timing for s in one.report.sources] == [s.timing for s in other.report.sources]


@pytest.mark.parametrize("files", [0, 1, 17, _FILES + 1])
def test_an_interrupted_reading_goes_on_where_it_was(music: Path, tmp_path: Path, files: int) -> None:
    _killed_after(music, tmp_path / "out", files)
    with ReadingCache(tmp_path / "out") as cache:
        assert len(cache) == files
        resumed = read_corpus([music], cache=cache)
    assert resumed.report.reused == files
    whole = read_corpus([music])
    assert whole.report.reused == 0
    _same(whole, resumed)


def test_a_killed_process_leaves_what_it_read(music: Path, tmp_path: Path) -> None:
    """SIGKILL: no handler, no flush."""
    code = (
        "import sys, os, signal\nfrom pathlib import Path\n"
        "from antiphon.models.corpus import read_corpus\nfrom antiphon.models.reading_cache import ReadingCache\n"
        "looks = 0\n"
        "def now():\n    global looks\n    looks += 1\n"
        "    if looks == 14: os.kill(os.getpid(), signal.SIGKILL)\n    return 0.0\n"
        "read_corpus([Path(sys.argv[1])], cache=ReadingCache(Path(sys.argv[2])), now=now)\n"
    )
    child = subprocess.run([sys.executable, "-c", code, str(music), str(tmp_path / "out")], timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL
    told: list[str] = []
    prepare([music], tmp_path / "out", told.append)
    assert told[0] == "11 files were read already; going on from there"
    assert json.loads((tmp_path / "out" / "report.json").read_text())["reused"] == 11


@pytest.mark.parametrize("torn", [1, 20, 41, 60])
def test_a_torn_last_record_is_read_again(music: Path, tmp_path: Path, torn: int) -> None:
    out = tmp_path / "out"
    _killed_after(music, out, 9)
    size = (out / NAME).stat().st_size
    os.truncate(out / NAME, size - torn)
    with ReadingCache(out) as cache:
        assert len(cache) == 8
        _same(read_corpus([music]), read_corpus([music], cache=cache))
    with ReadingCache(out) as cache:
        assert read_corpus([music], cache=cache).report.reused == _FILES + 1


def test_a_cache_of_another_kind_is_made_anew(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / NAME).write_bytes(b"something else entirely" * 99)
    with ReadingCache(out) as cache:
        assert len(cache) == 0
        _same(read_corpus([music]), read_corpus([music], cache=cache))


@given(at=st.integers(0, 100_000), value=st.integers(0, 255))
def test_a_damaged_cache_gives_the_right_notes_or_none(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int
) -> None:
    out = tmp_path_factory.mktemp("out")
    notes = np.arange(800, dtype=np.int32).reshape(100, 8)
    kept = {bytes([n]) * 32: Reading(notes[: 20 + n], Timing.SECONDS) for n in range(5)}
    with ReadingCache(out) as cache:
        for key, reading in kept.items():
            cache.keep(key, reading)
    data = bytearray((out / NAME).read_bytes())
    data[at % len(data)] = value
    (out / NAME).write_bytes(data)
    with ReadingCache(out) as cache:
        for key, reading in kept.items():
            found = cache.get(key)
            if found is not None:
                assert isinstance(found, Reading)
                np.testing.assert_array_equal(found.notes, reading.notes)


def test_a_changed_file_or_its_beats_are_read_again(tmp_path: Path) -> None:
    with ReadingCache(tmp_path) as cache:
        keys = {cache.key(b"a", None), cache.key(b"b", None), cache.key(b"a", b""), cache.key(b"a", b"1 0 1")}
        assert len(keys) == 4
        assert cache.get(cache.key(b"a", None)) is None
        cache.keep(cache.key(b"a", None), Fault(Reason.SHORT, "3 notes"))
        assert cache.get(cache.key(b"a", None)) == Fault(Reason.SHORT, "3 notes")
        assert not cache.is_earlier(cache.key(b"a", None))


def test_a_corrupt_file_among_thousands_costs_that_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    music, out = tmp_path / "music", tmp_path / "out"
    music.mkdir()
    for seed in range(2000):
        (music / f"{seed:04}.mid").write_bytes(_song(seed, 16))
    (music / "1234.mid").write_bytes(_song(1234)[:150])
    (music / "0777.mid").write_bytes(b"\0" * 5000)
    assert main([str(music), "--out", str(out)]) == 0
    report = json.loads((out / "report.json").read_text())
    broken = {drop["name"]: drop["why"] for drop in report["dropped"] if drop["reason"] == "broken"}
    assert set(broken) == {"1234.mid", "0777.mid"}
    assert "cut short after 150 bytes" in broken["1234.mid"]
    train, valid = load_pieces(out / "train.npz"), load_pieces(out / "valid.npz")
    assert len(train) + len(valid) == report["pieces"] > 1900
    assert 120 < len(valid) < 280
    printed = capsys.readouterr().out
    assert "broken: 2, such as music/0777.mid" in printed
    assert f"{len(train)} pieces to learn from, {len(valid)} held out" in printed


def test_a_folder_without_music_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no music")
    with pytest.raises(DataError, match=r"no music in .* \(0 MIDI files, none dropped\); give folders that hold MIDI"):
        main([str(tmp_path), "--out", str(tmp_path / "out")])
    (tmp_path / "a.mid").write_bytes(b"MThd")
    (tmp_path / "b.mid").write_bytes(midi_bytes({"": [(0, 20, 60, 60)]}))
    with pytest.raises(DataError, match=r"2 MIDI files, dropped: 1 broken, 1 too short"):
        main([str(tmp_path), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out" / "train.npz").exists()


def test_a_folder_with_one_piece_says_how_many_are_needed(tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    (music / "a.mid").write_bytes(_song(1))
    (music / "b.mid").write_bytes(_song(1))
    (music / "c.mid").write_bytes(_song(2)[:50])
    with pytest.raises(DataError, match=r"so 2 files of music: give more \(.*report\.json tells what was dropped"):
        prepare([music], tmp_path / "out", lambda line: None)
    assert len(json.loads((tmp_path / "out" / "report.json").read_text())["dropped"]) == 2
    # what was read is kept: another file and it goes on
    (music / "d.mid").write_bytes(_song(3))
    train, valid = prepare([music], tmp_path / "out", lambda line: None)
    assert (len(train), len(valid)) == (1, 1)


def test_what_is_there_is_not_read_again_and_not_mixed_up(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = prepare([music], out, lambda line: None)
    told: list[str] = []
    again = prepare([music], out, told.append)
    assert not told
    assert [piece.name for piece in again[0]] == [piece.name for piece in first[0]]
    with pytest.raises(DataError, match=r"holds what was read from music, asked for was elsewhere; take another --out"):
        prepare([tmp_path / "elsewhere"], out)
    (out / "report.json").write_text("[]")
    with pytest.raises(DataError, match="not a reading's report"):
        prepare([music], out)


def test_a_place_that_can_not_be_written_is_told(music: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"can not be written .* give another --out"):
        prepare([music], tmp_path / "file" / "out")
