"""MIDI files to takes: our own with both players told apart, any other as all the performer's."""

from __future__ import annotations

import io
import re
import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

import mido
from antiphon.export.take_midi import ANTIPHON_TRACK, CHANNEL_TEXT, FREE_TIME_TEXT, TAKE_TEXT
from antiphon.models.errors import MidiFileError
from antiphon.models.parts import Part
from antiphon.models.take import PERFORMER_PART, Marker, Player, Take, TakeEvent, TakeNote, in_order
from antiphon.models.tempo_map import NOMINAL_BPM, TempoChange, TempoMap

_MOVED = re.compile(rf"{CHANNEL_TEXT} (\d+) was (\d+)")
_PARTS = {ANTIPHON_TRACK + part.name.lower(): part.name.lower() for part in Part}
#: What mido lets through when a file's bytes make no sense.
_MIDO_ERRORS = (OSError, EOFError, ValueError, TypeError, LookupError, struct.error, mido.KeySignatureError)
_CHANNEL_MESSAGES = {"control_change", "program_change", "pitchwheel", "aftertouch", "polytouch"}


def read_take(path: Path) -> Take:
    """Read a take, or any MIDI file of type 0 or 1 as a take of the performer's alone.

    Raises:
        MidiFileError: missing, empty, truncated, not a MIDI file, of type 2, in SMPTE time, or, where
            Antiphon did not write it, without a single note.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MidiFileError(f"cannot read {path}: {error.strerror or error}; give a MIDI file") from error
    if not data:
        raise MidiFileError(f"{path} is empty (0 bytes); give a MIDI file, or write it again")
    try:
        file = mido.MidiFile(file=io.BytesIO(data))
    except EOFError as error:
        raise MidiFileError(
            f"{path} is truncated: it ends after {len(data)} bytes, in the middle of a track; copy or write it again"
        ) from error
    except _MIDO_ERRORS as error:
        raise MidiFileError(f"{path} is not a whole MIDI file ({error}); write it again as type 0 or 1") from error
    if file.type == 2:
        raise MidiFileError(f"{path} is a MIDI file of type 2 (separate patterns); write it as type 0 or 1")
    if file.ticks_per_beat <= 0:
        raise MidiFileError(
            f"{path} counts in SMPTE frames (division {file.ticks_per_beat}); write it with ticks per beat"
        )
    return _Reading(file).take(path)


@dataclass(slots=True)
class _Texts:
    """What the file's texts say about it."""

    is_take: bool = False
    free_time: bool = False
    moved: dict[int, int] = field(default_factory=dict)  # channel in the file -> channel played


class _Reading:
    """One file on its way to a take."""

    def __init__(self, file: mido.MidiFile) -> None:
        self._tracks = [_absolute(track) for track in file.tracks]
        self._tempo = _FileTime(file.ticks_per_beat, self._tracks)
        self._texts = self._read_texts()
        self._notes: list[TakeNote] = []
        self._events: list[TakeEvent] = []

    def take(self, path: Path) -> Take:
        for track in self._tracks:
            self._read_track(track)
        if not self._notes and not self._texts.is_take:
            raise MidiFileError(f"{path} holds no notes; give a MIDI file with something played in it")
        markers = [
            Marker(self._tempo.seconds(tick), message.text)
            for track in self._tracks
            for tick, message in track
            if message.type == "marker"
        ]
        return Take(
            notes=in_order(self._notes),
            events=tuple(sorted(self._events, key=lambda event: event.t_s)),
            markers=tuple(sorted(markers, key=lambda marker: marker.t_s)),
            tempo=self._tempo.map(clocked=not self._texts.free_time),
        )

    def _read_texts(self) -> _Texts:
        texts = _Texts()
        for track in self._tracks:
            for _, message in track:
                if message.type != "text":
                    continue
                texts.is_take |= message.text == TAKE_TEXT
                texts.free_time |= message.text == FREE_TIME_TEXT
                if found := _MOVED.fullmatch(message.text):
                    texts.moved[int(found[1]) - 1] = int(found[2]) - 1
        return texts

    def _read_track(self, track: list[tuple[int, mido.Message]]) -> None:
        name = next((message.name for _, message in track if message.type == "track_name"), "")
        part = _PARTS.get(name, PERFORMER_PART) if self._texts.is_take else PERFORMER_PART
        player: Player = "performer" if part == PERFORMER_PART else "antiphon"
        moved = self._texts.moved if player == "performer" else {}
        sounding: dict[tuple[int, int], tuple[float, int]] = {}
        is_first_program = player == "antiphon"

        def end(channel: int, pitch: int, t_s: float) -> None:
            onset_s, velocity = sounding.pop((channel, pitch), (0.0, 0))
            if velocity:
                self._notes.append(TakeNote(onset_s, t_s, pitch, velocity, channel, part, player))

        for tick, message in track:
            if message.type not in _CHANNEL_MESSAGES and message.type not in ("note_on", "note_off"):
                continue
            t_s = self._tempo.seconds(tick)
            channel = moved.get(message.channel, message.channel)
            if message.type in ("note_on", "note_off"):
                end(channel, message.note, t_s)
                if message.type == "note_on" and message.velocity:
                    sounding[channel, message.note] = (t_s, message.velocity)
            elif is_first_program and tick == 0 and message.type == "program_change":
                continue  # the part's own, which writing puts there
            else:
                data = message.copy(channel=channel).bytes()
                self._events.append(TakeEvent(t_s, bytes(data), player))
        last_s = self._tempo.seconds(track[-1][0]) if track else 0.0
        for channel, pitch in list(sounding):
            end(channel, pitch, last_s)


class _FileTime:
    """Seconds of a file's ticks."""

    def __init__(self, ticks_per_beat: int, tracks: list[list[tuple[int, mido.Message]]]) -> None:
        everything = [event for track in tracks for event in track]
        # a file's tempo is the last one said at a tick, in whichever track it stands
        tempos = {0: round(60e6 / NOMINAL_BPM)}
        tempos |= {tick: max(1, message.tempo) for tick, message in everything if message.type == "set_tempo"}
        self._ticks = sorted(tempos)
        self._per_tick = [tempos[tick] / 1e6 / ticks_per_beat for tick in self._ticks]
        self._bpm = [60e6 / tempos[tick] for tick in self._ticks]
        self._starts = [0.0]
        for i in range(1, len(self._ticks)):
            span = self._ticks[i] - self._ticks[i - 1]
            self._starts.append(self._starts[-1] + span * self._per_tick[i - 1])
        self._beats_per_bar = next(
            (_quarters(message) for _, message in sorted(everything, key=lambda event: event[0])
             if message.type == "time_signature"), 4,
        )  # fmt: skip

    def seconds(self, tick: int) -> float:
        i = bisect_right(self._ticks, tick) - 1
        return self._starts[i] + (tick - self._ticks[i]) * self._per_tick[i]

    def map(self, *, clocked: bool) -> TempoMap:
        changes = tuple(TempoChange(t, bpm) for t, bpm in zip(self._starts, self._bpm, strict=True))
        return TempoMap(changes, self._beats_per_bar, clocked)


def _quarters(message: mido.MetaMessage) -> int:
    """Give the beats a bar of a time signature, in quarters: what a tempo map counts in."""
    numerator, denominator = int(message.numerator), int(message.denominator)
    return max(1, round(numerator * 4 / denominator))


def _absolute(track: mido.MidiTrack) -> list[tuple[int, mido.Message]]:
    events, now = [], 0
    for message in track:
        now += message.time
        events.append((now, message))
    return events
