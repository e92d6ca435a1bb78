"""What a graph that draws is told in one row of numbers: biases, masks, sharpness, randomness; and what is known.

One row, because each input of a graph costs more than the numbers in it. `export.reply_graph` cuts it up again, by the
same sizes.
"""

from __future__ import annotations

import functools

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
#: What is known, in order: place of the next note for each gap (gap, tick in beat, beat in bar); `Recent`.
KNOWN = (3 * TIME_CLASSES, PARTS, PARTS, 2 * PITCHES)
#: What comes back of a drawn note, in order; and those whose log-probabilities come after it.
DRAWN = ("part", "gap", "pitch", "level", "duration", "fine", "shift")
LIKELY = DRAWN[:5]
#: The same of a draw at a known place: biases of pitch and level, sharpness, shares of both; and the place (part, gap,
#: tick in beat, beat in bar), `Recent.ended` and `Recent.level` of the part, `Recent.keys_of` it.
AT_ONCE = (PITCHES, VELOCITY_LEVELS, 1, 1, 1)
AT_ONCE_KNOWN = (4, 2, PITCHES)
DRAWN_AT_ONCE = ("pitch", "level")
_PART, _GAP, _PITCH, _VELOCITY, _STRUCK, _SHARPNESS, _SHARES = (
    slice(sum(ASKED[:place]), sum(ASKED[: place + 1])) for place in range(len(ASKED))
)
_SHARES_AT_ONCE = [2, 3]  # of the uniforms
_FORBIDDEN = np.float32(-np.inf)
#: Temperature 0 in a graph: sharp enough that only the likeliest is left.
_COLDEST = 1e-4


def asked_of(constraints: Constraints) -> NDArray[np.float32]:
    """Give what the constraints ask [1, sum(ASKED)], the shares still those of 1.

    A forced gap leaves the parts' weights as they would be for that gap alone; where the part is free, `sample` weighs
    them otherwise: ask that way then.
    """
    row = np.zeros((1, sum(ASKED)), np.float32)
    asked = row[0]
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
    return row


def with_uniforms(asked: NDArray[np.float32], uniforms: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    """Write what is asked, and the shares for these uniforms [UNIFORMS], into ``out`` [1, sum(ASKED)]."""
    out[:] = asked
    shares = out[0, _SHARES]
    shares *= uniforms
    np.minimum(shares, MOST_OF_ALL, out=shares)


def allowed(asked: NDArray[np.float32], part: int, gap: int, pitch: int, level: int, duration: int) -> bool:
    """Whether these classes are: where everything is forbidden, a graph draws something all the same."""
    row = asked[0]
    places = (
        part, _GAP.start + gap, _PITCH.start + part * PITCHES + pitch, _VELOCITY.start + level, _STRUCK.start + duration
    )  # fmt: skip
    return all(row.item(place) > _FORBIDDEN for place in places)


def known_of(
    tick: int, grid: tuple[int, int, int] | None, constraints: Constraints, recent: Recent, out: NDArray[np.int64]
) -> None:
    """Write what is known into ``out`` [1, sum(KNOWN)].

    Args:
        tick: of the last note.
        grid: (tick of a downbeat, ticks a beat, beats a bar), or None without a clock.
        constraints: what "four beats or more" means, if it is drawn.
        recent: after the last note.
        out: where to.
    """
    far = max(MAX_TICKS, constraints.min_gap if constraints.gap is None else constraints.gap)
    if grid is None:
        places = _places(-1, 0, MAX_TICKS)
    else:
        places = _places((tick - grid[0]) % (TICKS_PER_BEAT * grid[2]), grid[2], far)
    np.concatenate([places, recent.ended, recent.level, recent.at_key.ravel()], out=out[0])


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
    return np.stack([gaps, in_beat, in_bar], axis=1).ravel()


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
    """Give what the constraints ask of a draw at a known place [1, sum(AT_ONCE)], the shares still those of 1."""
    row = np.zeros((1, sum(AT_ONCE)), np.float32)
    asked = row[0]
    if part != Part.DRUMS and constraints.pitch_bias is not None:
        asked[:PITCHES] = constraints.pitch_bias
    own = constraints.part_pitch_bias.get(part)
    if own is not None:
        asked[:PITCHES] += own
    if constraints.velocity_bias is not None:
        asked[PITCHES : PITCHES + VELOCITY_LEVELS] = constraints.velocity_bias
    asked[-3:] = 1.0 / max(constraints.temperature, _COLDEST), constraints.top_p, constraints.top_p
    return row


def at_once(asked: NDArray[np.float32], uniforms: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    """Write what is asked, and the shares for these uniforms [UNIFORMS], into ``out`` [1, sum(AT_ONCE)]."""
    out[:] = asked
    shares = out[0, -2:]
    shares *= uniforms[_SHARES_AT_ONCE]
    np.minimum(shares, MOST_OF_ALL, out=shares)


def at_once_known(place: tuple[int, int, int, int], recent: Recent, out: NDArray[np.int64]) -> None:
    """Write what is known of a note at a place into ``out`` [1, sum(AT_ONCE_KNOWN)]."""
    part = place[0]
    out[0, :6] = (*place, recent.ended[part], recent.level[part])
    out[0, 6:] = recent.keys_of(part)


def allowed_at_once(asked: NDArray[np.float32], pitch: int, level: int) -> bool:
    """Whether pitch and level are, as `allowed`."""
    row = asked[0]
    return bool(row.item(pitch) > _FORBIDDEN and row.item(PITCHES + level) > _FORBIDDEN)
