"""The backbone's step and the encoder in as few operators as they take: what costs live is their number.

A graph that is called once every few milliseconds pays for every operator as if for the first time: caches are cold. So
products of one input are one product, heads are told apart by where a query is zero instead of by turning tensors
round, and short sums are products with ones (whose order of adding does not depend on the batch either). Rows keep an
axis of one, which is what such a product leaves, so that nothing is squeezed; the state before comes cut into its
pieces, and they leave as pieces. The same numbers as `Backbone.step` gives, up to rounding: a test holds them equal.

Shapes: B rows, H hidden, N notes recalled.
"""

from __future__ import annotations

from typing import cast

import torch
from antiphon.export.operators import turned
from antiphon.models.backbones import HEAD, HEADS, RECALLED, TAPS, Backbone, Linear, Memory, Mlp, Recall
from torch import Tensor, nn
from torch.nn import functional


def summed(rows: Tensor) -> Tensor:
    """Sum [B, rows, width] to [B, 1, width]: as a product, whose order of adding does not depend on the batch."""
    return rows.new_ones(1, rows.shape[1]) @ rows


def offsets(lengths: list[int]) -> Tensor:
    """Where each table begins in all of them put together: [1, tables]."""
    return torch.tensor([[sum(lengths[:index]) for index in range(len(lengths))]])


class LeanLinear(nn.Module):
    """`Linear.step`, the convolution over notes as one product."""

    def __init__(self, block: Linear) -> None:
        super().__init__()
        self.block = block
        self.pieces = [block.hidden] * TAPS
        self.register_buffer("taps", block.taps.detach()[None])

    def forward(self, x: Tensor, before: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Map [B, 1, H] and the pieces of the state, `TAPS` times [B, 1, H], to [B, 1, H] and those after."""
        block, size = self.block, self.block.hidden
        *earlier, held = before
        note = block.norm(x)
        notes = torch.cat([*earlier, note], dim=2)
        heard = summed(notes.view(-1, TAPS, size) * cast(Tensor, self.taps))
        gate, new, out = torch.split_with_sizes(block.enter(heard), [size] * 3, 2)
        held = held + torch.sigmoid(gate) * (new - held)
        return x + block.leave(held * functional.silu(out)), [*earlier[1:], note, held]


class LeanRecall(nn.Module):
    """`Recall.step`: one product for value, query and both keys, one turn for all, and heads never moved apart.

    A query is laid out once for each head, zero but in its head's columns, so that whole rows of keys as they are
    stored are multiplied. Values come with a row of zeros before them, where the note's own weight stands: what was
    found before is multiplied by all weights as they are, and the note's own value is added.
    """

    def __init__(self, block: Recall) -> None:
        super().__init__()
        self.block = block
        self.pieces = [RECALLED // 2]
        parts = (block.value, block.query, block.key, block.key_before)
        self.told = nn.Linear(block.hidden, sum(part.out_features for part in parts))
        with torch.no_grad():
            self.told.weight.copy_(torch.cat([part.weight for part in parts]))
            self.told.bias.copy_(torch.cat([part.bias for part in parts]))
            self.told.weight[RECALLED : 2 * RECALLED] *= HEAD**-0.5
            self.told.bias[RECALLED : 2 * RECALLED] *= HEAD**-0.5
        cosine, sine = cast(Tensor, block.turn)  # [CYCLE, HEAD / 2]
        self.register_buffer("cosine", cosine.clone())
        self.register_buffer("sine", sine.clone())
        self.register_buffer("own", torch.eye(HEADS).repeat_interleave(HEAD, dim=1)[None])
        place = torch.arange(RECALLED)
        self.register_buffer("of_head", place // HEAD * RECALLED + place)

    def forward(
        self, x: Tensor, led: Tensor, phase: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Take one note in; see `Recall.step`. ``values`` [B, 1 + N, RECALLED] begin with zeros."""
        block = self.block
        value, turning = torch.split_with_sizes(self.told(block.norm(x)), [RECALLED, 2 * RECALLED], 2)
        heads = turned(turning, phase, cast(Tensor, self.cosine), cast(Tensor, self.sine))
        query, key, leads = torch.split_with_sizes(heads, [RECALLED, RECALLED // 2, RECALLED // 2], 2)
        asked = query * cast(Tensor, self.own)
        key = torch.cat([key, led], dim=2)
        scores = torch.cat([asked @ key.transpose(1, 2), asked @ keys.transpose(1, 2)], dim=2)
        weight = torch.softmax(scores, dim=2)
        found = weight @ values + weight[:, :, :1] * value
        found = found.view(-1, 1, HEADS * RECALLED).index_select(2, cast(Tensor, self.of_head))
        return x + block.leave(found), leads, key, value


class LeanBackbone(nn.Module):
    """`Backbone.step`."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            LeanLinear(block)
            if isinstance(block, Linear)
            else LeanRecall(block)
            if isinstance(block, Recall)
            else block
            for block in backbone.blocks
        )
        #: Sizes of the state's pieces, by block.
        self.pieces = [
            list(block.pieces) if isinstance(block, LeanLinear | LeanRecall) else [size] if size else []
            for block, size in zip(self.blocks, backbone.states, strict=True)
        ]

    def forward(
        self, x: Tensor, state: list[Tensor], memory: Memory | None
    ) -> tuple[Tensor, list[Tensor], Memory | None]:
        """Take one note in; see `Backbone.step`.

        Rows are [B, 1, ...]; the state comes and leaves in its pieces, and what the note adds to the memory as
        [B, 1, RECALLED].
        """
        cut = iter(state)
        after: list[Tensor] = []
        for block, sizes in zip(self.blocks, self.pieces, strict=True):
            before = [next(cut) for _ in sizes]
            if isinstance(block, LeanRecall):
                assert memory is not None
                x, kept, key, value = block(x, before[0], memory.phase, memory.keys, memory.values)
                memory = Memory(memory.phase, key, value)
                after.append(kept)
            elif isinstance(block, LeanLinear):
                x, kept_pieces = block(x, before)
                after.extend(kept_pieces)
            elif isinstance(block, Mlp):
                x = block(x)
            else:
                new, kept = cast(Linear, block).step(x[:, 0], before[0][:, 0])
                x = new[:, None]
                after.append(kept[:, None])
        return x, after, memory
