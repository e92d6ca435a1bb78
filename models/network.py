"""The `antiphon` network: a CRNN for note events. It reads top to bottom.

Convolution over the pitch axis of what sounds gives harmony, and sees a chord and its transposition alike; a backbone
of recurrence and recall gives time (`models.backbones`); factorised heads (part, onset gap, pitch, velocity, duration,
and finer than the grid: velocity within its level, onset within its tick) each see the ones chosen before. The pitch
head runs along the pitch axis too: features of what sounds around a pitch, modulated by the state, add to its logit.

Shapes: B excerpts, T notes, H hidden, C context, F feature channels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from antiphon.models.backbones import BLOCKS, Backbone
from antiphon.models.controls import CONTROLS
from antiphon.models.events import FINE, GAP, PART, PITCH, PLACE, SHIFT, VELOCITY
from antiphon.models.excerpts import Batch
from antiphon.models.generator import (
    MAX_BEATS_IN_BAR,
    PARTS,
    PITCHES,
    TICKS_PER_BEAT,
    TIME_CLASSES,
    VELOCITY_LEVELS,
    VELOCITY_STEP,
)
from antiphon.models.notes import SHIFTS
from antiphon.models.roll import HIGHEST, KEYS, LOWEST, ROLL_CHANNELS
from torch import Tensor, nn
from torch.nn import functional

TOUCH = 128
#: What is told of each note, in the order it is drawn in. The first five are the common resolution of evaluation.
ATTRIBUTES = ("part", "gap", "pitch", "velocity", "duration", "fine", "shift")


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of the network."""

    hidden: int = 384
    blocks: tuple[str, ...] = ("gru", "gru")  # of `backbones.BLOCKS`, the first hears the note
    features: int = 24  # channels along the pitch axis
    width: int = 25  # semitones a feature sees: an octave up and down
    roll_code: int = 192
    head: int = 192
    dropout: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if not self.blocks or not set(self.blocks) <= set(BLOCKS) or self.blocks.count("recall") > 1:
            raise ValueError(f"blocks: any of {', '.join(BLOCKS)}, recall at most once, not {list(self.blocks)}")

    def as_dict(self) -> dict[str, Any]:
        """Give the fields as a plain mapping, for a checkpoint or a card."""
        return {**asdict(self), "blocks": list(self.blocks)}


