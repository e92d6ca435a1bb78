"""Best of N: candidate stretches drawn side by side, ranked by the critic, before the best of them is planned.

A search goes on from the window's state with N lines. Each line asks what it may draw as the plan itself does, so all
that constraints and forcing promise holds for every line. All lines draw a note, then all draw the next: whenever time
is up there are N lines of one length to choose from. A wake takes a few rows of it and no more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from antiphon.daemon.brain.density import Density
from antiphon.daemon.brain.stage import Stage
from antiphon.daemon.messages import Trouble
from antiphon.models.errors import ModelError
from antiphon.models.generator import UNIFORMS, Constraints, Draw, Generator, HeldNote, NothingAllowedError, State
from numpy.typing import NDArray

#: Notes of a stretch: enough for the critic to hear how a line goes on, soon enough for the next turn of things.
STRETCH = 8
#: Rows drawn, stepped or judged in one `WAKE`, at most: an input that comes meanwhile waits no longer than this.
_ROWS_A_WAKE = 4
#: Lines judged in one go where time is up.
_MOST_AT_ONCE = 16
#: Notes before a stretch that the critic is told of: no more than it hears.
_HEARD = 16


class Judge(Protocol):
    """Ranks continuations of one length after the same notes: the higher a score, the more like music."""

    def score_notes(self, heard: Sequence[HeldNote], lines: Sequence[Sequence[HeldNote]]) -> NDArray[np.float32]:
        """Give the scores [lines]."""


@functools.cache
def shipped_judge() -> Judge | None:
    """Give the critic that ships, loaded once; None where its files are not whole (`antiphon doctor` tells)."""
    from antiphon.models.critic.judge import Critic  # noqa: PLC0415  only best-of-N needs it

    try:
        return Critic()
    except ModelError:
        return None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A note of a line, as the plan takes it."""

    draw: Draw
    tick: int
    off_tick: int


@dataclass(slots=True, eq=False)
class Line:
    """What a note is drawn after: the window's end, and the notes drawn since, which nobody else knows of."""

    last_tick: int | None
    density: Density
    begun: bool
    sample: Callable[[Constraints], Draw]
    planned: Callable[[int], list[HeldNote]]  # of the voice, sounding at a tick, of those in the plan
    answered_before: tuple[int, ...] = ()  # pitches of this answer that are planned or played
    notes: list[Drawn] = field(default_factory=list)
    held: list[HeldNote] = field(default_factory=list)

    def sounding(self, tick: int) -> list[HeldNote]:
        """The voice's notes that begin at a tick or sound beyond it."""
        mine = [note for note in self.held if note.off_tick > tick or note.tick == tick]
        return [*self.planned(tick), *mine]

    @property
    def answered(self) -> list[int]:
        """Pitches of this answer so far."""
        return [*self.answered_before, *(note.draw.pitch for note in self.notes)]


class Stretch(NamedTuple):
    """What was chosen."""

    notes: list[Drawn]
    ended: bool  # nothing comes after them


