"""MIDI files to note tables: parse, give parts, lengthen by the pedal, put on the beat grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import symusic
from antiphon.models.errors import MidiFileError
from antiphon.models.generator import TICKS_PER_BEAT
from antiphon.models.notes import COLUMNS, Column, NoteTable, ordered
from antiphon.models.parts import Part
from antiphon.models.roles import part_of_track
from numpy.typing import NDArray

#: A file with fewer notes has nothing to teach.
FEWEST_NOTES = 16


@dataclass(frozen=True, slots=True)
class BeatGrid:
    """Annotated beats, where a performance's own ticks are no grid."""

    beats_s: NDArray[np.float64]  # [K] rising
    is_downbeat: NDArray[np.bool_]  # [K]


def read_notes(data: bytes, name: str, grid: BeatGrid | None = None) -> NoteTable:
    """Read a MIDI file's bytes as a note table.

    Args:
        data: the file.
        name: for errors.
        grid: annotated beats; without them the file's own ticks and time signatures are the grid.

    Raises:
        MidiFileError: the bytes are no MIDI file, or hold fewer than `FEWEST_NOTES` notes.
    """
    try:
        score = symusic.Score.from_midi(data)
        if grid is not None:
            score = score.to("second")
    except Exception as error:  # symusic raises whatever its C++ parser does
        raise MidiFileError(f"{name}: not a readable MIDI file ({error}); export it again") from None
    tracks = _without_annotations([track for track in score.tracks if len(track.notes)])
    rows = [_track_rows(track, len(tracks)) for track in tracks]
    staves = [index for index, (_, part) in enumerate(rows) if part is None]
    others = len(rows) > len(staves)
    tables = []
    for table, part in rows:
        # a keyboard alone is a pianist; a keyboard beside other tracks accompanies them
        role = part if part is not None else Part.CHORDS if others else Part.PIANO
        table[:, 4] = role
        tables.append(table)
    raw = np.concatenate(tables) if tables else np.zeros((0, 5))
    if len(raw) < FEWEST_NOTES:
        raise MidiFileError(f"{name}: {len(raw)} notes; at least {FEWEST_NOTES} are needed")
    notes = _on_beats(raw, grid) if grid is not None else _on_ticks(raw, score)
    return _tidy(notes)


def _without_annotations(tracks: list[Any]) -> list[Any]:
    """Leave out a track of chord labels written as notes beside the piano that they label (POP909-CL)."""
    if sorted(track.name.lower() for track in tracks) == ["chords", "piano"]:
        return [track for track in tracks if track.name.lower() == "piano"]
    return tracks


def _track_rows(track: Any, tracks: int) -> tuple[NDArray[np.float64], Part | None]:
    """Give rows (onset, end, pitch, velocity, part) in the score's own unit, and the part if it is told."""
    arrays = track.notes.numpy()
    onset = arrays["time"].astype(np.float64)
    end = onset + arrays["duration"]
    for pedal in track.pedals:
        # what ends while the pedal is down sounds on until it comes up
        down, up = float(pedal.time), float(pedal.time + pedal.duration)
        end = np.where((end >= down) & (end < up), up, end)
    table = np.stack([onset, end, arrays["pitch"], arrays["velocity"], np.zeros_like(onset)], axis=1)
    single = len(np.unique(np.round(onset, 3))) / len(onset)
    part = part_of_track(
        track.name, int(track.program), bool(track.is_drum),
        single=single, mean_pitch=float(arrays["pitch"].mean()), tracks=tracks,
    )  # fmt: skip
    return table, part


def _on_beats(raw: NDArray[np.float64], grid: BeatGrid) -> NoteTable:
    beats = np.arange(len(grid.beats_s), dtype=np.float64)
    onset = _interpolate(raw[:, 0], grid.beats_s, beats)
    end = _interpolate(raw[:, 1], grid.beats_s, beats)
    onset_tick = np.round(onset * TICKS_PER_BEAT).astype(np.int64)
    end_tick = np.round(end * TICKS_PER_BEAT).astype(np.int64)
    downbeats = np.flatnonzero(grid.is_downbeat) * TICKS_PER_BEAT
    return _assemble(raw, onset_tick, end_tick, _since(onset_tick, downbeats))


