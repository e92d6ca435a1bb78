"""Chances of words to chances of pitches: with which note an element begins, and which other one joins it.

An element's likelihood is factorised over its notes. What is left of the words, once some notes of a chord sound, are
those that hold all of them; the share of the larger ones among them is how likely another note joins.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from antiphon.models.generator import PITCHES
from antiphon.models.lstm.elements import Element, Spelling
from antiphon.models.lstm.heard import Weights
from antiphon.models.lstm.vocabulary import Vocabulary
from numpy.typing import NDArray

_OCTAVE = 12
_PITCH = np.arange(PITCHES)
#: Where pitch classes are voiced: semitones that a note lies from where it is looked for.
_SPREAD = 6.0
#: A note that joins a chord is looked for this far above another of it: a third.
_ABOVE = 4


def in_register(weights: Weights, centre: float) -> Weights:
    """Keep how likely each pitch class is, and move its pitches [128] near a centre."""
    return _voiced(np.bincount(_PITCH % _OCTAVE, weights, _OCTAVE).astype(np.float64), centre, ())


class WordPitches(Protocol):
    """Of one spelling."""

    def begins(self, chances: Weights, low: float) -> Weights:
        """Give weights of the pitch [128] that an element begins with, from the chances of words [V].

        Args:
            chances: of the words.
            low: the pitch that elements lately began with.
        """

    def joins(self, chances: Weights, chord: Element, last: int | None = None) -> tuple[float, Weights]:
        """Give how likely another note joins a chord, and weights of which pitch [128].

        Args:
            chances: of the words.
            chord: what was struck of it.
            last: the note of it that another is looked for above, where the words do not tell; None: the highest.
        """


def word_pitches(vocabulary: Vocabulary) -> WordPitches:
    """Give what fits a vocabulary's spelling."""
    return ByPitches(vocabulary) if vocabulary.spelling is Spelling.PITCHES else ByClasses(vocabulary)


class ByPitches:
    """Words that tell their pitches: exact, lowest first."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._holds = np.zeros((len(vocabulary), PITCHES), bool)
        for number, pitches in enumerate(vocabulary.decode(range(len(vocabulary)))):
            self._holds[number, list(pitches)] = True
        self._sizes = self._holds.sum(axis=1)
        self._lowest = self._holds.argmax(axis=1)

    def begins(self, chances: Weights, low: float) -> Weights:
        """See `WordPitches`; ``low`` is not asked: the words tell."""
        return _summed(self._lowest[1:], chances[1:])

    def joins(self, chances: Weights, chord: Element, last: int | None = None) -> tuple[float, Weights]:
        """See `WordPitches`."""
        struck = list(chord)
        held = np.flatnonzero(self._holds[:, struck].all(axis=1))
        larger = held[self._sizes[held] > len(struck)]
        left = self._holds[larger]
        left[:, struck] = False
        pitches = _summed(left.argmax(axis=1), chances[larger])
        return _share(float(pitches.sum()), float(chances[held].sum())), pitches


class ByClasses:
    """Words that tell pitch classes for chords, and pitches for single notes: chords are voiced near what sounds."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._classes = np.zeros((len(vocabulary), _OCTAVE), bool)
        self._note = np.full(len(vocabulary), -1)  # the pitch of a word that is a note
        for number, (word, pitches) in enumerate(
            zip(vocabulary.words, vocabulary.decode(range(len(vocabulary))), strict=True)
        ):
            self._classes[number, [pitch % _OCTAVE for pitch in pitches]] = True
            if number and not word[0].isdigit():
                self._note[number] = pitches[0]
        self._sizes = self._classes.sum(axis=1)
        self._chords = np.flatnonzero((self._note < 0) & (self._sizes > 0))
        self._notes = np.flatnonzero(self._note >= 0)

    def begins(self, chances: Weights, low: float) -> Weights:
        """See `WordPitches`: a chord begins with any of its classes, near ``low``."""
        each = chances[self._chords] / self._sizes[self._chords]
        classes = each @ self._classes[self._chords]
        return _summed(self._note[self._notes], chances[self._notes]) + _voiced(classes, low, ())

    def joins(self, chances: Weights, chord: Element, last: int | None = None) -> tuple[float, Weights]:
        """See `WordPitches`."""
        struck = sorted({pitch % _OCTAVE for pitch in chord})
        held = self._chords[self._classes[self._chords][:, struck].all(axis=1)]
        larger = held[self._sizes[held] > len(struck)]
        left = self._classes[larger]
        left[:, struck] = False
        classes = (chances[larger] / (self._sizes[larger] - len(struck))) @ left
        whole = float(chances[held].sum())
        if len(chord) == 1:  # it may have been the note alone
            whole += float(chances[self._note == chord[0]].sum())
        share = _share(float(chances[larger].sum()), whole)
        return share, _voiced(classes, (max(chord, default=0) if last is None else last) + _ABOVE, chord)


def _voiced(classes: Weights, centre: float, but: Element) -> Weights:
    """Spread the weight of each class [12] over its pitches [128], near a centre; none over those in ``but``."""
    near = np.exp(-0.5 * ((_PITCH - centre) / _SPREAD) ** 2)
    near[list(but)] = 0.0
    octaves = np.bincount(_PITCH % _OCTAVE, near, _OCTAVE)
    voiced: Weights = (classes / np.maximum(octaves, 1e-300))[_PITCH % _OCTAVE] * near
    return voiced


def _summed(pitches: NDArray[np.int64], chances: Weights) -> Weights:
    return np.bincount(pitches, chances, PITCHES).astype(np.float64)


def _share(part: float, whole: float) -> float:
    return min(1.0, part / whole) if whole > 0.0 else 0.0
