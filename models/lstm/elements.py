"""Music as a row of elements, as the paper has it: each a note or a chord, without rhythm or velocity.

Two spellings, told apart by their looks, so that any element can be read back without knowing which was used:

* ``normal_order`` (the paper's, after music21): a note is ``C4``; a chord is its pitch classes in normal order,
  ``4.7.11``: inversions, octaves and doublings are one and the same. Played back in the octave above middle C.
* ``pitches``: a chord is its notes, ``E3.G3.B4``. Nothing is lost but the vocabulary is several times as large.

Unlike music21's streams, where a chord is what one voice strikes, notes struck together in any voice are one
element: what a keyboard player hears as a chord.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

import numpy as np
from antiphon.models.errors import DataError
from antiphon.models.notes import Column, NoteTable
from antiphon.models.parts import Part

#: MIDI pitches struck together, rising, none twice.
Element = tuple[int, ...]

#: Onsets this many ticks (24 a beat) apart are struck together: 1 takes in the roughness of rounding a performance.
TOGETHER_TICKS = 1
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_NAME = re.compile(r"([A-G]#?)(-?\d+)")
_MIDDLE_C = 60
_OCTAVE = 12


class Spelling(StrEnum):
    """How a chord becomes a word of the vocabulary."""

    NORMAL_ORDER = "normal_order"
    PITCHES = "pitches"


def elements_of(notes: NoteTable, together: int = TOGETHER_TICKS) -> list[Element]:
    """Give the elements of a piece in the order of their onsets; drums are left out.

    Args:
        notes: a note table, ordered by onset.
        together: notes at most so many ticks after a chord's first are part of it.
    """
    pitched = notes[notes[:, Column.PART] != Part.DRUMS]
    found: list[Element] = []
    chord: set[int] = set()
    first = 0
    for onset, pitch in pitched[:, [Column.ONSET, Column.PITCH]].tolist():
        if chord and onset - first > together:
            found.append(tuple(sorted(chord)))
            chord = set()
        if not chord:
            first = onset
        chord.add(pitch)
    if chord:
        found.append(tuple(sorted(chord)))
    return found


def name_of(pitch: int) -> str:
    """Give a pitch's name.

    >>> name_of(60), name_of(21), name_of(0)
    ('C4', 'A0', 'C-1')
    """
    return f"{_NAMES[pitch % _OCTAVE]}{pitch // _OCTAVE - 1}"


def normal_order(pitches: Element) -> tuple[int, ...]:
    """Give the pitch classes in normal order: the rotation that spans least, then packed to the left.

    Of rotations that are as compact (a diminished seventh's), the one that starts lowest.

    >>> normal_order((60, 64, 67)), normal_order((64, 67, 72)), normal_order((59, 65, 67))
    ((0, 4, 7), (0, 4, 7), (5, 7, 11))
    """
    classes = sorted({pitch % _OCTAVE for pitch in pitches})
    rotations = [(*classes[start:], *classes[:start]) for start in range(len(classes))]

    def spans(rotation: tuple[int, ...]) -> tuple[list[int], int]:
        # from the outside inwards: first to last, first to last but one, ...
        return [(pitch - rotation[0]) % _OCTAVE for pitch in reversed(rotation)], rotation[0]

    return min(rotations, key=spans)


def spell(element: Element, spelling: Spelling) -> str:
    """Give an element as a word.

    >>> spell((60,), Spelling.NORMAL_ORDER), spell((52, 60, 67), Spelling.NORMAL_ORDER)
    ('C4', '0.4.7')
    >>> spell((52, 60, 67), Spelling.PITCHES)
    'E3.C4.G4'
    """
    if len(element) == 1 or spelling is Spelling.PITCHES:
        return ".".join(name_of(pitch) for pitch in element)
    return ".".join(str(pitch_class) for pitch_class in normal_order(element))


def pitches_of(word: str) -> Element:
    """Give the MIDI pitches that a word stands for.

    >>> pitches_of("C4"), pitches_of("7.11.2"), pitches_of("E3.C4.G4")
    ((60,), (62, 67, 71), (52, 60, 67))

    Raises:
        DataError: it is no word of either spelling.
    """
    pitches = set()
    for piece in word.split("."):
        named = _NAME.fullmatch(piece)
        if named:
            pitch = _NAMES.index(named[1]) + _OCTAVE * (int(named[2]) + 1) if named[1] in _NAMES else -1
        elif piece.isascii() and piece.isdigit() and int(piece) < _OCTAVE:
            pitch = _MIDDLE_C + int(piece)  # as music21: a pitch without an octave is in the fourth
        else:
            pitch = -1
        if not 0 <= pitch < 128:
            raise DataError(f"element {word!r}: {piece!r} is neither a note (C-1 to G9) nor a pitch class (0 to 11)")
        pitches.add(pitch)
    return tuple(sorted(pitches))


def variety(elements: Sequence[Element]) -> dict[str, float]:
    """Tell how varied elements are: how many there are, how many different, and the share that repeats the last."""
    repeats = sum(a == b for a, b in pairwise(elements))
    return {
        "elements": len(elements),
        "unique": len(set(elements)),
        "repeats": round(repeats / max(1, len(elements) - 1), 4),
        "mean_size": round(float(np.mean([len(element) for element in elements])), 3) if elements else 0.0,
    }
