"""Hostile and broken files: an error or notes, each in under a second and little memory, and never a crash."""

from __future__ import annotations

import json
import struct
import subprocess
import sys

import numpy as np
import pytest
from antiphon.models.errors import MidiFileError
from antiphon.models.midi_bytes import LARGEST_FILE, checked
from antiphon.models.midi_read import LONGEST_BEATS, Timing, read_midi
from antiphon.models.notes import COLUMNS, Column, NoteTable
from hypothesis import given
from hypothesis import strategies as st

from tests.midi_making import midi_bytes, scale

_END = b"\0\xff\x2f\0"
_MANY = 100_000


def _header(tracks: int = 1, division: int = 480, kind: int = 1) -> bytes:
    return struct.pack(">4sIHHH", b"MThd", 6, kind, tracks, division)


def _track(events: bytes, claimed: int | None = None) -> bytes:
    return struct.pack(">4sI", b"MTrk", len(events) if claimed is None else claimed) + events


def _file(events: bytes, **header: int) -> bytes:
    return _header(**header) + _track(events + _END)


def _line(notes: int = 20, before: bytes = b"") -> bytes:
    """Eighths at 480 a beat, each 200 ticks long; ``before`` stands between them."""
    rows = []
    for i in range(notes):
        pitch = 60 + i % 7
        rows.append(before + bytes((40 if i else 0, 0x90, pitch, 80)) + bytes((0x81, 0x48, 0x80, pitch, 64)))
    return b"".join(rows)


