"""Parts of the network with their embeddings folded into one table each, and products of one input into one."""

from __future__ import annotations

from typing import cast

import torch
from antiphon.export.lean import offsets, summed
from antiphon.models.events import EVENT
from antiphon.models.generator import PITCHES, TIME_CLASSES, VELOCITY_LEVELS, VELOCITY_STEP
from antiphon.models.network import EventEncoder, PitchHead, TouchHead
from antiphon.models.notes import SHIFTS
from antiphon.models.roll import HIGHEST, KEYS, LOWEST
from torch import Tensor, nn
from torch.nn import functional

#: What is told last of a note, in the order of one product.
STRUCK = (TIME_CLASSES, VELOCITY_STEP, SHIFTS)


class FoldedEncoder(nn.Module):
    """`EventEncoder`, each embedding multiplied beforehand by its columns of the layer above: one look-up and a sum.

    Args:
        encoder: the network's.
    """

    def __init__(self, encoder: EventEncoder) -> None:
        super().__init__()
        self.features, self.pool, self.code, self.norm = encoder.features, encoder.pool, encoder.code, encoder.norm
        embeddings = encoder.embeddings
        widths = [embedding.embedding_dim for embedding in embeddings]
        *columns, code = torch.split_with_sizes(encoder.out.weight.detach(), [*widths, encoder.code.out_features], 1)
        folded = [embedding.weight.detach() @ part.T for embedding, part in zip(embeddings, columns, strict=True)]
        told = [cast(nn.Embedding, embedding).weight.detach() for embedding in encoder.controls]
        self.register_buffer("table", torch.cat([*folded, *told]))
        self.register_buffer("offsets", offsets([len(part) for part in (*folded, *told)]))
        rows = torch.arange(len(folded) + len(told)) < EVENT  # the event's go through the norm, the others do not
        self.register_buffer("which", torch.stack([rows, ~rows]).float())
        self.out = nn.Linear(code.shape[1], code.shape[0])
        self.out.weight.data, self.out.bias.data = code.contiguous(), encoder.out.bias.detach()

    def forward(self, told: Tensor, roll: Tensor) -> tuple[Tensor, Tensor]:
        """Map told [B, EVENT + controls] and roll [B, channels, KEYS] to code [B, 1, H] and features [B, F, KEYS].

        See `EventEncoder.forward`; what is told with the event is added.
        """
        features = functional.relu(self.features(roll))
        pooled = functional.relu(self.pool(features))
        code = pooled.view(-1, 1, pooled.shape[1] * pooled.shape[2])
        rows = functional.embedding(told + cast(Tensor, self.offsets), cast(Tensor, self.table))
        looked_up, added = torch.split_with_sizes(cast(Tensor, self.which) @ rows, [1, 1], 1)
        return self.norm(self.out(functional.relu(self.code(code))) + looked_up) + added, features


class FoldedPitchHead(nn.Module):
    """`PitchHead`, its four embeddings in one table, the state's two effects on the logits in one product."""

    def __init__(self, head: PitchHead) -> None:
        super().__init__()
        self.head = head
        tables = [embedding.weight.detach() for embedding in (head.part, head.gap, head.tick_in_beat, head.beat_in_bar)]
        self.register_buffer("table", torch.cat(tables))
        self.told = joined(head.film, head.absolute)
        channels = head.film.out_features // 2
        self.sizes = [2 * channels, head.absolute.out_features]
        self.channels = [channels, channels]
        self.register_buffer("logit", head.logit.weight.detach()[:, :, 0].clone())
        with torch.no_grad():
            self.told.bias[:channels] += 1.0  # a scale is around one
            lowest = self.sizes[0] + LOWEST
            self.told.bias[lowest : lowest + KEYS] += cast(Tensor, head.logit.bias)

    def forward(self, told: Tensor, features: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Map told [B, 1, head], features and place [B, 4] to logits [B, 1, 128] and code [B, 1, head].

        Told is `PitchHead.context` of the context; the place is rows of the table, `asking.PLACE_ROWS` added. See
        `PitchHead.forward`.
        """
        looked_up = summed(functional.embedding(place, cast(Tensor, self.table)))
        code = functional.relu(told + looked_up)
        effects, absolute = torch.split_with_sizes(self.told(code), self.sizes, 2)
        scale, shift = torch.split_with_sizes(effects.view(-1, self.sizes[0], 1), self.channels, 1)
        view = functional.relu(self.head.around(features) * scale + shift)
        around = functional.pad(cast(Tensor, self.logit) @ view, (LOWEST, PITCHES - 1 - HIGHEST))
        return around + absolute, code


class FoldedTouchHead(nn.Module):
    """`TouchHead`, what is known of the note in one table, what is told last of it in one product.

    Each kind of what is told last is as wide as the widest; what there is no class for stays 0 there, and is to be
    forbidden from outside.
    """

    def __init__(self, head: TouchHead) -> None:
        super().__init__()
        self.head = head
        tables = [embedding.weight.detach() for embedding in (head.pitch, head.ended_key, head.ended, head.level)]
        self.register_buffer("table", torch.cat(tables))
        self.register_buffer("levels", torch.arange(VELOCITY_LEVELS)[None, :])
        layers = (head.duration_logits, head.fine_logits, head.shift_logits)
        self.struck = joined(*layers, width=max(layer.out_features for layer in layers))

    def touch(self, code: Tensor, known: Tensor) -> Tensor:
        """Map code [B, 1, head] and known [B, 4] to [B, 1, TOUCH]; see `TouchHead.touch`.

        Known are the pitch, the duration of its key and of its part, the level of its part, as rows of the table:
        `asking.TOUCH_ROWS` added.
        """
        told = summed(functional.embedding(known, cast(Tensor, self.table)))
        return functional.relu(self.head.code(code) + told)

    def forward(self, code: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of every velocity: levels [B, 1, classes] and three more [B, levels, classes]; see `TouchHead.forward`."""
        head, touch = self.head, self.touch(code, known)
        struck = functional.relu(touch + head.velocity(cast(Tensor, self.levels)))
        width = self.struck.out_features // len(STRUCK)
        rest = [size for kept in STRUCK for size in (kept, width - kept)]
        duration, _, fine, _, shift, _ = torch.split_with_sizes(self.struck(struck), rest, 2)
        return head.velocity_logits(touch), duration, fine, shift


def joined(*layers: nn.Linear, width: int = 0) -> nn.Linear:
    """Give layers of one input as one layer, their outputs after each other, each ``width`` wide at least."""
    sizes = [max(width, layer.out_features) for layer in layers]
    whole = nn.Linear(layers[0].in_features, sum(sizes))
    with torch.no_grad():
        whole.weight.zero_()
        whole.bias.zero_()
        for number, layer in enumerate(layers):
            first = sum(sizes[:number])
            whole.weight[first : first + layer.out_features] = layer.weight
            whole.bias[first : first + layer.out_features] = layer.bias
    return whole
