"""Elements to a MIDI file, as the paper does: one every ``offset`` beats, each a beat long, 120 beats a minute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mido
from antiphon.models.lstm.elements import Element
from antiphon.models.lstm.generation import GenerationError

#: The paper's, and music21's, tempo: its figures are 0.25 s an element at offset 0.5.
BEATS_PER_MINUTE = 120.0
DEFAULT_OFFSET_BEATS = 0.5
#: A note lasts a beat, as a music21 note whose length nobody told.
LENGTH_BEATS = 1.0
VELOCITY = 80
_TICKS_PER_BEAT = 480
_LEAST_OFFSET, _MOST_OFFSET = 0.03125, 16.0  # a 128th note to four bars


def duration_s(elements: int, offset_beats: float = DEFAULT_OFFSET_BEATS) -> float:
    """Give how long so many elements sound, in seconds.

    >>> duration_s(100), duration_s(200, 0.9)
    (25.25, 90.05)
    """
    beats = (elements - 1) * offset_beats + LENGTH_BEATS if elements else 0.0
    return round(beats * 60.0 / BEATS_PER_MINUTE, 6)


def write_midi(
    elements: Sequence[Element], path: Path, offset_beats: float = DEFAULT_OFFSET_BEATS, program: int = 0
) -> None:
    """Write a file of one track.

    A pitch that is struck again while it sounds is ended first. An element without pitches is a rest.

    Args:
        elements: in the order they are played.
        path: the file; its folder must be there.
        offset_beats: from one element to the next.
        program: General MIDI instrument, 0 (grand piano) to 127.

    Raises:
        GenerationError: offset or program out of range, or the file cannot be written.
    """
    if not _LEAST_OFFSET <= offset_beats <= _MOST_OFFSET:
        raise GenerationError(f"offset: must be {_LEAST_OFFSET:g} to {_MOST_OFFSET:g} beats, got {offset_beats}")
    if not 0 <= program <= 127:
        raise GenerationError(f"instrument: must be a General MIDI program from 0 to 127, got {program}")
    events: list[tuple[int, int, int]] = []  # tick, 0 off or 1 on, pitch
    sounding: dict[int, int] = {}  # pitch -> tick of its end
    for place, element in enumerate(elements):
        tick = round(place * offset_beats * _TICKS_PER_BEAT)
        for pitch in element:
            if pitch in sounding:
                events.append((min(sounding[pitch], tick), 0, pitch))
            events.append((tick, 1, pitch))
            sounding[pitch] = tick + round(LENGTH_BEATS * _TICKS_PER_BEAT)
    events += [(end, 0, pitch) for pitch, end in sounding.items()]
    track = mido.MidiTrack(
        [
            mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(BEATS_PER_MINUTE)),
            mido.Message("program_change", program=program),
        ]
    )
    now = 0
    for tick, on, pitch in sorted(events):
        track.append(mido.Message("note_on", note=pitch, velocity=VELOCITY * on, time=tick - now))
        now = tick
    song = mido.MidiFile(ticks_per_beat=_TICKS_PER_BEAT, tracks=[track])
    try:
        song.save(path)
    except OSError as error:
        raise GenerationError(f"{path} cannot be written ({error.strerror}); give another folder") from None
