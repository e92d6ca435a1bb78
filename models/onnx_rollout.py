"""Candidate continuations side by side: many states of one generator, a note into each of them in one call.

A rollout goes on from one state with as many lines as there are uniforms. Every line's notes are its own: what one line
draws never reaches another, and graphs whose rows do not depend on the batch make a line alone and the same line among
others the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from antiphon.models.alone import Rows
from antiphon.models.generator import (
    TICKS_PER_BEAT,
    UNIFORMS,
    UNKNOWN_BEAT_IN_BAR,
    UNKNOWN_TICK_IN_BEAT,
    Constraints,
    Draw,
    HeldNote,
    State,
)
from antiphon.models.notes import SHIFTS
from numpy.typing import NDArray

Grid = tuple[int, int, int]  # (tick of a downbeat, ticks a beat, beats a bar), as `Generator.sample` takes it
Feed = Mapping[str, NDArray[Any]]

#: Rows of one call: more of them take no less time each, and longer until anybody else's turn.
_ROWS = 16


class SideBySide(Protocol):
    """What a rollout needs of a generator."""

    def last_tick(self, state: State) -> int | None:
        """See `models.generator.Generator`."""

    def sample(
        self, state: State, constraints: Constraints, uniforms: NDArray[np.float64], grid: Grid | None = None
    ) -> Draw:
        """See `models.generator.Generator`."""

    def step_together(self, states: Sequence[State], notes: Sequence[HeldNote]) -> list[State]:
        """See `models.generator.Generator`."""


def rolled_out(
    generator: SideBySide, state: State, constraints: Constraints, uniforms: NDArray[np.float64], grid: Grid | None
) -> list[tuple[Draw, ...]]:
    """Draw candidate continuations of one state; see `models.generator.Generator.rollout`."""
    candidates, horizon = checked(uniforms)
    now = generator.last_tick(state) or 0
    states, ticks = [state] * candidates, [now] * candidates
    lines: list[list[Draw]] = [[] for _ in range(candidates)]
    asked = constraints
    for number in range(horizon):
        notes = []
        for row, line in enumerate(lines):
            draw = generator.sample(states[row], asked, uniforms[row, number], grid)
            ticks[row] += draw.gap
            line.append(draw)
            notes.append(note_of(draw, ticks[row], grid))
        if number + 1 < horizon:
            states = generator.step_together(states, notes)
        asked = constraints if constraints.min_gap == 0 else replace(constraints, min_gap=0)
    return [tuple(line) for line in lines]


def checked(uniforms: NDArray[np.float64]) -> tuple[int, int]:
    """Give how many candidates and notes of each these uniforms are for.

    Raises:
        ValueError: their shape is another than [1 or more, 1 or more, `UNIFORMS`].
    """
    if uniforms.ndim != 3 or uniforms.shape[2] != UNIFORMS or 0 in uniforms.shape:
        raise ValueError(
            f"rollout: uniforms must be [candidates, notes, {UNIFORMS}], 1 or more of each, got "
            f"{list(uniforms.shape)}; give one row of them for each note of each candidate"
        )
    return int(uniforms.shape[0]), int(uniforms.shape[1])


def note_of(draw: Draw, tick: int, grid: Grid | None) -> HeldNote:
    """Give a drawn note as a generator takes it in; its end is as drawn."""
    in_beat, in_bar = UNKNOWN_TICK_IN_BEAT, UNKNOWN_BEAT_IN_BAR
    if grid is not None:
        since = tick - grid[0]
        in_beat = since % TICKS_PER_BEAT
        in_bar = min((since // TICKS_PER_BEAT) % grid[2], UNKNOWN_BEAT_IN_BAR - 1)
    end = tick + max(1, draw.duration)
    return HeldNote(tick, draw.part, draw.pitch, draw.velocity, in_beat, in_bar, end, draw.shift + SHIFTS // 2)


def run_together(graph: Rows, feeds: Sequence[Feed]) -> list[list[NDArray[np.float32]]]:
    """Run a graph on feeds of one row each, and give each its own outputs, a row of each.

    Feeds whose arrays have the same shapes share a call (what they recall may be of different lengths).
    """
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for number, feed in enumerate(feeds):
        groups.setdefault(tuple(value.shape for value in feed.values()), []).append(number)
    given: list[list[NDArray[np.float32]]] = [[] for _ in feeds]
    for alike in groups.values():
        for first in range(0, len(alike), _ROWS):
            rows = alike[first : first + _ROWS]
            joined = {name: np.concatenate([feeds[row][name] for row in rows]) for name in feeds[rows[0]]}
            outputs = graph.run(joined)
            for place, row in enumerate(rows):
                given[row] = [value[place : place + 1] for value in outputs]
    return given
