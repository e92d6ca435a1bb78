"""The `Generator` on onnxruntime: small graphs, state in and out; drawing between them, or all in one call.

Threading model: one object belongs to one thread. How onnxruntime is opened: `models.onnx_session`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from antiphon.models.alone import Rows, is_another_alone
from antiphon.models.asking import (
    CHANCES,
    CHANCES_AT_ONCE,
    DRAWN,
    DRAWN_AT_ONCE,
    KNOWN,
    allowed,
    allowed_at_once,
    asked_of,
    at_once_asked,
    at_once_known,
    at_once_shares,
    places_of,
    recent_rows,
    shares_of,
)
from antiphon.models.bound_graph import BoundGraph
from antiphon.models.errors import ModelError
from antiphon.models.events import TOLD
from antiphon.models.generator import (
    MAX_TICKS,
    PARTS,
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
from antiphon.models.graph_inputs import AskedOnce, GraphInputs
from antiphon.models.model_files import GRAPHS, ModelFiles, find_model
from antiphon.models.note_memory import NoteMemory
from antiphon.models.notes import SHIFTS, NoteTable
from antiphon.models.onnx_rollout import rolled_out, run_together
from antiphon.models.onnx_scoring import score_pieces
from antiphon.models.onnx_session import open_session
from antiphon.models.onnx_state import ROLL, OnnxState, StateLayout, layout_of
from antiphon.models.parts import Part
from antiphon.models.provider_trial import providers_for
from antiphon.models.recent import Recent
from antiphon.models.roll import Roll
from antiphon.models.sampling import draw, log_softmax
from numpy.typing import NDArray

_REMEDY = "export it again with `antiphon export`, or install a newer onnxruntime"
_GRID = tuple[int, int, int]
#: What is there after a note: the row that a graph gave, what sounds, what ended.
_Taken = tuple[NDArray[np.float32], Roll, Recent]
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
        #: what runs the graphs in truth, whatever was asked for
        self.provider_got = str(sessions[0].get_providers()[0])
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        self._layout = self._laid_out(sessions[0], sessions[2])
        #: whether a row more is run with every call; tried on the last graph, as all there is is in it
        self.never_alone = never_alone = is_another_alone(sessions[-1])
        self._step, self._time, self._pitch, self._touch, reply, following = (
            Rows(session, never_alone) for session in sessions
        )
        width = self._layout.width
        self._one_step = BoundGraph(self._step, width)
        self._chances_at_once = _starts(width + len(DRAWN_AT_ONCE), CHANCES_AT_ONCE)
        self._chances = _starts(width + len(DRAWN), CHANCES)
        self._one_reply = BoundGraph(reply, width + len(DRAWN_AT_ONCE) + sum(CHANCES_AT_ONCE))
        self._one_next = BoundGraph(following, width + len(DRAWN) + sum(CHANCES))
        self._at_step, self._at_reply, self._at_next = (
            GraphInputs(graph, self._layout) for graph in (self._one_step, self._one_reply, self._one_next)
        )
        self._empty = OnnxState(
            np.zeros(width, np.float32), self._layout, Roll.empty(), Recent.nothing(), 0,
            NoteMemory(self._layout.recalled) if self._layout.recalled else None,
        )  # fmt: skip
        self._asked_reply = AskedOnce(at_once_asked)
        self._asked_next = AskedOnce(lambda constraints, _: asked_of(constraints))

    @property
    def files(self) -> ModelFiles:
        """The folder it plays from."""
        return self._files

    @classmethod
    def load(cls, name: str, provider: str = "auto") -> OnnxGenerator:
        """Find, check and load a model by name or folder."""
        return cls(find_model(name), provider)

    def _laid_out(self, step: Any, pitch: Any) -> StateLayout:
        """Give how the graphs lay out a state. Raises: ModelError, they take something else than this feeds."""
        takes = {item.name: list(item.shape[1:]) for item in step.get_inputs()}
        given = takes.get("given", [0, 0])
        if takes.get("told") != [TOLD] or len(given) != 2 or not isinstance(given[1], int) or given[1] <= ROLL:
            raise ModelError(
                f"model: {self._files.graph('step')} takes {takes}, this Antiphon feeds told [{TOLD}] and given [1, "
                f"{ROLL} and a state]; {_REMEDY}"
            )
        layout = layout_of(step, pitch)
        gives = [list(item.shape[1:]) for item in step.get_outputs()]
        if gives != [[1, layout.width]]:
            raise ModelError(
                f"model: {self._files.graph('step')} gives {gives}, this Antiphon reads [1, {layout.width}]; {_REMEDY}"
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
        roll, recent = self._at_step.write(state, note)
        self._one_step.run(*_recalled(state))
        return _after(state, self._one_step.output.copy(), roll, recent)

    def reply(
        self, state: OnnxState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: _GRID | None = None,
    ) -> tuple[OnnxState, Draw]:  # fmt: skip
        """Take a note in and draw the next in one call; see `Generator.reply`."""
        part, gap, duration = constraints.part, constraints.gap, constraints.duration
        if part is not None and gap is not None and duration is not None:
            place = (part, min(gap, MAX_TICKS), *place_in_bar(note.tick + gap, grid))
            taken, drawn = self._drawn_at_once(state, note, constraints, uniforms, place)
        elif gap is None or part is not None:
            taken, drawn = self._drawn_next(state, note, constraints, uniforms, grid)
        else:  # the graph would weigh the parts by that gap
            after = self.step(state, note)
            return after, self.sample(after, constraints, uniforms, grid)
        return _after(state, *taken), drawn

    def rehearse(self, state: OnnxState, constraints: Constraints) -> None:
        """Run what a reply runs; see `Generator.rehearse`. The next row of the state's memory stays free."""
        note, uniforms = rehearsed(state.roll.tick)
        if None not in (constraints.part, constraints.gap, constraints.duration):
            place = (constraints.part or 0, 0, *place_in_bar(0, None))
            self._drawn_at_once(state, note, constraints, uniforms, place)
        else:
            self._drawn_next(state, note, constraints, uniforms, None)

    def _drawn_at_once(
        self, state: OnnxState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        place: tuple[int, int, int, int],
    ) -> tuple[_Taken, Draw]:  # fmt: skip
        """Run the graph of a reply; what it leaves is `_after`'s."""
        inputs = self._at_reply
        roll, recent = inputs.write(state, note)
        asked = self._asked_reply(constraints, place[0])
        inputs.ask(asked, at_once_shares(uniforms, constraints.top_p))
        at_once_known(place, recent, inputs.known)
        self._one_reply.run(*_recalled(state))
        row, first = self._one_reply.output.copy(), self._layout.width
        pitch, level = map(int, row[first : first + len(DRAWN_AT_ONCE)].tolist())
        if not allowed_at_once(asked, pitch, level):
            raise NothingAllowedError
        gap, duration = constraints.gap or 0, constraints.duration or 0  # neither is None
        velocity = max(1, level * VELOCITY_STEP + int(uniforms[5] * VELOCITY_STEP))
        chance = sum(map(row.item, map(operator.add, self._chances_at_once, (pitch, level))))
        return (row, roll, recent), Draw(place[0], gap, pitch, velocity, duration, chance)

    def _drawn_next(
        self, state: OnnxState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: _GRID | None,
    ) -> tuple[_Taken, Draw]:  # fmt: skip
        """Run the graph of a whole note; what it leaves is `_after`'s."""
        inputs = self._at_next
        roll, recent = inputs.write(state, note)
        asked = self._asked_next(constraints, 0)
        inputs.ask(asked, shares_of(uniforms, constraints.top_p))
        inputs.known[: KNOWN[0]] = places_of(note.tick, grid, constraints)
        recent_rows(recent, inputs.known[KNOWN[0] :])
        self._one_next.run(*_recalled(state))
        row, first = self._one_next.output.copy(), self._layout.width
        part, gap, pitch, level, duration, fine, shift = map(int, row[first : first + len(DRAWN)].tolist())
        if not allowed(asked, part, gap, pitch, level, duration):
            raise NothingAllowedError
        chances = map(row.item, map(operator.add, self._chances, (part, gap, pitch, level, duration)))
        forced = (constraints.part, constraints.gap, None, None, constraints.duration)
        chance = sum(one for one, told in zip(chances, forced, strict=True) if told is None)
        if constraints.gap is not None:
            gap = constraints.gap
        elif gap == MAX_TICKS:  # the class stands for "four beats or more"
            gap = max(gap, constraints.min_gap)
        velocity = max(1, level * VELOCITY_STEP + fine)
        lasts = duration if constraints.duration is None else constraints.duration
        return (row, roll, recent), Draw(part, gap, pitch, velocity, lasts, chance, shift - SHIFTS // 2)

    def score_pieces(self, pieces: list[NoteTable], window: int, hop: int) -> list[NDArray[np.float64]]:
        """Give each piece's losses [notes - 1, 5], as live play would see it; see `scoring.PieceScorer`."""
        return score_pieces((self._step, self._time, self._pitch, self._touch), pieces, window, hop)

    def time_logits(self, state: OnnxState) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give the logits of the next note's part [PARTS], and of its gap given each part [PARTS, TIME_CLASSES]."""
        if state.notes == 0:  # before any note nothing was ever predicted in training: every one is as likely
            return np.zeros(PARTS, np.float32), np.zeros((PARTS, TIME_CLASSES), np.float32)
        parts, gaps = self._time.run({"context": state.context})
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
        pitch_logits, code = self._pitch.run({"context": state.context, "features": state.features, "place": place})
        pitch = draw(_pitch_logits(pitch_logits[0], part, constraints), float(uniforms[2]), temperature, top_p)
        log_prob += float(log_softmax(pitch_logits[0])[pitch])
        recent = np.array([state.recent.of(part, pitch)], np.int64)
        velocity_logits, duration_logits, fine_logits, shift_logits = self._touch.run(
            {"code": code, "pitch": np.array([pitch]), "recent": recent}
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
            sounding.append(self._at_step.write(state, note))
            feed = {name: value.copy() for name, value in self._one_step.inputs.items()}
            if state.memory is not None:
                feed["keys"], feed["values"] = state.memory.rows(state.notes)
            feeds.append(feed)
        rows = run_together(self._step, feeds)
        return [
            _after(state, row[0, 0], roll, recent)
            for state, (row,), (roll, recent) in zip(states, rows, sounding, strict=True)
        ]

    def rollout(
        self, state: OnnxState, constraints: Constraints, uniforms: NDArray[np.float64], grid: _GRID | None = None
    ) -> list[tuple[Draw, ...]]:
        """Draw candidate continuations side by side; see `Generator.rollout`."""
        return rolled_out(self, state, constraints, uniforms, grid)


def _starts(first: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Give where each of these begins, one after the other."""
    return tuple(first + sum(sizes[:place]) for place in range(len(sizes)))


def _recalled(state: OnnxState) -> tuple[NDArray[np.float32], ...]:
    """Give the keys and values of the notes so far, where there are such."""
    return () if state.memory is None else state.memory.rows(state.notes)


def _after(state: OnnxState, row: NDArray[np.float32], roll: Roll, recent: Recent) -> OnnxState:
    """Give the state with what the graph gave."""
    memory, layout = state.memory, state.layout
    if memory is not None:
        memory = memory.then(state.notes, row[layout.key], row[layout.value])
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
