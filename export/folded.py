"""Parts of the network with their embeddings folded into one table each: one look-up and a sum, instead of many."""

from __future__ import annotations

from typing import cast

import torch
from antiphon.models.generator import VELOCITY_LEVELS
from antiphon.models.network import HIGHEST, LOWEST, EventEncoder, PitchHead, TouchHead
from torch import Tensor, nn
from torch.nn import functional


class FoldedEncoder(nn.Module):
    """`EventEncoder`, each embedding multiplied beforehand by its columns of the layer above: one look-up and a sum."""

    def __init__(self, encoder: EventEncoder) -> None:
        super().__init__()
        self.features, self.pool, self.code, self.norm = encoder.features, encoder.pool, encoder.code, encoder.norm
        embeddings = encoder.embeddings
        widths = [embedding.embedding_dim for embedding in embeddings]
        *columns, code = torch.split_with_sizes(encoder.out.weight.detach(), [*widths, encoder.code.out_features], 1)
        folded = [embedding.weight.detach() @ part.T for embedding, part in zip(embeddings, columns, strict=True)]
        self.register_buffer("table", torch.cat(folded))
        self.register_buffer("offsets", _offsets([len(part) for part in folded]))
        told = [cast(nn.Embedding, embedding).weight.detach() for embedding in encoder.controls]
        self.register_buffer("told", torch.cat(told))
        self.register_buffer("told_offsets", _offsets([len(part) for part in told]))
        self.out = nn.Linear(code.shape[1], code.shape[0])
        self.out.weight.data, self.out.bias.data = code.contiguous(), encoder.out.bias.detach()

    def forward(self, event: Tensor, roll: Tensor, controls: Tensor) -> tuple[Tensor, Tensor]:
        """See `EventEncoder.forward`; what is told is added."""
        features = functional.relu(self.features(roll[:, :, LOWEST : HIGHEST + 1]))
        code = functional.relu(self.code(functional.relu(self.pool(features)).flatten(1)))
        looked_up = _summed(cast(Tensor, self.table)[event + cast(Tensor, self.offsets)])
        told = _summed(cast(Tensor, self.told)[controls + cast(Tensor, self.told_offsets)])
        return self.norm(self.out(code) + looked_up) + told, features


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
        looked_up = _summed(cast(Tensor, self.table)[place + cast(Tensor, self.offsets)])
        return self.head.logits(functional.relu(self.head.context(context) + looked_up), features)


def _summed(rows: Tensor) -> Tensor:
    """Sum [B, rows, width] to [B, width]: as a product, whose order of adding does not depend on the batch."""
    return (rows.new_ones(1, rows.shape[1]) @ rows)[:, 0]


def _offsets(lengths: list[int]) -> Tensor:
    """Where each table begins in all of them put together: [1, tables]."""
    return torch.tensor([[sum(lengths[:index]) for index in range(len(lengths))]])


class FoldedTouchHead(nn.Module):
    """`TouchHead`, what is known of the note in one table."""

    def __init__(self, head: TouchHead) -> None:
        super().__init__()
        self.head = head
        tables = [embedding.weight.detach() for embedding in (head.pitch, head.ended, head.ended_key, head.level)]
        self.register_buffer("table", torch.cat(tables))
        self.register_buffer("offsets", _offsets([len(table) for table in tables]))
        self.register_buffer("levels", torch.arange(VELOCITY_LEVELS)[None, :])

    def touch(self, code: Tensor, pitch: Tensor, recent: Tensor) -> Tensor:
        """See `TouchHead.touch`."""
        known = torch.cat([pitch[:, None], recent], dim=1) + cast(Tensor, self.offsets)
        return functional.relu(self.head.code(code) + _summed(cast(Tensor, self.table)[known]))

    def forward(self, code: Tensor, pitch: Tensor, recent: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See `TouchHead.forward`, of every velocity."""
        head, touch = self.head, self.touch(code, pitch, recent)
        struck = functional.relu(touch[:, None, :] + head.velocity(cast(Tensor, self.levels)))
        finer = head.duration_logits(struck), head.fine_logits(struck), head.shift_logits(struck)
        return (head.velocity_logits(touch), *finer)
