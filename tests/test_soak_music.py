"""What the soak's performer plays: held-out files where a collection says which they are, and phrases with an end."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from pathlib import Path

import pytest
from antiphon.daemon.player.file_ports import FileEvent, read_performance
from antiphon.models.bundled import bundled_performance
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.soak.music import NOTE_ON, Library, cut, phrase

_BUNDLED = Path(str(bundled_performance()))


def _left(events: list[FileEvent]) -> set[int]:
    held: set[int] = set()
    for event in events:
        status, pitch, velocity = event.message
        (held.add if status & 0xF0 == NOTE_ON and velocity else held.discard)(pitch)
    return held


@given(st.integers())
@settings(deadline=None)
def test_a_phrase_lets_every_key_go(seed: int) -> None:
    events = phrase(random.Random(seed))
    assert _left(events) == set()
    assert [event.after_ns for event in events] == sorted(event.after_ns for event in events)
    assert events == phrase(random.Random(seed))


@given(st.integers())
@settings(deadline=None)
def test_a_slice_is_some_seconds_of_playable_notes(seed: int) -> None:
    performance = read_performance(_BUNDLED)
    events = cut(performance, random.Random(seed))
    assert events == cut(performance, random.Random(seed))
    assert all(0 <= event.after_ns <= 6_000_000_000 and 30 <= event.message[1] <= 100 for event in events)


def test_without_a_folder_it_is_the_performance_that_ships(tmp_path: Path) -> None:
    assert Library(None, 1, tmp_path).names == ["performance.mid"]


def test_of_a_collection_only_what_it_keeps_for_validation_is_played(tmp_path: Path) -> None:
    music, scratch = tmp_path / "music", tmp_path / "scratch"
    music.mkdir()
    scratch.mkdir()
    with zipfile.ZipFile(music / "midi.zip", "w") as archive:
        for name in ("a/learnt.mid", "a/kept.mid", "b/kept.mid"):
            archive.write(_BUNDLED, name)
    (music / "splits.json").write_text(json.dumps({"train": ["a/learnt.mid", "b/kept.mid"], "valid": ["a/kept.mid"]}))
    (music / "loose").mkdir()
    shutil.copy(_BUNDLED, music / "loose" / "song.mid")
    (music / "loose" / "broken.mid").write_bytes(b"MThd")
    library = Library(music, 1, scratch)
    assert sorted(library.names) == ["a-kept.mid", "song.mid"]
    assert library.piece(random.Random(5)) == library.piece(random.Random(5))


def test_a_folder_without_music_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--music: no MIDI file with notes"):
        Library(tmp_path, 1, tmp_path)
