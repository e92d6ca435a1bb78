"""Which part a track of a MIDI file plays: by its name, else its program, else how it moves."""

from __future__ import annotations

import re

from antiphon.models.parts import Part

_BY_NAME: tuple[tuple[re.Pattern[str], Part], ...] = (
    (re.compile(r"drum|percussion|\bkit\b", re.I), Part.DRUMS),
    (re.compile(r"\bbas[es]\b|bass|walk", re.I), Part.BASS),
    (re.compile(r"melody|lead|vocal|voice|singer|solo", re.I), Part.LEAD),
    (re.compile(r"bridge|\bpads?\b|string|chord-sus|aria", re.I), Part.PAD),
    (re.compile(r"chord|comp|arpeggio|plectrum|guitar|rhythm", re.I), Part.CHORDS),
)
_KEYBOARDS = range(24)  # General MIDI: pianos, chromatic percussion, organs
_BASSES = range(32, 40)
_VOICES = range(52, 55)
_PADS = (*range(48, 52), *range(88, 96))
_ONE_LINE = 0.9  # share of notes struck alone, above which a track is a line


def part_of_track(
    name: str, program: int, is_drum: bool, *, single: float, mean_pitch: float, tracks: int
) -> Part | None:
    """Tell the part of one track, or None for a keyboard's staff (the caller knows whether it is alone).

    Args:
        name: the track's name.
        program: General MIDI program, 0-127.
        is_drum: on channel 10.
        single: share of its notes struck alone.
        mean_pitch: mean MIDI pitch.
        tracks: how many tracks with notes the file has.
    """
    if is_drum:
        return Part.DRUMS
    if tracks > 1:
        for pattern, part in _BY_NAME:
            if pattern.search(name):
                return part
    if program in _BASSES:
        return Part.BASS
    if program in _VOICES:
        return Part.LEAD
    if program in _PADS:
        return Part.PAD
    if program in _KEYBOARDS:
        return None
    return Part.LEAD if single > _ONE_LINE and mean_pitch >= 55 else Part.CHORDS
