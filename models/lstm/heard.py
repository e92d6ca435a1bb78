"""What the network does not know, from the notes last heard: parts, gaps, velocities, durations, drums.

Each is how often it was heard, beside the paper's own (an element each half beat, a beat long, velocity 80), and a
small share spread evenly, so that nothing that is not forbidden is impossible.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from antiphon.models.generator import (
    MAX_TICKS,
    PARTS,
    PITCHES,
    TICKS_PER_BEAT,
    TIME_CLASSES,
    VELOCITY_LEVELS,
    VELOCITY_STEP,
    HeldNote,
)
from antiphon.models.lstm.midi_write import DEFAULT_OFFSET_BEATS, LENGTH_BEATS, VELOCITY
from antiphon.models.parts import Part
from numpy.typing import NDArray

Weights = NDArray[np.float64]

#: The paper's own rhythm and touch weigh as much as so many notes heard.
_PRIOR = 4.0
_EVEN = 0.01
_MIDDLE_C = 60.0
#: General MIDI: what drums play before any was heard.
_KICK, _SNARE, _HAT = 36, 38, 42
_KIT = (_KICK, _SNARE, _HAT)
_PLACE = TICKS_PER_BEAT // 2  # drums are heard by the half beat
#: Where a bass lies before any was heard.
_BASS = 40.0


def parts(notes: Sequence[HeldNote]) -> Weights:
    """Give the chance of each part [PARTS]."""
    return with_even(_counted([note.part for note in notes], PARTS))


def gaps(notes: Sequence[HeldNote]) -> Weights:
    """Give weights of the gaps between onsets [TIME_CLASSES]."""
    ticks = sorted({note.tick for note in notes})
    heard = [min(after - before, MAX_TICKS) for before, after in pairwise(ticks)]
    return _beside(heard, TIME_CLASSES, round(DEFAULT_OFFSET_BEATS * TICKS_PER_BEAT))


def velocities(notes: Sequence[HeldNote], part: int) -> Weights:
    """Give the chance of each velocity level [VELOCITY_LEVELS]; of other parts, before this one was heard."""
    own = [note for note in notes if note.part == part] or notes
    levels = [note.velocity // VELOCITY_STEP for note in own]
    return with_even(_beside(levels, VELOCITY_LEVELS, VELOCITY // VELOCITY_STEP))


def durations(notes: Sequence[HeldNote], part: int) -> Weights:
    """Give the chance of each duration [TIME_CLASSES]: an end is known once its time has come, not before."""
    now = notes[-1].tick if notes else 0
    ended = [note for note in notes if note.off_tick <= now and note.part == part]
    known = [min(MAX_TICKS, max(1, round(note.off_tick - note.tick))) for note in ended]
    return with_even(_beside(known, TIME_CLASSES, round(LENGTH_BEATS * TICKS_PER_BEAT)))


def low(notes: Sequence[HeldNote], part: int) -> float:
    """Give the pitch that a part was lowest with at an onset, on average; of all parts, before it was heard.

    A bass lies where basses do before it was heard, and middle C is where nothing was.
    """
    own = [note for note in notes if note.part == part]
    if part == Part.BASS and not own:
        return _BASS
    lowest: dict[int, int] = {}
    for note in own or notes:
        if note.part != Part.DRUMS:
            lowest[note.tick] = min(note.pitch, lowest.get(note.tick, note.pitch))
    mean = sum(lowest.values()) / len(lowest) if lowest else _MIDDLE_C
    return (mean + _BASS) / 2 if part == Part.BASS else mean  # a bass that only went by itself would drift away


def drum_pitches(notes: Sequence[HeldNote], tick: int, grid: tuple[int, int, int] | None) -> Weights:
    """Give the chance of each drum [PITCHES] at a tick: where in the bar is known, those heard at that place of it.

    Beside them a plain beat: kick and snare in turn, a hi-hat with both and between. What is struck at the tick
    already is not struck again.
    """
    struck = [note for note in notes if note.part == Part.DRUMS]
    weights = _counted([*(note.pitch for note in struck), *_KIT], PITCHES)
    if grid is not None:
        beat, off = divmod(_place(tick, grid), 2)
        usual = [_HAT] if off else [_SNARE if beat % 2 else _KICK, _HAT]
        here = [note.pitch for note in struck if _place(note.tick, grid) == 2 * beat + off]
        weights = _counted([*here, *usual], PITCHES)
    weights[[note.pitch for note in struck if note.tick == tick]] = 0.0
    return with_even(weights)


def _place(tick: int, grid: tuple[int, int, int]) -> int:
    """Give the nearest half beat of the bar, from 0."""
    downbeat, _, beats = grid
    return round((tick - downbeat) / _PLACE) % (2 * beats)


def with_even(weights: Weights) -> Weights:
    """Give weights [n] as chances, a share of them spread evenly; all evenly where there is no weight."""
    total = float(weights.sum())
    if total <= 0.0:
        return np.full(len(weights), 1.0 / len(weights))
    return (1.0 - _EVEN) * weights / total + _EVEN / len(weights)


def _counted(values: Sequence[int], classes: int) -> Weights:
    return np.bincount(np.asarray(values, np.int64), minlength=classes).astype(np.float64)


def _beside(values: Sequence[int], classes: int, usual: int) -> Weights:
    """Give how often each of so many classes was heard, beside the paper's own."""
    weights = _counted(values, classes)
    weights[usual] += _PRIOR
    return weights
