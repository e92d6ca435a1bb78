"""MIDI files to note tables: parse, give parts, lengthen by the pedal, put on the beat grid or into seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import symusic
from antiphon.models.beat_grid import BeatGrid
from antiphon.models.errors import MidiFileError
from antiphon.models.generator import TICKS_PER_BEAT
from antiphon.models.midi_bytes import MidiBytes, checked
from antiphon.models.notes import COLUMNS, SHIFTS, Column, NoteTable, ordered
from antiphon.models.parts import Part
from antiphon.models.roles import part_of_track
from antiphon.models.tempo_map import NOMINAL_BPM
from numpy.typing import NDArray

#: A day at the nominal tempo: what is longer is a broken time, and would not fit 32 bits.
LONGEST_BEATS = 24 * 60 * int(NOMINAL_BPM)
_SUSTAIN = 64  # the controller's number
_SECONDS_TO_TICKS = TICKS_PER_BEAT * NOMINAL_BPM / 60.0
_FAR = 1e15  # ticks; beyond every limit and within 64 bits

#: Onsets may cluster in so many places of a beat.
_PLACES = np.arange(1, 25)
#: With fewer onsets nobody can tell a loose player from one who never heard the beat.
_FEWEST_TO_JUDGE, _MOST_TO_JUDGE = 256, 4000
#: Length of the mean of the onsets' phases, below which they know nothing of the beat: 1 on a grid; off it the
#: greatest of so many places is about ``sqrt(ln places / onsets)``. Drummers at their loosest have 0.2.
_NO_CLUSTER, _BY_CHANCE = 0.08, 1.5


class Timing(StrEnum):
    """What a note table's ticks are."""

    ANNOTATED = "annotated beats"
    BEATS = "beats of the file"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Reading:
    """A file's notes and what their ticks are."""

    notes: NoteTable
    timing: Timing
    bpm: float = 0.0  # beats a minute over the whole; 0 where there are no beats


def read_midi(data: bytes, name: str, grid: BeatGrid | None = None) -> Reading:
    """Read a MIDI file's bytes, however few notes there are.

    Where neither ``grid`` nor the file tells beats (SMPTE frames, or one tempo throughout that nobody played to), the
    table is in seconds: ticks of the nominal tempo, with no position in a bar.

    Args:
        data: the file.
        name: for errors.
        grid: annotated beats.

    Raises:
        MidiFileError: the bytes are no MIDI file, broken, or last longer than `LONGEST_BEATS`.
    """
    midi = checked(data, name)
    in_seconds = grid is not None and midi.ticks_per_second is None
    if in_seconds and midi.zero_tempo:
        raise MidiFileError(f"{name}: a tempo of 0 us a beat, so its seconds are unknown; export it again")
    try:
        score = symusic.Score.from_midi(midi.data)
        if in_seconds:
            score = score.to("second")
        tracks = _without_annotations([track for track in score.tracks if len(track.notes)])
        rows = [_track_rows(track, len(tracks)) for track in tracks]
    except Exception as error:  # symusic raises whatever its C++ parser does
        raise MidiFileError(f"{name}: not a readable MIDI file ({error}); export it again") from None
    others = any(part is not None for _, part in rows)
    tables = []
    for table, part in rows:
        # a keyboard alone is a pianist; a keyboard beside other tracks accompanies them
        role = part if part is not None else Part.CHORDS if others else Part.PIANO
        table[:, 4] = role
        tables.append(table)
    if not tables:
        return Reading(np.zeros((0, COLUMNS), np.int32), Timing.BEATS)
    raw = np.concatenate(tables)
    if grid is not None:
        raw[:, :2] /= midi.ticks_per_second or 1.0
        notes, timing, bpm = _on_beats(raw, grid), Timing.ANNOTATED, grid.bpm
    else:
        scale = _seconds_scale(raw, score, midi)
        notes = _on_ticks(raw, score, midi) if scale is None else _in_seconds(raw, scale)
        timing = Timing.BEATS if scale is None else Timing.SECONDS
        bpm = _bpm(score, raw) if scale is None else 0.0
    beats = int(notes[:, Column.ONSET].max()) // TICKS_PER_BEAT
    if beats > LONGEST_BEATS:
        raise MidiFileError(f"{name}: it lasts {beats} beats; at most {LONGEST_BEATS}, cut the silence out")
    return Reading(_tidy(notes.astype(np.int32)), timing, bpm)