class Search:
    """One stretch, drawn N times.

    Args:
        stage: whose window is gone on from; its states must be made.
        candidates: N.
        line: makes a fresh line whose draws come from a function.
        draw: draws a line's next note as the plan would; None: the end has come.
        judge: ranks.
    """

    def __init__(
        self, stage: Stage, candidates: int, line: Callable[[Callable[[Constraints], Draw]], Line],
        draw: Callable[[Line], Drawn | None], judge: Judge,
    ) -> None:  # fmt: skip
        self._stage, self._draw, self._judge = stage, draw, judge
        self._generator: Generator = stage.generator
        self._after = stage.window.notes[-1] if stage.window.notes else None
        self._heard = tuple(stage.window.notes[-_HEARD:])
        self._seed = int(stage.rng.integers(2**63))
        self._uniforms = [np.random.default_rng([self._seed, number]) for number in range(candidates)]
        state = stage.window.state
        self._ask = stage.watch.call
        self._states: list[State] = [state] * candidates
        self._lines = [line(self._sampler(number)) for number in range(candidates)]
        self._over = [False] * candidates  # the end came, or nothing was allowed
        self._failed = [False] * candidates
        self._round = self._row = 0  # notes that all lines have; lines that have one more
        self._scores: list[float] = []

    @property
    def stale(self) -> bool:
        """Whether something else has come after the notes that it goes on from."""
        notes = self._stage.window.notes
        return (notes[-1] if notes else None) is not self._after or self._stage.generator is not self._generator

    @property
    def done(self) -> bool:
        """Whether every line is drawn and judged."""
        return self._drawn and len(self._scores) == len(self._lines)

    @property
    def first_tick(self) -> int | None:
        """Tick of the earliest first note; None before any."""
        ticks = [line.notes[0].tick for line in self._lines if line.notes]
        return min(ticks) if ticks else None

    @property
    def _drawn(self) -> bool:
        return self._round >= STRETCH or all(self._over)

    def work(self) -> None:
        """Draw or judge a few rows."""
        if not self._drawn:
            self._draw_rows()
        elif not self.done:
            at = len(self._scores)
            self._scores += self._judged(range(at, min(at + _ROWS_A_WAKE, len(self._lines))), STRETCH)

    def best(self, earliest: int) -> Stretch | None:
        """Give the best line whose notes there is still time for, as far as all lines are drawn; None: there is none.

        Args:
            earliest: first tick that there is still time to play at.
        """
        length = STRETCH if self._drawn else self._round
        if length == 0:
            return None
        rows = [
            row for row, line in enumerate(self._lines)
            if not (self._failed[row] and not line.notes) and (not line.notes or line.notes[0].tick >= earliest)
        ]  # fmt: skip
        if not self.done:
            rows = rows[:_MOST_AT_ONCE]
        if not rows:
            return None
        scores = [self._scores[row] for row in rows] if self.done else self._judged(rows, length)
        chosen = rows[int(np.argmax(scores))]
        notes = self._lines[chosen].notes
        return Stretch(notes[:length], self._over[chosen] and not self._failed[chosen] and len(notes) <= length)

    def _draw_rows(self) -> None:
        rows: list[int] = []
        tried = 0
        while self._row < len(self._lines) and tried < _ROWS_A_WAKE:
            if not self._over[self._row]:
                tried += 1
                if self._draw_row(self._row):
                    rows.append(self._row)
            self._row += 1
        if rows and self._round + 1 < STRETCH:
            notes = [self._lines[row].held[-1] for row in rows]
            states = self._ask(self._generator.step_together, [self._states[row] for row in rows], notes)
            for row, state in zip(rows, states, strict=True):
                self._states[row] = state
        if self._row == len(self._lines):
            self._row, self._round = 0, self._round + 1

    def _draw_row(self, row: int) -> bool:
        line = self._lines[row]
        try:
            drawn = self._draw(line)
        except NothingAllowedError:  # two constraints that each leave something may leave nothing together
            self._failed[row] = True
            drawn = None
        if drawn is None:
            self._over[row] = True
            return False
        draw, tick = drawn.draw, drawn.tick
        for held in line.held:  # the same pitch, sounding still, ends where it is struck anew
            if held.pitch == draw.pitch and held.tick < tick < held.off_tick:
                held.off_tick = tick
        line.notes.append(drawn)
        line.held.append(self._stage.held_note(tick, draw.part, draw.pitch, draw.velocity, drawn.off_tick))
        line.density.add(tick)
        line.last_tick, line.begun = tick, True
        return True

    def _sampler(self, row: int) -> Callable[[Constraints], Draw]:
        def sample(constraints: Constraints) -> Draw:
            self._stage.counts.samples += 1
            uniforms = self._uniforms[row].random(UNIFORMS)
            drawn = self._ask(self._generator.sample, self._states[row], constraints, uniforms, self._stage.time.grid)
            return self._stage.checked(drawn)

        return sample

    def _judged(self, rows: Sequence[int], length: int) -> list[float]:
        """Judge some lines by their first notes; lines of one length together. A line without notes is no music."""
        scores = dict.fromkeys(rows, -np.inf)
        by_length: dict[int, list[int]] = {}
        for row in rows:
            by_length.setdefault(min(length, len(self._lines[row].held)), []).append(row)
        for notes, alike in by_length.items():
            if notes:
                lines = [self._lines[row].held[:notes] for row in alike]
                found = self._ask(self._scored, lines, trouble=Trouble.CRITIC)
                scores.update(zip(alike, map(float, found), strict=True))
        return [scores[row] for row in rows]

    def _scored(self, lines: list[list[HeldNote]]) -> NDArray[np.float32]:
        scores = self._judge.score_notes(self._heard, lines)
        if not np.isfinite(scores).all():
            raise ArithmeticError("the critic's scores are no numbers")
        return scores