_RUNNING = b"\0\x90\x3c\x50" + b"".join(bytes((0x60, 60 + i % 7, 80 * (i % 2))) for i in range(40))
#: A file by name, and how many notes are in it; None where it must be an error.
HOSTILE: dict[str, tuple[bytes, int | None]] = {
    "nothing": (b"", None),
    "four letters": (b"MThd", None),
    "a header alone": (_header(), None),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, None),
    "text": (b"this is a song about nothing\n" * 40, None),
    "65,535 tracks claimed": (_header(65_535) + _track(_line() + _END), None),
    "a track less than claimed": (_header(2) + _track(_line() + _END), None),
    "no track": (_header(0), 0),
    "division 0": (_file(_line(), division=0), None),
    "25 frames of 40": (_file(_line(), division=0xE728), 20),
    "drop frames": (_file(_line(), division=0xE350), 20),
    "frames of nothing": (_file(_line(), division=0xE700), None),
    "17 frames": (_file(_line(), division=0xEF28), None),
    "type 2": (_file(_line(), kind=2), None),
    "type 9": (_file(_line(), kind=9), None),
    "a header of 10 bytes": (struct.pack(">4sIHHHI", b"MThd", 10, 0, 1, 480, 7) + _track(_line() + _END), 20),
    "a header without end": (struct.pack(">4sIHHH", b"MThd", 0xFFFFFFFF, 0, 1, 480) + _track(_line() + _END), None),
    "a header of 2 bytes": (struct.pack(">4sIHHH", b"MThd", 2, 0, 1, 480) + _track(_line() + _END), None),
    "running status": (_file(_RUNNING), None),  # how many: see its own test
    "running status before any": (_file(b"\0\x3c\x50" + _line()), None),
    "running status after a meta": (_file(_line() + b"\0\xff\x01\x87\x68" + b"x" * 1000 + b"\0\x3c\x40"), None),
    "giant deltas": (_file(_line() + b"\xff\xff\xff\x7f\x90\x3c\x50\x60\x80\x3c\x40"), None),
    "giant deltas past 32 bits": (_file(b"".join(b"\xff\xff\xff\x7f" + _line(1)[1:] for _ in range(20))), None),
    "a giant delta before the end": (_header() + _track(_line() + b"\xff\xff\xff\x7f\xff\x2f\0"), 20),
    "a delta of 5 bytes": (_file(_line() + b"\xff\xff\xff\xff\x7f\x90\x3c\x50"), None),
    "zero tempo": (_file(b"\0\xff\x51\x03\0\0\0" + _line()), 20),
    "a tempo of 0 bytes": (_file(b"\0\xff\x51\x00" + _line()), 20),
    "a tempo of 0 bytes at the end": (_header() + _track(_line() + b"\0\xff\x51\x00"), 20),
    "a bar of 0 beats": (_file(b"\0\xff\x58\x04\x00\x02\x18\x08" + _line()), 20),
    "a bar of 2**-255": (_file(b"\0\xff\x58\x04\x04\xff\x18\x08" + _line()), 20),
    "a bar of 1 byte": (_file(b"\0\xff\x58\x01\x04" + _line()), 20),
    "a key of 0 bytes": (_file(b"\0\xff\x59\x00" + _line()), 20),
    "a key that is none": (_file(b"\0\xff\x59\x02\x70\x09" + _line()), 20),
    "endless sysex": (_file(b"\0\xf0\xff\xff\xff\x7f" + _line()), None),
    "endless sysex that never was": (_header() + _track(_line() + b"\0\xf0"), None),
    "an escape of 3 bytes": (_file(b"\0\xf7\x03\x90\x3c\x40" + _line()), 20),
    "song position in a file": (_file(b"\0\xf2\x01\x02" + _line()), None),
    "clock in a file": (_file(b"\0\xf8" + _line()), None),
    "reset in a file": (_header() + _track(b"\0\xf6" + _line() + _END), None),
    "an endless meta": (_file(_line() + b"\0\xff\x01\xff\xff\xff\x7f"), None),
    "a meta of an end": (_file(b"\0\xff\x01\x02\x2f\0" + _line()), 20),
    "no end of track": (_header() + _track(_line()), 20),
    "a track that claims 2 GB": (_header() + _track(_line() + _END, 0x7FFFFFFF), 20),
    "a track that claims 4 GB": (_header() + _track(_line() + _END, 0xFFFFFFFF), 20),
    "a track that claims too little": (_header() + _track(_line() + _END, 33), None),
    "a track that claims too much": (_header() + _track(_line(), 5000), None),
    "a chunk of another kind": (_header() + b"XFIH\0\0\0\4abcd" + _track(_line() + _END), 20),
    "garbage between tracks": (_header(2) + _track(_line() + _END) + b"\0\1\2\3\4\5\6\7\x08", None),
    "garbage after the tracks": (_file(_line()) + bytes(1000), 20),
    "a pitch of 200": (_file(b"\0\x90\xc8\x40" + _line()), None),
    "a velocity of 255": (_file(b"\0\x90\x3c\xff" + _line()), None),
    "a program of 128": (_file(b"\0\xc0\x80" + _line()), None),
    "notes never ended": (_file(_line() + b"\0\x90\x24\x50" * 30), 20),
    "only notes never ended": (_file(b"\x10\x90\x24\x50" * 30), 0),
    "ends of nothing": (_file(b"\x10\x80\x24\x50" * 30 + _line()), 20),
    "a million ticks long": (_file(b"\0\x91\x30\x50\xbd\x84\x40\x81\x30\x40" + _line()), 21),
    "a name that is no text": (_file(b"\0\xff\x03\x04\x83\x73\x83\x41" + _line()), 20),
    "a name of 60 kB": (_file(b"\0\xff\x03\x83\xd4\x60" + b"bass" * 15_000 + _line()), 20),
    "1 tick a beat": (_file(_line(), division=1), 20),
    "a riff": (b"RIFF\0\0\0\0RMIDdata" + struct.pack("<I", len(_file(_line()))) + _file(_line()), 20),
    "a riff of nothing": (b"RIFF\0\0\0\0RMIDdata", None),
    "too large": (_file(_line()) + bytes(LARGEST_FILE), None),
    # many of what costs time for each other one: notes for pedals, starts waiting for ends, signatures for notes
    "100,000 pedals": (_file(_line(20_000, b"\0\xb0\x40\x7f\x08\xb0\x40\x00") * 5), _MANY),
    "100,000 of one pitch": (_file(b"\x01\x90\x3c\x50" * _MANY + b"\x01\x80\x3c\x50" * _MANY), None),
    "100,000 bars": (_file(b"\x60\xff\x58\x04\x03\x02\x18\x08" * _MANY + _line()), 20),
    "100,000 tempos": (_file(b"\x60\xff\x51\x03\x07\xa1\x20" * _MANY + _line()), 20),
    "60,000 tracks": (_header(60_000) + _track(_END) * 59_999 + _track(_line() + _END), 20),
    "as large as may be": (_file(_line(700_000)), None),
}
#: Of these the count of notes is not what is meant to be told.
_ANY = {"running status", "100,000 of one pitch", "as large as may be", "1 tick a beat"}

