"""The `lstm` generator live: a `Generator` over the vocabulary of notes and chords.

The network knows which notes and chords follow which; rhythm, touch and parts it never saw. So:

* A chord is taken in note by note: as each is struck, the element that is open is fed again from the state before it.
* An element's likelihood is factorised over its notes (`word_pitches`): how likely another note joins the chord that
  is open (gap 0), and which. A bass takes their pitch classes into its own register.
* Gaps between elements, velocities, durations and parts are those of the notes last heard, beside the paper's own: half
  a beat, a beat, velocity 80. The unknown word is passed over: live play needs a pitch.

Threading model: one object belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from antiphon.models.generator import (
    MAX_TICKS,
    PITCHES,
    TIME_CLASSES,
    VELOCITY_STEP,
    Constraints,
    Draw,
    HeldNote,
    rehearsed,
)
from antiphon.models.lstm.elements import TOGETHER_TICKS, Element
from antiphon.models.lstm.generation import ElementModel, Logits
from antiphon.models.lstm.heard import Weights, drum_pitches, durations, gaps, low, parts, velocities, with_even
from antiphon.models.lstm.onnx_player import OnnxPlayer, check_folder
from antiphon.models.lstm.vocabulary import UNKNOWN, Vocabulary
from antiphon.models.lstm.word_pitches import in_register, word_pitches
from antiphon.models.onnx_rollout import rolled_out
from antiphon.models.onnx_session import asked_providers, runtime_name
from antiphon.models.parts import Part
from antiphon.models.sampling import draw
from numpy.typing import NDArray

#: Notes whose rhythm and touch are remembered: some bars.
_MEMORY = 64


@dataclass(frozen=True, slots=True, eq=False)
class LiveState:
    """After a note. Never mutated."""

    before: Any  # recurrent, before the element that is open
    expected: Logits  # [V], of the element that is open
    chord: Element  # the element that is open, as far as it was struck
    onset: int  # of its first note
    after: Any  # recurrent, after the element as it is
    following: Logits  # [V], of the element after it
    tick: int | None  # of the last note, of any part
    notes: tuple[HeldNote, ...]  # the last ones


class ElementGenerator:
    """A `Generator` on any `ElementModel`.

    Args:
        model: tells the next element.
        vocabulary: its own.
        name: of the model.
        sha256: over the model's files.
    """

    def __init__(self, model: ElementModel, vocabulary: Vocabulary, name: str, sha256: str) -> None:
        self.name, self.sha256 = name, sha256
        self.provider_asked = self.provider_got = model.name
        self.runtime = model.name
        self._model, self._vocabulary = model, vocabulary
        self._words = word_pitches(vocabulary)
        nothing, start = np.zeros(len(vocabulary), np.float32), model.start(1)
        self._initial = LiveState(start, nothing, (), 0, start, nothing, None, ())

    @classmethod
    def load(cls, path: Path, provider: str = "auto") -> ElementGenerator:
        """Check and load a folder that `antiphon papers lstm` or `antiphon export lstm` wrote.

        Args:
            path: the folder.
            provider: as `models.load.load_generator`.

        Raises:
            ModelError: the folder is not whole, or its vocabulary is none; a provider that is not there.
        """
        folder = check_folder(path)
        player = OnnxPlayer(folder, providers=asked_providers(provider))
        made = cls(player, folder.vocabulary, folder.name, folder.sha256)
        made.provider_asked, made.provider_got, made.runtime = provider, player.provider_got, runtime_name()
        return made

    def initial(self) -> LiveState:
        """Give the state before any note."""
        return self._initial

    def last_tick(self, state: LiveState) -> int | None:
        """Tick of the last onset taken in; None before any."""
        return state.tick

    def step(self, state: LiveState, note: HeldNote) -> LiveState:
        """Take one onset in; ``state`` stays valid."""
        state = replace(state, tick=note.tick, notes=(*state.notes, note)[-_MEMORY:])
        if note.part == Part.DRUMS:
            return state
        if state.chord and note.tick - state.onset <= TOGETHER_TICKS:
            before, expected, onset = state.before, state.expected, state.onset
            chord = tuple(sorted({*state.chord, note.pitch}))
        else:
            before, expected, onset, chord = state.after, state.following, note.tick, (note.pitch,)
        logits, after = self._model.step(self._vocabulary.encode([chord]), before)
        return replace(
            state, before=before, expected=expected, chord=chord, onset=onset, after=after, following=logits[0]
        )

    def prime(self, notes: Sequence[HeldNote]) -> LiveState:
        """Give the state after ``notes``, from nothing."""
        state = self._initial
        for note in notes:
            state = self.step(state, note)
        return state

    def sample(
        self, state: LiveState, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> Draw:  # fmt: skip
        """Draw the next event; see `Generator.sample`. The grid says nothing to the network: drums alone heed it."""
        chosen: list[int] = []
        log_prob = 0.0

        def choose(weights: Weights, bias: NDArray[Any] | None, forced: int | None) -> int:
            nonlocal log_prob
            place = len(chosen)
            if forced is None:
                logits = np.log(weights / weights.sum())
                biased = logits if bias is None else logits + bias
                forced = draw(biased, float(uniforms[place]), constraints.temperature, constraints.top_p)
                log_prob += float(logits[forced])
            chosen.append(forced)
            return forced

        part = choose(parts(state.notes), constraints.part_bias, constraints.part)
        gap = choose(self._gaps(state, part), _gap_bias(constraints), constraints.gap)
        if constraints.gap is None and gap == MAX_TICKS:  # the class stands for "four beats or more"
            gap = max(gap, constraints.min_gap)
        pitch = choose(self._pitches(state, part, gap, grid), _pitch_bias(constraints, part), None)
        level = choose(velocities(state.notes, part), constraints.velocity_bias, None)
        duration = choose(durations(state.notes, part), _duration_bias(constraints), constraints.duration)
        return Draw(part, gap, pitch, level * VELOCITY_STEP + VELOCITY_STEP // 2, duration, log_prob)

    def reply(
        self, state: LiveState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> tuple[LiveState, Draw]:  # fmt: skip
        """Take a note in and draw the next; see `Generator.reply`."""
        state = self.step(state, note)
        return state, self.sample(state, constraints, uniforms, grid)

    def rehearse(self, state: LiveState, constraints: Constraints) -> None:
        """Run what a reply runs; see `Generator.rehearse`."""
        note, uniforms = rehearsed(self.last_tick(state))
        self.reply(state, note, constraints, uniforms)

    def step_together(self, states: Sequence[LiveState], notes: Sequence[HeldNote]) -> list[LiveState]:
        """Take a note into each of several states; see `Generator.step_together`. Drums and chords take no call."""
        return [self.step(state, note) for state, note in zip(states, notes, strict=True)]

    def rollout(
        self, state: LiveState, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> list[tuple[Draw, ...]]:  # fmt: skip
        """Draw candidate continuations; see `Generator.rollout`."""
        return rolled_out(self, state, constraints, uniforms, grid)

    def _joins(self, state: LiveState) -> tuple[float, Weights]:
        """Give how likely another note joins the open chord, and of each pitch how likely it is that note [128]."""
        if not state.chord:
            return 0.0, np.zeros(PITCHES)
        # the note struck last, not the highest: a performer's chord that is answered note by note would climb
        return self._words.joins(_chances(state.expected), state.chord, _last(state))

    def _gaps(self, state: LiveState, part: int) -> Weights:
        more = 0.0 if part == Part.DRUMS else self._joins(state)[0]
        weights = gaps(state.notes)
        weights[0] = 0.0
        weights *= (1.0 - more) / weights.sum()
        weights[0] = more
        return with_even(weights)

    def _joining(self, state: LiveState) -> Weights:
        """Give weights of the pitch [128] that joins the open chord, also where no word holds all of it."""
        weights = self._joins(state)[1]
        if weights.sum() > 0.0:
            return weights
        chances = _chances(state.expected)
        weights = np.zeros(PITCHES)
        for pitch in state.chord:
            weights += self._words.joins(chances, (pitch,))[1]
        weights[list(state.chord)] = 0.0
        return weights

    def _pitches(self, state: LiveState, part: int, gap: int, grid: tuple[int, int, int] | None = None) -> Weights:
        tick = (state.tick or 0) + gap
        if part == Part.DRUMS:
            return drum_pitches(state.notes, tick, grid)
        lowest = low(state.notes, part)
        if state.chord and tick - state.onset <= TOGETHER_TICKS:
            weights = self._joining(state)
        else:
            weights = self._words.begins(_chances(state.following), lowest)
        return with_even(in_register(weights, lowest) if part == Part.BASS else weights)


def _last(state: LiveState) -> int | None:
    pitched = (note.pitch for note in reversed(state.notes) if note.part != Part.DRUMS)
    return next(pitched, None)


def _chances(logits: Logits) -> Weights:
    """Give the chances of words [V]; the unknown has none."""
    weights: Weights = np.exp(logits.astype(np.float64) - float(logits.max()))
    weights[UNKNOWN] = 0.0
    return weights / max(float(weights.sum()), 1e-300)


def _gap_bias(constraints: Constraints) -> Weights:
    low = min(constraints.min_gap, MAX_TICKS)
    bias = _within(low, max(constraints.max_gap, low))
    return bias if constraints.gap_bias is None else bias + constraints.gap_bias


def _duration_bias(constraints: Constraints) -> Weights:
    return _within(constraints.min_duration, min(constraints.max_duration, MAX_TICKS))


def _within(low: int, high: int) -> Weights:
    ticks = np.arange(TIME_CLASSES)
    return np.where((ticks >= low) & (ticks <= high), 0.0, -np.inf)


def _pitch_bias(constraints: Constraints, part: int) -> NDArray[Any] | None:
    own = constraints.part_pitch_bias.get(part)
    if part == Part.DRUMS or constraints.pitch_bias is None:
        return own
    return constraints.pitch_bias if own is None else constraints.pitch_bias + own