def _on_ticks(raw: NDArray[np.float64], score: Any) -> NoteTable:
    scale = TICKS_PER_BEAT / max(1, score.tpq)
    onset_tick = np.round(raw[:, 0] * scale).astype(np.int64)
    end_tick = np.round(raw[:, 1] * scale).astype(np.int64)
    last = int(onset_tick.max()) + 1
    signatures = sorted((int(s.time * scale), s.numerator, s.denominator) for s in score.time_signatures)
    if not signatures or signatures[0][0] > 0:
        signatures.insert(0, (0, 4, 4))
    downbeats = []
    for index, (start, above, below) in enumerate(signatures):
        stop = signatures[index + 1][0] if index + 1 < len(signatures) else last
        bar = max(TICKS_PER_BEAT // 4, round(above * 4 * TICKS_PER_BEAT / max(1, below)))
        downbeats.append(np.arange(start, max(stop, start + 1), bar))
    return _assemble(raw, onset_tick, end_tick, _since(onset_tick, np.concatenate(downbeats)))


def _interpolate(
    times: NDArray[np.float64], at: NDArray[np.float64], beats: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate, going on at the first and last beat's pace outside."""
    inside = np.interp(times, at, beats)
    before = beats[0] + (times - at[0]) / (at[1] - at[0])
    after = beats[-1] + (times - at[-1]) / (at[-1] - at[-2])
    return np.where(times < at[0], before, np.where(times > at[-1], after, inside))


def _since(ticks: NDArray[np.int64], downbeats: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(downbeats):
        return np.full(len(ticks), -1, np.int64)
    index = np.searchsorted(downbeats, ticks, side="right") - 1
    return np.where(index >= 0, ticks - downbeats[np.maximum(index, 0)], -1)


def _assemble(
    raw: NDArray[np.float64], onset: NDArray[np.int64], end: NDArray[np.int64], bar: NDArray[np.int64]
) -> NoteTable:
    notes = np.zeros((len(raw), COLUMNS), np.int64)
    notes[:, Column.ONSET] = onset - min(0, int(onset.min()) // (4 * TICKS_PER_BEAT) * 4 * TICKS_PER_BEAT)
    notes[:, Column.DURATION] = np.maximum(end - onset, 0)
    notes[:, Column.PITCH] = raw[:, 2]
    notes[:, Column.VELOCITY] = raw[:, 3]
    notes[:, Column.PART] = raw[:, 4]
    notes[:, Column.BAR_POSITION] = bar
    return notes.astype(np.int32)


def _tidy(notes: NoteTable) -> NoteTable:
    """Drop doubled notes of one part, and end a note where its pitch is struck again."""
    order = np.lexsort(
        (-notes[:, Column.DURATION], notes[:, Column.ONSET], notes[:, Column.PITCH], notes[:, Column.PART])
    )
    notes = notes[order]
    same = np.all(
        notes[1:][:, [Column.PART, Column.PITCH, Column.ONSET]]
        == notes[:-1][:, [Column.PART, Column.PITCH, Column.ONSET]],
        axis=1,
    )
    notes = notes[np.concatenate([[True], ~same])]
    follows = np.all(notes[1:][:, [Column.PART, Column.PITCH]] == notes[:-1][:, [Column.PART, Column.PITCH]], axis=1)
    room = np.where(follows, notes[1:, Column.ONSET] - notes[:-1, Column.ONSET], np.iinfo(np.int32).max).astype(
        np.int32
    )
    notes[:-1, Column.DURATION] = np.minimum(notes[:-1, Column.DURATION], room)
    return ordered(notes)
