"""A note taken in and the next one drawn, all of its attributes, in one call.

What live play waits for. Each call of a graph, and each small piece of work between two, costs as much as a good part
of the network when caches are cold, so everything between a note and the next is inside: randomness, biases and masks
are inputs (`models.asking`).

Shapes: B rows.
"""

from __future__ import annotations

from typing import cast

import torch
from antiphon.export.drawing import draw, log_prob
from antiphon.export.folded import STRUCK, FoldedPitchHead, FoldedTouchHead, joined
from antiphon.export.graphs import EveryGap, StepGraph
from antiphon.export.lean import never_alone
from antiphon.export.operators import row
from antiphon.models.asking import ASKED, KNOWN
from antiphon.models.generator import PARTS, PITCHES, TIME_CLASSES
from antiphon.models.network import AntiphonNetwork
from antiphon.models.parts import Part
from torch import Tensor, nn
from torch.nn import functional


class NextGraph(nn.Module):
    """`StepGraph`, and `asking.DRAWN` of the next note with the log-probabilities of the first five [B, 12]."""

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.step = StepGraph(network)
        self.pitch, self.touch = FoldedPitchHead(network.pitch), FoldedTouchHead(network.touch)
        self.time, self.gaps = network.time, EveryGap(network.time)
        self.contexts = joined(network.time.context, network.pitch.context)
        drums = torch.tensor([PITCHES * int(part == Part.DRUMS) for part in range(PARTS)])
        self.register_buffer("keys_of", drums[:, None] + 2 * PARTS)
        # what is struck last, all as wide as the widest: the classes that are not there are forbidden from outside
        width = torch.arange(TIME_CLASSES)
        starts = [sum(STRUCK[:place]) for place in range(len(STRUCK))]
        columns = [start + width.clamp(max=size - 1) for start, size in zip(starts, STRUCK, strict=True)]
        self.register_buffer("columns", torch.cat(columns))

    def forward(
        self, told: Tensor, roll: Tensor, hidden: Tensor, asked: Tensor, known: Tensor, keys: Tensor | None = None,
        values: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Take one note in, and draw one: asked [B, sum(ASKED)], known [B, sum(KNOWN)]."""
        context, features, after, added = self.step.taken_in(told, roll, hidden, keys, values)
        state = self.step.laid_out(after, context, features, added)
        early, late = torch.split_with_sizes(self.contexts(context), [self.time.context.out_features] * 2, 2)
        parts, gaps = self.time.parts(context)[:-1, 0], self.gaps(early)[:-1]

        part_bias, gap_bias, pitch_bias, level_bias, struck_bias, sharpness, shares = torch.split_with_sizes(
            asked, list(ASKED), 1
        )
        places, recent = torch.split_with_sizes(known, [KNOWN[0], sum(KNOWN[1:])], 1)
        each = torch.split_with_sizes(shares, [1, 1, 1, 1, 3], 1)
        asked_gaps = gaps + gap_bias[:, None]
        # each part by the share of its gaps that is still allowed
        share = torch.logsumexp(asked_gaps, dim=2) - torch.logsumexp(gaps, dim=2)
        part = draw(parts + share + part_bias, each[0], sharpness)
        gap = draw(row(asked_gaps, part), each[1], sharpness)
        place = torch.cat([part, row(places.view(-1, TIME_CLASSES, 3), gap)], dim=1)
        pitches, code = self.pitch.at(late, features, place)
        pitches = pitches[:, 0]
        pitch = draw(pitches + row(pitch_bias.view(-1, PARTS, PITCHES), part), each[2], sharpness)
        where = torch.cat([functional.embedding(part[:, 0], cast(Tensor, self.keys_of)) + pitch, part, part + PARTS], 1)
        touch = self.touch.known(code, torch.cat([pitch, recent.gather(1, where)], dim=1))
        head = self.touch.head
        levels = head.velocity_logits(touch)[:-1, 0]
        level = draw(levels + level_bias, each[3], sharpness)
        struck = functional.relu(touch + never_alone(head.velocity(level)))
        struck = self.touch.struck(struck)[:-1, 0].index_select(1, cast(Tensor, self.columns))
        last = draw((struck + struck_bias).view(-1, 3, TIME_CLASSES), each[4][..., None], sharpness[..., None]).flatten(
            1
        )
        choices = torch.cat([part, gap, pitch, level, last], dim=1).float()
        chances = (
            log_prob(parts, part), log_prob(row(gaps, part), gap), log_prob(pitches, pitch), log_prob(levels, level),
            log_prob(struck[:, :TIME_CLASSES], last[:, :1]),
        )  # fmt: skip
        return state, torch.cat([choices, *chances], dim=1)
