"""What a musician may tell the `antiphon` generator before a note is played; every one of them may stay unknown.

A control is a class; 0 always means "not told". In training each is measured on the excerpt itself (or known of its
data set) and told or kept back at random, so that the generator plays as well untold.

Mood has two axes (Russell, "A circumplex model of affect", 1980): valence is heard from mode and tempo, energy from
how much is struck a second and how hard (after Gabrielsson and Lindström, "The role of structure in the musical
expression of emotions", 2010). Nobody labelled the music, so both are inferred.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from antiphon.models.generator import PARTS, TICKS_PER_BEAT
from antiphon.models.key_profiles import key_fits
from antiphon.models.notes import Column, NoteTable
from antiphon.models.parts import Part
from antiphon.models.tempo_map import NOMINAL_BPM
from numpy.typing import NDArray

STYLES = ("pop", "piano", "song", "classical", "drums", "jazz", "game")
#: Who plays a part: nobody, the performer, Antiphon.
ABSENT, PERFORMER, ANTIPHON = 1, 2, 3
#: General MIDI families of eight programs: piano, chromatic percussion, organ, guitar, ...
FAMILIES = 16

#: Upper edges of the classes, near the eighths and fifths of the music learnt from, wider at the ends.
DENSITY_EDGES = (1.25, 1.75, 2.1, 2.5, 3.0, 3.6, 4.3)  # onsets a beat
REGISTER_EDGES = (50.0, 55.0, 58.0, 60.5, 62.5, 65.0, 69.0)  # mean pitch
MOOD_EDGES = (-0.84, -0.25, 0.25, 0.84)  # fifths of a normal distribution
_MOODS = len(MOOD_EDGES) + 1


@dataclass(frozen=True, slots=True)
class Control:
    """One thing that may be told: its name and how many classes it has, "not told" among them."""

    name: str
    classes: int


CONTROLS = (
    Control("style", 1 + len(STYLES)),
    Control("key", 1 + 24),  # C major .. B major, C minor .. B minor
    Control("density", 1 + len(DENSITY_EDGES) + 1),
    Control("register", 1 + len(REGISTER_EDGES) + 1),
    Control("valence", 1 + _MOODS),
    Control("energy", 1 + _MOODS),
    *(Control(f"player of {Part(part).name.lower()}", 4) for part in range(PARTS)),
    *(Control(f"instrument of {Part(part).name.lower()}", 1 + FAMILIES) for part in range(PARTS)),
)
STYLE, KEY, DENSITY, REGISTER, VALENCE, ENERGY = range(6)
PLAYERS = slice(6, 6 + PARTS)
INSTRUMENTS = slice(6 + PARTS, 6 + 2 * PARTS)
#: Nothing told.
UNTOLD: tuple[int, ...] = (0,) * len(CONTROLS)


def style_class(name: str) -> int:
    """Give the class of a style by name; 0 for one that is not known.

    >>> style_class("jazz"), style_class("")
    (6, 0)
    """
    return STYLES.index(name) + 1 if name in STYLES else 0


def density_class(onsets_a_beat: float) -> int:
    """Give the class of a density in onsets a beat; 0 (not told) for 0.

    >>> density_class(0.0), density_class(0.5), density_class(9.0)
    (0, 1, 8)
    """
    return 1 + int(np.searchsorted(DENSITY_EDGES, onsets_a_beat)) if onsets_a_beat > 0 else 0


def register_class(pitch: float) -> int:
    """Give the class of a mean pitch; 0 (not told) for 0.

    >>> register_class(0), register_class(40), register_class(60), register_class(90)
    (0, 1, 4, 8)
    """
    return 1 + int(np.searchsorted(REGISTER_EDGES, pitch)) if pitch > 0 else 0


def mood_class(z: float) -> int:
    """Give the class of a mood's axis, in standard deviations from the middle of the music learnt from.

    >>> mood_class(-3.0), mood_class(0.0), mood_class(3.0)
    (1, 3, 5)
    """
    return 1 + int(np.searchsorted(MOOD_EDGES, z))


def measured(notes: NoteTable, bpm: float, style: str) -> NDArray[np.int64]:
    """Measure every control on an excerpt [len(CONTROLS)].

    Args:
        notes: at least one.
        bpm: the tempo that it was played at; 0 where nobody told (its ticks are then those of the nominal tempo).
        style: of `STYLES`, or another word where that is not known.
    """
    told = np.zeros(len(CONTROLS), np.int64)
    told[STYLE] = style_class(style)
    part, onset = notes[:, Column.PART], notes[:, Column.ONSET]
    beats = max(1.0, float(onset[-1] - onset[0]) / TICKS_PER_BEAT)
    onsets = len(np.unique(onset)) / beats
    told[DENSITY] = density_class(onsets)
    tempo = max(bpm, 1.0) if bpm else NOMINAL_BPM
    pitched = notes[part != Part.DRUMS]
    loud = (float(notes[:, Column.VELOCITY].mean()) - 78.0) / 16.0
    busy = (np.log2(onsets * tempo / 60.0) - 2.2) / 0.7
    told[ENERGY] = mood_class((float(busy) + loud) / 1.45)
    if len(pitched):
        told[REGISTER] = register_class(float(pitched[:, Column.PITCH].mean()))
        fits = key_fits(pitched)
        told[KEY] = 1 + int(fits.argmax())
        bright = (float(fits[:12].max() - fits[12:].max()) - 0.075) / 0.19
        quick = np.log2(tempo / 102.0) / 0.43
        told[VALENCE] = mood_class(0.85 * bright + 0.5 * float(quick))
    for each in range(PARTS):
        programs = notes[part == each, Column.PROGRAM]
        if len(programs) and programs[0] >= 0:
            told[INSTRUMENTS.start + each] = 1 + int(programs[0]) // 8
    return told


def cast(notes: NoteTable, rng: np.random.Generator) -> NDArray[np.int64]:
    """Give every part of an excerpt to the performer or to Antiphon, at random [PARTS]; who does not play is absent.

    Each of the two plays something, where there are two parts: any of them is then accompanied by any others.
    """
    there = np.isin(np.arange(PARTS), notes[:, Column.PART])
    players = np.where(rng.random(PARTS) < 0.5, PERFORMER, ANTIPHON)
    if there.sum() > 1 and len(set(players[there].tolist())) == 1:
        first = int(np.flatnonzero(there)[rng.integers(there.sum())])
        players[first] = PERFORMER + ANTIPHON - players[first]
    return np.where(there, players, ABSENT)