_READ_ALL = """
import json, resource, sys, time
from pathlib import Path
from antiphon.models.errors import MidiFileError
from antiphon.models.midi_read import read_midi
read_midi(Path(sys.argv[1], "warm").read_bytes(), "warm")
told = {}
for path in sorted(Path(sys.argv[1]).iterdir(), key=lambda path: (path.name != "warm", path.name)):
    data, began = path.read_bytes(), time.process_time()
    try:
        found = len(read_midi(data, "x.mid").notes)
    except MidiFileError as error:
        found = str(error)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told[path.name] = [found, time.process_time() - began, peak]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int | str, float, float]]:
    """What one process says of all of them: notes or error, seconds of processor, peak MiB so far."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "warm").write_bytes(_file(_line()))
    for name, (data, _) in HOSTILE.items():
        (folder / name).write_bytes(data)
    child = subprocess.run(
        [sys.executable, "-c", _READ_ALL, str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return {name: tuple(row) for name, row in json.loads(child.stdout).items()}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_an_error_or_the_notes_in_it(
    name: str, told: dict[str, tuple[int | str, float, float]]
) -> None:
    found, seconds, _ = told[name]
    if name not in _ANY:
        assert (found == HOSTILE[name][1]) if isinstance(found, int) else (HOSTILE[name][1] is None), found
    if isinstance(found, str):
        assert found.startswith("x.mid: ")
        assert len(found) < 300
    # the largest file that is read at all is a million events: a few times the others' limit on a slow machine
    assert seconds < (5.0 if name == "as large as may be" else 1.0)


def test_memory_stays_in_proportion_to_the_files(told: dict[str, tuple[int | str, float, float]]) -> None:
    # the largest file that is read holds 700,000 notes in 6 MB; nothing grows with what is only claimed
    assert max(peak for _, _, peak in told.values()) < told["warm"][2] + 600


def test_every_cut_of_a_small_file_is_an_error() -> None:
    whole = midi_bytes({"Melody": scale(notes=18), "Bass": scale(36, 18)})
    assert len(read_midi(whole, "x.mid").notes) == 36
    for cut in range(len(whole)):
        with pytest.raises(MidiFileError, match=r"x\.mid"):
            read_midi(whole[:cut], "x.mid")


def _sane(notes: NoteTable) -> bool:
    onset, length, pitch, velocity, part, bar, shift, program = (
        notes.T if len(notes) else np.zeros((COLUMNS, 0), np.int32)
    )
    bounds = (
        (length, 0, LONGEST_BEATS * 24), (pitch, 0, 127), (velocity, 1, 127), (part, 0, 5), (bar, -1, 255 * 96),
        (shift, -4, 3), (program, 0, 127),
    )  # fmt: skip
    return (
        notes.dtype == np.int32
        and bool(np.all(np.diff(onset) >= 0))
        and (not len(onset) or (onset[0] >= 0 and int(onset[-1]) <= LONGEST_BEATS * 24 + 24))
        and all(np.all((low <= column) & (column <= high)) for column, low, high in bounds)
    )


def _read_or_error(data: bytes) -> None:
    told = None
    try:
        notes = read_midi(data, "x.mid").notes
    except MidiFileError as error:
        told = str(error)
    assert _sane(notes) if told is None else told.startswith("x.mid: ")


@given(st.binary(max_size=400))
def test_random_bytes(data: bytes) -> None:
    _read_or_error(data)
    _read_or_error(_header() + data)
    _read_or_error(_file(data))


_EVENT = st.one_of(
    st.tuples(st.sampled_from((0x80, 0x90, 0x91, 0x99, 0xB0, 0xE0)), st.binary(min_size=2, max_size=2)),
    st.tuples(st.sampled_from((0xC0, 0xD5)), st.binary(min_size=1, max_size=1)),
    st.tuples(st.sampled_from((0xF0, 0xF7, 0xF1, 0xFE)), st.binary(max_size=6)),
    st.tuples(st.just(0xFF), st.binary(min_size=2, max_size=8)),
    st.tuples(st.just(0xFF), st.sampled_from((b"\x51\x03\0\0\0", b"\x58\x04\x05\x03\x18\x08", b"\x58\x04\0\x09\0\0"))),
)


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=5), _EVENT), max_size=60),
    st.sampled_from((1, 24, 480, 32_767, 0xE728, 0)),
)
def test_random_events(events: list[tuple[bytes, tuple[int, bytes]]], division: int) -> None:
    body = b"".join(delta[:-1] + bytes((delta[-1] & 127, status)) + value for delta, (status, value) in events)
    tamed = b"".join(
        bytes((delta[-1] & 127, status)) + bytes(byte & 127 for byte in value) for delta, (status, value) in events
    )
    _read_or_error(_file(body, division=division))
    _read_or_error(_file(tamed, division=division))


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 5000),
    st.binary(max_size=8),
)
def test_a_valid_file_with_some_bytes_changed(changes: list[tuple[int, int]], at: int, more: bytes) -> None:
    data = bytearray(_WHOLE)
    for place, value in changes:
        data[place % len(data)] = value
    place = at % len(data)
    data[place:place] = more
    _read_or_error(bytes(data))


