"""Takes to multi-track MIDI files: one track for the performer, one for each part of Antiphon's.

Times go through the tempo map as the file can hold it (whole microseconds a beat, whole ticks), so that what
is rounded is never added up: every event comes back within half a tick, under a millisecond.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, replace

import mido
from antiphon.models.parts import OUTPUT_CHANNEL, PROGRAM, Part
from antiphon.models.take import Take, TakeEvent, TakeNote
from antiphon.models.tempo_map import TempoMap

PERFORMER_TRACK = "Performer"
ANTIPHON_TRACK = "Antiphon "
#: Texts in the file that only reading a take back needs; elsewhere they are comments.
TAKE_TEXT = "Antiphon take"
FREE_TIME_TEXT = "free time: the tempo only stands in for one"
CHANNEL_TEXT = "performer channel"

_TICKS_PER_BEAT = 480
_MAX_TICKS_PER_BEAT = 480 * 64
#: Half a tick may be this long at the slowest tempo before the file gets finer ticks.
_MAX_HALF_TICK_S = 0.0009
_MAX_US_PER_BEAT = 0xFFFFFF
_DRUM_CHANNEL = 9

#: (tick, order within the tick, message)
_Timed = tuple[int, int, mido.Message | mido.MetaMessage]


@dataclass(frozen=True, slots=True)
class FileTempo:
    """A tempo map as a MIDI file holds it: from tick ``ticks[i]``, at ``starts_s[i]``, ``us[i]`` a beat."""

    ticks_per_beat: int
    ticks: tuple[int, ...]
    starts_s: tuple[float, ...]
    us: tuple[int, ...]

    @classmethod
    def of(cls, tempo: TempoMap) -> FileTempo:
        """Round a tempo map. Each piece's tempo makes up for what the pieces before it lost by rounding."""
        slowest = min(change.bpm for change in tempo.changes)
        resolution = _TICKS_PER_BEAT
        while 30.0 / slowest / resolution > _MAX_HALF_TICK_S and resolution < _MAX_TICKS_PER_BEAT:
            resolution *= 2
        change_ticks = [round(beat * resolution) for beat in tempo.beats_at_changes()]
        ticks, starts, us = [0], [0.0], [_us_per_beat(tempo.changes[0].bpm)]
        for i, change in enumerate(tempo.changes[1:], start=1):
            span = change_ticks[i] - ticks[-1]
            if span > 0:
                us[-1] = _clamp_us((change.t_s - starts[-1]) * 1e6 * resolution / span)
                ticks.append(change_ticks[i])
                starts.append(starts[-1] + span * us[-1] / 1e6 / resolution)
                us.append(0)
            us[-1] = _us_per_beat(change.bpm)
        return cls(resolution, tuple(ticks), tuple(starts), tuple(us))

    def tick(self, t_s: float) -> int:
        """Give the tick nearest to a time."""
        i = max(0, bisect_right(self.starts_s, t_s) - 1)
        return self.ticks[i] + round((t_s - self.starts_s[i]) * 1e6 * self.ticks_per_beat / self.us[i])


def midi_bytes(take: Take) -> bytes:
    """Give a take as a MIDI file's bytes (type 1)."""
    tempo = FileTempo.of(take.tempo)
    moved = _performer_channels(take)
    tracks = [_conductor(take, tempo), _performer(take, tempo, moved)]
    tracks += [_part_track(take, tempo, part) for part in take.parts()]
    file = mido.MidiFile(type=1, ticks_per_beat=tempo.ticks_per_beat, tracks=tracks)
    data = io.BytesIO()
    file.save(file=data)
    return data.getvalue()


def _conductor(take: Take, tempo: FileTempo) -> mido.MidiTrack:
    events: list[_Timed] = [
        (0, 0, mido.MetaMessage("track_name", name="Antiphon")),
        (0, 0, mido.MetaMessage("text", text=TAKE_TEXT)),
        (0, 0, mido.MetaMessage("time_signature", numerator=take.tempo.beats_per_bar, denominator=4)),
    ]
    if not take.tempo.clocked:
        events.append((0, 0, mido.MetaMessage("text", text=FREE_TIME_TEXT)))
    events += [(t, 1, mido.MetaMessage("set_tempo", tempo=us)) for t, us in zip(tempo.ticks, tempo.us, strict=True)]
    for marker in take.markers:
        text = marker.text.encode("latin-1", "replace").decode("latin-1")
        events.append((tempo.tick(marker.t_s), 2, mido.MetaMessage("marker", text=text)))
    return _track(events)


