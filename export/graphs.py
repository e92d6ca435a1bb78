"""The network cut into the graphs that live play runs, each with its state in and out.

``step`` takes a note in; ``pitch`` tells the pitch of the next one once its part and place are chosen;
``touch`` its velocity, duration and finer timing once its pitch is. Each sees what was drawn before it, so anything can
be forced, masked or biased in between. The whole of it in one call is `export.reply_graph`. Batch is a dynamic axis of
all, and so are the notes that a backbone recalls.

Products see one row more than the batch has, added at the inputs and left out of the outputs: see `lean.never_alone`.
"""

from __future__ import annotations

from typing import cast

import torch
from antiphon.export.folded import FoldedEncoder, FoldedPitchHead, FoldedTouchHead
from antiphon.export.lean import LeanBackbone, never_alone
from antiphon.models.backbones import Memory
from antiphon.models.generator import PARTS, TIME_CLASSES
from antiphon.models.network import AntiphonNetwork
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
        self.register_buffer("every_part", network.time.part.weight.detach()[None])

    def forward(
        self, told: Tensor, roll: Tensor, hidden: Tensor, keys: Tensor | None = None, values: Tensor | None = None
    ) -> Tensor:
        """Take one note in."""
        context, features, after, row = self.taken_in(told, roll, hidden, keys, values)
        time = self.network.time
        return self.laid_out(after, context, time.parts(context), self.gaps(time.context(context)), features, row)

    def laid_out(
        self, hidden: list[Tensor], context: Tensor, parts: Tensor, gaps: Tensor, features: Tensor,
        row: tuple[Tensor, ...],
    ) -> Tensor:  # fmt: skip
        """Put a state into one row; the first four come with one row too many."""
        return torch.cat([torch.cat([*hidden, context, parts, gaps], dim=1)[:-1], features.flatten(1), *row], dim=1)

    def taken_in(
        self, told: Tensor, roll: Tensor, hidden: Tensor, keys: Tensor | None, values: Tensor | None
    ) -> tuple[Tensor, Tensor, list[Tensor], tuple[Tensor, ...]]:
        """Give context, features, the state after in parts, and this note's key and value where there are such.

        Context and state have a row more (`lean.never_alone`).
        """
        event, phase = torch.split_with_sizes(never_alone(told), [told.shape[1] - 2, 2], 1)
        code, features = self.encoder(event, roll)
        memory = Memory(phase, keys, values) if keys is not None and values is not None else None
        code, after, added = self.backbone(code, never_alone(hidden), memory)
        row = () if added is None else (added.keys, added.values)
        return self.network.norm(code), features, after, row

    def gaps(self, code: Tensor) -> Tensor:
        """Map `TimeHead.context` [B, head] to gap logits [B, PARTS * TIME_CLASSES]."""
        heads = functional.relu(code[:, None, :] + cast(Tensor, self.every_part))
        logits = self.network.time.gap_logits(heads.flatten(0, 1))  # of two axes: one operator, bias and all
        return cast(Tensor, logits).view(-1, PARTS * TIME_CLASSES)


class PitchGraph(nn.Module):
    """context [B, H], features [B, F, KEYS], place [B, 4] -> pitch logits [B, 128], code [B, head]."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.head = FoldedPitchHead(network.pitch)

    def forward(self, context: Tensor, features: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Tell the pitch, given part, gap, tick in beat, beat in bar."""
        logits, code = self.head(never_alone(context), features, place)
        return logits, code[:-1]


class TouchGraph(nn.Module):
    """code [B, head], pitch [B], recent [B, RECENT] -> velocity logits [B, 16], and three more, a row a velocity.

    Those are of duration, of the velocity within its level and of the onset within its tick [B, 16, classes].
    """

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.head = FoldedTouchHead(network.touch)

    def forward(self, code: Tensor, pitch: Tensor, recent: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Tell velocity, duration and what is finer, given the pitch."""
        levels, *struck = self.head(never_alone(code), never_alone(pitch), never_alone(recent))
        return levels[:-1], struck[0][:-1], struck[1][:-1], struck[2][:-1]
