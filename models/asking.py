"""What a graph that draws is told in one row of numbers: biases, masks, sharpness, randomness; and what is known.

One row, behind what a step is given and told (`models.onnx_state`), because each input of a graph costs more than the
numbers in it. `export.reply_graph` cuts it up again, by the same sizes.
"""

from __future__ import annotations

import functools
import operator

import numpy as np
from antiphon.models.generator import (
    MAX_TICKS,
    PARTS,
    PITCHES,
    TICKS_PER_BEAT,
    TIME_CLASSES,
    UNIFORMS,
    UNKNOWN_BEAT_IN_BAR,
    UNKNOWN_TICK_IN_BEAT,
    VELOCITY_LEVELS,
    VELOCITY_STEP,
    Constraints,
)
from antiphon.models.notes import SHIFTS
from antiphon.models.parts import Part
from antiphon.models.recent import Recent
from antiphon.models.sampling import MOST_OF_ALL
from numpy.typing import NDArray

#: What is asked, in order [sum]: biases of part, gap, pitch by part, velocity level, and of what is struck last
#: (duration, velocity within its level, shift: each as wide as the first); sharpness; shares (`sampling.share_of`).
ASKED = (PARTS, TIME_CLASSES, PARTS * PITCHES, VELOCITY_LEVELS, 3 * TIME_CLASSES, 1, UNIFORMS)
#: Where each table of a network begins in all of its kind together: of a note's place (part, gap, tick in beat, beat in
#: bar); of what is known of its touch (pitch, what ended on its key, in its part, level of its part). What is known is
#: told as rows of these.
PLACE_ROWS = (0, PARTS, PARTS + TIME_CLASSES, PARTS + TIME_CLASSES + TICKS_PER_BEAT + 1)
TOUCH_ROWS = (0, PITCHES, PITCHES + TIME_CLASSES, PITCHES + 2 * TIME_CLASSES)
#: What is known, in order: place of the next note for each gap (gap, tick in beat, beat in bar); `Recent`: of each key,
#: of each part, levels.
KNOWN = (3 * TIME_CLASSES, 2 * PITCHES, PARTS, PARTS)
#: What comes back of a drawn note, in order; and the log-probabilities of every choice of each of the first five.
DRAWN = ("part", "gap", "pitch", "level", "duration", "fine", "shift")
CHANCES = (PARTS, TIME_CLASSES, PITCHES, VELOCITY_LEVELS, TIME_CLASSES)
#: The same of a draw at a known place: biases of pitch and level, sharpness, shares of both; and the place (part, gap,
#: tick in beat, beat in bar), `Recent.ended` and `Recent.level` of the part, `Recent.keys_of` it.
AT_ONCE = (PITCHES, VELOCITY_LEVELS, 1, 1, 1)
AT_ONCE_KNOWN = (4, 2, PITCHES)
DRAWN_AT_ONCE = ("pitch", "level")
CHANCES_AT_ONCE = (PITCHES, VELOCITY_LEVELS)
_PART, _GAP, _PITCH, _VELOCITY, _STRUCK, _SHARPNESS, _SHARES = (
    slice(sum(ASKED[:place]), sum(ASKED[: place + 1])) for place in range(len(ASKED))
)
_SHARES_AT_ONCE = [2, 3]  # of the uniforms
_FORBIDDEN = np.float32(-np.inf)
#: Temperature 0 in a graph: sharp enough that only the likeliest is left.
_COLDEST = 1e-4
_RECENT_ROWS = np.repeat(TOUCH_ROWS[1:], KNOWN[1:])
_AT_ONCE_ROWS = (*PLACE_ROWS, *TOUCH_ROWS[2:])


def asked_of(constraints: Constraints) -> NDArray[np.float32]:
    """Give what the constraints ask [sum(ASKED)], the shares still those of 1.

    A forced gap leaves the parts' weights as they would be for that gap alone; where the part is free, `sample` weighs
    them otherwise: ask that way then.
    """
    asked = np.zeros(sum(ASKED), np.float32)
    if constraints.part is not None:
        asked[_PART] = _only(constraints.part, PARTS)
    elif constraints.part_bias is not None:
        asked[_PART] = constraints.part_bias
    if constraints.gap is not None:
        asked[_GAP] = _only(min(constraints.gap, MAX_TICKS), TIME_CLASSES)
    else:
        gaps = asked[_GAP]
        if constraints.gap_bias is not None:
            gaps[:] = constraints.gap_bias
        least = min(constraints.min_gap, MAX_TICKS)
        gaps[:least] = _FORBIDDEN
        gaps[max(constraints.max_gap, least) + 1 :] = _FORBIDDEN
    pitches = asked[_PITCH].reshape(PARTS, PITCHES)
    if constraints.pitch_bias is not None:
        pitches[: Part.DRUMS] = pitches[Part.DRUMS + 1 :] = constraints.pitch_bias
    own = constraints.part_pitch_bias
    for part in own if constraints.part is None else own.keys() & {constraints.part}:
        pitches[part] += own[part]
    if constraints.velocity_bias is not None:
        asked[_VELOCITY] = constraints.velocity_bias
    if constraints.duration is not None:
        low = high = min(max(constraints.duration, 0), MAX_TICKS)
    else:
        low, high = constraints.min_duration, min(constraints.max_duration, MAX_TICKS)
    asked[_STRUCK] = _struck(low, high)
    asked[_SHARPNESS] = 1.0 / max(constraints.temperature, _COLDEST)
    asked[_SHARES] = constraints.top_p
    return asked


