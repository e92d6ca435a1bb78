"""The `Generator` on onnxruntime: three small graphs, state in and out, drawing in between.

Threading model: one object belongs to one thread. How onnxruntime is opened: `models.onnx_session`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime
from antiphon.models.errors import ModelError
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
from antiphon.models.onnx_session import open_session
from antiphon.models.parts import Part
from antiphon.models.roll import ROLL_CHANNELS, Roll
from antiphon.models.sampling import draw, log_softmax
from numpy.typing import NDArray

#: What `provider` may ask for, and the execution provider each means.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
_REMEDY = "export it again with `antiphon export`, or install a newer onnxruntime"
_GRID = tuple[int, int, int]
_FORBIDDEN = np.float32(-np.inf)
#: Temperature 0 in a graph: sharp enough that only the likeliest is left.
_COLDEST = 1e-4
_TIMES = np.arange(MAX_TICKS + 1)


@dataclass(frozen=True, slots=True, eq=False)
class OnnxState:
    """After a note: recurrent state, what the heads read, and what sounds. Never mutated."""

    hidden: NDArray[np.float32]  # [1, layers, hidden]
    context: NDArray[np.float32]  # [1, hidden]
    features: NDArray[np.float32]  # [1, features, keys]
    part_logits: NDArray[np.float32]  # [PARTS]
    gap_logits: NDArray[np.float32]  # [PARTS, TIME_CLASSES]
    roll: Roll


class OnnxGenerator:
    """A `Generator` from a checked model folder.

    Args:
        files: from `find_model`.
        provider: a key of `PROVIDERS`, or ``auto`` (the CPU: for one stream of small steps it is the
            fastest there is).

    Raises:
        ModelError: a graph does not load, or has other inputs than its card says; a provider that is not there.
    """

    def __init__(self, files: ModelFiles, provider: str = "auto") -> None:
        self._files = files
        self.name, self.sha256 = files.name, files.sha256
        self.provider_asked = provider
        asked = _provider(provider)
        sessions = [open_session(files.graph(graph), asked, remedy=_REMEDY) for graph in GRAPHS]
        self._step, self._pitch, self._touch, self._reply = sessions
        #: what runs the graphs in truth, whatever was asked for
        self.provider_got = str(self._step.get_providers()[0])
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        self._layers, self._hidden = int(files.config["layers"]), int(files.config["hidden"])
        self._check_shapes()
        self._empty = self._nothing()
        self._reply_fixed: tuple[Constraints, dict[str, NDArray[np.float32]]] | None = None

    @classmethod
    def load(cls, name: str, provider: str = "auto") -> OnnxGenerator:
        """Find, check and load a model by name or folder."""
        return cls(find_model(name), provider)

    def _check_shapes(self) -> None:
        want = {"event": [6], "roll": [ROLL_CHANNELS, 128], "hidden": [self._layers, self._hidden]}
        got = {item.name: list(item.shape[1:]) for item in self._step.get_inputs()}
        if got != want:
            raise ModelError(
                f"model: {self._files.graph('step')} takes {got}, this Antiphon feeds {want}; "
                "export it again with `antiphon export`"
            )

    def _nothing(self) -> OnnxState:
        # before any note nothing was ever predicted in training: every part and gap is as likely
        hidden = np.zeros((1, self._layers, self._hidden), np.float32)
        keys = next(item.shape for item in self._pitch.get_inputs() if item.name == "features")
        return OnnxState(
            hidden, np.zeros((1, self._hidden), np.float32),
            np.zeros((1, int(keys[1]), int(keys[2])), np.float32),
            np.zeros(PARTS, np.float32), np.zeros((PARTS, MAX_TICKS + 1), np.float32), Roll.empty(),
        )  # fmt: skip

    def initial(self) -> OnnxState:
        """Give the state before any note."""
        return self._empty

    def last_tick(self, state: OnnxState) -> int | None:
        """Tick of the last onset taken in; None before any."""
        return state.roll.tick

    def step(self, state: OnnxState, note: HeldNote) -> OnnxState:
        """Take one onset in; ``state`` stays valid."""
        event, roll = _event(state, note), state.roll.advance(note)
        hidden, context, features, part_logits, gap_logits = self._step.run(
            None, {"event": event, "roll": roll.image()[None], "hidden": state.hidden}
        )
        return OnnxState(hidden, context, features, part_logits[0], gap_logits[0], roll)

    def reply(
        self, state: OnnxState, note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: _GRID | None = None,
    ) -> tuple[OnnxState, Draw]:  # fmt: skip
        """Take a note in and draw the next, all but pitch and velocity forced, in one call; see `Generator.reply`."""
        part, gap, duration = constraints.part, constraints.gap, constraints.duration
        if part is None or gap is None or duration is None:
            raise ValueError("reply: part, gap and duration must be forced")
        event, roll = _event(state, note), state.roll.advance(note)
        place = np.array([[part, min(gap, MAX_TICKS), *place_in_bar(note.tick + gap, grid)]], np.int64)
        hidden, context, features, part_logits, gap_logits, choices, log_probs = self._reply.run(
            None,
            {
                "event": event, "roll": roll.image()[None], "hidden": state.hidden, "place": place,
                "uniforms": uniforms[None, 2:4].astype(np.float32), **self._reply_inputs(constraints, part),
            },
        )  # fmt: skip
        pitch, level = choices[0].tolist()
        velocity = level * VELOCITY_STEP + VELOCITY_STEP // 2
        after = OnnxState(hidden, context, features, part_logits[0], gap_logits[0], roll)
        return after, Draw(part, gap, pitch, velocity, duration, float(log_probs.sum()))

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

    def score_step(
        self, events: NDArray[np.int64], rolls: NDArray[np.float32], hidden: NDArray[np.float32] | None,
        following: NDArray[np.int64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:  # fmt: skip
        """Score what came next, for a batch: for evaluation.

        Args:
            events: [B, 6] as the network takes them.
            rolls: [B, channels, 128] after each.
            hidden: [B, layers, hidden], or None at the beginning.
            following: [B, 7] the notes that came (columns as `evaluation.events_of` gives).

        Returns:
            Losses [B, 5] in nats, and the next hidden state.
        """
        if hidden is None:
            hidden = np.zeros((len(events), self._layers, self._hidden), np.float32)
        hidden_out, context, features, part, gap = self._step.run(
            None, {"event": events, "roll": rolls, "hidden": hidden}
        )
        place = np.ascontiguousarray(following[:, [0, 1, 4, 5]])
        pitch, code = self._pitch.run(None, {"context": context, "features": features, "place": place})
        velocity, duration = self._touch.run(None, {"code": code, "pitch": np.ascontiguousarray(following[:, 2])})
        logits = (part, gap, pitch, velocity, duration)
        return loss_of(logits, following), hidden_out

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
        velocity_logits, duration_logits = self._touch.run(None, {"code": code, "pitch": np.array([pitch])})
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
        velocity = level * VELOCITY_STEP + VELOCITY_STEP // 2
        return Draw(part, gap, pitch, velocity, duration, log_prob)


def _event(state: OnnxState, note: HeldNote) -> NDArray[np.int64]:
    """Give the network's form of a note that follows a state: [1, 6]."""
    before = state.roll.tick
    gap = 0 if before is None else min(max(note.tick - before, 0), MAX_TICKS)
    level = note.velocity // VELOCITY_STEP
    return np.array([[note.part, gap, note.pitch, level, note.tick_in_beat, note.beat_in_bar]], np.int64)