def _without_annotations(tracks: list[Any]) -> list[Any]:
    """Leave out a track of chord labels written as notes beside the piano that they label (POP909-CL)."""
    if sorted(track.name.lower() for track in tracks) == ["chords", "piano"]:
        return [track for track in tracks if track.name.lower() == "piano"]
    return tracks


def _track_rows(track: Any, tracks: int) -> tuple[NDArray[np.float64], Part | None]:
    """Give rows (onset, end, pitch, velocity, part, program) in the score's own unit, and the part if it is told."""
    arrays = track.notes.numpy()
    onset = arrays["time"].astype(np.float64)
    end = onset + arrays["duration"]
    if len(track.controls):
        end = _pedalled(end, track.controls.numpy())
    program = np.full_like(onset, track.program)
    table = np.stack([onset, end, arrays["pitch"], arrays["velocity"], np.zeros_like(onset), program], axis=1)
    single = len(np.unique(np.round(onset, 3))) / len(onset)
    part = part_of_track(
        track.name, int(track.program), bool(track.is_drum),
        single=single, mean_pitch=float(arrays["pitch"].mean()), tracks=tracks,
    )  # fmt: skip
    return table, part


def _pedalled(end: NDArray[np.float64], controls: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Lengthen notes: what ends while the pedal is down sounds on until it comes up.

    From the controls: symusic 0.5.8's own pedals have one from tick 0 to the first release on every channel but 0.
    """
    pedal = controls["number"] == _SUSTAIN
    at, is_down = controls["time"][pedal].astype(np.float64), controls["value"][pedal] >= 64
    before = np.concatenate([[False], is_down])[:-1]
    up = at[~is_down & before]
    down = at[is_down & ~before][: len(up)]  # a pedal that never comes up again lengthens nothing
    real = up > down
    if not real.any():
        return end
    down, up = down[real], np.maximum.accumulate(up[real])
    # a pedal that is down again where it came up is one pedal
    begins = np.concatenate([[True], down[1:] > up[:-1]])
    down, up = down[begins], up[np.concatenate([begins[1:], [True]])]
    index = np.searchsorted(down, end, side="right") - 1
    held = (index >= 0) & (end < up[index])
    return np.where(held, up[index], end)


def _on_beats(raw: NDArray[np.float64], grid: BeatGrid) -> NDArray[np.int64]:
    onset, end = (grid.beats_at(raw[:, column]) * TICKS_PER_BEAT for column in (0, 1))
    return _assemble(raw, onset, end, grid.bar_positions(_rounded(onset)))


def _seconds_scale(raw: NDArray[np.float64], score: Any, midi: MidiBytes) -> float | None:
    """Give the nominal ticks that one of the file's ticks lasts, or None where its beats are beats.

    A recorder that knew no tempo writes one (mostly 120 a minute) that nobody played to: then onsets lie anywhere in
    the beat. A file whose tempo changes was told its beats by someone.
    """
    if midi.ticks_per_beat is None:
        return _SECONDS_TO_TICKS / float(midi.ticks_per_second or 1.0)
    tempos = {int(tempo.mspq) for tempo in score.tempos}
    onsets = np.unique(raw[:, 0])
    if len(tempos) > 1 or midi.zero_tempo or len(onsets) < _FEWEST_TO_JUDGE:
        return None
    phases = 2j * np.pi * onsets[:_MOST_TO_JUDGE] / midi.ticks_per_beat
    clusters = max(abs(np.exp(places * phases).mean()) for places in _PLACES)
    if clusters > max(_NO_CLUSTER, _BY_CHANCE * np.sqrt(np.log(len(_PLACES)) / len(phases))):
        return None
    beat_s = (tempos.pop() if tempos else 500_000) / 1e6
    return _SECONDS_TO_TICKS * beat_s / midi.ticks_per_beat


def _in_seconds(raw: NDArray[np.float64], scale: float) -> NDArray[np.int64]:
    unknown = np.full(len(raw), -1, np.int64)
    return _assemble(raw, raw[:, 0] * scale, raw[:, 1] * scale, unknown)


def _on_ticks(raw: NDArray[np.float64], score: Any, midi: MidiBytes) -> NDArray[np.int64]:
    scale = TICKS_PER_BEAT / (midi.ticks_per_beat or 1)
    onset_tick = _rounded(raw[:, 0] * scale)
    told = sorted(score.time_signatures, key=lambda signature: signature.time)  # of two at one tick the later holds
    signatures = [(int(s.time * scale), s.numerator, s.denominator) for s in told]
    if not signatures or signatures[0][0] > 0:
        signatures.insert(0, (0, 4, 4))
    starts = np.array([start for start, _, _ in signatures], np.int64)
    bars = np.array([above * 4 * TICKS_PER_BEAT / max(1, below) for _, above, below in signatures])
    bars = np.maximum(TICKS_PER_BEAT // 4, np.round(bars).astype(np.int64))
    # counted, not laid out: a note after a giant silence must not cost memory for its bars
    index = np.searchsorted(starts, onset_tick, side="right") - 1
    return _assemble(raw, raw[:, 0] * scale, raw[:, 1] * scale, (onset_tick - starts[index]) % bars[index])


def _bpm(score: Any, raw: NDArray[np.float64]) -> float:
    """Give the tempo over the whole file: beats by the minutes that they last."""
    if not len(score.tempos):
        return NOMINAL_BPM
    tempos = sorted((float(tempo.time), max(1, int(tempo.mspq))) for tempo in score.tempos)
    starts = np.array([0.0, *(start for start, _ in tempos[1:]), max(float(raw[:, 1].max()), 1.0)])
    lengths = np.diff(np.minimum(starts, starts[-1])).clip(0.0)
    a_beat_us = float((lengths * [beat for _, beat in tempos]).sum() / max(lengths.sum(), 1e-9))
    return 60e6 / a_beat_us if a_beat_us > 0 else NOMINAL_BPM


def _rounded(ticks: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.round(np.clip(ticks, -_FAR, _FAR)).astype(np.int64)


def _assemble(
    raw: NDArray[np.float64], onset_ticks: NDArray[np.float64], end_ticks: NDArray[np.float64], bar: NDArray[np.int64]
) -> NDArray[np.int64]:
    onset, end = _rounded(onset_ticks), _rounded(end_ticks)
    notes = np.zeros((len(raw), COLUMNS), np.int64)
    notes[:, Column.ONSET] = onset - min(0, int(onset.min()) // (4 * TICKS_PER_BEAT) * 4 * TICKS_PER_BEAT)
    notes[:, Column.DURATION] = np.clip(end - onset, 0, LONGEST_BEATS * TICKS_PER_BEAT)
    notes[:, Column.PITCH] = raw[:, 2]
    notes[:, Column.VELOCITY] = raw[:, 3]
    notes[:, Column.PART] = raw[:, 4]
    notes[:, Column.BAR_POSITION] = bar
    shift = np.floor((np.clip(onset_ticks, -_FAR, _FAR) - onset + 0.5) * SHIFTS) - SHIFTS // 2
    notes[:, Column.SHIFT] = np.clip(shift, -SHIFTS // 2, SHIFTS // 2 - 1)
    notes[:, Column.PROGRAM] = raw[:, 5]
    return notes


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
