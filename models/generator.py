"""The `Generator` protocol: what every generator can do, whatever is inside.

A generator sees music as a sequence of note onsets. A note's duration is never an input before the note has
ended: `HeldNote.off_tick` is infinite until then, and the state only ever asks which notes still sound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

TICKS_PER_BEAT = 24
#: Onset gaps and durations are classes 0..96 ticks; 96 stands for four beats or more.
MAX_TICKS = 4 * TICKS_PER_BEAT
TIME_CLASSES = MAX_TICKS + 1
PITCHES = 128
PARTS = 6
#: Velocities are drawn in 16 levels of 8.
VELOCITY_LEVELS = 16
VELOCITY_STEP = 128 // VELOCITY_LEVELS
#: `HeldNote.shift` where it was not told.
UNKNOWN_SHIFT = 8
#: Numbers in [0, 1) that a draw takes: for part, gap, pitch, velocity, duration, velocity within its level, shift.
UNIFORMS = 7
#: `tick_in_beat` and `beat_in_bar` where there is no clock.
UNKNOWN_TICK_IN_BEAT = TICKS_PER_BEAT
MAX_BEATS_IN_BAR = 8
UNKNOWN_BEAT_IN_BAR = MAX_BEATS_IN_BAR


@dataclass(slots=True, eq=False)
class HeldNote:
    """One note onset as a generator takes it in. Mutable in one place: its end, once it is known.

    ``tick`` is absolute (24 a beat, rounded); ``off_tick`` is infinite while the note is held. States share
    these objects, so an end that becomes known is seen by every state, and only from that tick on.
    """

    tick: int
    part: int
    pitch: int
    velocity: int
    tick_in_beat: int = UNKNOWN_TICK_IN_BEAT
    beat_in_bar: int = UNKNOWN_BEAT_IN_BAR
    off_tick: float = math.inf
    shift: int = UNKNOWN_SHIFT  # 0..7: eighths of a tick, from half a tick early on
    told: tuple[int, ...] = ()  # what was told when it was struck (`models.controls`); (): nothing


@dataclass(frozen=True, slots=True)
class Constraints:
    """How the next note is forced, masked and biased before it is drawn. Nothing is filtered afterwards.

    Arrays are logit offsets (0 leaves alone, ``-inf`` forbids). ``None`` leaves an attribute free.
    """

    part: int | None = None
    part_bias: NDArray[np.float32] | None = None  # [PARTS]
    gap: int | None = None
    min_gap: int = 0  # ticks after the last event: "no earlier than now"
    max_gap: int = MAX_TICKS
    gap_bias: NDArray[np.float32] | None = None  # [TIME_CLASSES]
    pitch_bias: NDArray[np.float32] | None = None  # [PITCHES]; never applied to drums
    part_pitch_bias: dict[int, NDArray[np.float32]] = field(default_factory=dict)  # part -> [PITCHES], added
    velocity_bias: NDArray[np.float32] | None = None  # [VELOCITY_LEVELS]
    duration: int | None = None
    min_duration: int = 1
    max_duration: int = MAX_TICKS
    temperature: float = 1.0
    top_p: float = 1.0


@dataclass(frozen=True, slots=True)
class Draw:
    """One drawn event: what to play next, and how likely the model (unconstrained, at 1.0) held it."""

    part: int
    gap: int  # ticks after the last event
    pitch: int
    velocity: int  # 1..127
    duration: int  # ticks
    log_prob: float  # nats, of the attributes that were not forced, under the model's own distribution
    shift: int = 0  # -4..3 eighths of a tick that the onset is off its tick


class NothingAllowedError(ValueError):
    """What is forced and masked leaves nothing of some attribute to draw; with less of it there may be something."""

    def __init__(self, why: str = "every choice is forbidden") -> None:
        super().__init__(why)


#: A state is opaque to all but its generator: recurrent tensors, and what still sounds. Never mutated.
State = Any


def rehearsed(last_tick: int | None) -> tuple[HeldNote, NDArray[np.float64]]:
    """Give a note after a state's last one, and uniforms: what a `Generator.rehearse` may reply to."""
    return HeldNote((last_tick or 0) + TICKS_PER_BEAT, 0, 64, 80), np.full(UNIFORMS, 0.5)


class Generator(Protocol):
    """A recurrent generator of note events. Not thread-safe; belongs to the brain's one thread."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def sha256(self) -> str:
        """Hash over the model's files, as in its card."""

    def initial(self) -> State:
        """Give the state before any note."""

    def step(self, state: State, note: HeldNote) -> State:
        """Take one onset in. ``note.tick`` must not be before the last one's. The old state stays valid."""

    def prime(self, notes: Sequence[HeldNote]) -> State:
        """Give the state after ``notes``, in order, from nothing: what the window means."""

    def last_tick(self, state: State) -> int | None:
        """Tick of the last onset taken in; None before any."""

    def sample(
        self, state: State, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> Draw:  # fmt: skip
        """Draw the next event.

        Args:
            state: from `step` or `prime`; not changed.
            constraints: what is forced, masked, biased.
            uniforms: [UNIFORMS] in [0, 1), one for each attribute. Randomness is an input, so that a take replays.
            grid: (tick of a downbeat, ticks a beat: always 24, beats a bar), or None without a clock.

        Raises:
            NothingAllowedError: every choice of an attribute is forbidden.
        """

    def reply(
        self, state: State, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> tuple[State, Draw]:  # fmt: skip
        """Take ``note`` in and draw the next event, in the least time.

        The same as `step` and then `sample`, up to rounding.

        Raises:
            NothingAllowedError: every choice of an attribute is forbidden.
        """

    def rehearse(self, state: State, constraints: Constraints) -> None:
        """Run what a `reply` from this state runs, for nothing: so that the next one finds the caches warm.

        Nothing is left behind: what `reply` gives afterwards, and takes to give it, is as if this had not been.

        Raises:
            NothingAllowedError: as `reply`.
        """

    def step_together(self, states: Sequence[State], notes: Sequence[HeldNote]) -> list[State]:
        """Take a note into each of several states, in as few calls as can be: each as `step` would, exactly."""

    def rollout(
        self, state: State, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> list[tuple[Draw, ...]]:  # fmt: skip
        """Draw candidate continuations of one state, side by side; who ranks them is not said here.

        Candidate k alone is candidate k among others, exactly.

        Args:
            state: from `step` or `prime`; not changed.
            constraints: of every note; the smallest gap ("no earlier than now") counts for the first alone.
            uniforms: [candidates, notes, UNIFORMS] in [0, 1): every candidate's own, so that a take replays.
            grid: as `sample`.

        Returns:
            For each candidate its draws, in order.

        Raises:
            NothingAllowedError: every choice of an attribute is forbidden.
            ValueError: the uniforms have another shape.
        """
