"""A note taken in and the next one drawn, all of its attributes, in one call.

What live play waits for. Each call of a graph, and each small piece of work between two, costs as much as a good part
of the network when caches are cold, so everything between a note and the next is inside: randomness, biases and masks
are inputs (`models.asking`).

Shapes: B rows.
"""

from __future__ import annotations

from typing import cast

import torch
from antiphon.export.drawing import draw, ranked
from antiphon.export.folded import FoldedPitchHead, FoldedTouchHead, joined
from antiphon.export.graphs import EveryGap, StepGraph
from antiphon.export.operators import entry, row
from antiphon.models.asking import ASKED, KNOWN
from antiphon.models.generator import PARTS, PITCHES, TIME_CLASSES
from antiphon.models.network import AntiphonNetwork
from antiphon.models.parts import Part
from torch import Tensor, nn
from torch.nn import functional


class NextGraph(nn.Module):
    """`StepGraph`, and `asking.DRAWN` of the next note with `asking.CHANCES`, in one row [B, 1, width].

    ``told`` goes on with what is known [B, sum(KNOWN)], ``given`` with what is asked [B, 1, sum(ASKED)].
    """

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.step = StepGraph(network)
        self.pitch, self.touch = FoldedPitchHead(network.pitch), FoldedTouchHead(network.touch)
        time = network.time
        self.gaps = EveryGap(time)
        self.contexts = joined(time.context, network.pitch.context, time.part_logits)
        self.sizes = [time.context.out_features, network.pitch.context.out_features, PARTS]
        # of each part: where its keys stand in what is known, and its own two numbers
        places = [[PITCHES * int(part == Part.DRUMS), 2 * PITCHES + part, 2 * PITCHES + PARTS + part]
                  for part in range(PARTS)]  # fmt: skip
        self.register_buffer("places", torch.tensor(places)[None])
        self.register_buffer("of_key", torch.tensor([[1, 0, 0]]))

    def forward(
        self, told: Tensor, given: Tensor, keys: Tensor | None = None, values: Tensor | None = None
    ) -> Tensor:  # fmt: skip
        """Take one note in, and draw one."""
        known = (KNOWN[0], sum(KNOWN[1:]))
        after = self.step.taken_in(told, given, keys, values, known, ASKED)
        where, recent, part_bias, gap_bias, pitch_bias, level_bias, struck_bias, sharpness, shares = after.more
        each = torch.split_with_sizes(shares, [1, 1, 1, 1, 3], 2)
        early, late, parts = torch.split_with_sizes(self.contexts(after.context), self.sizes, 2)
        gaps = self.gaps(early)
        asked_gaps = gaps + gap_bias
        # each part by the share of its gaps that is still allowed
        share = torch.logsumexp(asked_gaps, dim=2) - torch.logsumexp(gaps, dim=2)
        part = draw(parts + share.view(-1, 1, PARTS) + part_bias, each[0], sharpness)
        of_part = part.view(-1, 1)
        gap = entry(*ranked(row(asked_gaps, part), each[1], sharpness))
        place = torch.cat([of_part, row(where.view(-1, TIME_CLASSES, 3), gap)], dim=1)
        pitches, code = self.pitch(late, after.features, place)
        pitch = entry(*ranked(pitches + row(pitch_bias.view(-1, PARTS, PITCHES), part), each[2], sharpness))
        at = functional.embedding(of_part[:, 0], cast(Tensor, self.places)[0]) + pitch * cast(Tensor, self.of_key)
        touch = self.touch.touch(code, torch.cat([pitch, recent.gather(1, at)], dim=1))
        levels = self.touch.head.velocity_logits(touch)
        level = entry(*ranked(levels + level_bias, each[3], sharpness))
        struck = self.touch.struck(functional.relu(touch + self.touch.head.velocity(level)))
        asked = (struck + struck_bias).view(-1, 3, TIME_CLASSES)
        last = entry(*ranked(asked, each[4].view(-1, 3, 1), sharpness))
        choices = torch.cat([of_part, gap, pitch, level, last], dim=1).float()
        of_each = (parts, row(gaps, part), pitches, levels, struck[:, :, :TIME_CLASSES])
        likely = [functional.log_softmax(logits, dim=2) for logits in of_each]
        return torch.cat([after.state, choices.view(-1, 1, choices.shape[1]), *likely], dim=2)
