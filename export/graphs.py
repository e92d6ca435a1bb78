"""The network cut into the graphs that live play runs, each with its state in and out.

``step`` takes a note in; ``time`` tells part and gap of the next one; ``pitch`` its pitch once these are chosen;
``touch`` its velocity, duration and finer timing once its pitch is. Each sees what was drawn before it, so anything can
be forced, masked or biased in between. A state leaves the heads to whoever draws from it: most states of a window that
is primed, or of a performer who is answered at once, are never asked when something comes next. The whole of it in one
call is `export.reply_graph`. Batch is a dynamic axis of all, and so are the notes that a backbone recalls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from antiphon.export.folded import FoldedEncoder, FoldedPitchHead, FoldedTouchHead
from antiphon.export.lean import LeanBackbone
from antiphon.models.asking import PLACE_ROWS, TOUCH_ROWS
from antiphon.models.backbones import Memory
from antiphon.models.events import TOLD
from antiphon.models.network import AntiphonNetwork, TimeHead
from antiphon.models.roll import KEYS, ROLL_CHANNELS
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What is there after a note; rows are [B, 1, ...], but for the features [B, F, KEYS]."""

    context: Tensor
    features: Tensor
    state: Tensor  # as `models.onnx_state.StateLayout` has it
    more: tuple[Tensor, ...]  # what was told and given besides, cut as asked for


class StepGraph(nn.Module):
    """A note, roll, state -> the state after, in one row [B, 1, width] as `models.onnx_state.StateLayout` has it.

    Whole numbers come in one row and others in one, as each input costs more than what is in it: ``told`` [B, TOLD] is
    the event, what is told with it and the phase (`models.events.told_of`), ``given`` [B, 1, width] the roll of the
    keys and the recurrent state before. Where the backbone recalls, keys [B, N, RECALLED] and values [B, 1 + N,
    RECALLED], which begin with zeros, come in, and the row ends in this note's.
    """

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.network = network
        self.encoder, self.backbone = FoldedEncoder(network.encoder), LeanBackbone(network.backbone)
        self.pieces = [size for sizes in self.backbone.pieces for size in sizes]

    def forward(
        self, told: Tensor, given: Tensor, keys: Tensor | None = None, values: Tensor | None = None
    ) -> Tensor:  # fmt: skip
        """Take one note in."""
        return self.taken_in(told, given, keys, values).state

    def taken_in(
        self, told: Tensor, given: Tensor, keys: Tensor | None, values: Tensor | None, known: tuple[int, ...] = (),
        asked: tuple[int, ...] = (),
    ) -> TakenIn:  # fmt: skip
        """Take one note in, where more is told behind it in so many columns, and more given."""
        event, phase, *others = torch.split_with_sizes(told, [TOLD - 1, 1, *known], 1)
        roll, *rest = torch.split_with_sizes(given, [ROLL_CHANNELS * KEYS, *self.pieces, *asked], 2)
        before, more = rest[: len(self.pieces)], rest[len(self.pieces) :]
        code, features = self.encoder(event, roll.view(-1, ROLL_CHANNELS, KEYS))
        memory = Memory(phase, keys, values) if keys is not None and values is not None else None
        code, after, added = self.backbone(code, before, memory)
        context = self.network.norm(code)
        row = () if added is None else (added.keys, added.values)
        heard = features.view(-1, 1, features.shape[1] * features.shape[2])
        state = torch.cat([*after, context, heard, *row], dim=2)
        return TakenIn(context, features, state, (*others, *more))


class EveryGap(nn.Module):
    """`TimeHead.gaps`, given each part."""

    def __init__(self, head: TimeHead) -> None:
        super().__init__()
        self.head = head
        self.register_buffer("every_part", head.part.weight.detach()[None])

    def forward(self, code: Tensor) -> Tensor:
        """Map `TimeHead.context` [B, 1, head] to gap logits [B, PARTS, TIME_CLASSES]."""
        return cast(Tensor, self.head.gap_logits(functional.relu(code + cast(Tensor, self.every_part))))


class TimeGraph(nn.Module):
    """context [B, H] -> part logits [B, PARTS], gap logits [B, PARTS, TIME_CLASSES]."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.head, self.gaps = network.time, EveryGap(network.time)

    def forward(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Tell part and gap of the next note."""
        return self.head.parts(context), self.gaps(self.head.context(context[:, None]))


class PitchGraph(nn.Module):
    """context [B, H], features [B, F, KEYS], place [B, 4] -> pitch logits [B, 128], code [B, head]."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.head = FoldedPitchHead(network.pitch)
        self.register_buffer("rows", torch.tensor([PLACE_ROWS]))

    def forward(self, context: Tensor, features: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Tell the pitch, given part, gap, tick in beat, beat in bar."""
        told = self.head.head.context(context[:, None])
        logits, code = self.head(told, features, place + cast(Tensor, self.rows))
        return logits[:, 0], code[:, 0]


class TouchGraph(nn.Module):
    """code [B, head], pitch [B], recent [B, RECENT] -> velocity logits [B, 16], and three more, a row a velocity.

    Those are of duration, of the velocity within its level and of the onset within its tick [B, 16, classes].
    """

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.head = FoldedTouchHead(network.touch)
        self.register_buffer("rows", torch.tensor([TOUCH_ROWS]))

    def forward(self, code: Tensor, pitch: Tensor, recent: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Tell velocity, duration and what is finer, given the pitch."""
        ended, ended_key, level = torch.split_with_sizes(recent, [1, 1, 1], 1)
        known = torch.cat([pitch[:, None], ended_key, ended, level], dim=1) + cast(Tensor, self.rows)
        levels, *struck = self.head(code[:, None], known)
        return levels[:, 0], struck[0], struck[1], struck[2]