def shares_of(uniforms: NDArray[np.float64], top_p: float) -> list[float]:
    """Give what stands last of what is asked: the shares for these uniforms [UNIFORMS]."""
    return [min(uniform * top_p, MOST_OF_ALL) for uniform in uniforms.tolist()]


def allowed(asked: NDArray[np.float32], part: int, gap: int, pitch: int, level: int, duration: int) -> bool:
    """Whether these classes are: where everything is forbidden, a graph draws something all the same."""
    places = (
        part, _GAP.start + gap, _PITCH.start + part * PITCHES + pitch, _VELOCITY.start + level, _STRUCK.start + duration
    )  # fmt: skip
    return all(asked.item(place) > _FORBIDDEN for place in places)


def places_of(tick: int, grid: tuple[int, int, int] | None, constraints: Constraints) -> NDArray[np.int64]:
    """Give the place of the next note for each gap, with which what is known begins [KNOWN[0]].

    Args:
        tick: of the last note.
        grid: (tick of a downbeat, ticks a beat, beats a bar), or None without a clock.
        constraints: what "four beats or more" means, if it is drawn.
    """
    if grid is None:
        return _places(-1, 0, MAX_TICKS)
    far = max(MAX_TICKS, constraints.min_gap if constraints.gap is None else constraints.gap)
    return _places((tick - grid[0]) % (TICKS_PER_BEAT * grid[2]), grid[2], far)


def recent_rows(recent: Recent, out: NDArray[np.int64]) -> None:
    """Write what ended lately, which is known as well, into ``out`` [sum(KNOWN[1:])]."""
    np.add(recent.table, _RECENT_ROWS, out=out)


@functools.lru_cache(maxsize=1024)
def _places(since: int, beats: int, far: int) -> NDArray[np.int64]:
    """Give the place after each gap, flat [3 * TIME_CLASSES], from ``since`` ticks after a downbeat (-1: no clock)."""
    gaps = np.arange(TIME_CLASSES)
    then = since + np.where(gaps == MAX_TICKS, far, gaps)
    if since < 0:
        in_beat, in_bar = np.full_like(gaps, UNKNOWN_TICK_IN_BEAT), np.full_like(gaps, UNKNOWN_BEAT_IN_BAR)
    else:
        in_beat = then % TICKS_PER_BEAT
        in_bar = np.minimum(then // TICKS_PER_BEAT % beats, UNKNOWN_BEAT_IN_BAR - 1)
    return (np.stack([gaps, in_beat, in_bar], axis=1) + PLACE_ROWS[1:]).ravel()


@functools.lru_cache(maxsize=512)
def _only(choice: int, classes: int) -> NDArray[np.float32]:
    bias = np.full(classes, _FORBIDDEN, np.float32)
    bias[choice] = 0.0
    return bias


@functools.lru_cache(maxsize=2048)
def _struck(low: int, high: int) -> NDArray[np.float32]:
    """Biases of what is struck last: durations from low to high; what is finer as wide as they are."""
    bias = np.full((3, TIME_CLASSES), _FORBIDDEN, np.float32)
    bias[0, low : high + 1] = 0.0
    bias[1, :VELOCITY_STEP] = bias[2, :SHIFTS] = 0.0
    return bias.ravel()


def at_once_asked(constraints: Constraints, part: int) -> NDArray[np.float32]:
    """Give what the constraints ask of a draw at a known place [sum(AT_ONCE)], the shares still those of 1."""
    asked = np.zeros(sum(AT_ONCE), np.float32)
    if part != Part.DRUMS and constraints.pitch_bias is not None:
        asked[:PITCHES] = constraints.pitch_bias
    own = constraints.part_pitch_bias.get(part)
    if own is not None:
        asked[:PITCHES] += own
    if constraints.velocity_bias is not None:
        asked[PITCHES : PITCHES + VELOCITY_LEVELS] = constraints.velocity_bias
    asked[-3:] = 1.0 / max(constraints.temperature, _COLDEST), constraints.top_p, constraints.top_p
    return asked


def at_once_shares(uniforms: NDArray[np.float64], top_p: float) -> tuple[float, ...]:
    """Give the same of a draw at a known place."""
    return tuple(min(uniforms.item(which) * top_p, MOST_OF_ALL) for which in _SHARES_AT_ONCE)


def at_once_known(place: tuple[int, int, int, int], recent: Recent, out: NDArray[np.int64]) -> None:
    """Write what is known of a note at a place into ``out`` [sum(AT_ONCE_KNOWN)]."""
    part = place[0]
    row = (*place, recent.ended.item(part), recent.level.item(part))
    out[:6] = tuple(map(operator.add, row, _AT_ONCE_ROWS))
    np.add(recent.keys_of(part), TOUCH_ROWS[1], out=out[6:])


def allowed_at_once(asked: NDArray[np.float32], pitch: int, level: int) -> bool:
    """Whether pitch and level are, as `allowed`."""
    return bool(asked.item(pitch) > _FORBIDDEN and asked.item(PITCHES + level) > _FORBIDDEN)
