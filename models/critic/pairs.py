"""Real continuations and a generator's own, after the same prompts: what the critic learns from and is measured on.

Only the `Generator` protocol is used. Prompts of one length are taken in side by side, so that thousands of
continuations are a matter of minutes on one core.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from antiphon.models.continuations import Grid, grid_of, held_notes
from antiphon.models.errors import DataError
from antiphon.models.excerpt_choice import Excerpt
from antiphon.models.generator import UNIFORMS, Constraints, Draw, Generator, State
from antiphon.models.notes import COLUMNS, Column, NoteTable
from numpy.typing import NDArray

#: Prompts taken in side by side.
_TOGETHER = 16
_ARRAYS = ("prompts", "real", "made")


@dataclass(frozen=True, slots=True)
class Pairs:
    """N prompts of P notes, the L notes that really came after each, and K continuations of L notes that were made."""

    prompts: NDArray[np.int32]  # [N, P, columns]
    real: NDArray[np.int32]  # [N, L, columns]
    made: NDArray[np.int32]  # [N, K, L, columns]

    def __len__(self) -> int:
        return len(self.prompts)

    def save(self, path: Path) -> None:
        """Keep them in one ``.npz`` file, without pickle."""
        with path.open("wb") as file:
            np.savez_compressed(file, prompts=self.prompts, real=self.real, made=self.made)

    @classmethod
    def joined(cls, several: Sequence[Pairs]) -> Pairs:
        """Give all prompts of several, whose lengths and numbers of continuations are equal."""
        return cls(*(np.concatenate([getattr(pairs, name) for pairs in several]) for name in _ARRAYS))

    @classmethod
    def load(cls, path: Path) -> Pairs:
        """Read what `save` wrote.

        Raises:
            DataError: the file is not such a file.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = [stored[name] for name in _ARRAYS]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise DataError(f"{path} holds no continuations ({error}); make them anew") from None
        if [value.ndim for value in arrays] != [3, 3, 4] or any(value.shape[-1] != COLUMNS for value in arrays):
            shapes = ", ".join(str(list(value.shape)) for value in arrays)
            raise DataError(f"{path} holds arrays of shapes {shapes}, not of notes; make them anew")
        return cls(*arrays)


#: What the settings of a performance begin with: continuations are made as they will be played.
TEMPERATURE, TOP_P = 0.9, 0.9


@dataclass(frozen=True, slots=True)
class Making:
    """How continuations are made."""

    candidates: int = 1  # of each prompt
    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    seed: int = 0  # excerpt n's candidates draw from a stream of their own, whatever else is made


def make_pairs(
    generator: Generator, excerpts: Sequence[Excerpt], making: Making, folder: Path,
    tell: Callable[[int], None] = lambda done: None,
) -> Pairs:  # fmt: skip
    """Let a generator continue every excerpt's prompt; what an interrupted run made is not made again.

    Args:
        generator: whose continuations these are.
        excerpts: prompts of one length, and continuations of one length.
        making: how many, and how.
        folder: where they are kept, by what they were made from.
        tell: is told how many prompts are done.

    Raises:
        DataError: there are no excerpts.
    """
    if not excerpts:
        raise DataError("critic: no excerpt is long enough; give longer pieces")
    folder.mkdir(parents=True, exist_ok=True)
    groups: list[Pairs] = []
    for first in range(0, len(excerpts), _TOGETHER):
        group = excerpts[first : first + _TOGETHER]
        path = folder / f"{_digest(generator, group, making, first)}.npz"
        if path.is_file():
            groups.append(Pairs.load(path))
        else:
            groups.append(_made(generator, group, making, first))
            groups[-1].save(path)
        tell(min(first + _TOGETHER, len(excerpts)))
    return Pairs(*(np.concatenate([getattr(group, name) for group in groups]) for name in _ARRAYS))


def _digest(generator: Generator, excerpts: Sequence[Excerpt], making: Making, first: int) -> str:
    """Name a group by all that decides what is made of it."""
    digest = hashlib.sha256(f"{generator.sha256} {making} {first} {len(excerpts[0].after)}".encode())
    for excerpt in excerpts:
        digest.update(np.ascontiguousarray(excerpt.prompt).tobytes())
    return digest.hexdigest()[:16]


def _made(generator: Generator, excerpts: Sequence[Excerpt], making: Making, first: int) -> Pairs:
    asked = Constraints(temperature=making.temperature, top_p=making.top_p)
    shape = (making.candidates, len(excerpts[0].after), UNIFORMS)
    made: list[NDArray[np.int32]] = []
    for number, (excerpt, state) in enumerate(zip(excerpts, _primed(generator, excerpts), strict=True)):
        uniforms = np.random.default_rng([making.seed, first + number]).random(shape)
        lines = generator.rollout(state, asked, uniforms, grid_of(excerpt.prompt))
        made.append(np.stack([table_of(line, excerpt.prompt) for line in lines]))
    return Pairs(
        np.stack([excerpt.prompt for excerpt in excerpts]), np.stack([excerpt.after for excerpt in excerpts]),
        np.stack(made),
    )  # fmt: skip


def _primed(generator: Generator, excerpts: Sequence[Excerpt]) -> list[State]:
    heard = [held_notes(excerpt.prompt) for excerpt in excerpts]
    states = [generator.initial()] * len(excerpts)
    for notes in zip(*heard, strict=True):
        states = generator.step_together(states, notes)
    return states


def table_of(draws: Sequence[Draw], prompt: NoteTable) -> NoteTable:
    """Give a continuation as a note table, on from the prompt's last onset and on its grid."""
    grid: Grid | None = grid_of(prompt)
    table = np.zeros((len(draws), COLUMNS), np.int32)
    onset = int(prompt[-1, Column.ONSET]) + np.cumsum([draw.gap for draw in draws])
    table[:, Column.ONSET] = onset
    table[:, Column.BAR_POSITION] = -1 if grid is None else (onset - grid[0]) % (grid[1] * grid[2])
    table[:, Column.PROGRAM] = -1
    for column, values in (
        (Column.DURATION, [max(1, draw.duration) for draw in draws]), (Column.PITCH, [draw.pitch for draw in draws]),
        (Column.VELOCITY, [draw.velocity for draw in draws]), (Column.PART, [draw.part for draw in draws]),
        (Column.SHIFT, [draw.shift for draw in draws]),
    ):  # fmt: skip
        table[:, column] = values
    return table
