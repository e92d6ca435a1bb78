"""Small MIDI files made in memory for tests."""

from __future__ import annotations

import io

import mido

Row = tuple[int, int, int, int]  # onset, duration (ticks of 480 a beat), pitch, velocity


def midi_bytes(tracks: dict[str, list[Row]], channels: dict[str, int] | None = None) -> bytes:
    """Give a file with one track a name; a track on channel 9 is drums."""
    song = mido.MidiFile(ticks_per_beat=480)
    for name, rows in tracks.items():
        channel = (channels or {}).get(name, 0)
        events = [(o, 1, p, v) for o, _, p, v in rows] + [(o + d, 0, p, 0) for o, d, p, _ in rows]
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        now = 0
        for time, _, pitch, velocity in sorted(events):
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=velocity, time=time - now))
            now = time
        song.tracks.append(track)
    buffer = io.BytesIO()
    song.save(file=buffer)
    return buffer.getvalue()


def scale(start: int = 60, notes: int = 32, step: int = 240) -> list[Row]:
    """Give a line going up and down a major scale."""
    degrees = [0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2]
    return [(i * step, step - 20, start + degrees[i % 14], 64 + i % 8) for i in range(notes)]
