"""Note tables as MIDI files, a track for each part, so that samples can be heard."""

from __future__ import annotations

from pathlib import Path

import symusic
from antiphon.models.errors import DataError
from antiphon.models.generator import TICKS_PER_BEAT
from antiphon.models.notes import Column, NoteTable
from antiphon.models.parts import PROGRAM, Part


def write_midi(notes: NoteTable, path: Path, bpm: float = 110.0) -> Path:
    """Write a note table as a MIDI file.

    Args:
        notes: 24 ticks a beat.
        path: where to.
        bpm: tempo: a note table has none.

    Raises:
        DataError: ``path`` cannot be written.
    """
    score = symusic.Score(TICKS_PER_BEAT)
    score.tempos.append(symusic.Tempo(0, bpm))
    for part in Part:
        rows = notes[notes[:, Column.PART] == part]
        if len(rows):
            track = symusic.Track(name=part.name.lower(), program=PROGRAM[part], is_drum=part == Part.DRUMS)
            for onset, duration, pitch, velocity in rows[:, : Column.PART].tolist():
                track.notes.append(symusic.Note(onset, max(1, duration), pitch, velocity))
            score.tracks.append(track)
    try:
        path.write_bytes(score.dumps_midi())
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}; give another folder") from error
    return path
