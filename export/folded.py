"""Parts of the network with their embeddings folded into one table each, and products of one input into one."""

from __future__ import annotations

from typing import cast

import torch
from antiphon.export.lean import never_alone, offsets, summed
from antiphon.models.events import EVENT
from antiphon.models.generator import PITCHES, TIME_CLASSES, VELOCITY_LEVELS, VELOCITY_STEP
from antiphon.models.network import HIGHEST, LOWEST, EventEncoder, PitchHead, TouchHead
from antiphon.models.notes import SHIFTS
from torch import Tensor, nn
from torch.nn import functional

#: What is told last of a note, in the order of one product.
STRUCK = (TIME_CLASSES, VELOCITY_STEP, SHIFTS)


class FoldedEncoder(nn.Module):
    """`EventEncoder`, each embedding multiplied beforehand by its columns of the layer above: one look-up and a sum.

    Args:
        encoder: the network's.
        padded: the codes come with one row more (`lean.never_alone`).
    """

    def __init__(self, encoder: EventEncoder, padded: bool = False) -> None:
        super().__init__()
        self.features, self.pool, self.code, self.norm = encoder.features, encoder.pool, encoder.code, encoder.norm
        self.padded = padded
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
        """Map told [B, EVENT + controls] (the event, what is told with it) and roll to code [B, 1, H] and features.

        See `EventEncoder.forward`; what is told is added.
        """
        features = functional.relu(self.features(roll[:, :, LOWEST : HIGHEST + 1]))
        pooled = functional.relu(self.pool(features))
        code = pooled.view(-1, 1, pooled.shape[1] * pooled.shape[2])
        rows = functional.embedding(told + cast(Tensor, self.offsets), cast(Tensor, self.table))
        both = cast(Tensor, self.which) @ rows
        if self.padded:
            code, both = never_alone(code), never_alone(both)
        looked_up, added = torch.split_with_sizes(both, [1, 1], 1)
        return self.norm(self.out(functional.relu(self.code(code))) + looked_up) + added, features


class FoldedPitchHead(nn.Module):
    """`PitchHead`, its four embeddings in one table, the state's two effects on the logits in one product."""

    def __init__(self, head: PitchHead) -> None:
        super().__init__()
        self.head = head
        tables = [embedding.weight.detach() for embedding in (head.part, head.gap, head.tick_in_beat, head.beat_in_bar)]
        self.register_buffer("table", torch.cat(tables))
        self.register_buffer("offsets", offsets([len(table) for table in tables]))
        self.told = joined(head.film, head.absolute)
        self.sizes = [head.film.out_features // 2] * 2 + [head.absolute.out_features]
        with torch.no_grad():
            self.told.bias[: self.sizes[0]] += 1.0  # a scale is around one

    def forward(self, context: Tensor, features: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Map context [B, 1, H], features and place [B, 4] to logits [B, 1, 128] and code [B, 1, head].

        See `PitchHead.forward`. Of `lean.never_alone` the context alone may have the row more; so has the code then.
        """
        return self.at(self.head.context(context), features, place)

    def at(self, told: Tensor, features: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Do as `forward`, of `PitchHead.context` of the context."""
        looked_up = summed(functional.embedding(place + cast(Tensor, self.offsets), cast(Tensor, self.table)))
        if looked_up.shape[0] != told.shape[0]:
            looked_up = never_alone(looked_up)
        code = functional.relu(told + looked_up)
        effects, head = self.told(code), self.head
        if features.shape[0] != effects.shape[0]:  # `len` would have the exporter take the batch as fixed
            effects = effects[:-1]
        scale, shift, absolute = torch.split_with_sizes(effects, self.sizes, 2)
        channels = self.sizes[0]
        view = head.around(features) * scale.reshape(-1, channels, 1) + shift.reshape(-1, channels, 1)
        around = functional.pad(head.logit(functional.relu(view)), (LOWEST, PITCHES - 1 - HIGHEST))
        return around + absolute, code


class FoldedTouchHead(nn.Module):
    """`TouchHead`, what is known of the note in one table, what is told last of it in one product."""

    def __init__(self, head: TouchHead) -> None:
        super().__init__()
        self.head = head
        tables = [embedding.weight.detach() for embedding in (head.pitch, head.ended_key, head.ended, head.level)]
        self.register_buffer("table", torch.cat(tables))
        self.register_buffer("offsets", offsets([len(table) for table in tables]))
        self.register_buffer("levels", torch.arange(VELOCITY_LEVELS)[None, :])
        self.struck = joined(head.duration_logits, head.fine_logits, head.shift_logits)

    def touch(self, code: Tensor, pitch: Tensor, recent: Tensor) -> Tensor:
        """Map code [B, 1, head], pitch [B] and recent [B, RECENT] to [B, 1, TOUCH]; see `TouchHead.touch`."""
        ended, ended_key, level = torch.split_with_sizes(recent, [1, 1, 1], 1)
        return self.known(code, torch.cat([pitch[:, None], ended_key, ended, level], dim=1))

    def known(self, code: Tensor, known: Tensor) -> Tensor:
        """Map code [B, 1, head] and known [B, 4] to [B, 1, TOUCH].

        Known are the pitch, the duration of its key and of its part, the level of its part. Of `lean.never_alone` the
        code alone may have the row more.
        """
        told = summed(functional.embedding(known + cast(Tensor, self.offsets), cast(Tensor, self.table)))
        if told.shape[0] != code.shape[0]:
            told = never_alone(told)
        return functional.relu(self.head.code(code) + told)

    def forward(self, code: Tensor, pitch: Tensor, recent: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of every velocity: levels [B, 1, classes] and three more [B, levels, classes]; see `TouchHead.forward`."""
        head, touch = self.head, self.touch(code, pitch, recent)
        struck = functional.relu(touch + head.velocity(cast(Tensor, self.levels)))
        duration, fine, shift = torch.split_with_sizes(self.struck(struck), list(STRUCK), 2)
        return head.velocity_logits(touch), duration, fine, shift


def joined(*layers: nn.Linear) -> nn.Linear:
    """Give layers of one input as one layer, their outputs after each other."""
    whole = nn.Linear(layers[0].in_features, sum(layer.out_features for layer in layers))
    with torch.no_grad():
        whole.weight.copy_(torch.cat([layer.weight for layer in layers]))
        whole.bias.copy_(torch.cat([layer.bias for layer in layers]))
    return whole
