"""The backbone's step for a rollout: what was heard before it is shared, what a line adds has room set aside.

`models.backbones.Recall.step` takes all notes before as one array, which would grow, and be copied, with every note of
every line. Here the notes before stay one array for all lines, and each line's own are written into
arrays of a fixed size, masked where nothing is written yet. So every shape is the same from note to note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from antiphon.models.backbones import HEAD, HEADS, Backbone, Linear, Mlp, Recall
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Room:
    """What `recall` looks back on. M notes before the rollout, N that it will draw."""

    phase: Tensor  # int64 [B, 1]
    keys: Tensor  # [1, M, RECALLED], of all lines
    values: Tensor
    own_keys: Tensor  # [B, N, RECALLED]
    own_values: Tensor
    count: Tensor  # int64 [1]: so many of the line's own are written

    def written(self, key: Tensor, value: Tensor) -> Room:
        """Give the room with a note's key and value [B, RECALLED] at the next place."""
        here = (torch.arange(self.own_keys.shape[1], device=key.device) == self.count)[None, :, None]
        return Room(
            self.phase, self.keys, self.values, torch.where(here, key[:, None], self.own_keys),
            torch.where(here, value[:, None], self.own_values), self.count,
        )  # fmt: skip


class RolloutBackbone(nn.Module):
    """`Backbone.step`, with `Room` in place of `Memory`."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def step(self, x: Tensor, state: Tensor, room: Room | None) -> tuple[Tensor, Tensor, Room | None]:
        """Take one note [B, H] in; see `Backbone.step`."""
        after = []
        states = torch.split_with_sizes(state, self.backbone.states, 1)
        for block, before in zip(self.backbone.blocks, states, strict=True):
            if isinstance(block, Recall):
                assert room is not None
                x, kept, room = _recalled(block, x, before, room)
            elif isinstance(block, Mlp):
                x, kept = block(x), before
            else:
                x, kept = cast(Linear, block).step(x, before)
            after.append(kept)
        return x, torch.cat(after, dim=1), room


def _recalled(block: Recall, x: Tensor, state: Tensor, room: Room) -> tuple[Tensor, Tensor, Room]:
    """Do as `Recall.step`."""
    note = block.norm(x)
    query = block._turned(block.query(note), room.phase[:, 0])[:, :, None]  # [B, HEADS, 1, HEAD]
    key = torch.cat([block._turned(block.key(note), room.phase[:, 0]), state.view(-1, HEADS // 2, HEAD)], dim=-2)
    led = block._turned(block.key_before(note), room.phase[:, 0])
    value = block.value(note).view(-1, HEADS, HEAD)
    unwritten = torch.arange(room.own_keys.shape[1], device=x.device) >= room.count
    scores = [
        (query @ _by_head(room.keys).transpose(2, 3))[:, :, 0],
        (query @ _by_head(room.own_keys).transpose(2, 3))[:, :, 0].masked_fill(unwritten, float("-inf")),
        (query @ key[..., None])[:, :, 0],
    ]
    weight = torch.softmax(torch.cat(scores, dim=-1) * HEAD**-0.5, dim=-1)
    before, own = room.keys.shape[1], room.own_keys.shape[1]
    heard, drawn, last = torch.split_with_sizes(weight, [before, own, 1], dim=-1)
    found = (heard[:, :, None] @ _by_head(room.values))[:, :, 0] + (drawn[:, :, None] @ _by_head(room.own_values))[
        :, :, 0
    ]
    out = x + block.leave((found + last * value).flatten(1))
    return out, led.flatten(1), room.written(key.flatten(1), value.flatten(1))


def _by_head(rows: Tensor) -> Tensor:
    """Map [B, N, RECALLED] to [B, HEADS, N, HEAD]."""
    return rows.view(rows.shape[0], rows.shape[1], HEADS, HEAD).transpose(1, 2)
