"""A note taken in and a note at a known place drawn, in one call: for the answer that must leave at once.

Part, time and duration are known; pitch and velocity level are drawn (within the level any velocity is as good in a
reply). `export.next_graph` draws all of a note, and takes half as long again.

Shapes: B rows.
"""

from __future__ import annotations

import torch
from antiphon.export.drawing import draw, log_prob
from antiphon.export.folded import FoldedPitchHead, FoldedTouchHead
from antiphon.export.graphs import StepGraph
from antiphon.models.asking import AT_ONCE, AT_ONCE_KNOWN
from antiphon.models.network import AntiphonNetwork
from torch import Tensor, nn


class ReplyGraph(nn.Module):
    """`StepGraph`; and `asking.DRAWN_AT_ONCE` with the log-probabilities of both [B, 4]."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.step = StepGraph(network)
        self.pitch, self.touch = FoldedPitchHead(network.pitch), FoldedTouchHead(network.touch)

    def forward(
        self, told: Tensor, roll: Tensor, hidden: Tensor, asked: Tensor, known: Tensor, keys: Tensor | None = None,
        values: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Take one note in, and draw one: asked [B, sum(AT_ONCE)], known [B, sum(AT_ONCE_KNOWN)]."""
        context, features, after, added = self.step.taken_in(told, roll, hidden, keys, values)
        state = self.step.laid_out(after, context, features, added)

        pitch_bias, level_bias, sharpness, *shares = torch.split_with_sizes(asked[:, None], list(AT_ONCE), 2)
        place, recent, ended = torch.split_with_sizes(known, list(AT_ONCE_KNOWN), 1)
        pitches, code = self.pitch(context, features, place)
        pitch = draw(pitches + pitch_bias, shares[0], sharpness)
        key = pitch[:, 0]
        touch = self.touch.known(code, torch.cat([key, ended.gather(1, key), recent], dim=1))
        levels = self.touch.head.velocity_logits(touch)[:-1]
        level = draw(levels + level_bias, shares[1], sharpness)
        choices = torch.cat([pitch, level], dim=2).float()
        return state, torch.cat([choices, log_prob(pitches, pitch), log_prob(levels, level)], dim=2)[:, 0]
