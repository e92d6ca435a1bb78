"""The `Generator` on onnxruntime: three small graphs, state in and out, drawing in between.

Threading model: one object belongs to one thread. How onnxruntime is opened: `models.onnx_session`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from antiphon.models.controls import UNTOLD
from antiphon.models.errors import ModelError
from antiphon.models.events import CYCLE, EVENT, event_of
from antiphon.models.generator import (
    MAX_TICKS,
    PARTS,
    PITCHES,
    TICKS_PER_BEAT,
    UNKNOWN_BEAT_IN_BAR,
    UNKNOWN_TICK_IN_BEAT,
    VELOCITY_LEVELS,
    VELOCITY_STEP,
    Constraints,
    Draw,
    HeldNote,
)
from antiphon.models.model_files import GRAPHS, ModelFiles, find_model
from antiphon.models.note_memory import NoteMemory
from antiphon.models.notes import SHIFTS, NoteTable
from antiphon.models.onnx_rollout import rolled_out, run_together
from antiphon.models.onnx_scoring import score_pieces
from antiphon.models.onnx_session import open_session
from antiphon.models.parts import Part
from antiphon.models.provider_trial import providers_for
from antiphon.models.recent import Recent
from antiphon.models.roll import ROLL_CHANNELS, Roll
from antiphon.models.sampling import draw, log_softmax
from numpy.typing import NDArray

_REMEDY = "export it again with `antiphon export`, or install a newer onnxruntime"
_GRID = tuple[int, int, int]
_FORBIDDEN = np.float32(-np.inf)
#: Temperature 0 in a graph: sharp enough that only the likeliest is left.
_COLDEST = 1e-4
_TIMES = np.arange(MAX_TICKS + 1)


@dataclass(frozen=True, slots=True, eq=False)
class OnnxState:
    """After a note: recurrent state, what the heads read, and what sounds. Never mutated."""

    hidden: NDArray[np.float32]  # [1, state]
    context: NDArray[np.float32]  # [1, hidden]
    features: NDArray[np.float32]  # [1, features, keys]
    part_logits: NDArray[np.float32]  # [PARTS]
    gap_logits: NDArray[np.float32]  # [PARTS, TIME_CLASSES]
    roll: Roll
    recent: Recent
    notes: int = 0  # taken in: so many rows of the memory are this state's
    memory: NoteMemory | None = None


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
        self._step, self._pitch, self._touch, self._reply = sessions
        #: what runs the graphs in truth, whatever was asked for
        self.provider_got = str(self._step.get_providers()[0])
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        self._shapes = {item.name: list(item.shape[1:]) for item in self._step.get_inputs()}
        self._check_shapes()
        self._recalls = "keys" in self._shapes
        self._empty = self._nothing()
        self._reply_fixed: tuple[Constraints, dict[str, NDArray[np.float32]]] | None = None

    @property
    def files(self) -> ModelFiles:
        """The folder it plays from."""
        return self._files

    @classmethod
    def load(cls, name: str, provider: str = "auto") -> OnnxGenerator:
        """Find, check and load a model by name or folder."""
        return cls(find_model(name), provider)

    def _check_shapes(self) -> None:
        want = {"event": [EVENT], "roll": [ROLL_CHANNELS, PITCHES], "controls": [len(UNTOLD)]}
        got = {name: self._shapes.get(name) for name in want}
        if got != want or not isinstance(self._shapes.get("hidden", [""])[0], int):
            raise ModelError(
                f"model: {self._files.graph('step')} takes {self._shapes}, "
                f"this Antiphon feeds {want} and a state; {_REMEDY}"
            )

    def _nothing(self) -> OnnxState:
        # before any note nothing was ever predicted in training: every part and gap is as likely
        pitch = {item.name: [int(size) for size in item.shape[1:]] for item in self._pitch.get_inputs()}
        return OnnxState(
            np.zeros((1, self._shapes["hidden"][0]), np.float32), np.zeros((1, *pitch["context"]), np.float32),
            np.zeros((1, *pitch["features"]), np.float32), np.zeros(PARTS, np.float32),
            np.zeros((PARTS, MAX_TICKS + 1), np.float32), Roll.empty(), Recent.nothing(), 0,
            NoteMemory(int(self._shapes["keys"][1])) if self._recalls else None,
        )  # fmt: skip

    def initial(self) -> OnnxState:
        """Give the state before any note."""
        return self._empty

    def last_tick(self, state: OnnxState) -> int | None:
        """Tick of the last onset taken in; None before any."""
        return state.roll.tick

    def step(self, state: OnnxState, note: HeldNote) -> OnnxState:
        """Take one onset in; ``state`` stays valid."""
        feed, roll, recent = self._taken_in(state, note)
        return self._after(state, self._step.run(None, feed), roll, recent)

    def _taken_in(self, state: OnnxState, note: HeldNote) -> tuple[dict[str, NDArray[Any]], Roll, Recent]:
        """Give what the step takes of a note, and what sounds and what ended after it."""
        before = state.roll.tick
        roll, recent = state.roll.advance(note), state.recent.advance(note)
        feed: dict[str, NDArray[Any]] = {
            "event": event_of(before, note, recent), "roll": roll.image()[None],
            "controls": np.array([note.told or UNTOLD], np.int64), "hidden": state.hidden,
        }  # fmt: skip
        if state.memory is not None:
            feed["phase"] = np.array([[note.tick % CYCLE, (note.tick if before is None else before) % CYCLE]], np.int64)
            feed["keys"], feed["values"] = state.memory.rows(state.notes)
        return feed, roll, recent

    def _after(self, state: OnnxState, out: Sequence[NDArray[np.float32]], roll: Roll, recent: Recent) -> OnnxState:
        hidden, context, features, part_logits, gap_logits = out[:5]
        memory = state.memory.then(state.notes, out[5][0], out[6][0]) if state.memory is not None else None
        return OnnxState(
            hidden, context, features, part_logits[0], gap_logits[0], roll, recent, state.notes + 1, memory
        )

    def reply(
        self, state: OnnxState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: _GRID | None = None,
    ) -> tuple[OnnxState, Draw]:  # fmt: skip
        """Take a note in and draw the next, all but pitch and velocity forced, in one call; see `Generator.reply`."""
        part, gap, duration = constraints.part, constraints.gap, constraints.duration
        if part is None or gap is None or duration is None:
            raise ValueError("reply: part, gap and duration must be forced")
        feed, roll, recent = self._taken_in(state, note)
        out = self._reply.run(
            None,
            {
                **feed,
                "place": np.array([[part, min(gap, MAX_TICKS), *place_in_bar(note.tick + gap, grid)]], np.int64),
                "known": np.array([[recent.ended[part], recent.level[part]]], np.int64),
                "ended_keys": recent.keys_of(part)[None],
                "uniforms": uniforms[None, [2, 3, 5]].astype(np.float32), **self._reply_inputs(constraints, part),
            },
        )  # fmt: skip
        choices, log_probs = out[-2:]
        pitch, level, fine = choices[0].tolist()
        velocity = max(1, level * VELOCITY_STEP + fine)
        drawn = Draw(part, gap, pitch, velocity, duration, float(log_probs.sum()))
        return self._after(state, out, roll, recent), drawn

    def _reply_inputs(self, constraints: Constraints, part: int) -> dict[str, NDArray[np.float32]]:
        """Give what the constraints alone decide; made once for each of them (they are immutable)."""
        if self._reply_fixed is None or self._reply_fixed[0] is not constraints:
            velocity = constraints.velocity_bias
            sharpness = 1.0 / max(constraints.temperature, _COLDEST)
            self._reply_fixed = (constraints, {
                "pitch_bias": _pitch_logits(np.zeros(PITCHES, np.float32), part, constraints)[None],
                "velocity_bias": np.zeros((1, VELOCITY_LEVELS), np.float32) if velocity is None else velocity[None],
                "sharpness": np.array([[sharpness]], np.float32),
                "top_p": np.array([[constraints.top_p]], np.float32),
            })  # fmt: skip
        return self._reply_fixed[1]

    def score_pieces(self, pieces: list[NoteTable], window: int, hop: int) -> list[NDArray[np.float64]]:
        """Give each piece's losses [notes - 1, 5], as live play would see it; see `scoring.PieceScorer`."""
        return score_pieces((self._step, self._pitch, self._touch), pieces, window, hop)

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
        gap_logits = _gap_logits(state.gap_logits, constraints)
        log_prob = 0.0
        if constraints.part is None:
            logits = _part_logits(state, gap_logits, constraints)
            part = draw(logits, float(uniforms[0]), temperature, top_p)
            log_prob += float(log_softmax(state.part_logits)[part])
        else:
            part = constraints.part
        if constraints.gap is None:
            gap = draw(gap_logits[part], float(uniforms[1]), temperature, top_p)
            log_prob += float(log_softmax(state.gap_logits[part])[gap])
            if gap == MAX_TICKS:  # the class stands for "four beats or more"
                gap = max(gap, constraints.min_gap)
        else:
            gap = constraints.gap
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

    def step_together(self, states: Sequence[OnnxState], notes: Sequence[HeldNote]) -> list[OnnxState]:
        """Take a note into each of several states; see `Generator.step_together`."""
        taken = [self._taken_in(state, note) for state, note in zip(states, notes, strict=True)]
        outs = run_together(self._step, [feed for feed, _, _ in taken])
        return [
            self._after(state, out, roll, recent)
            for state, out, (_, roll, recent) in zip(states, outs, taken, strict=True)
        ]

    def rollout(
        self, state: OnnxState, constraints: Constraints, uniforms: NDArray[np.float64], grid: _GRID | None = None
    ) -> list[tuple[Draw, ...]]:
        """Draw candidate continuations side by side; see `Generator.rollout`."""
        return rolled_out(self, state, constraints, uniforms, grid)


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


def _part_logits(state: OnnxState, gap_logits: NDArray[np.float32], constraints: Constraints) -> NDArray[np.float64]:
    """Weigh each part by the share of its gaps that is still allowed: what did not come yet is less likely next."""
    logits = log_softmax(state.part_logits)
    if gap_logits is not state.gap_logits:
        top = gap_logits.max(axis=1, keepdims=True)
        allowed = top[:, 0] + np.log(np.exp(gap_logits - top).sum(axis=1))
        full = state.gap_logits.max(axis=1, keepdims=True)
        logits = logits + allowed - (full[:, 0] + np.log(np.exp(state.gap_logits - full).sum(axis=1)))
    if constraints.part_bias is not None:
        logits = logits + constraints.part_bias
    return logits


def _pitch_logits(logits: NDArray[np.float32], part: int, constraints: Constraints) -> NDArray[np.float32]:
    if part != Part.DRUMS and constraints.pitch_bias is not None:
        logits = logits + constraints.pitch_bias
    own = constraints.part_pitch_bias.get(part)
    return logits if own is None else logits + own
