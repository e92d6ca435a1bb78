"""`neurotune` as a `Generator`: state carried, noise from a fixed stream, candidates ranked by the critic.

The stream of noise is numbered by the notes since the state's beginning, so that a state is a function of its window
alone (`state == prime(window)`) and a take replays. What comes in is put on the grid that the network learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from antiphon.models.errors import ModelError
from antiphon.models.generator import (
    MAX_TICKS,
    TICKS_PER_BEAT,
    UNKNOWN_TICK_IN_BEAT,
    VELOCITY_STEP,
    Constraints,
    Draw,
    HeldNote,
    rehearsed,
)
from antiphon.models.model_files import KINDS
from antiphon.models.neurotune.biases import biases_of
from antiphon.models.neurotune.likelihood import piece_losses
from antiphon.models.neurotune.player import KIND, Player, Rolling, joined
from antiphon.models.neurotune.sequences import DRAWN, HEARD_BEFORE, Field, Rows, tick_after
from antiphon.models.notes import NoteTable
from antiphon.models.onnx_rollout import rolled_out
from antiphon.models.onnx_session import asked_providers, runtime_name
from antiphon.models.parts import Part
from numpy.typing import NDArray

#: Rows of noise before they come round again: longer than any window.
_STREAM = 4096
#: Temperature 0 in a graph: sharp enough that only the likeliest is left.
_COLDEST = 1e-4
_TIMES = np.arange(MAX_TICKS + 1)
_Grid = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class LiveState:
    """After a note. Never mutated; the notes it points to may learn when they end."""

    rolling: Rolling | None  # None before any note
    heard: tuple[HeldNote, ...]  # the last `HEARD_BEFORE`, for the critic
    count: int  # notes taken in


@dataclass(frozen=True, slots=True)
class Candidate:
    """One continuation and what the critic says of it: higher is better."""

    draws: tuple[Draw, ...]
    score: float


class NeurotuneGenerator:
    """A `Generator` from an exported folder; not thread-safe.

    Args:
        folder: what `antiphon export neurotune` wrote.
        seed: of the stream of noise.
        provider: as `models.load.load_generator`.

    Raises:
        ModelError: as `Player`; a provider that is not there.
    """

    def __init__(self, folder: Path, seed: int = 0, provider: str = "auto") -> None:
        self._player = Player(folder, asked_providers(provider))
        self.name, self.sha256 = self._player.name, self._player.sha256
        self.provider_asked, self.provider_got = provider, self._player.provider_got
        self.runtime = runtime_name()
        rng = np.random.default_rng(seed)
        self._stream = rng.standard_normal((_STREAM, self._player.noise_size)).astype(np.float32)
        steps = self._player.facts.get("grid")
        if not isinstance(steps, list) or not steps or not all(isinstance(step, int) and step >= 1 for step in steps):
            raise ModelError(
                f"model: {folder / 'model.json'}: grid must be ticks of 1 or more, got {steps!r}; {KINDS[KIND].again}"
            )
        places = np.unique(np.concatenate([np.arange(0, MAX_TICKS + step, step) for step in steps]))
        self._on_grid = places[np.abs(places[None] - _TIMES[:, None]).argmin(axis=1)]  # by tick, the earlier of two

    @classmethod
    def load(cls, folder: Path, provider: str = "auto") -> NeurotuneGenerator:
        """Check and load a folder. Raises: ModelError."""
        return cls(folder, provider=provider)

    def initial(self) -> LiveState:
        """Give the state before any note."""
        return LiveState(None, (), 0)

    def last_tick(self, state: LiveState) -> int | None:
        """Tick of the last onset taken in; None before any."""
        return state.heard[-1].tick if state.heard else None

    def step(self, state: LiveState, note: HeldNote) -> LiveState:
        """Take one onset in; ``state`` stays valid."""
        row = self._row(state, note)
        noise = self._stream[state.count % _STREAM][None]
        rolling = self._player.step(row, noise, state.rolling)
        return LiveState(rolling, (*state.heard, note)[-HEARD_BEFORE:], state.count + 1)

    def prime(self, notes: Sequence[HeldNote]) -> LiveState:
        """Give the state after ``notes``, from nothing."""
        state = self.initial()
        for note in notes:
            state = self.step(state, note)
        return state

    def sample(
        self, state: LiveState, constraints: Constraints, uniforms: NDArray[np.float64], grid: _Grid | None = None
    ) -> Draw:
        """Draw the next event; see `Generator.sample`. The grid is not needed: the place follows from the gap."""
        draws, _ = self._draw(self._rolling(state), constraints, uniforms[None, : len(DRAWN)])
        return draws[0]

    def reply(
        self, state: LiveState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: _Grid | None = None,
    ) -> tuple[LiveState, Draw]:  # fmt: skip
        """Take ``note`` in and draw the next event; see `Generator.reply`."""
        after = self.step(state, note)
        return after, self.sample(after, constraints, uniforms, grid)

    def rehearse(self, state: LiveState, constraints: Constraints) -> None:
        """Run what a reply runs; see `Generator.rehearse`."""
        note, uniforms = rehearsed(self.last_tick(state))
        self.reply(state, note, constraints, uniforms)

    def step_together(self, states: Sequence[LiveState], notes: Sequence[HeldNote]) -> list[LiveState]:
        """Take a note into each of several states, in one call; see `Generator.step_together`."""
        if any(state.rolling is None for state in states):
            return [self.step(state, note) for state, note in zip(states, notes, strict=True)]
        rows = np.concatenate([self._row(state, note) for state, note in zip(states, notes, strict=True)])
        noise = np.stack([self._stream[state.count % _STREAM] for state in states])
        rolling = self._player.step(rows, noise, joined([state.rolling for state in states if state.rolling]))
        return [
            LiveState(rolling.row(row), (*state.heard, note)[-HEARD_BEFORE:], state.count + 1)
            for row, (state, note) in enumerate(zip(states, notes, strict=True))
        ]

    def rollout(
        self, state: LiveState, constraints: Constraints, uniforms: NDArray[np.float64], grid: _Grid | None = None
    ) -> list[tuple[Draw, ...]]:
        """Draw candidate continuations side by side; see `Generator.rollout`."""
        return rolled_out(self, state, constraints, uniforms, grid)

    def ranked(
        self, state: LiveState, constraints: Constraints, candidates: int, notes: int, rng: np.random.Generator
    ) -> list[Candidate]:
        """Make candidate continuations in one batch, and let its own critic rank them: the best first.

        Args:
            state: to go on from; some note must have been taken in.
            constraints: of every note; a smallest gap counts for the first alone.
            candidates: how many.
            notes: of each.
            rng: noise and draws.

        Raises:
            ValueError: nothing was heard yet, or fewer than one candidate or note is asked for.
        """
        if state.rolling is None or candidates < 1 or notes < 1:
            raise ValueError("ranked: some note must have been heard, and 1 or more candidates and notes asked for")
        rolling = state.rolling.repeated(candidates)
        last = state.heard[-1]
        tick = np.full(candidates, self._place(last.tick_in_beat))
        made: list[list[Draw]] = [[] for _ in range(candidates)]
        played = []
        for number in range(notes):
            draws, rows = self._draw(rolling, constraints, rng.random((candidates, 5)), first=number == 0)
            for mine, drawn in zip(made, draws, strict=True):
                mine.append(drawn)
            tick = tick_after(tick, rows[:, Field.GAP])
            rows[:, Field.TICK] = tick
            played.append(rows)
            if number + 1 < notes:
                noise = rng.standard_normal((candidates, self._player.noise_size)).astype(np.float32)
                rolling = self._player.step(rows, noise, rolling)
        before = np.repeat(self._heard_rows(state)[None], candidates, axis=0)
        scores = self._player.scores(np.concatenate([before, np.stack(played, axis=1)], axis=1))
        ranked = np.argsort(-scores, kind="stable")
        return [Candidate(tuple(made[row]), float(scores[row])) for row in ranked]

    def score_pieces(self, pieces: list[NoteTable], window: int, hop: int) -> list[NDArray[np.float64]]:
        """Give each piece's losses [notes - 1, 5] in nats; see `models.scoring.PieceScorer`."""
        return piece_losses(self._player, self._stream, self._snapped, pieces, window, hop)

    def _snapped(self, rows: Rows) -> Rows:
        moved = rows.copy()
        moved[..., Field.GAP] = self._on_grid[rows[..., Field.GAP]]
        known = rows[..., Field.TICK] != UNKNOWN_TICK_IN_BEAT
        places = self._on_grid[rows[..., Field.TICK]] % TICKS_PER_BEAT
        moved[..., Field.TICK] = np.where(known, places, UNKNOWN_TICK_IN_BEAT)
        return moved

    def _rolling(self, state: LiveState) -> Rolling:
        if state.rolling is not None:
            return state.rolling
        # before any note nothing was ever predicted in training: the draw reads the state after a middle C
        row = np.array([[Part.PIANO, 0, 60, 9, 1, UNKNOWN_TICK_IN_BEAT]], np.int64)
        return self._player.step(row, self._stream[:1], None)

    def _draw(
        self, rolling: Rolling, constraints: Constraints, uniforms: NDArray[np.float64], first: bool = True
    ) -> tuple[list[Draw], Rows]:
        batch = len(uniforms)
        biases = biases_of(constraints, batch, constraints.min_gap if first else 0)
        temperature = max(constraints.temperature, _COLDEST)
        choices, log_probs = self._player.draw(rolling, biases, uniforms, temperature, constraints.top_p)
        forced = np.array([constraints.part is not None, constraints.gap is not None, False, False,
                           constraints.duration is not None])  # fmt: skip
        told = np.where(forced[None], 0.0, log_probs).sum(axis=1)
        draws = []
        for (part, gap, pitch, level, duration), log_prob in zip(choices.tolist(), told.tolist(), strict=True):
            whole = constraints.gap if constraints.gap is not None else gap
            if constraints.gap is None and gap == MAX_TICKS and first:  # the class stands for "four beats or more"
                whole = max(gap, constraints.min_gap)
            length = constraints.duration if constraints.duration is not None else duration
            draws.append(Draw(part, whole, pitch, level * VELOCITY_STEP + VELOCITY_STEP // 2, length, log_prob))
        rows = np.concatenate([choices, np.zeros((batch, 1), np.int64)], axis=1)
        return draws, rows

    def _row(self, state: LiveState, note: HeldNote) -> Rows:
        before = self.last_tick(state)
        gap = 0 if before is None else int(self._on_grid[min(max(note.tick - before, 0), MAX_TICKS)])
        row = (note.part, gap, note.pitch, note.velocity // VELOCITY_STEP, 1, self._place(note.tick_in_beat))
        return np.array([row], np.int64)

    def _place(self, tick_in_beat: int) -> int:
        if tick_in_beat == UNKNOWN_TICK_IN_BEAT:
            return UNKNOWN_TICK_IN_BEAT
        return int(self._on_grid[tick_in_beat]) % TICKS_PER_BEAT

    def _heard_rows(self, state: LiveState) -> Rows:
        rows, now = [], state.heard[-1].tick
        for number, note in enumerate(state.heard):
            earlier = state.heard[number - 1].tick if number else note.tick
            end = min(note.off_tick, max(now, note.tick + 1))  # what still sounds is as long as it has lasted
            gap = int(self._on_grid[min(max(note.tick - earlier, 0), MAX_TICKS)])
            length = int(min(max(1, end - note.tick), MAX_TICKS))
            level = note.velocity // VELOCITY_STEP
            rows.append((note.part, gap, note.pitch, level, length, self._place(note.tick_in_beat)))
        return np.array(rows, np.int64)
