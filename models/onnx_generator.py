"""The `Generator` on onnxruntime: small graphs, state in and out; drawing between them, or all in one call.

Threading model: one object belongs to one thread. How onnxruntime is opened: `models.onnx_session`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime
from antiphon.models.asking import (
    DRAWN,
    DRAWN_AT_ONCE,
    LIKELY,
    allowed,
    allowed_at_once,
    asked_of,
    at_once,
    at_once_asked,
    at_once_known,
    known_of,
    with_uniforms,
)
from antiphon.models.bound_graph import BoundGraph
from antiphon.models.errors import ModelError
from antiphon.models.events import TOLD, told_of
from antiphon.models.generator import (
    MAX_TICKS,
    PARTS,
    PITCHES,
    TICKS_PER_BEAT,
    TIME_CLASSES,
    UNKNOWN_BEAT_IN_BAR,
    UNKNOWN_TICK_IN_BEAT,
    VELOCITY_STEP,
    Constraints,
    Draw,
    HeldNote,
    NothingAllowedError,
    rehearsed,
)
from antiphon.models.model_files import GRAPHS, ModelFiles, find_model
from antiphon.models.note_memory import NoteMemory
from antiphon.models.notes import SHIFTS, NoteTable
from antiphon.models.onnx_rollout import rolled_out, run_together
from antiphon.models.onnx_scoring import score_pieces
from antiphon.models.onnx_session import open_session
from antiphon.models.onnx_state import OnnxState, StateLayout, layout_of
from antiphon.models.parts import Part
from antiphon.models.provider_trial import providers_for
from antiphon.models.recent import Recent
from antiphon.models.roll import ROLL_CHANNELS, Roll
from antiphon.models.sampling import draw, log_softmax
from numpy.typing import NDArray

_REMEDY = "export it again with `antiphon export`, or install a newer onnxruntime"
_GRID = tuple[int, int, int]
_FORBIDDEN = np.float32(-np.inf)
_TIMES = np.arange(MAX_TICKS + 1)


class OnnxGenerator:
    """A `Generator` from a checked model folder.

    Args:
        files: from `find_model`.
        provider: a key of `onnx_session.PROVIDERS`, or ``auto`` (the CPU: for one stream of small steps it is the
            fastest there is).

    Raises:
        ModelError: a graph does not load, or has other inputs than its card says; a provider that is not there.
    """

    def __init__(self, files: ModelFiles, provider: str = "auto") -> None:
        self._files = files
        self.name, self.sha256 = files.name, files.sha256
        self.provider_asked = provider
        asked = providers_for(files, provider)
        sessions = [open_session(files.graph(graph), asked, remedy=_REMEDY) for graph in GRAPHS]
        self._step, self._time, self._pitch, self._touch, reply, following = sessions
        #: what runs the graphs in truth, whatever was asked for
        self.provider_got = str(self._step.get_providers()[0])
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        self._layout = self._laid_out()
        self._one_step = BoundGraph(self._step, {"state": self._layout.width})
        self._one_reply = BoundGraph(reply, {"state": self._layout.width, "drawn": len(DRAWN_AT_ONCE) + 2})
        self._one_next = BoundGraph(following, {"state": self._layout.width, "drawn": len(DRAWN) + len(LIKELY)})
        self._empty = OnnxState(
            np.zeros((1, self._layout.width), np.float32), self._layout, Roll.empty(), Recent.nothing(), 0,
            NoteMemory(self._layout.recalled) if self._layout.recalled else None,
        )  # fmt: skip
        self._asked_reply = _Once(at_once_asked)
        self._asked_next = _Once(lambda constraints, _: asked_of(constraints))

    @property
    def files(self) -> ModelFiles:
        """The folder it plays from."""
        return self._files

    @classmethod
    def load(cls, name: str, provider: str = "auto") -> OnnxGenerator:
        """Find, check and load a model by name or folder."""
        return cls(find_model(name), provider)

    def _laid_out(self) -> StateLayout:
        """Give how the graphs lay out a state. Raises: ModelError, they take something else than this feeds."""
        shapes = {item.name: list(item.shape[1:]) for item in self._step.get_inputs()}
        want = {"told": [TOLD], "roll": [ROLL_CHANNELS, PITCHES]}
        got = {name: shapes.get(name) for name in want}
        if got != want or not isinstance(shapes.get("hidden", [""])[0], int):
            raise ModelError(
                f"model: {self._files.graph('step')} takes {shapes}, this Antiphon feeds {want} and a state; {_REMEDY}"
            )
        layout = layout_of(self._step, self._pitch)
        gives = [int(item.shape[1]) for item in self._step.get_outputs()]
        if gives != [layout.width]:
            raise ModelError(
                f"model: {self._files.graph('step')} gives rows of {gives}, this Antiphon reads one of "
                f"{layout.width}; {_REMEDY}"
            )
        return layout

    def initial(self) -> OnnxState:
        """Give the state before any note."""
        return self._empty

    def last_tick(self, state: OnnxState) -> int | None:
        """Tick of the last onset taken in; None before any."""
        return state.roll.tick

    def step(self, state: OnnxState, note: HeldNote) -> OnnxState:
        """Take one onset in; ``state`` stays valid."""
        roll, recent = self._write(self._one_step, state, note)
        self._one_step.run(*_recalled(state))
        return _after(state, self._one_step.outputs["state"].copy(), roll, recent)

    def _write(self, graph: BoundGraph, state: OnnxState, note: HeldNote) -> tuple[Roll, Recent]:
        """Put a note and the state before it into a graph's inputs; give what sounds and what ended after it."""
        inputs, before = graph.inputs, state.roll.tick
        roll, recent = state.roll.advance(note), state.recent.advance(note)
        inputs["told"][0] = told_of(before, note, recent)
        roll.image(inputs["roll"][0])
        inputs["hidden"][:] = state.hidden
        return roll, recent

    def reply(
        self, state: OnnxState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: _GRID | None = None,
    ) -> tuple[OnnxState, Draw]:  # fmt: skip
        """Take a note in and draw the next in one call; see `Generator.reply`."""
        part, gap, duration = constraints.part, constraints.gap, constraints.duration
        if part is not None and gap is not None and duration is not None:
            place = (part, min(gap, MAX_TICKS), *place_in_bar(note.tick + gap, grid))
            return self._drawn_at_once(state, note, constraints, uniforms, place)
        if gap is None or part is not None:
            return self._drawn_next(state, note, constraints, uniforms, grid)
        after = self.step(state, note)  # the graph would weigh the parts by that gap
        return after, self.sample(after, constraints, uniforms, grid)

    def _drawn_at_once(
        self, state: OnnxState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        place: tuple[int, int, int, int],
    ) -> tuple[OnnxState, Draw]:  # fmt: skip
        graph = self._one_reply
        asked, roll, recent = self._run_at_once(state, note, constraints, uniforms, place)
        pitch, level, *chances = graph.outputs["drawn"][0].tolist()
        if not allowed_at_once(asked, int(pitch), int(level)):
            raise NothingAllowedError
        gap, duration = constraints.gap or 0, constraints.duration or 0  # neither is None
        velocity = max(1, int(level) * VELOCITY_STEP + int(uniforms[5] * VELOCITY_STEP))
        drawn = Draw(place[0], gap, int(pitch), velocity, duration, sum(chances))
        return _after(state, graph.outputs["state"].copy(), roll, recent), drawn

    def _run_at_once(
        self, state: OnnxState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        place: tuple[int, int, int, int],
    ) -> tuple[NDArray[np.float32], Roll, Recent]:  # fmt: skip
        """Run the graph; give what was asked of it, and what sounds and what ended after the note."""
        graph = self._one_reply
        roll, recent = self._write(graph, state, note)
        asked = self._asked_reply(constraints, place[0])
        at_once(asked, uniforms, graph.inputs["asked"])
        at_once_known(place, recent, graph.inputs["known"])
        graph.run(*_recalled(state))
        return asked, roll, recent

    def _drawn_next(
        self, state: OnnxState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: _GRID | None,
    ) -> tuple[OnnxState, Draw]:  # fmt: skip
        graph = self._one_next
        asked, roll, recent = self._run_next(state, note, constraints, uniforms, grid)
        drawn = graph.outputs["drawn"][0].tolist()
        part, gap, pitch, level, duration, fine, shift = map(int, drawn[: len(DRAWN)])
        if not allowed(asked, part, gap, pitch, level, duration):
            raise NothingAllowedError
        forced = (constraints.part, constraints.gap, None, None, constraints.duration)
        likely = sum(chance for chance, told in zip(drawn[len(DRAWN) :], forced, strict=True) if told is None)
        if constraints.gap is not None:
            gap = constraints.gap
        elif gap == MAX_TICKS:  # the class stands for "four beats or more"
            gap = max(gap, constraints.min_gap)
        velocity = max(1, level * VELOCITY_STEP + fine)
        lasts = duration if constraints.duration is None else constraints.duration
        draw = Draw(part, gap, pitch, velocity, lasts, likely, shift - SHIFTS // 2)
        return _after(state, graph.outputs["state"].copy(), roll, recent), draw

    def _run_next(
        self, state: OnnxState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: _GRID | None,
    ) -> tuple[NDArray[np.float32], Roll, Recent]:  # fmt: skip
        """Run the graph; give as `_run_at_once` does."""
        graph = self._one_next
        roll, recent = self._write(graph, state, note)
        asked = self._asked_next(constraints, 0)
        with_uniforms(asked, uniforms, graph.inputs["asked"])
        known_of(note.tick, grid, constraints, recent, graph.inputs["known"])
        graph.run(*_recalled(state))
        return asked, roll, recent

    def rehearse(self, state: OnnxState, constraints: Constraints) -> None:
        """Run what a reply runs; see `Generator.rehearse`. The next row of the state's memory stays free."""
        note, uniforms = rehearsed(state.roll.tick)
        if None not in (constraints.part, constraints.gap, constraints.duration):
            self._run_at_once(state, note, constraints, uniforms, (constraints.part or 0, 0, *place_in_bar(0, None)))
        else:
            self._run_next(state, note, constraints, uniforms, None)

    def score_pieces(self, pieces: list[NoteTable], window: int, hop: int) -> list[NDArray[np.float64]]:
        """Give each piece's losses [notes - 1, 5], as live play would see it; see `scoring.PieceScorer`."""
        return score_pieces((self._step, self._time, self._pitch, self._touch), pieces, window, hop)

    def time_logits(self, state: OnnxState) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give the logits of the next note's part [PARTS], and of its gap given each part [PARTS, TIME_CLASSES]."""
        if state.notes == 0:  # before any note nothing was ever predicted in training: every one is as likely
            return np.zeros(PARTS, np.float32), np.zeros((PARTS, TIME_CLASSES), np.float32)
        parts, gaps = self._time.run(None, {"context": state.context})
        return parts[0], gaps[0]

    def prime(self, notes: Sequence[HeldNote]) -> OnnxState:
        """Give the state after ``notes``, from nothing."""
        state = self._empty
        for note in notes:
            state = self.step(state, note)
        return state

    def sample(
        self, state: OnnxState, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: _GRID | None = None,
    ) -> Draw:  # fmt: skip
        """Draw the next event; see `Generator.sample`."""
        temperature, top_p = constraints.temperature, constraints.top_p
        part, gap, log_prob = self._drawn_time(state, constraints, uniforms)
        place = np.array([[part, min(gap, MAX_TICKS), *place_in_bar((state.roll.tick or 0) + gap, grid)]], np.int64)
        pitch_logits, code = self._pitch.run(
            None, {"context": state.context, "features": state.features, "place": place}
        )
        pitch = draw(_pitch_logits(pitch_logits[0], part, constraints), float(uniforms[2]), temperature, top_p)
        log_prob += float(log_softmax(pitch_logits[0])[pitch])
        recent = np.array([state.recent.of(part, pitch)], np.int64)
        velocity_logits, duration_logits, fine_logits, shift_logits = self._touch.run(
            None, {"code": code, "pitch": np.array([pitch]), "recent": recent}
        )
        logits = velocity_logits[0]
        if constraints.velocity_bias is not None:
            logits = logits + constraints.velocity_bias
        level = draw(logits, float(uniforms[3]), temperature, top_p)
        log_prob += float(log_softmax(velocity_logits[0])[level])
        if constraints.duration is None:
            low, high = constraints.min_duration, min(constraints.max_duration, MAX_TICKS)
            logits = duration_logits[0, level]
            allowed = np.where((low <= _TIMES) & (high >= _TIMES), logits, _FORBIDDEN)
            duration = draw(allowed, float(uniforms[4]), temperature, top_p)
            log_prob += float(log_softmax(logits)[duration])
        else:
            duration = constraints.duration
        fine = draw(fine_logits[0, level], float(uniforms[5]), temperature, top_p)
        shift = draw(shift_logits[0, level], float(uniforms[6]), temperature, top_p) - SHIFTS // 2
        return Draw(part, gap, pitch, max(1, level * VELOCITY_STEP + fine), duration, log_prob, shift)

    def _drawn_time(
        self, state: OnnxState, constraints: Constraints, uniforms: NDArray[np.float64]
    ) -> tuple[int, int, float]:
        """Draw part and gap, those that are free; give their log-probability too."""
        part, gap, log_prob = constraints.part, constraints.gap, 0.0
        if part is not None and gap is not None:
            return part, gap, log_prob
        temperature, top_p = constraints.temperature, constraints.top_p
        part_logits, every_gap = self.time_logits(state)
        gap_logits = _gap_logits(every_gap, constraints)
        if part is None:
            logits = _part_logits(part_logits, every_gap, gap_logits, constraints)
            part = draw(logits, float(uniforms[0]), temperature, top_p)
            log_prob += float(log_softmax(part_logits)[part])
        if gap is None:
            gap = draw(gap_logits[part], float(uniforms[1]), temperature, top_p)
            log_prob += float(log_softmax(every_gap[part])[gap])
            if gap == MAX_TICKS:  # the class stands for "four beats or more"
                gap = max(gap, constraints.min_gap)
        return part, gap, log_prob

    def step_together(self, states: Sequence[OnnxState], notes: Sequence[HeldNote]) -> list[OnnxState]:
        """Take a note into each of several states; see `Generator.step_together`."""
        feeds, sounding = [], []
        for state, note in zip(states, notes, strict=True):
            sounding.append(self._write(self._one_step, state, note))
            feed = {name: value.copy() for name, value in self._one_step.inputs.items()}
            if state.memory is not None:
                feed["keys"], feed["values"] = _recalled(state)
            feeds.append(feed)
        rows = run_together(self._step, feeds)
        return [
            _after(state, row, roll, recent)
            for state, (row,), (roll, recent) in zip(states, rows, sounding, strict=True)
        ]

    def rollout(
        self, state: OnnxState, constraints: Constraints, uniforms: NDArray[np.float64], grid: _GRID | None = None
    ) -> list[tuple[Draw, ...]]:
        """Draw candidate continuations side by side; see `Generator.rollout`."""
        return rolled_out(self, state, constraints, uniforms, grid)


class _Once:
    """What is asked of a graph, made once for each object of constraints: they are immutable."""

    def __init__(self, make: Callable[[Constraints, int], NDArray[np.float32]]) -> None:
        self._make = make
        self._made: tuple[Constraints, int, NDArray[np.float32]] | None = None

    def __call__(self, constraints: Constraints, part: int) -> NDArray[np.float32]:
        made = self._made
        if made is None or made[0] is not constraints or made[1] != part:
            made = self._made = (constraints, part, self._make(constraints, part))
        return made[2]


def _recalled(state: OnnxState) -> tuple[NDArray[np.float32], ...]:
    """Give the keys and values of the notes so far, where there are such."""
    return () if state.memory is None else state.memory.rows(state.notes)


def _after(state: OnnxState, row: NDArray[np.float32], roll: Roll, recent: Recent) -> OnnxState:
    """Give the state with what the graph gave."""
    memory, layout = state.memory, state.layout
    if memory is not None:
        memory = memory.then(state.notes, row[0, layout.key], row[0, layout.value])
    return OnnxState(row, layout, roll, recent, state.notes + 1, memory)


def place_in_bar(tick: int, grid: _GRID | None) -> tuple[int, int]:
    """Give (tick in beat, beat in bar) of an absolute tick, or the unknown values without a grid."""
    if grid is None:
        return UNKNOWN_TICK_IN_BEAT, UNKNOWN_BEAT_IN_BAR
    downbeat, _, beats = grid
    since = tick - downbeat
    return since % TICKS_PER_BEAT, min((since // TICKS_PER_BEAT) % beats, UNKNOWN_BEAT_IN_BAR - 1)


def _gap_logits(logits: NDArray[np.float32], constraints: Constraints) -> NDArray[np.float32]:
    """Mask and bias the gaps of every part [PARTS, TIME_CLASSES]."""
    if constraints.gap_bias is not None:
        logits = logits + constraints.gap_bias
    low, high = min(constraints.min_gap, MAX_TICKS), constraints.max_gap
    if low > 0 or high < MAX_TICKS:
        logits = logits.copy()
        logits[:, :low] = _FORBIDDEN
        logits[:, max(high, low) + 1 :] = _FORBIDDEN
    return logits


def _part_logits(
    part_logits: NDArray[np.float32], every_gap: NDArray[np.float32], gap_logits: NDArray[np.float32],
    constraints: Constraints,
) -> NDArray[np.float64]:  # fmt: skip
    """Weigh each part by the share of its gaps that is still allowed: what did not come yet is less likely next."""
    logits = log_softmax(part_logits)
    if gap_logits is not every_gap:
        top = gap_logits.max(axis=1, keepdims=True)
        allowed = top[:, 0] + np.log(np.exp(gap_logits - top).sum(axis=1))
        full = every_gap.max(axis=1, keepdims=True)
        logits = logits + allowed - (full[:, 0] + np.log(np.exp(every_gap - full).sum(axis=1)))
    if constraints.part_bias is not None:
        logits = logits + constraints.part_bias
    return logits


def _pitch_logits(logits: NDArray[np.float32], part: int, constraints: Constraints) -> NDArray[np.float32]:
    if part != Part.DRUMS and constraints.pitch_bias is not None:
        logits = logits + constraints.pitch_bias
    own = constraints.part_pitch_bias.get(part)
    return logits if own is None else logits + own
