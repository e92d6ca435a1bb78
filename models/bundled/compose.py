"""How performance.mid was made: composed for Antiphon, note by note, and played by the rules below.

``python -m antiphon.models.bundled.compose FILE`` writes it again, byte for byte.

Four phrases in D minor for piano, each an answerable statement with silence after it:
1. the motif (a fourth up, two steps up, falling back) over a lament bass D C B-flat A, open on A7;
2. the motif a third higher, in F major, closing there;
3. its falling half in sequence round the circle of fifths, open again on A7;
4. the motif once more, up to its highest note, and home to a held chord of D minor.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mido

_TICKS_PER_S = 960  # 480 a beat at the nominal 120 bpm
_SEED = 1722

#: (beats, pitch name): a line, one note after the other; "-" rests.
Line = Sequence[tuple[float, str]]
#: (beats, bass, tenor, alto, ...): a chord of the left hand, broken from the bass up.
Chords = Sequence[tuple[float, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase. ``pickup`` beats of the melody come before the first chord; ``gap_s`` of silence after it."""

    bpm: float
    pickup: float
    melody: Line
    chords: Chords
    gap_s: float
    hold_beats: float  # how long the last melody note and chord are held


PHRASES = (
    Phrase(
        bpm=116,
        pickup=1.5,
        melody=(
            (0.5, "A4"), (0.5, "D5"), (0.5, "E5"),
            (1.5, "F5"), (0.5, "E5"), (1.0, "C5"), (0.5, "A4"), (0.5, "C5"),
            (1.5, "D5"), (0.5, "E5"), (0.5, "D5"), (1.0, "C#5"),
        ),
        chords=(
            (2, ("D3", "A3", "F4")), (2, ("C3", "A3", "F4")),
            (2, ("Bb2", "A3", "F4")), (2, ("A2", "G3", "E4")),
        ),
        gap_s=4.0,
        hold_beats=1.6,
    ),
    Phrase(
        bpm=118,
        pickup=1.5,
        melody=(
            (0.5, "C5"), (0.5, "F5"), (0.5, "G5"),
            (1.5, "A5"), (0.5, "G5"), (1.0, "E5"), (0.5, "C5"), (0.5, "E5"),
            (0.5, "F5"), (0.5, "G5"), (0.5, "A5"), (0.5, "Bb5"), (0.5, "G5"), (0.5, "E5"), (1.0, "F5"),
        ),
        chords=(
            (2, ("F3", "C4", "F4")), (2, ("E3", "C4", "G4")),
            (1, ("D3", "C4", "F4")), (1, ("Bb2", "D4", "F4")), (1, ("C3", "Bb3", "E4")),
            (1, ("F2", "A3", "F4")),
        ),
        gap_s=4.0,
        hold_beats=1.7,
    ),
    Phrase(
        bpm=126,
        pickup=0,
        melody=(
            (0.5, "D5"), (0.5, "G5"), (0.5, "F5"), (0.5, "D5"),
            (0.5, "C5"), (0.5, "E5"), (0.5, "D5"), (0.5, "Bb4"),
            (0.5, "C5"), (0.5, "F5"), (0.5, "E5"), (0.5, "C5"),
            (0.5, "Bb4"), (0.5, "D5"), (0.5, "C5"), (0.5, "A4"),
            (0.5, "Bb4"), (0.5, "G4"), (1.0, "E5"),
        ),
        chords=(
            (2, ("G2", "F3", "Bb3")), (2, ("C3", "E3", "Bb3")),
            (2, ("F2", "E3", "A3")), (2, ("Bb2", "D3", "A3")),
            (1, ("E2", "D3", "G3")), (1, ("A2", "C#3", "G3")),
        ),
        gap_s=4.0,
        hold_beats=1.5,
    ),
    Phrase(
        bpm=110,
        pickup=1.5,
        melody=(
            (0.5, "A4"), (0.5, "D5"), (0.5, "E5"),
            (1.0, "F5"), (0.5, "G5"), (0.5, "A5"), (1.5, "Bb5"), (0.5, "A5"),
            (0.5, "G5"), (0.5, "F5"), (1.0, "E5"), (1.0, "D5"),
        ),
        chords=(
            (2, ("D3", "A3", "F4")), (2, ("Bb2", "G3", "D4")),
            (1, ("A2", "F3", "D4")), (1, ("A2", "E3", "C#4")), (1, ("D2", "A2", "F3", "D4", "A4")),
        ),
        gap_s=0.0,
        hold_beats=3.8,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sound:
    """One note as played: seconds, MIDI pitch and velocity."""

    onset_s: float
    end_s: float
    pitch: int
    velocity: int


def pitch_of(name: str) -> int:
    """Give a pitch's MIDI number.

    >>> pitch_of("C4"), pitch_of("Bb2"), pitch_of("C#5")
    (60, 46, 73)
    """
    step = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[name[0]]
    return 12 * (int(name[-1]) + 1) + step + name.count("#") - name.count("b")


def play() -> tuple[list[Sound], list[tuple[float, int]]]:
    """Play every phrase; give the notes and the moves of the sustain pedal as (seconds, value)."""
    hand = random.Random(_SEED)
    sounds: list[Sound] = []
    pedal: list[tuple[float, int]] = []
    start_s = 0.3
    for phrase in PHRASES:
        end_s = _play_phrase(phrase, start_s, hand, sounds, pedal)
        start_s = end_s + phrase.gap_s
    return sounds, pedal


def _play_phrase(
    phrase: Phrase, start_s: float, hand: random.Random, sounds: list[Sound], pedal: list[tuple[float, int]]
) -> float:
    """Play one phrase from ``start_s`` on; give when its last sound ends."""
    beats = sum(length for length, _ in phrase.melody)
    held_until = beats - phrase.melody[-1][0] + phrase.hold_beats

    def when(beat: float) -> float:
        """Rubato: a phrase starts a little held back, moves on, and gives the time back at its end."""
        share = min(1.0, beat / beats)
        lean = 0.028 * math.sin(2 * math.pi * share) - 0.05 * max(0.0, share - 0.75) * 4 * (share - 0.75)
        return start_s + (beat - lean * beats) * 60.0 / phrase.bpm

    def loud(beat: float, base: int, pitch: int) -> int:
        """Grow towards the phrase's two thirds, and with height; a hand is never quite even."""
        share = min(1.0, beat / beats)
        arch = math.sin(math.pi * min(1.0, share * 1.5) / 2) - 0.75 * max(0.0, share - 2 / 3) * 3
        return max(24, min(112, round(base + 22 * arch + 0.35 * (pitch - 72) + hand.gauss(0, 2.6))))

    end_s = when(held_until)
    beat = 0.0
    for i, (length, name) in enumerate(phrase.melody):
        pitch, is_last = pitch_of(name), i == len(phrase.melody) - 1
        onset = when(beat) + hand.gauss(0, 0.006)
        # legato: a key goes up just after the next goes down
        release = end_s if is_last else when(beat + length) + 0.02 + abs(hand.gauss(0, 0.015))
        accent = 4 if length >= 1 else 0
        sounds.append(Sound(onset, release, pitch, loud(beat, 64 + accent, pitch)))
        beat += length

    beat = phrase.pickup
    for i, (length, names) in enumerate(phrase.chords):
        is_last = i == len(phrase.chords) - 1
        _play_chord(
            [pitch_of(name) for name in names],
            [when(beat + step) for step in _broken(length, len(names), is_last)],
            end_s + hand.uniform(-0.03, 0.05) if is_last else when(beat + length) - 0.015,
            partial(loud, beat, 57),
            hand, sounds,
        )  # fmt: skip
        # the foot changes with the harmony: up with the new bass, down again once it sounds
        pedal += [(when(beat) - 0.01, 0)] * (i > 0) + [(when(beat) + 0.09, 127)]
        beat += length
    pedal.append((end_s + 0.06, 0))
    return end_s


def _broken(length: float, voices: int, is_last: bool) -> list[float]:
    """Give the beats within a chord at which its voices enter, bass first."""
    if is_last:
        return [0.045 * i for i in range(voices)]  # rolled
    step = 0.5 if length >= 2 else 0.25
    return [step * i for i in range(voices)]


def _play_chord(
    pitches: list[int], onsets: list[float], release: float, loud: Callable[[int], int], hand: random.Random,
    sounds: list[Sound],
) -> None:  # fmt: skip
    for pitch, onset in zip(pitches, onsets, strict=True):
        up = release + hand.gauss(0, 0.008)
        sounds.append(Sound(onset + hand.gauss(0, 0.005), up, pitch, loud(pitch)))


def midi_file(sounds: list[Sound], pedal: list[tuple[float, int]]) -> mido.MidiFile:
    """Give the performance as a MIDI file in free time."""
    events: list[tuple[int, int, mido.Message]] = []
    for sound in sounds:
        on, off = round(sound.onset_s * _TICKS_PER_S), round(sound.end_s * _TICKS_PER_S)
        events.append((on, 2, mido.Message("note_on", note=sound.pitch, velocity=sound.velocity)))
        events.append((off, 0, mido.Message("note_off", note=sound.pitch, velocity=64)))
    for t_s, value in pedal:
        events.append((round(t_s * _TICKS_PER_S), 1, mido.Message("control_change", control=64, value=value)))
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name="Four phrases in D minor"))
    track.append(mido.MetaMessage("text", text="free time: the tempo only stands in for one"))
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    return mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_S // 2, tracks=[track])


def main(path: str) -> None:
    """Write the performance to ``path``."""
    midi_file(*play()).save(Path(path))


if __name__ == "__main__":
    main(sys.argv[1])
