"""A generator without a network: states are hashes of what was heard, so that equal states mean equal hearing."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from antiphon.models.generator import (
    MAX_TICKS,
    PARTS,
    PITCHES,
    TIME_CLASSES,
    UNIFORMS,
    VELOCITY_LEVELS,
    VELOCITY_STEP,
    Constraints,
    Draw,
    HeldNote,
    NothingAllowedError,
    rehearsed,
)
from antiphon.models.onnx_rollout import rolled_out
from numpy.typing import NDArray

#: Gaps it likes: chords, then sixteenths, eighths, beats, bars.
_GAP_LOGITS = {0: 2.0, 6: 2.5, 12: 3.0, 24: 1.5, 48: 0.5, 96: -1.0}


@dataclass(frozen=True, slots=True)
class FakeState:
    """``digest``: of every note heard, and of what sounded at each. ``sounding``: the notes that may sound on."""

    digest: int
    tick: int | None
    sounding: tuple[HeldNote, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FakeState) and (self.digest, self.tick) == (other.digest, other.tick)

    def __hash__(self) -> int:
        return self.digest


class FakeGenerator:
    """Deterministic, musical enough, obeys every constraint, and counts its work.

    Args:
        sparse: how much it dislikes short gaps (logits from the shortest to the longest).
        parts: logits of the parts.
    """

    name = "fake"
    sha256 = "0" * 64

    def __init__(self, sparse: float = 0.0, parts: Sequence[float] = (0.0,) * PARTS) -> None:
        self.steps = 0
        self.samples: list[tuple[Constraints, tuple[int, int, int] | None]] = []
        self._parts = np.array(parts, np.float64)
        self._gaps = np.full(TIME_CLASSES, -4.0)
        for gap, logit in _GAP_LOGITS.items():
            self._gaps[gap] = logit
        self._gaps += sparse * np.arange(TIME_CLASSES) / MAX_TICKS

    def like_any_gap(self) -> None:
        """Have no feeling for a beat at all."""
        self._gaps[1:49] = 0.0

    def initial(self) -> FakeState:
        return FakeState(1, None, ())

    def step(self, state: FakeState, note: HeldNote) -> FakeState:
        assert state.tick is None or note.tick >= state.tick, "notes must come in order"
        self.steps += 1
        held_on = tuple(held for held in state.sounding if held.off_tick > note.tick)
        sounding = [(held.part, held.pitch, held.tick - note.tick) for held in held_on]
        gap = 0 if state.tick is None else note.tick - state.tick
        place = (note.part, note.pitch, note.velocity, note.tick_in_beat, note.beat_in_bar)
        digest = zlib.crc32(repr((state.digest, gap, place, sounding)).encode())
        return FakeState(digest, note.tick, (*held_on, note))

    def prime(self, notes: Sequence[HeldNote]) -> FakeState:
        state = self.initial()
        for note in notes:
            state = self.step(state, note)
        return state

    def last_tick(self, state: FakeState) -> int | None:
        return state.tick

    def sample(
        self, state: FakeState, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> Draw:  # fmt: skip
        assert uniforms.shape == (UNIFORMS,)
        self.samples.append((constraints, grid))
        chosen = constraints
        taste = np.random.Generator(np.random.PCG64(state.digest))
        part_logits = self._parts + taste.normal(0, 0.5, PARTS)
        if chosen.part_bias is not None:
            part_logits = part_logits + chosen.part_bias
        log_prob = 0.0
        part = chosen.part
        if part is None:
            part, log_prob = _pick(part_logits, uniforms[0])
        gap = chosen.gap
        if gap is None:
            logits = self._gaps + (0.0 if chosen.gap_bias is None else chosen.gap_bias)
            low = min(chosen.min_gap, MAX_TICKS)
            logits[:low] = -math.inf
            logits[max(low, chosen.max_gap) + 1 :] = -math.inf
            gap, more = _pick(logits, uniforms[1])
            log_prob += more
            if gap == MAX_TICKS:
                gap = max(gap, chosen.min_gap)
        pitch_logits = taste.normal(0, 1.0, PITCHES)
        if part != 3 and chosen.pitch_bias is not None:
            pitch_logits = pitch_logits + chosen.pitch_bias
        if part in chosen.part_pitch_bias:
            pitch_logits = pitch_logits + chosen.part_pitch_bias[part]
        pitch, more = _pick(pitch_logits, uniforms[2])
        log_prob += more
        velocity_logits = np.zeros(VELOCITY_LEVELS)
        if chosen.velocity_bias is not None:
            velocity_logits = velocity_logits + chosen.velocity_bias
        level, more = _pick(velocity_logits, uniforms[3])
        log_prob += more
        duration = chosen.duration
        if duration is None:
            low, high = chosen.min_duration, max(chosen.min_duration, min(chosen.max_duration, 48))
            duration = low + int(uniforms[4] * (high - low + 1))
        return Draw(part, gap, pitch, level * VELOCITY_STEP + VELOCITY_STEP // 2, duration, log_prob)

    def reply(
        self, state: FakeState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> tuple[FakeState, Draw]:  # fmt: skip
        after = self.step(state, note)
        return after, self.sample(after, constraints, uniforms, grid)

    def rehearse(self, state: FakeState, constraints: Constraints) -> None:
        note, uniforms = rehearsed(self.last_tick(state))
        self.reply(state, note, constraints, uniforms)

    def step_together(self, states: Sequence[FakeState], notes: Sequence[HeldNote]) -> list[FakeState]:
        return [self.step(state, note) for state, note in zip(states, notes, strict=True)]

    def rollout(
        self, state: FakeState, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> list[tuple[Draw, ...]]:  # fmt: skip
        return rolled_out(self, state, constraints, uniforms, grid)


def _pick(logits: NDArray[np.float64], uniform: float) -> tuple[int, float]:
    if not np.isfinite(logits).any():
        raise NothingAllowedError
    weights = np.exp(logits - logits.max())
    weights /= weights.sum()
    index = min(int(np.searchsorted(np.cumsum(weights), uniform, side="right")), len(weights) - 1)
    while weights[index] == 0.0:
        index -= 1
    return index, float(np.log(weights[index]))
