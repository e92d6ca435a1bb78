"""The network cut into the graphs that live play runs, each with its state in and out.

``step`` takes a note in; ``time`` tells part and gap of the next one; ``pitch`` its pitch once these are chosen;
``touch`` its velocity, duration and finer timing once its pitch is. Each sees what was drawn before it, so anything can
be forced, masked or biased in between. A state leaves the heads to whoever draws from it: most states of a window that
is primed, or of a performer who is answered at once, are never asked when something comes next. The whole of it in one
call is `export.reply_graph`. Batch is a dynamic axis of all, and so are the notes that a backbone recalls.

Products see one row more than the batch has, added at the inputs and left out of the outputs: see `lean.never_alone`.
"""

from __future__ import annotations

from typing import cast

import torch
from antiphon.export.folded import FoldedEncoder, FoldedPitchHead, FoldedTouchHead
from antiphon.export.lean import LeanBackbone, never_alone
from antiphon.models.backbones import Memory
from antiphon.models.network import AntiphonNetwork, TimeHead
from torch import Tensor, nn
from torch.nn import functional


class StepGraph(nn.Module):
    """A note, roll, state -> the state after, in one row [B, width] as `models.onnx_state.StateLayout` has it.

    ``told`` [B, EVENT + controls + 2] is the event, what is told with it and the phases (`backbones.Memory`). Where the
    backbone recalls, keys and values come in, and the row ends in this note's.
    """

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.network = network
        self.encoder, self.backbone = FoldedEncoder(network.encoder, padded=True), LeanBackbone(network.backbone)

    def forward(
        self, told: Tensor, roll: Tensor, hidden: Tensor, keys: Tensor | None = None, values: Tensor | None = None
    ) -> Tensor:
        """Take one note in."""
        context, features, after, row = self.taken_in(told, roll, hidden, keys, values)
        return self.laid_out(after, context, features, row)

    def laid_out(self, hidden: list[Tensor], context: Tensor, features: Tensor, row: tuple[Tensor, ...]) -> Tensor:
        """Put a state into one row; the first two come with one row too many."""
        heard = features.view(-1, 1, features.shape[1] * features.shape[2])
        return torch.cat([torch.cat([*hidden, context], dim=2)[:-1], heard, *row], dim=2)[:, 0]

    def taken_in(
        self, told: Tensor, roll: Tensor, hidden: Tensor, keys: Tensor | None, values: Tensor | None
    ) -> tuple[Tensor, Tensor, list[Tensor], tuple[Tensor, ...]]:
        """Give context, features, the state after in pieces, and this note's key and value where there are such.

        All but the features are [B, 1, ...]; context and state have a row more (`lean.never_alone`).
        """
        event, phase = torch.split_with_sizes(told, [told.shape[1] - 2, 2], 1)
        code, features = self.encoder(event, roll)
        memory = Memory(phase, keys, values) if keys is not None and values is not None else None
        code, after, added = self.backbone(code, never_alone(hidden[:, None]), memory)
        row = () if added is None else (added.keys, added.values)
        return self.network.norm(code), features, after, row


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
        context = never_alone(context[:, None])
        return self.head.parts(context)[:-1, 0], self.gaps(self.head.context(context))[:-1]


class PitchGraph(nn.Module):
    """context [B, H], features [B, F, KEYS], place [B, 4] -> pitch logits [B, 128], code [B, head]."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.head = FoldedPitchHead(network.pitch)

    def forward(self, context: Tensor, features: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Tell the pitch, given part, gap, tick in beat, beat in bar."""
        logits, code = self.head(never_alone(context[:, None]), features, place)
        return logits[:, 0], code[:-1, 0]


class TouchGraph(nn.Module):
    """code [B, head], pitch [B], recent [B, RECENT] -> velocity logits [B, 16], and three more, a row a velocity.

    Those are of duration, of the velocity within its level and of the onset within its tick [B, 16, classes].
    """

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.head = FoldedTouchHead(network.touch)

    def forward(self, code: Tensor, pitch: Tensor, recent: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Tell velocity, duration and what is finer, given the pitch."""
        levels, *struck = self.head(never_alone(code[:, None]), pitch, recent)
        return levels[:-1, 0], struck[0][:-1], struck[1][:-1], struck[2][:-1]
