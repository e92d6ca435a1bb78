"""What a take is like, in numbers: tonality, groove and repetition, as pure functions over note tables.

Drums have no pitch: whatever speaks of pitch leaves them out; whatever speaks of time counts them. A figure that has
nothing to be computed from is ``nan`` (and is left out of means), never a number that looks like one. Sources stand at
each function; `docs/evaluation.md` says how to read them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from antiphon.models.generator import TICKS_PER_BEAT
from antiphon.models.notes import Column, NoteTable
from antiphon.models.parts import Part
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MINOR = (0, 2, 3, 5, 7, 8, 10)
#: How well each degree fits a key: Krumhansl and Kessler, Psychological Review 89 (1982), 334-368.
_KEY_PROFILES = np.array([
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
])  # fmt: skip
_USUAL_BAR = 4 * TICKS_PER_BEAT
#: Places of a beat that `groove_consistency` tells apart: 64 of a bar of four, as Wu and Yang do.
_GROOVE_PLACES = 16
#: Notes of a figure, for `repetition`.
FIGURE_NOTES = 4
#: Onsets are compared in sixteenths: hands are never so exact that the same figure comes back to the tick.
SIXTEENTH = TICKS_PER_BEAT // 4


def pitched(notes: NoteTable) -> NoteTable:
    """Leave the drums out."""
    played: NoteTable = notes[notes[:, Column.PART] != Part.DRUMS]
    return played


def bars(notes: NoteTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give each note's bar (0, 1, ...; empty bars are counted over where downbeats are known) and ticks into it.

    Where no bar is known, bars of four beats from the first onset.
    """
    onset = notes[:, Column.ONSET].astype(np.int64)
    into = notes[:, Column.BAR_POSITION].astype(np.int64)
    if len(notes) and into.min() >= 0:
        _, bar = np.unique(onset - into, return_inverse=True)
        return bar.astype(np.int64), into
    since = onset - (onset[0] if len(notes) else 0)
    return since // _USUAL_BAR, since % _USUAL_BAR


def pitch_classes(notes: NoteTable, by_duration: bool = False) -> Floats:
    """Give how often (or how long, in ticks) each of the 12 pitch classes sounds: [12], not normalised."""
    heard = pitched(notes)
    weights = np.maximum(heard[:, Column.DURATION], 1) if by_duration else None
    return np.bincount(heard[:, Column.PITCH] % 12, weights, minlength=12).astype(np.float64)