class EventEncoder(nn.Module):
    """One note and what sounds around it, as one vector."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.part = nn.Embedding(PARTS, 16)
        self.gap = nn.Embedding(TIME_CLASSES, 32)
        self.pitch = nn.Embedding(PITCHES, 48)
        self.velocity = nn.Embedding(VELOCITY_LEVELS, 16)
        self.tick_in_beat = nn.Embedding(TICKS_PER_BEAT + 1, 32)
        self.beat_in_bar = nn.Embedding(MAX_BEATS_IN_BAR + 1, 16)
        self.shift = nn.Embedding(SHIFTS + 1, 8)  # the last: not told
        self.fine = nn.Embedding(VELOCITY_STEP, 8)
        self.ended = nn.ModuleList(nn.Embedding(TIME_CLASSES, 12) for _ in range(PARTS))
        self.controls = nn.ModuleList(nn.Embedding(control.classes, config.hidden) for control in CONTROLS)
        for told in self.controls:
            nn.init.normal_(cast(nn.Embedding, told).weight, std=0.02)
        self.features = nn.Conv1d(ROLL_CHANNELS, config.features, config.width, padding=config.width // 2)
        self.pool = nn.Conv1d(config.features, 16, 4, stride=4)
        self.code = nn.Linear(16 * KEYS // 4, config.roll_code)
        self.out = nn.Linear(176 + 12 * PARTS + config.roll_code, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)

    @property
    def embeddings(self) -> tuple[nn.Embedding, ...]:
        """An embedding for each column of an event."""
        named = (
            self.part, self.gap, self.pitch, self.velocity, self.tick_in_beat, self.beat_in_bar, self.shift, self.fine
        )  # fmt: skip
        return (*named, *(cast(nn.Embedding, embedding) for embedding in self.ended))

    def forward(self, event: Tensor, roll: Tensor) -> tuple[Tensor, Tensor]:
        """Map event [N, EVENT] and roll [N, channels, 128] to code [N, H] and features [N, F, KEYS]."""
        features = functional.relu(self.features(roll[:, :, LOWEST : HIGHEST + 1]))
        code = functional.relu(self.pooled(features)).flatten(1)  # [N, 16 * 22]
        code = functional.relu(self.code(code))
        parts = [embedding(event[:, column]) for column, embedding in enumerate(self.embeddings)]
        return self.norm(self.out(torch.cat([*parts, code], dim=1))), features

    def told(self, controls: Tensor) -> Tensor:
        """Map controls [..., controls] to what they add to a note's code [..., H]."""
        return torch.stack([told(controls[..., column]) for column, told in enumerate(self.controls)]).sum(0)

    def pooled(self, features: Tensor) -> Tensor:
        """Map features [N, F, KEYS] to [N, 16, KEYS / 4]: `pool`, written as a matrix product.

        torch 2.13's strided convolution in bfloat16 on the CPU reads its weights wrongly (a test compares this with
        full precision); a product does not, and costs the same.
        """
        blocks = features.view(len(features), -1, KEYS // 4, 4).transpose(1, 2).flatten(2)  # [N, 22, F * 4]
        return functional.linear(blocks, self.pool.weight.flatten(1), self.pool.bias).transpose(1, 2)


class TimeHead(nn.Module):
    """Which part comes next, and how long after this note."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.part_logits = nn.Linear(config.hidden, PARTS)
        self.context = nn.Linear(config.hidden, config.head)
        self.part = nn.Embedding(PARTS, config.head)
        self.gap_logits = nn.Linear(config.head, TIME_CLASSES)

    def parts(self, context: Tensor) -> Tensor:
        """Map context [N, H] to part logits [N, PARTS]."""
        return cast(Tensor, self.part_logits(context))

    def gaps(self, context: Tensor, part: Tensor) -> Tensor:
        """Map context [N, H] and part [N, ...] to gap logits [N, ..., TIME_CLASSES]."""
        code = self.context(context)
        if part.dim() > 1:
            code = code[:, None, :]
        return cast(Tensor, self.gap_logits(functional.relu(code + self.part(part))))


class PitchHead(nn.Module):
    """Which pitch, given when and in which part: a view along the pitch axis."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.context = nn.Linear(config.hidden, config.head)
        self.part = nn.Embedding(PARTS, config.head)
        self.gap = nn.Embedding(TIME_CLASSES, config.head)
        self.tick_in_beat = nn.Embedding(TICKS_PER_BEAT + 1, config.head)
        self.beat_in_bar = nn.Embedding(MAX_BEATS_IN_BAR + 1, config.head)
        self.film = nn.Linear(config.head, 2 * config.features)
        self.around = nn.Conv1d(config.features, config.features, 13, padding=6)
        self.logit = nn.Conv1d(config.features, 1, 1)
        self.absolute = nn.Linear(config.head, PITCHES)

    def forward(self, context: Tensor, features: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Map context [N, H], features [N, F, KEYS] and place [N, 4] to logits [N, 128] and code [N, head].

        ``place`` is part, gap, tick in beat and beat in bar of the note whose pitch is asked for.
        """
        code = functional.relu(
            self.context(context) + self.part(place[:, 0]) + self.gap(place[:, 1])
            + self.tick_in_beat(place[:, 2]) + self.beat_in_bar(place[:, 3])
        )  # fmt: skip
        return self.logits(code, features)

    def logits(self, code: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map code [N, head] and features [N, F, KEYS] to logits [N, 128], and give the code with them."""
        scale, shift = self.film(code)[:, :, None].chunk(2, dim=1)  # [N, F, 1] each
        view = functional.relu(self.around(features) * (1.0 + scale) + shift)
        around = functional.pad(self.logit(view)[:, 0], (LOWEST, PITCHES - 1 - HIGHEST))
        return around + self.absolute(code), code


class TouchHead(nn.Module):
    """How loud and how long, given all else; then how loud within the level and how far off the tick."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.code = nn.Linear(config.head, TOUCH)
        self.pitch = nn.Embedding(PITCHES, TOUCH)
        # what is known of notes like it: the last duration of its part, of its key; the last level of its part
        self.ended = nn.Embedding(TIME_CLASSES, TOUCH)
        self.ended_key = nn.Embedding(TIME_CLASSES, TOUCH)
        self.level = nn.Embedding(VELOCITY_LEVELS + 1, TOUCH)
        self.velocity_logits = nn.Linear(TOUCH, VELOCITY_LEVELS)
        self.velocity = nn.Embedding(VELOCITY_LEVELS, TOUCH)
        self.duration_logits = nn.Linear(TOUCH, TIME_CLASSES)
        self.fine_logits = nn.Linear(TOUCH, VELOCITY_STEP)
        self.shift_logits = nn.Linear(TOUCH, SHIFTS)

    def touch(self, code: Tensor, pitch: Tensor, recent: Tensor) -> Tensor:
        """Map code [N, head], pitch [N] and recent [N, RECENT] to [N, TOUCH]."""
        known = self.ended(recent[:, 0]) + self.ended_key(recent[:, 1]) + self.level(recent[:, 2])
        return functional.relu(self.code(code) + self.pitch(pitch) + known)

    def forward(
        self, code: Tensor, pitch: Tensor, recent: Tensor, velocity: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Map code [N, head], pitch [N], recent [N, RECENT] and velocity [N, ...] to logits.

        Returns:
            Of velocity [N, levels]; and given each velocity asked for, of duration, of the velocity within its level
            and of the onset within its tick [N, ..., classes].
        """
        touch = self.touch(code, pitch, recent)
        wide = touch[:, None, :] if velocity.dim() > 1 else touch
        struck = functional.relu(wide + self.velocity(velocity))
        return (
            self.velocity_logits(touch),
            self.duration_logits(struck),
            self.fine_logits(struck),
            self.shift_logits(struck),
        )


class AntiphonNetwork(nn.Module):
    """Note events in, distributions of the next note event out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = EventEncoder(config)
        self.backbone = Backbone(config.blocks, config.hidden, config.dropout)
        self.norm = nn.LayerNorm(config.hidden)
        self.time = TimeHead(config)
        self.pitch = PitchHead(config)
        self.touch = TouchHead(config)

    def forward(self, batch: Batch) -> Tensor:
        """Give the negative log-likelihood in nats of every note after the first.

        Returns:
            [B, T - 1, len(ATTRIBUTES)] of notes 1..T-1 given those before.
        """
        rows, steps = batch.durations.shape
        code, features = self.encoder(batch.events[:, :-1].flatten(0, 1), batch.rolls[:, :-1].flatten(0, 1))
        told = self.encoder.told(batch.controls)  # [B, 2, H]
        turned = torch.arange(steps - 1, device=code.device)[None, :, None] >= batch.turns[:, None, None]
        told = torch.where(turned, told[:, 1:], told[:, :1])  # [B, T - 1, H]
        hidden = self.backbone(code.view(rows, steps - 1, -1) + told, batch.ticks[:, :-1])
        context = self.norm(hidden).flatten(0, 1)  # [N, H]
        target = batch.events[:, 1:].flatten(0, 1)
        pitch_logits, pitch_code = self.pitch(context, features, target[:, PLACE])
        velocity_logits, duration_logits, fine_logits, shift_logits = self.touch(
            pitch_code, target[:, PITCH], batch.recent[:, 1:].flatten(0, 1), target[:, VELOCITY]
        )
        losses = [
            functional.cross_entropy(logits.float(), wanted, reduction="none")
            for logits, wanted in (
                (self.time.parts(context), target[:, PART]),
                (self.time.gaps(context, target[:, PART]), target[:, GAP]),
                (pitch_logits, target[:, PITCH]),
                (velocity_logits, target[:, VELOCITY]),
                (duration_logits, batch.durations[:, 1:].flatten()),
                (fine_logits, target[:, FINE]),
                (shift_logits, target[:, SHIFT]),
            )
        ]
        return torch.stack(losses, dim=1).view(rows, steps - 1, len(losses))
