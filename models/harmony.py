"""How an accompaniment agrees with a melody: chord tones, consonance, tonal distance, unisons, density.

The first three after Yeh et al., "Automatic Melody Harmonization with Triad Chords: A Comparative Study", Journal of
New Music Research 50 (2021), 37-51, section 5: there a chord symbol stands under each melody note, here the chord is
the accompaniment's pitch classes that sound during the note's first beat. All of them favour thick chords: read them
beside the real accompaniment's, and beside one that was made for another melody.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from antiphon.models.generator import TICKS_PER_BEAT
from antiphon.models.music_metrics import pitched
from antiphon.models.notes import Column, NoteTable
from numpy.typing import NDArray

#: What a melody tone so many semitones above a chord tone is worth (Yeh et al. 2021: unison, thirds, fifth and sixths
#: are consonant, the fourth is neither).
_WORTH = np.array([1, -1, -1, 1, 1, 0, -1, 1, 1, 1, -1, -1], np.float64)
#: A tone outside the chord is proper when the next is no further than this.
_PROPER_SEMITONES = 2
#: Radii of the circles of fifths, minor thirds and major thirds (Harte, Sandler and Gasser, AMCMM 2006).
_CIRCLES = ((7 * math.pi / 6, 1.0), (3 * math.pi / 2, 1.0), (2 * math.pi / 3, 0.5))
#: Ticks by which two hands' onsets may differ and still be struck together: a 32nd.
_TOGETHER = TICKS_PER_BEAT // 8


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an accompaniment goes with a melody. A figure without anything to be told from is ``nan``."""

    chord_tones: float  # chord tone to non-chord tone ratio, 0..1
    consonance: float  # pitch consonance score, -1..1
    tonal_distance: float  # 0: one note over itself; lower is closer
    unison: float  # share of the accompaniment's notes that double a melody note struck together
    density: float  # notes a beat
    covered: float  # share of melody notes with anything under them

    def as_dict(self) -> dict[str, float]:
        """Give the figures by name."""
        return asdict(self)


def agreement(melody: NoteTable, accompaniment: NoteTable, ticks: int) -> Agreement:
    """Measure an accompaniment against a melody.

    Args:
        melody: notes of what is accompanied, by onset.
        accompaniment: notes of what accompanies; drums are left out.
        ticks: length of the passage, for the density.
    """
    tune, under = pitched(melody), pitched(accompaniment)
    chords = chords_under(tune, under)
    heard = np.asarray(chords.any(axis=1))
    return Agreement(
        chord_tone_ratio(tune[:, Column.PITCH], chords), pitch_consonance(tune, chords),
        tonal_distance(tune, chords), unison_rate(tune, under), len(under) * TICKS_PER_BEAT / max(1, ticks),
        float(heard.mean()) if len(heard) else math.nan,
    )  # fmt: skip


def chords_under(melody: NoteTable, accompaniment: NoteTable) -> NDArray[np.bool_]:
    """Give the pitch classes that sound under each melody note, up to a beat of it: [melody notes, 12]."""
    start = melody[:, Column.ONSET][:, None]
    end = start + np.clip(melody[:, Column.DURATION], 1, TICKS_PER_BEAT)[:, None]
    onset = accompaniment[:, Column.ONSET][None, :]
    off = onset + np.maximum(accompaniment[:, Column.DURATION], 1)[None, :]
    sounds = (onset < end) & (off > start)
    classes = accompaniment[:, Column.PITCH][:, None] % 12 == np.arange(12)[None, :]
    return sounds.astype(np.int64) @ classes.astype(np.int64) > 0  # type: ignore[no-any-return]


def chord_tone_ratio(pitches: NDArray[np.int32], chords: NDArray[np.bool_]) -> float:
    """Give CTnCTR: (chord tones + proper other tones) / (chord tones + other tones), over notes with a chord.

    A tone outside its chord is proper when the next melody note is at most two semitones away (Yeh et al. 2021,
    equation 1).
    """
    heard = chords.any(axis=1)
    if not heard.any():
        return math.nan
    inside = chords[np.arange(len(pitches)), pitches % 12]
    near = np.abs(np.diff(pitches, append=pitches[-1:] + 100)) <= _PROPER_SEMITONES
    return float((inside | near)[heard].mean())


def pitch_consonance(melody: NoteTable, chords: NDArray[np.bool_]) -> float:
    """Give PCS: the mean worth of the melody's intervals over its chords' tones, weighed by duration, -1..1."""
    heard = chords.any(axis=1)
    if not heard.any():
        return math.nan
    above = (melody[:, Column.PITCH][:, None] - np.arange(12)[None, :]) % 12
    worth = (_WORTH[above] * chords).sum(axis=1)[heard] / chords[heard].sum(axis=1)
    return float(np.average(worth, weights=_weights(melody)[heard]))


def tonal_distance(melody: NoteTable, chords: NDArray[np.bool_]) -> float:
    """Give MCTD: the mean distance of melody note and chord in tonal space, weighed by duration."""
    heard = chords.any(axis=1)
    if not heard.any():
        return math.nan
    alone = melody[:, Column.PITCH][:, None] % 12 == np.arange(12)[None, :]
    apart = np.linalg.norm(centroids(alone[heard]) - centroids(chords[heard]), axis=1)
    return float(np.average(apart, weights=_weights(melody)[heard]))


def centroids(classes: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give the tonal centroids [rows, 6] of sets of pitch classes [rows, 12] (Harte, Sandler and Gasser 2006)."""
    pitch = np.arange(12)
    axes = []
    for angle, radius in _CIRCLES:
        axes += [radius * np.sin(angle * pitch), radius * np.cos(angle * pitch)]
    return classes @ np.array(axes).T / np.maximum(classes.sum(axis=1, keepdims=True), 1)  # type: ignore[no-any-return]


def unison_rate(melody: NoteTable, accompaniment: NoteTable) -> float:
    """Give the share of accompanying notes struck together (to a 32nd) with a melody note of the same pitch."""
    if not len(accompaniment):
        return math.nan
    apart = np.abs(accompaniment[:, Column.ONSET][:, None] - melody[:, Column.ONSET][None, :])
    same = accompaniment[:, Column.PITCH][:, None] == melody[:, Column.PITCH][None, :]
    return float(((apart <= _TOGETHER) & same).any(axis=1).mean())


def _weights(melody: NoteTable) -> NDArray[np.float64]:
    return np.maximum(melody[:, Column.DURATION], 1).astype(np.float64)
