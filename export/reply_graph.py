"""A note taken in and a note at a known place drawn, in one call: for the answer that must leave at once.

Part, time and duration are known; pitch and velocity level are drawn (within the level any velocity is as good in a
reply). `export.next_graph` draws all of a note, and takes half as long again.

Shapes: B rows.
"""

from __future__ import annotations

import torch
from antiphon.export.drawing import ranked
from antiphon.export.folded import FoldedPitchHead, FoldedTouchHead
from antiphon.export.graphs import StepGraph
from antiphon.export.operators import entry
from antiphon.models.asking import AT_ONCE, AT_ONCE_KNOWN
from antiphon.models.network import AntiphonNetwork
from torch import Tensor, nn
from torch.nn import functional


class ReplyGraph(nn.Module):
    """`StepGraph`; and `asking.DRAWN_AT_ONCE` with `asking.CHANCES_AT_ONCE`, in one row [B, 1, width].

    ``told`` goes on with what is known [B, sum(AT_ONCE_KNOWN)], ``given`` with what is asked [B, 1, sum(AT_ONCE)].
    """

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.step = StepGraph(network)
        self.context = network.pitch.context
        self.pitch, self.touch = FoldedPitchHead(network.pitch), FoldedTouchHead(network.touch)

    def forward(
        self, told: Tensor, given: Tensor, keys: Tensor | None = None, values: Tensor | None = None
    ) -> Tensor:  # fmt: skip
        """Take one note in, and draw one."""
        after = self.step.taken_in(told, given, keys, values, AT_ONCE_KNOWN, AT_ONCE)
        place, recent, ended, pitch_bias, level_bias, sharpness, *shares = after.more
        pitches, code = self.pitch(self.context(after.context), after.features, place)
        pitch = entry(*ranked(pitches + pitch_bias, shares[0], sharpness))
        touch = self.touch.touch(code, torch.cat([pitch, ended.gather(1, pitch), recent], dim=1))
        levels = self.touch.head.velocity_logits(touch)
        level = entry(*ranked(levels + level_bias, shares[1], sharpness))
        choices = torch.cat([pitch, level], dim=1).float().view(-1, 1, 2)
        likely = [functional.log_softmax(logits, dim=2) for logits in (pitches, levels)]
        return torch.cat([after.state, choices, *likely], dim=2)
