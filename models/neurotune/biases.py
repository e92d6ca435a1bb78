"""How the next note is forced, masked and biased: logit offsets for the draw's graph."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from antiphon.models.generator import (
    MAX_TICKS,
    PARTS,
    PITCHES,
    TIME_CLASSES,
    VELOCITY_LEVELS,
    Constraints,
    NothingAllowedError,
)
from antiphon.models.neurotune.sequences import Rows
from antiphon.models.parts import Part
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_FORBIDDEN = np.float32(-np.inf)
_TIMES = np.arange(MAX_TICKS + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Biases:
    """Offsets of logits before a draw, for each of B rows; ``-inf`` forbids."""

    part: Floats  # [B, PARTS]
    gap: Floats  # [B, TIME_CLASSES]
    pitch: Floats  # [B, PARTS, PITCHES]
    velocity: Floats  # [B, VELOCITY_LEVELS]
    duration: Floats  # [B, TIME_CLASSES]

    @classmethod
    def none(cls, batch: int) -> Biases:
        """Leave everything free."""
        shapes = ((PARTS,), (TIME_CLASSES,), (PARTS, PITCHES), (VELOCITY_LEVELS,), (TIME_CLASSES,))
        return cls(*(np.zeros((batch, *shape), np.float32) for shape in shapes))

    @classmethod
    def forcing(cls, rows: Rows) -> Biases:
        """Force the drawn fields of rows [B, 6]: for scoring what came."""
        batch = len(rows)
        free = cls.none(batch)
        forced = []
        for field, bias in enumerate((free.part, free.gap, free.pitch[:, 0], free.velocity, free.duration)):
            closed = np.full_like(bias, -np.inf)
            closed[np.arange(batch), rows[:, field]] = 0.0
            forced.append(closed)
        return replace(
            free, part=forced[0], gap=forced[1], pitch=np.repeat(forced[2][:, None], PARTS, axis=1),
            velocity=forced[3], duration=forced[4],
        )  # fmt: skip


def biases_of(constraints: Constraints, batch: int, min_gap: int) -> Biases:
    """Give the logit offsets that constraints ask for, the same for every row.

    Raises:
        NothingAllowedError: every choice of an attribute is forbidden.
    """
    part = np.zeros(PARTS, np.float32) if constraints.part_bias is None else constraints.part_bias
    if constraints.part is not None:
        part = np.where(np.arange(PARTS) == constraints.part, np.float32(0), _FORBIDDEN)
    gap = np.zeros(MAX_TICKS + 1, np.float32) if constraints.gap_bias is None else constraints.gap_bias
    if constraints.gap is not None:
        gap = np.where(min(constraints.gap, MAX_TICKS) == _TIMES, np.float32(0), _FORBIDDEN)
    else:
        low = min(min_gap, MAX_TICKS)
        gap = np.where((low <= _TIMES) & (max(constraints.max_gap, low) >= _TIMES), gap, _FORBIDDEN)
    pitch = np.zeros((PARTS, PITCHES), np.float32)
    if constraints.pitch_bias is not None:
        pitch[[other for other in range(PARTS) if other != Part.DRUMS]] += constraints.pitch_bias
    for own, bias in constraints.part_pitch_bias.items():
        pitch[own] += bias
    levels = constraints.velocity_bias
    low, high = constraints.min_duration, min(constraints.max_duration, MAX_TICKS)
    if constraints.duration is not None:
        low = high = min(constraints.duration, MAX_TICKS)
    duration = np.where((low <= _TIMES) & (high >= _TIMES), np.float32(0), _FORBIDDEN)
    velocity = np.zeros(VELOCITY_LEVELS, np.float32) if levels is None else levels
    open_parts = np.isfinite(part) & np.isfinite(pitch).any(axis=1)
    if not (
        open_parts.any() and np.isfinite(gap).any() and np.isfinite(velocity).any() and np.isfinite(duration).any()
    ):
        raise NothingAllowedError
    part = np.where(open_parts, part, _FORBIDDEN)  # a part none of whose pitches may be played cannot play
    return Biases(*(np.repeat(bias[None].astype(np.float32), batch, axis=0)
                    for bias in (part, gap, pitch, velocity, duration)))  # fmt: skip