def loss_of(logits: tuple[NDArray[np.float32], ...], wanted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give losses [B, 5] in nats from the heads' logits and the events that came (as `score_step` takes them)."""
    part, gap, pitch, velocity, duration = logits
    rows = np.arange(len(wanted))
    picked = (
        log_softmax(part)[rows, wanted[:, 0]],
        log_softmax(gap[rows, wanted[:, 0]])[rows, wanted[:, 1]],
        log_softmax(pitch)[rows, wanted[:, 2]],
        log_softmax(velocity)[rows, wanted[:, 3]],
        log_softmax(duration[rows, wanted[:, 3]])[rows, wanted[:, 6]],
    )
    return -np.stack(picked, axis=1)


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


def _provider(name: str) -> list[str]:
    if name == "auto":
        return ["CPUExecutionProvider"]
    if name not in PROVIDERS:
        raise ModelError(f"provider: {name!r} is not known; give auto, {', '.join(PROVIDERS)}")
    wanted = PROVIDERS[name]
    there = onnxruntime.get_available_providers()
    if wanted not in there:
        raise ModelError(
            f"provider: {wanted} is not in this onnxruntime (it has {', '.join(there)}); "
            "install the gpu extra on a machine with CUDA, or give --provider cpu"
        )
    return [wanted, "CPUExecutionProvider"] if wanted != "CPUExecutionProvider" else [wanted]
