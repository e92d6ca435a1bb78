"""Folders of MIDI become note tables; what cannot be read is told and nothing else is lost."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest
from antiphon.models.beat_grid import BeatGrid
from antiphon.models.corpus import load_pieces, read_corpus, save_pieces
from antiphon.models.errors import DataError, MidiFileError
from antiphon.models.midi_read import read_midi
from antiphon.models.notes import Column
from antiphon.models.parts import Part

from tests.midi_making import midi_bytes, scale


def test_tracks_become_parts_and_ticks() -> None:
    notes = read_midi(
        midi_bytes({"Melody": scale(72), "Bass": scale(36), "Drum": scale(38)}, {"Drum": 9}), "x.mid"
    ).notes
    assert set(notes[:, Column.PART].tolist()) == {Part.LEAD, Part.BASS, Part.DRUMS}
    first = notes[notes[:, Column.PART] == Part.LEAD][:3]
    assert first[:, Column.ONSET].tolist() == [0, 12, 24]
    assert first[:, Column.DURATION].tolist() == [11, 11, 11]
    assert first[:, Column.BAR_POSITION].tolist() == [0, 12, 24]


def test_a_keyboard_alone_is_a_pianist_and_beside_others_accompanies() -> None:
    alone = read_midi(midi_bytes({"": scale()}), "x.mid").notes
    beside = read_midi(midi_bytes({"Vocal": scale(72), "Piano": scale(48)}), "x.mid").notes
    assert set(alone[:, Column.PART].tolist()) == {Part.PIANO}
    assert set(beside[:, Column.PART].tolist()) == {Part.LEAD, Part.CHORDS}


def test_a_pedal_lengthens_notes() -> None:
    song = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    track.append(mido.Message("control_change", control=64, value=127, time=0))
    for i in range(20):
        track.append(mido.Message("note_on", note=40 + i, velocity=80, time=0))
        track.append(mido.Message("note_off", note=40 + i, time=24))
    track.append(mido.Message("control_change", control=64, value=0, time=480))
    song.tracks.append(track)
    path_bytes = _saved(song)
    notes = read_midi(path_bytes, "x.mid").notes
    assert (notes[:, Column.ONSET] + notes[:, Column.DURATION]).tolist() == [48] * 20


def test_annotated_beats_are_the_grid() -> None:
    grid = BeatGrid(np.array([0.1, 0.6, 1.1, 1.6, 2.1]), np.array([True, False, True, False, True]))
    notes = read_midi(midi_bytes({"": scale()}), "x.mid", grid).notes  # 120 bpm: an eighth is a quarter of a second
    assert notes[1, Column.ONSET] - notes[0, Column.ONSET] == 12
    assert notes[0, Column.BAR_POSITION] == -1  # before the first downbeat


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_a_file_truncated_anywhere_is_an_error_or_less_music(cut: int) -> None:
    whole = midi_bytes({"": scale(notes=24)})
    try:
        read = len(read_midi(whole[:cut], "x.mid").notes)
    except MidiFileError as error:
        told, read = str(error), 0
    else:
        told = "x.mid"
    assert "x.mid" in told
    assert read <= 24


def test_a_corrupt_file_among_others_is_dropped_and_told(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.mid").write_bytes(midi_bytes({"": scale(48 + number)}))
    (tmp_path / "bad.mid").write_bytes(b"MThd nonsense")
    (tmp_path / "same.mid").write_bytes(midi_bytes({"": scale(48)}))
    corpus = read_corpus([tmp_path])
    assert len(corpus.train) + len(corpus.valid) == 12
    assert sorted(drop.name for drop in corpus.dropped) == ["bad.mid", "same.mid"]


def test_splits_and_licences_of_a_zipped_set(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    with zipfile.ZipFile(folder / "midi.zip", "w") as archive:
        for number, name in enumerate(("a.mid", "b.mid", "c.mid", "d.mid", "e.mid")):
            archive.writestr(name, midi_bytes({"": scale(50 + number)}))
    (folder / "splits.json").write_text(json.dumps({"train": ["a.mid", "c.mid", "e.mid"], "valid": ["b.mid"]}))
    licences = {
        "a.mid": ["Piano", "Public Domain"],
        "b.mid": ["Piano", "Creative Commons Attribution 4.0"],
        "c.mid": ["Piano", "Creative Commons Attribution-ShareAlike 3.0"],
    }
    (folder / "manifest.json").write_text(json.dumps(licences))
    corpus = read_corpus([folder])
    assert [piece.name for piece in corpus.train] == ["a.mid", "e.mid"]
    assert [piece.name for piece in corpus.valid] == ["b.mid"]


def test_a_folder_without_music_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no music"):
        read_corpus([tmp_path])
    with pytest.raises(DataError, match="not a folder"):
        read_corpus([tmp_path / "missing"])


def test_pieces_come_back_as_they_were_kept(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes({"": scale()}))
    (tmp_path / "b.mid").write_bytes(midi_bytes({"": scale(50)}))
    corpus = read_corpus([tmp_path])
    pieces = corpus.train + corpus.valid
    save_pieces(tmp_path / "kept.npz", pieces)
    again = load_pieces(tmp_path / "kept.npz")
    assert [(p.name, p.source) for p in again] == [(p.name, p.source) for p in pieces]
    for before, after in zip(pieces, again, strict=True):
        np.testing.assert_array_equal(before.notes, after.notes)
    (tmp_path / "kept.npz").write_bytes(b"no")
    with pytest.raises(DataError, match=r"kept\.npz"):
        load_pieces(tmp_path / "kept.npz")


def _saved(song: mido.MidiFile) -> bytes:
    buffer = io.BytesIO()
    song.save(file=buffer)
    return buffer.getvalue()