def pitch_class_entropy(notes: NoteTable, bars_long: int = 4) -> float:
    """Give the entropy in bits of pitch classes struck, mean over windows of ``bars_long`` bars.

    0: one pitch class; 3.58: all alike. Wu and Yang, "The Jazz Transformer on the Front Line", ISMIR 2020, section 5.1
    (H1 and H4); windows there overlap by all but one bar, here they stand side by side.
    """
    bar, _ = bars(notes)
    found = []
    for window in np.unique(bar // bars_long):
        share = pitch_classes(notes[bar // bars_long == window])
        if share.sum():
            share = share[share > 0] / share.sum()
            found.append(-float((share * np.log2(share)).sum()))
    return _mean(found)


def scale_consistency(notes: NoteTable) -> float:
    """Give the share of notes inside the best of the 24 major and natural minor scales.

    Mogren, "C-RNN-GAN", 2016 (arXiv 1611.09904), section 4.3; as MusPy (Dong et al., ISMIR 2020) has it.
    """
    share = pitch_classes(notes)
    if not share.sum():
        return math.nan
    scales = [np.roll(np.isin(np.arange(12), degrees), key) for degrees in (_MAJOR, _MINOR) for key in range(12)]
    return float(max(share[scale].sum() for scale in scales) / share.sum())


def key_fits(share: Floats) -> Floats:
    """Give how well pitch classes [12] fit the 24 keys: correlations [24], major from C first, then minor.

    Krumhansl, "Cognitive Foundations of Musical Pitch", 1990, chapter 4 (the Krumhansl-Schmuckler key finder).
    """
    spread = share - share.mean()
    size = float(np.linalg.norm(spread))
    if size == 0.0:
        return np.full(24, np.nan)
    fits = []
    for profile in _KEY_PROFILES:
        centred = profile - profile.mean()
        for key in range(12):
            fits.append(float(spread @ np.roll(centred, key)) / (size * float(np.linalg.norm(centred))))
    return np.array(fits)


def tonal_stability(notes: NoteTable, bars_long: int = 2) -> float:
    """Give the share of windows whose best key is the whole take's, or its relative or parallel.

    The papers name tonal stability without a formula; this is one: keys by `key_fits` on durations, windows of
    ``bars_long`` bars with three pitch classes at least, each weighed alike.
    """
    whole = key_fits(pitch_classes(notes, by_duration=True))
    if np.isnan(whole).any():
        return math.nan
    near = _near_keys(int(whole.argmax()))
    bar, _ = bars(notes)
    stable = []
    for window in np.unique(bar // bars_long):
        share = pitch_classes(notes[bar // bars_long == window], by_duration=True)
        if (share > 0).sum() >= 3 and not np.isnan(key_fits(share)).any():
            stable.append(float(int(key_fits(share).argmax()) in near))
    return _mean(stable)


def _near_keys(key: int) -> tuple[int, int, int]:
    tonic, minor = key % 12, key >= 12
    relative = (tonic + 3) % 12 if minor else 12 + (tonic + 9) % 12
    return key, relative, (key + 12) % 24


def groove_consistency(notes: NoteTable) -> float:
    """Give how alike the bars' onsets are: 1 less the share of places that differ, mean over all pairs of bars.

    Wu and Yang 2020 (as above), section 5.2, equation 2: "grooving pattern similarity" over 64 places of a bar of four.
    Sparse music is high by this measure whatever its groove: read it beside real music's.
    """
    if not len(notes):
        return math.nan
    bar, into = bars(notes)
    place = into * _GROOVE_PLACES // TICKS_PER_BEAT
    beats = int(place.max()) // _GROOVE_PLACES + 1
    grid = np.zeros((int(bar.max()) + 1, beats * _GROOVE_PLACES))
    grid[bar, place] = 1.0
    if len(grid) < 2:
        return math.nan
    both = grid @ grid.T
    each = np.diag(both)
    differ = each[:, None] + each[None, :] - 2 * both
    pairs = np.triu_indices(len(grid), 1)
    return float(1.0 - differ[pairs].mean() / grid.shape[1])


def repetition(notes: NoteTable, figure: int = FIGURE_NOTES) -> float:
    """Give the share of figures of ``figure`` notes that the same part played before in this take, in any key.

    A figure is the intervals and the onset gaps in sixteenths between its notes (drums: the drums themselves). The
    papers name repetition without a formula; this is the share of repeated n-grams, as in Li et al., NAACL 2016
    (distinct-n, turned over), on music's own symbols.
    """
    seen = repeated = 0
    for part in np.unique(notes[:, Column.PART]):
        rows = figures(notes[notes[:, Column.PART] == part], figure)
        seen += len(rows)
        repeated += len(rows) - len(np.unique(rows, axis=0))
    return repeated / seen if seen else math.nan


def figures(notes: NoteTable, length: int) -> NDArray[np.int64]:
    """Give every run of ``length`` notes of one part as intervals, then gaps in sixteenths: [runs, 2 (length - 1)]."""
    onset = np.round(notes[:, Column.ONSET] / SIXTEENTH).astype(np.int64)
    pitch = notes[:, Column.PITCH].astype(np.int64)
    order = np.lexsort((pitch, onset))
    onset, pitch = onset[order], pitch[order]
    steps = length - 1
    if len(notes) < length:
        return np.zeros((0, 2 * steps), np.int64)
    drums = notes[0, Column.PART] == Part.DRUMS
    moves = pitch[1:] if drums else np.diff(pitch)
    windows = np.lib.stride_tricks.sliding_window_view
    return np.concatenate([windows(moves, steps), windows(np.diff(onset), steps)], axis=1)


def notes_a_beat(notes: NoteTable, ticks: int | None = None) -> float:
    """Give how many notes are struck a beat, over ``ticks`` or from the first onset to the last."""
    if len(notes) < 2 and not ticks:
        return math.nan
    span = ticks or int(notes[-1, Column.ONSET] - notes[0, Column.ONSET])
    return len(notes) * TICKS_PER_BEAT / span if span > 0 else math.nan


#: The figures of one take, by name.
METRICS: dict[str, Callable[[NoteTable], float]] = {
    "pitch_class_entropy": pitch_class_entropy,
    "scale_consistency": scale_consistency,
    "tonal_stability": tonal_stability,
    "groove_consistency": groove_consistency,
    "repetition": repetition,
    "notes_a_beat": notes_a_beat,
}


def music_metrics(takes: list[NoteTable]) -> dict[str, Floats]:
    """Give every figure of every take: name -> [takes]."""
    return {name: np.array([metric(take) for take in takes]) for name, metric in METRICS.items()}


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan
