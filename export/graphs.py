"""The network cut into the graphs that live play runs, each with its state in and out.

``step`` takes a note in; ``pitch`` tells the pitch of the next one once its part and place are chosen;
``touch`` its velocity, duration and finer timing once its pitch is. Each sees what was drawn before it, so anything can
be forced, masked or biased in between. ``reply`` takes a note in and draws one in the same call, for the answer that
must leave at once: its part, time and duration are known, randomness and biases are inputs. Batch is a dynamic axis
of all, and so are the notes that a backbone recalls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from antiphon.export.folded import FoldedEncoder, FoldedPitchHead, FoldedTouchHead
from antiphon.models.backbones import RECALLED, Memory
from antiphon.models.controls import CONTROLS
from antiphon.models.events import CYCLE, EVENT
from antiphon.models.generator import PARTS, PITCHES, VELOCITY_LEVELS
from antiphon.models.network import KEYS, AntiphonNetwork
from antiphon.models.roll import ROLL_CHANNELS
from torch import Tensor, nn
from torch.nn import functional


class StepGraph(nn.Module):
    """A note [B, EVENT], roll, what is told, state -> state, context, features, part and gap logits.

    Where the backbone recalls, phase, keys and values come in (`backbones.Memory`), a key and a value go out.
    """

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.network = network
        self.encoder = FoldedEncoder(network.encoder)
        self.register_buffer("every_part", torch.arange(PARTS)[None, :])

    def forward(
        self, event: Tensor, roll: Tensor, controls: Tensor, hidden: Tensor, phase: Tensor | None = None,
        keys: Tensor | None = None, values: Tensor | None = None,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """Take one note in."""
        network = self.network
        code, features = self.encoder(event, roll, controls)
        memory = Memory(phase, keys, values) if phase is not None and keys is not None and values is not None else None
        code, hidden, added = network.backbone.step(code, hidden, memory)
        context = network.norm(code)
        gaps = network.time.gaps(context, cast(Tensor, self.every_part))
        out = (hidden, context, features, network.time.parts(context), gaps)
        return out if added is None else (*out, added.keys, added.values)


class PitchGraph(nn.Module):
    """context [B, H], features [B, F, KEYS], place [B, 4] -> pitch logits [B, 128], code [B, head]."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.head = FoldedPitchHead(network.pitch)

    def forward(self, context: Tensor, features: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Tell the pitch, given part, gap, tick in beat, beat in bar."""
        return cast(tuple[Tensor, Tensor], self.head(context, features, place))


class TouchGraph(nn.Module):
    """code [B, head], pitch [B], recent [B, RECENT] -> velocity logits [B, 16], and three more, a row a velocity.

    Those are of duration, of the velocity within its level and of the onset within its tick [B, 16, classes].
    """

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.head = FoldedTouchHead(network.touch)

    def forward(self, code: Tensor, pitch: Tensor, recent: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Tell velocity, duration and what is finer, given the pitch."""
        return cast(tuple[Tensor, Tensor, Tensor, Tensor], self.head(code, pitch, recent))


def draw(logits: Tensor, uniform: Tensor, sharpness: Tensor, top_p: Tensor) -> Tensor:
    """Draw a class in the graph, as `models.sampling.draw` does outside.

    Args:
        logits: [B, classes], biased; -inf forbids.
        uniform: [B, 1] in [0, 1).
        sharpness: [B, 1], one over the temperature.
        top_p: [B, 1].

    Returns:
        [B] classes.
    """
    chances = torch.softmax(logits * sharpness, dim=1)
    ranked, order = torch.topk(chances, logits.shape[1], dim=1)
    mass = torch.cumsum(ranked, dim=1)
    kept = torch.where(mass - ranked < top_p, mass, torch.zeros_like(mass)).amax(dim=1, keepdim=True)
    place = (mass <= uniform * kept).sum(dim=1, keepdim=True)
    return order.gather(1, place)[:, 0]


class ReplyGraph(nn.Module):
    """`StepGraph`, and the pitch, velocity level and velocity within it [B, 3] of a note at a known place."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.step = StepGraph(network)
        self.pitch, self.touch = FoldedPitchHead(network.pitch), FoldedTouchHead(network.touch)

    def forward(
        self, event: Tensor, roll: Tensor, controls: Tensor, hidden: Tensor, place: Tensor, known: Tensor,
        ended_keys: Tensor, pitch_bias: Tensor, velocity_bias: Tensor, uniforms: Tensor, sharpness: Tensor,
        top_p: Tensor, phase: Tensor | None = None, keys: Tensor | None = None, values: Tensor | None = None,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """Take one note in, and draw one at ``place`` (part, gap, tick in beat, beat in bar).

        ``known`` [B, 2] is the part's `Recent.ended` and `Recent.level` after the note, ``ended_keys`` [B, 128]
        `Recent.keys_of` the part.
        """
        taken_in = self.step(event, roll, controls, hidden, phase, keys, values)
        _, context, features, _, _ = taken_in[:5]
        pitches, code = self.pitch(context, features, place)
        pitch = draw(pitches + pitch_bias, uniforms[:, :1], sharpness, top_p)
        ended_key = ended_keys.gather(1, pitch[:, None])
        touch = self.touch.touch(code, pitch, torch.cat([known[:, :1], ended_key, known[:, 1:]], dim=1))
        head = self.touch.head
        levels = head.velocity_logits(touch)
        level = draw(levels + velocity_bias, uniforms[:, 1:2], sharpness, top_p)
        fine = draw(head.fine_logits(functional.relu(touch + head.velocity(level))), uniforms[:, 2:], sharpness, top_p)
        log_probs = [
            torch.log_softmax(logits, 1).gather(1, choice[:, None])
            for logits, choice in ((pitches, pitch), (levels, level))
        ]
        return (*taken_in, torch.stack([pitch, level, fine], dim=1), torch.cat(log_probs, dim=1))


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """A graph, what it takes and what it gives."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]  # example inputs with a batch of 2
    outputs: tuple[str, ...]
    growing: tuple[str, ...] = ()  # inputs whose second axis is dynamic, too
    fixed: tuple[str, ...] = ()  # inputs whose first axis is not the batch: it is as in the example


#: Notes recalled in the examples.
_RECALLED_NOTES = 5


def graphs(network: AntiphonNetwork) -> tuple[GraphSpec, ...]:
    """Give the graphs with example inputs of batch 2."""
    config = network.config
    ended = [[0, 5, 96, 1, 12, 24], [96, 1, 2, 3, 4, 5]]
    step = {
        "event": torch.tensor([[0, 0, 60, 8, 0, 0, 0, 7, *ended[0]], [5, 96, 127, 15, 24, 8, 8, 0, *ended[1]]]),
        "roll": torch.rand(2, ROLL_CHANNELS, PITCHES),
        "controls": torch.tensor([[0] * len(CONTROLS), [control.classes - 1 for control in CONTROLS]]),
        "hidden": torch.randn(2, sum(network.backbone.states)) * 0.3,
    }
    assert step["event"].shape[1] == EVENT
    state_out: tuple[str, ...] = ("hidden_out", "context", "features", "part_logits", "gap_logits")
    memory: dict[str, Tensor] = {}
    growing: tuple[str, ...] = ()
    if network.backbone.recalls:
        memory = {
            "phase": torch.tensor([[24, 0], [CYCLE - 1, CYCLE - 7]]),
            "keys": torch.randn(2, _RECALLED_NOTES, RECALLED),
            "values": torch.randn(2, _RECALLED_NOTES, RECALLED),
        }
        growing, state_out = ("keys", "values"), (*state_out, "key", "value")
    place = torch.tensor([[1, 12, 0, 2], [3, 96, 24, 8]])
    return (
        GraphSpec("step", StepGraph(network), {**step, **memory}, state_out, growing),
        GraphSpec(
            "pitch", PitchGraph(network),
            {
                "context": torch.randn(2, config.hidden),
                "features": torch.rand(2, config.features, KEYS),
                "place": place,
            },
            ("pitch_logits", "code"),
        ),
        GraphSpec(
            "touch", TouchGraph(network),
            {
                "code": torch.rand(2, config.head), "pitch": torch.tensor([60, 127]),
                "recent": torch.tensor([[0, 96, 16], [5, 12, 8]]),
            },
            ("velocity_logits", "duration_logits", "fine_logits", "shift_logits"),
        ),
        GraphSpec(
            "reply", ReplyGraph(network),
            {
                **step, "place": place,
                "known": torch.tensor([[12, 16], [0, 9]]),
                "ended_keys": torch.randint(0, 97, (2, PITCHES)),
                "pitch_bias": torch.zeros(2, PITCHES),
                "velocity_bias": torch.zeros(2, VELOCITY_LEVELS),
                "uniforms": torch.tensor([[0.2, 0.5, 0.1], [0.9, 0.1, 0.6]]),
                "sharpness": torch.tensor([[1.0], [1.25]]),
                "top_p": torch.tensor([[1.0], [0.9]]),
                **memory,
            },
            (*state_out, "choices", "log_probs"), growing,
        ),
    )  # fmt: skip
