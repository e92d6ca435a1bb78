"""A live state as the tensors that the graph of a rollout takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from antiphon.export.rollout_state import NEVER, OVER
from antiphon.models.controls import UNTOLD
from antiphon.models.events import CYCLE
from antiphon.models.generator import MAX_TICKS, PARTS, PITCHES, TIME_CLASSES, VELOCITY_LEVELS, Constraints
from antiphon.models.onnx_generator import OnnxGenerator
from antiphon.models.onnx_rollout import Grid, checked
from antiphon.models.onnx_state import OnnxState
from antiphon.models.parts import Part
from numpy.typing import NDArray

Feed = dict[str, NDArray[Any]]
_COLDEST = 1e-4
_TIMES = np.arange(TIME_CLASSES)
_FREE = -1


def rollout_feed(
    generator: OnnxGenerator, state: OnnxState, constraints: Constraints, uniforms: NDArray[np.float64],
    grid: Grid | None = None, told: tuple[int, ...] = UNTOLD,
) -> Feed:  # fmt: skip
    """Give all inputs of `rollout.onnx`; arguments as `Generator.rollout`.

    Args:
        generator: whose state it is.
        state: with one note heard at least: before any there is nothing to go on from.
        constraints: of every note; the smallest gap counts for the first alone.
        uniforms: [candidates, notes, UNIFORMS].
        grid: of the clock.
        told: the controls told of every note drawn.

    Raises:
        ValueError: the uniforms have another shape; no note was heard; every choice of an attribute is forbidden.
    """
    lines, notes = checked(uniforms)
    tick = state.roll.tick
    if tick is None:
        raise ValueError("rollout: the state must have 1 note or more, got 0; take a note in first")
    part_logits, gap_logits = generator.time_logits(state)
    one: Feed = {
        "controls": np.array(told, np.int64), "start": np.array(tick % CYCLE),
        "grid": np.array([0, 0] if grid is None else [tick - grid[0], grid[2]]), **_asked(constraints),
        "now": np.array(0), "hidden": state.hidden[0], "context": state.context[0], "features": state.features[0],
        "part_logits": part_logits, "gap_logits": gap_logits, "recency": state.roll.recency,
        "ended": state.recent.ended, "at_key": state.recent.at_key.ravel(), "level": state.recent.level,
        **_open(state, tick, notes),
    }  # fmt: skip
    feed = {name: np.repeat(value[None], lines, axis=0) for name, value in one.items()}
    feed["uniforms"] = uniforms.astype(np.float32)
    feed["first"] = np.array([len(state.recent.waiting)])
    if state.memory is not None:
        keys, values = state.memory.rows(state.notes)
        feed["keys"], feed["values"] = np.ascontiguousarray(keys), np.ascontiguousarray(values[:, 1:])
        feed["own_keys"], feed["own_values"] = (np.zeros((lines, notes, keys.shape[2]), np.float32) for _ in range(2))
    return feed


def _open(state: OnnxState, tick: int, notes: int) -> Feed:
    """Give the rows of the notes that may still sound, and room for those to be drawn."""
    waiting = state.recent.waiting
    opened = np.full((len(waiting) + notes, 2), OVER, np.float32)
    key = np.zeros((len(waiting) + notes, 2), np.int64)
    for row, note in enumerate(waiting):
        opened[row] = note.tick - tick, min(note.off_tick - tick, NEVER)
        key[row] = note.part, note.pitch
    return {"open": opened, "open_key": key}


def _asked(constraints: Constraints) -> Feed:
    """Give what the constraints say, of one line."""
    pitch = np.zeros((PARTS, PITCHES), np.float32)
    if constraints.pitch_bias is not None:
        pitch[[part for part in range(PARTS) if part != Part.DRUMS]] += constraints.pitch_bias
    for part, bias in constraints.part_pitch_bias.items():
        pitch[part] += bias
    low, high = constraints.min_duration, min(constraints.max_duration, MAX_TICKS)
    forced = [constraints.part, constraints.gap, constraints.duration]
    asked: Feed = {
        "forced": np.array([_FREE if value is None else value for value in forced]),
        "gap_range": np.array([constraints.min_gap, constraints.max_gap]),
        "part_bias": _or_zeros(constraints.part_bias, PARTS), "gap_bias": _or_zeros(constraints.gap_bias, TIME_CLASSES),
        "pitch_bias": pitch, "velocity_bias": _or_zeros(constraints.velocity_bias, VELOCITY_LEVELS),
        "duration_bias": np.where((low <= _TIMES) & (high >= _TIMES), 0.0, -np.inf).astype(np.float32),
        "sharpness": np.array([1.0 / max(constraints.temperature, _COLDEST)], np.float32),
        "top_p": np.array([constraints.top_p], np.float32),
    }  # fmt: skip
    least = min(constraints.min_gap, MAX_TICKS)
    gaps = np.isfinite(asked["gap_bias"])[least : max(constraints.max_gap, least) + 1]
    parts = np.isfinite(asked["part_bias"]) if constraints.part is None else np.arange(PARTS) == constraints.part
    reachable = {
        "part": parts,
        "gap": gaps | (constraints.gap is not None),
        "velocity": np.isfinite(asked["velocity_bias"]),
        "duration": np.isfinite(asked["duration_bias"]) | (constraints.duration is not None),
    }
    for part in np.flatnonzero(parts).tolist():
        reachable[f"pitch of part {part}"] = np.isfinite(pitch[part])
    for name, choices in reachable.items():
        if not choices.any():  # a graph would draw something all the same
            raise ValueError(f"rollout: every choice of {name} is forbidden; allow one at least")
    return asked


def _or_zeros(bias: NDArray[np.float32] | None, size: int) -> NDArray[np.float32]:
    return np.zeros(size, np.float32) if bias is None else bias.astype(np.float32)
