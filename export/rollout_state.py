"""What a line of a rollout carries beside the network's own state, as tensors: `models.roll` and `models.recent`.

A note that may still sound is a row of ``open``: its onset and its end in ticks after the rollout's start, `NEVER`
where no end is known, `OVER` where it was let go of. The rows of the notes that a line will draw are there from the
start, unused. A test holds every tensor equal to what `Roll` and `Recent` give for the same notes.

Shapes: B lines, K rows of open notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from antiphon.models.generator import MAX_TICKS, PARTS, PITCHES
from antiphon.models.roll import AGE_TICKS, DRUMS, FORGET_TICKS, GROUP_OF_PART, GROUPS, RECENCY_TICKS
from torch import Tensor, nn

NEVER, OVER = 1e7, -1e7
_SOONEST = 1 << 16  # added to ticks, so that none is negative
#: A duration beside the rank of its end, in one whole number.
_DURATIONS = 128


@dataclass(frozen=True, slots=True)
class Sounding:
    """What sounds, and what ended lately."""

    open: Tensor  # [B, K, 2]: onset, end
    open_key: Tensor  # int64 [B, K, 2]: part, pitch
    recency: Tensor  # [B, 4, PITCHES], as `Roll.recency`
    ended: Tensor  # int64 [B, PARTS], as `Recent.ended`
    at_key: Tensor  # int64 [B, 2 * PITCHES], as `Recent.at_key`
    level: Tensor  # int64 [B, PARTS], as `Recent.level`


class Advance(nn.Module):
    """`Roll.advance`, `Roll.image` and `Recent.advance`, of many lines at once."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("group", torch.tensor([max(group, 0) for group in GROUP_OF_PART]))
        self.register_buffer("parts", torch.arange(PARTS)[None])
        self.register_buffer("constants", torch.tensor(RECENCY_TICKS * 2)[None, :, None])
        rows = torch.tensor([[row // 2 == int(part == DRUMS) for row in range(4)] for part in range(PARTS)])
        self.register_buffer("struck", rows.float())

    def forward(
        self, before: Sounding, now: Tensor, gap: Tensor, note: Tensor, level: Tensor, duration: Tensor, slot: Tensor
    ) -> tuple[Sounding, Tensor]:
        """Strike a note in each line.

        Args:
            before: what sounded.
            now: [B], ticks after the rollout's start.
            gap: int64 [B], ticks after the line's last note.
            note: int64 [B, 2]: part, pitch.
            level: int64 [B], its velocity level.
            duration: int64 [B], as drawn.
            slot: int64 [1]: the row of ``open`` for it.

        Returns:
            What sounds after it, and the channels [B, ROLL_CHANNELS, PITCHES].
        """
        part, pitch = note[:, 0], note[:, 1]
        ended, at_key, end = self._ended(before, now)
        onset = before.open[:, :, 0]
        end = torch.where((end > OVER) & (onset <= now[:, None] - FORGET_TICKS), OVER, end)
        here = (torch.arange(onset.shape[1], device=now.device) == slot)[None]
        onset = torch.where(here, now[:, None], onset)
        end = torch.where(here, (now + duration.clamp(min=1))[:, None], end)
        key = torch.where(here[..., None], note[:, None], before.open_key)
        decay = torch.exp(-gap[:, None, None] / cast(Tensor, self.constants))
        strike = cast(Tensor, self.struck)[part][:, :, None] * _one_hot(pitch, PITCHES)[:, None]
        recency = before.recency * decay + strike
        levels = torch.where(cast(Tensor, self.parts) == part[:, None], level[:, None], before.level)
        after = Sounding(torch.stack([onset, end], dim=2), key, recency, ended, at_key, levels)
        return after, self._image(after, now)

    def _ended(self, before: Sounding, now: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give `Recent.ended` and `Recent.at_key`, and the ends of what is still open."""
        onset, end = before.open[:, :, 0], before.open[:, :, 1]
        over = (end > OVER) & (end <= now[:, None])
        counts = over & (end - onset <= FORGET_TICKS)
        lasted = (end - onset).clamp(1, MAX_TICKS).long()
        rows = end.shape[1]
        # the latest end is the largest number; of two that end together, the later row
        rank = (end.clamp(-_SOONEST, _SOONEST).long() + _SOONEST) * rows + torch.arange(rows, device=now.device)
        rank = torch.where(counts, rank * _DURATIONS + lasted, -1)
        part, pitch = before.open_key[:, :, 0], before.open_key[:, :, 1]
        key = torch.where(part == DRUMS, pitch + PITCHES, pitch)
        ended, at_key = (
            torch.full_like(known, -1).scatter_reduce(1, where, rank, "amax", include_self=True)
            for known, where in ((before.ended, part), (before.at_key, key))
        )
        return (
            torch.where(ended >= 0, ended % _DURATIONS, before.ended),
            torch.where(at_key >= 0, at_key % _DURATIONS, before.at_key),
            torch.where(over, OVER, end),
        )

    def _image(self, after: Sounding, now: Tensor) -> Tensor:
        onset, end = after.open[:, :, 0], after.open[:, :, 1]
        part, pitch = after.open_key[:, :, 0], after.open_key[:, :, 1]
        sounds = (end > now[:, None]) & (part != DRUMS)
        place = cast(Tensor, self.group)[part] * PITCHES + pitch
        nothing = onset.new_zeros(onset.shape[0], GROUPS * PITCHES)
        flag = nothing.scatter_reduce(1, place, sounds.float(), "amax", include_self=True)
        aged = torch.where(sounds, torch.exp((onset - now[:, None]).clamp(max=0.0) / AGE_TICKS), 0.0)
        age = nothing.scatter_add(1, place, aged).clamp(max=1.0)
        held = torch.stack([flag.view(-1, GROUPS, PITCHES), age.view(-1, GROUPS, PITCHES)], dim=2).flatten(1, 2)
        return torch.cat([held, after.recency / (1.0 + after.recency)], dim=1)


def _one_hot(index: Tensor, classes: int) -> Tensor:
    """Map [B] to [B, classes] of zeros and a one."""
    return (torch.arange(classes, device=index.device)[None] == index[:, None]).float()