_WHOLE = midi_bytes({"Melody": scale(notes=20), "Drum": scale(36, 20)}, {"Drum": 9})


def test_running_status_is_what_it_stands_for() -> None:
    spelt = b"\0\x90\x3c\x50" + b"".join(bytes((0x60, 0x90, 60 + i % 7, 80 * (i % 2))) for i in range(40))
    np.testing.assert_array_equal(read_midi(_file(_RUNNING), "x.mid").notes, read_midi(_file(spelt), "x.mid").notes)


def test_an_escape_does_not_move_what_follows() -> None:
    with_escape = read_midi(_file(b"\0\xf7\x03\x90\x3c\x40" + _line()), "x.mid").notes
    np.testing.assert_array_equal(with_escape, read_midi(_file(_line()), "x.mid").notes)


def test_frames_are_seconds() -> None:
    found = read_midi(_file(_line(), division=0xE728), "x.mid")  # 25 frames of 40 ticks: 1,000 a second
    assert found.timing is Timing.SECONDS
    # an eighth of 240 ticks is 0.24 s: at the nominal 120 a minute 11.52 of 24 ticks
    assert found.notes[:3, Column.ONSET].tolist() == [0, 12, 23]
    assert set(found.notes[:, Column.BAR_POSITION].tolist()) == {-1}


def test_what_is_whole_is_not_copied() -> None:
    whole = _file(_line())
    assert checked(whole, "x.mid").data is whole


def test_a_giant_silence_costs_no_memory() -> None:
    import tracemalloc

    # 2**28 ticks of 24,000 a beat: 11,184 beats of silence, within a day
    data = _file(_line() + b"\xff\xff\xff\x7f\x90\x3c\x50\x60\x80\x3c\x40", division=24_000)
    tracemalloc.start()
    notes = read_midi(data, "x.mid").notes
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(notes) == 21
    assert int(notes[-1, Column.ONSET]) > 11_000 * 24
    assert peak < 200_000


def test_an_error_tells_the_byte() -> None:
    with pytest.raises(MidiFileError, match=r"x\.mid: byte 12: a division of 0 ticks a beat; 1 to 32767"):
        read_midi(_file(_line(), division=0), "x.mid")
    with pytest.raises(MidiFileError, match=r"byte 24: status 0x90 with data \[60, 255\]; 0 to 127"):
        read_midi(_file(_line(0) + b"\0\x90\x3c\xff"), "x.mid")
