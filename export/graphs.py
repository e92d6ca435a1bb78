"""The network cut into the graphs that live play runs, each with its state in and out.

``step`` takes a note in; ``pitch`` tells the pitch of the next one once its part and place are chosen;
``touch`` its velocity and duration once its pitch is. Each sees what was drawn before it, so anything can be
forced, masked or biased in between. ``reply`` takes a note in and draws one in the same call, for the answer that
must leave at once: its part, time and duration are known, randomness and biases are inputs. Batch is a dynamic axis
of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from antiphon.models.generator import PARTS, PITCHES, VELOCITY_LEVELS
from antiphon.models.network import HIGHEST, KEYS, LOWEST, AntiphonNetwork, EventEncoder, PitchHead
from antiphon.models.roll import ROLL_CHANNELS
from torch import Tensor, nn
from torch.nn import functional


class FoldedEncoder(nn.Module):
    """`EventEncoder`, each embedding multiplied beforehand by its columns of the layer above: one look-up and a sum."""

    def __init__(self, encoder: EventEncoder) -> None:
        super().__init__()
        self.features, self.pool, self.code, self.norm = encoder.features, encoder.pool, encoder.code, encoder.norm
        embeddings = (
            encoder.part, encoder.gap, encoder.pitch, encoder.velocity, encoder.tick_in_beat, encoder.beat_in_bar
        )  # fmt: skip
        widths = [embedding.embedding_dim for embedding in embeddings]
        *columns, code = torch.split_with_sizes(encoder.out.weight.detach(), [*widths, encoder.code.out_features], 1)
        folded = [embedding.weight.detach() @ part.T for embedding, part in zip(embeddings, columns, strict=True)]
        self.register_buffer("table", torch.cat(folded))
        self.register_buffer("offsets", _offsets([len(part) for part in folded]))
        self.out = nn.Linear(code.shape[1], code.shape[0])
        self.out.weight.data, self.out.bias.data = code.contiguous(), encoder.out.bias.detach()

    def forward(self, event: Tensor, roll: Tensor) -> tuple[Tensor, Tensor]:
        """See `EventEncoder.forward`."""
        features = functional.relu(self.features(roll[:, :, LOWEST : HIGHEST + 1]))
        code = functional.relu(self.code(functional.relu(self.pool(features)).flatten(1)))
        looked_up = cast(Tensor, self.table)[event + cast(Tensor, self.offsets)].sum(dim=1)
        return self.norm(self.out(code) + looked_up), features


class FoldedPitchHead(nn.Module):
    """`PitchHead`, its four embeddings in one table."""

    def __init__(self, head: PitchHead) -> None:
        super().__init__()
        self.head = head
        tables = [embedding.weight.detach() for embedding in (head.part, head.gap, head.tick_in_beat, head.beat_in_bar)]
        self.register_buffer("table", torch.cat(tables))
        self.register_buffer("offsets", _offsets([len(table) for table in tables]))

    def forward(self, context: Tensor, features: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """See `PitchHead.forward`."""
        looked_up = cast(Tensor, self.table)[place + cast(Tensor, self.offsets)].sum(dim=1)
        return self.head.logits(functional.relu(self.head.context(context) + looked_up), features)


def _offsets(lengths: list[int]) -> Tensor:
    """Where each table begins in all of them put together: [1, tables]."""
    return torch.tensor([[sum(lengths[:index]) for index in range(len(lengths))]])


class StepGraph(nn.Module):
    """event [B, 6], roll [B, channels, 128], hidden [B, L, H] -> hidden, context, features, part and gap logits."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.network = network
        self.encoder = FoldedEncoder(network.encoder)
        self.register_buffer("every_part", torch.arange(PARTS)[None, :])

    def forward(self, event: Tensor, roll: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Take one note in."""
        network = self.network
        code, features = self.encoder(event, roll)
        layers = []
        for layer in range(network.config.layers):
            code = self._cell(layer, code, hidden[:, layer])
            layers.append(code)
        context = network.norm(code)
        gaps = network.time.gaps(context, cast(Tensor, self.every_part))
        return torch.stack(layers, dim=1), context, features, network.time.parts(context), gaps

    def _cell(self, layer: int, code: Tensor, hidden: Tensor) -> Tensor:
        # torch's GRU written out: plain matrix products quantise row by row, the fused operator does not
        recurrence, size = self.network.recurrence, self.network.config.hidden

        def product(name: str, value: Tensor) -> tuple[Tensor, Tensor]:
            weight, bias = (cast(Tensor, getattr(recurrence, f"{kind}_{name}_l{layer}")) for kind in ("weight", "bias"))
            gates, new = torch.split_with_sizes(functional.linear(value, weight, bias), [2 * size, size], 1)
            return gates, new

        (gates_i, new_i), (gates_h, new_h) = product("ih", code), product("hh", hidden)
        reset, update = torch.sigmoid(gates_i + gates_h).chunk(2, dim=1)
        new = torch.tanh(new_i + reset * new_h)
        return new + update * (hidden - new)


class PitchGraph(nn.Module):
    """context [B, H], features [B, F, KEYS], place [B, 4] -> pitch logits [B, 128], code [B, head]."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.head = FoldedPitchHead(network.pitch)

    def forward(self, context: Tensor, features: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Tell the pitch, given part, gap, tick in beat, beat in bar."""
        return cast(tuple[Tensor, Tensor], self.head(context, features, place))


class TouchGraph(nn.Module):
    """code [B, head], pitch [B] -> velocity logits [B, 16], duration logits [B, 16, 97], one row a velocity."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.head = network.touch
        self.register_buffer("every_velocity", torch.arange(VELOCITY_LEVELS)[None, :])

    def forward(self, code: Tensor, pitch: Tensor) -> tuple[Tensor, Tensor]:
        """Tell velocity and duration, given the pitch."""
        return cast(tuple[Tensor, Tensor], self.head(code, pitch, cast(Tensor, self.every_velocity)))


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
    """`StepGraph`, and the pitch and velocity level [B, 2] of a note at a known part, place and duration."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.step = StepGraph(network)
        self.pitch, self.touch = FoldedPitchHead(network.pitch), network.touch

    def forward(
        self, event: Tensor, roll: Tensor, hidden: Tensor, place: Tensor, pitch_bias: Tensor,
        velocity_bias: Tensor, uniforms: Tensor, sharpness: Tensor, top_p: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """Take one note in, and draw one at ``place`` (part, gap, tick in beat, beat in bar)."""
        hidden_out, context, features, parts, gaps = self.step(event, roll, hidden)
        pitches, code = self.pitch(context, features, place)
        pitch = draw(pitches + pitch_bias, uniforms[:, :1], sharpness, top_p)
        touch = functional.relu(self.touch.code(code) + self.touch.pitch(pitch))
        levels = self.touch.velocity_logits(touch)
        level = draw(levels + velocity_bias, uniforms[:, 1:], sharpness, top_p)
        log_probs = [
            torch.log_softmax(logits, 1).gather(1, choice[:, None])
            for logits, choice in ((pitches, pitch), (levels, level))
        ]
        choices = torch.stack([pitch, level], dim=1)
        return hidden_out, context, features, parts, gaps, choices, torch.cat(log_probs, dim=1)


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """A graph, what it takes and what it gives."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]  # example inputs with a batch of 2
    outputs: tuple[str, ...]


def graphs(network: AntiphonNetwork) -> tuple[GraphSpec, ...]:
    """Give the graphs with example inputs of batch 2."""
    config = network.config
    step = {
        "event": torch.tensor([[0, 0, 60, 8, 0, 0], [5, 96, 127, 15, 24, 8]]),
        "roll": torch.rand(2, ROLL_CHANNELS, PITCHES),
        "hidden": torch.randn(2, config.layers, config.hidden) * 0.3,
    }
    place = torch.tensor([[1, 12, 0, 2], [3, 96, 24, 8]])
    return (
        GraphSpec(
            "step", StepGraph(network), step,
            ("hidden_out", "context", "features", "part_logits", "gap_logits"),
        ),
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
            {"code": torch.rand(2, config.head), "pitch": torch.tensor([60, 127])},
            ("velocity_logits", "duration_logits"),
        ),
        GraphSpec(
            "reply", ReplyGraph(network),
            {
                **step, "place": place,
                "pitch_bias": torch.zeros(2, PITCHES),
                "velocity_bias": torch.zeros(2, VELOCITY_LEVELS),
                "uniforms": torch.tensor([[0.2, 0.5], [0.9, 0.1]]),
                "sharpness": torch.tensor([[1.0], [1.25]]),
                "top_p": torch.tensor([[1.0], [0.9]]),
            },
            ("hidden_out", "context", "features", "part_logits", "gap_logits", "choices", "log_probs"),
        ),
    )  # fmt: skip
