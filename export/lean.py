"""The backbone's step and the encoder in as few operators as they take: what costs live is their number.

A graph that is called once every few milliseconds pays for every operator as if for the first time: caches are cold. So
products of one input are one product, heads are told apart by where a query is zero instead of by turning tensors
round, and short sums are products with ones (whose order of adding does not depend on the batch either). The same
numbers as `Backbone.step` gives, up to rounding: a test holds them equal.

Shapes: B rows, H hidden, N notes recalled. Every row but the recalled ones comes with one more below (`never_alone`).
"""

from __future__ import annotations

from typing import cast

import torch
from antiphon.models.backbones import HEAD, HEADS, RECALLED, TAPS, Backbone, Linear, Memory, Mlp, Recall
from torch import Tensor, nn
from torch.nn import functional

_HALF = HEAD // 2


def never_alone(rows: Tensor) -> Tensor:
    """Add the first row once more, at the end: 8-bit products take a single row by another way than many.

    See `export.quantise`: with this once, at its inputs, a graph's products need none of their own.
    """
    return torch.cat([rows, rows[:1]])


def summed(rows: Tensor) -> Tensor:
    """Sum [B, rows, width] to [B, width]: as a product, whose order of adding does not depend on the batch."""
    return (rows.new_ones(1, rows.shape[1]) @ rows)[:, 0]


def offsets(lengths: list[int]) -> Tensor:
    """Where each table begins in all of them put together: [1, tables]."""
    return torch.tensor([[sum(lengths[:index]) for index in range(len(lengths))]])


class LeanLinear(nn.Module):
    """`Linear.step`, the convolution over notes as one product."""

    def __init__(self, block: Linear) -> None:
        super().__init__()
        self.block = block
        self.register_buffer("taps", block.taps.detach()[None])

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map [B, H] and state [B, 4 H] to [B, H] and the two parts of the state after."""
        block, size = self.block, self.block.hidden
        before, held = torch.split_with_sizes(state, [(TAPS - 1) * size, size], 1)
        notes = torch.cat([before, block.norm(x)], dim=1)
        heard = summed(notes.view(-1, TAPS, size) * cast(Tensor, self.taps))
        gate, new, out = torch.split_with_sizes(block.enter(heard), [size] * 3, 1)
        held = held + torch.sigmoid(gate) * (new - held)
        return x + block.leave(held * functional.silu(out)), (notes[:, size:], held)


class LeanRecall(nn.Module):
    """`Recall.step`: one product for query, key and value, one turn for all, and heads never moved apart.

    A query is laid out once for each head, zero but in its head's columns, so that whole rows of keys as they are
    stored are multiplied.
    """

    def __init__(self, block: Recall) -> None:
        super().__init__()
        self.block = block
        self.told = nn.Linear(block.hidden, 2 * RECALLED + RECALLED // 2)
        with torch.no_grad():
            self.told.weight.copy_(torch.cat([block.query.weight, block.key.weight, block.value.weight]))
            self.told.bias.copy_(torch.cat([block.query.bias, block.key.bias, block.value.bias]))
            self.told.weight[:RECALLED] *= HEAD**-0.5
            self.told.bias[:RECALLED] *= HEAD**-0.5
        cosine, sine = cast(Tensor, block.turn)  # [CYCLE, HEAD / 2]
        self.register_buffer("turn", torch.cat([cosine, cosine, -sine, sine], dim=1))
        self.register_buffer("other_half", torch.arange(HEAD).roll(_HALF))
        own = torch.eye(HEADS)
        self.register_buffer("own", own[None, :, :, None])
        place = torch.arange(RECALLED)
        self.register_buffer("of_head", place // HEAD * RECALLED + place)
        #: which phase each turned head is told: the queries and half of the keys this note's, the others the one before
        self.register_buffer("whose", torch.tensor([0] * (HEADS + HEADS // 2) + [1] * (HEADS // 2)))

    def forward(
        self, x: Tensor, state: Tensor, phase: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Take one note in; see `Recall.step`. ``keys`` and ``values`` have a row less than the others."""
        block = self.block
        note = block.norm(x)
        turning, value = torch.split_with_sizes(self.told(note), [RECALLED + RECALLED // 2, RECALLED], 1)
        heads = torch.cat([turning, block.key_before(state)], dim=1)[:-1].view(-1, 2 * HEADS, HEAD)
        value = value[:-1]
        around = functional.embedding(phase[:-1].index_select(1, cast(Tensor, self.whose)), cast(Tensor, self.turn))
        cosine, sine = torch.split_with_sizes(around, [HEAD, HEAD], 2)
        heads = heads * cosine + heads.index_select(2, cast(Tensor, self.other_half)) * sine
        query, key = torch.split_with_sizes(heads, [HEADS, HEADS], 1)
        asked = (query[:, :, None] * cast(Tensor, self.own)).view(-1, HEADS, RECALLED)
        key = key.reshape(-1, 1, RECALLED)
        scores = torch.cat([asked @ key.transpose(1, 2), asked @ keys.transpose(1, 2)], dim=2)
        weight = torch.softmax(scores, dim=2)
        found = weight[:, :, 1:] @ values + weight[:, :, :1] * value[:, None]
        found = never_alone(found.view(-1, HEADS * RECALLED).index_select(1, cast(Tensor, self.of_head)))
        return x + block.leave(found), note, key[:, 0], value


class LeanBackbone(nn.Module):
    """`Backbone.step`."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.states = backbone.states
        self.blocks = nn.ModuleList(
            LeanLinear(block)
            if isinstance(block, Linear)
            else LeanRecall(block)
            if isinstance(block, Recall)
            else block
            for block in backbone.blocks
        )

    def forward(self, x: Tensor, state: Tensor, memory: Memory | None) -> tuple[Tensor, list[Tensor], Memory | None]:
        """Take one note in; see `Backbone.step`. The memory has a row less; the state after comes in parts."""
        after: list[Tensor] = []
        for block, before in zip(self.blocks, torch.split_with_sizes(state, self.states, 1), strict=True):
            if isinstance(block, LeanRecall):
                assert memory is not None
                x, kept, key, value = block(x, before, memory.phase, memory.keys, memory.values)
                memory = Memory(memory.phase, key, value)
                after.append(kept)
            elif isinstance(block, LeanLinear):
                x, both = block(x, before)
                after.extend(both)
            elif isinstance(block, Mlp):
                x = block(x)
            else:
                x, kept = cast(Linear, block).step(x, before)
                after.append(kept)
        return x, after, memory