def _performer(take: Take, tempo: FileTempo, moved: dict[int, int]) -> mido.MidiTrack:
    events: list[_Timed] = [(0, 0, mido.MetaMessage("track_name", name=PERFORMER_TRACK))]
    for old, new in sorted(moved.items()):
        if old != new:
            text = f"{CHANNEL_TEXT} {new + 1} was {old + 1}"
            events.append((0, 0, mido.MetaMessage("text", text=text)))
    notes = [replace(note, channel=moved[note.channel]) for note in take.notes_of("performer")]
    events += _note_messages(notes, tempo)
    for event in take.events:
        if event.player == "performer":
            events.append(_event_message(event, moved[event.channel], tempo))
    return _track(events)


def _part_track(take: Take, tempo: FileTempo, part: str) -> mido.MidiTrack:
    notes = [note for note in take.notes_of("antiphon") if note.part == part]
    known = Part.__members__.get(part.upper())
    channels = sorted({note.channel for note in notes})
    events: list[_Timed] = [(0, 0, mido.MetaMessage("track_name", name=ANTIPHON_TRACK + part))]
    for channel in channels:
        program = 0 if known is None or channel == _DRUM_CHANNEL else PROGRAM[known]
        events.append((0, 1, mido.Message("program_change", channel=channel, program=program)))
    events += _note_messages(notes, tempo)
    for event in take.events:
        # a channel two parts share: its controllers stand in the first one's track only
        if event.player == "antiphon" and event.channel in channels and _first_part(take, event.channel) == part:
            events.append(_event_message(event, event.channel, tempo))
    return _track(events)


def _first_part(take: Take, channel: int) -> str:
    return min(note.part for note in take.notes_of("antiphon") if note.channel == channel)


def _performer_channels(take: Take) -> dict[int, int]:
    """Give where each of the performer's channels goes in the file.

    A channel that a part of Antiphon's also uses moves to a free one: on one synth the two would take each
    other's program and cut each other's notes. Drums share theirs. With none free, it stays.
    """
    used = {note.channel for note in take.notes_of("performer")}
    used |= {event.channel for event in take.events if event.player == "performer"}
    own = {note.channel for note in take.notes_of("antiphon")}
    # Antiphon's channels of other takes are left free too, so that one DAW set-up fits every take
    taken = used | own | set(OUTPUT_CHANNEL.values())
    free = [channel for channel in range(15, -1, -1) if channel not in taken]
    clashing = sorted(used & own - {_DRUM_CHANNEL})
    return {channel: channel for channel in used} | dict(zip(clashing, free, strict=False))


def _note_messages(notes: list[TakeNote], tempo: FileTempo) -> list[_Timed]:
    """Give note-ons and offs. A note ends where its pitch is struck again: one key cannot sound twice."""
    by_key: dict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(list)
    for note in notes:
        on = tempo.tick(note.onset_s)
        off = max(on + 1, tempo.tick(note.end_s))
        by_key[note.channel, note.pitch].append((on, off, note.velocity))
    events: list[_Timed] = []
    for (channel, pitch), spans in by_key.items():
        spans.sort()
        next_ons = [on for on, _, _ in spans[1:]] + [1 << 62]
        for (on, off, velocity), next_on in zip(spans, next_ons, strict=True):
            if next_on == on:
                continue  # struck twice within one tick
            ending = mido.Message("note_off", channel=channel, note=pitch, velocity=64)
            starting = mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)
            events += [(on, 3, starting), (min(off, next_on), 1, ending)]
    return events


def _event_message(event: TakeEvent, channel: int, tempo: FileTempo) -> _Timed:
    data = bytes([event.data[0] & 0xF0 | channel, *event.data[1:]])
    return tempo.tick(event.t_s), 2, mido.Message.from_bytes(data)


def _track(events: list[_Timed]) -> mido.MidiTrack:
    """Put events in order; within one tick, offs before controllers before onsets."""
    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=0))
    return track


def _us_per_beat(bpm: float) -> int:
    return _clamp_us(60e6 / bpm)


def _clamp_us(us: float) -> int:
    return max(1, min(_MAX_US_PER_BEAT, round(us)))
