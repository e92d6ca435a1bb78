"""The `antiphon` network: a CRNN for note events. It reads top to bottom.

Convolution over the pitch axis of what sounds gives harmony, and sees a chord and its transposition alike; a
GRU gives time; factorised heads (part, onset gap, pitch, velocity, duration) each see the ones chosen before.
The pitch head runs along the pitch axis too: features of what sounds around a pitch, modulated by the
recurrent state, add to its logit.

Shapes: B excerpts, T notes, H hidden, C context, F feature channels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import cast

import torch
from antiphon.models.generator import (
    MAX_BEATS_IN_BAR,
    PARTS,
    PITCHES,
    TICKS_PER_BEAT,
    TIME_CLASSES,
    VELOCITY_LEVELS,
)
from antiphon.models.roll import ROLL_CHANNELS
from torch import Tensor, nn
from torch.nn import functional

#: The keys of a piano: convolutions run over these; a pitch outside has its absolute logit alone.
LOWEST, HIGHEST = 21, 108
KEYS = HIGHEST - LOWEST + 1


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of the network."""

    hidden: int = 384
    layers: int = 2
    features: int = 24  # channels along the pitch axis
    width: int = 25  # semitones a feature sees: an octave up and down
    roll_code: int = 192
    head: int = 192
    dropout: float = 0.1

    def as_dict(self) -> dict[str, float | int]:
        """Give the fields as a plain mapping, for a checkpoint or a card."""
        return asdict(self)


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
        self.features = nn.Conv1d(ROLL_CHANNELS, config.features, config.width, padding=config.width // 2)
        self.pool = nn.Conv1d(config.features, 16, 4, stride=4)
        self.code = nn.Linear(16 * KEYS // 4, config.roll_code)
        self.out = nn.Linear(160 + config.roll_code, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)

    def forward(self, event: Tensor, roll: Tensor) -> tuple[Tensor, Tensor]:
        """Map event [N, 6] and roll [N, channels, 128] to code [N, H] and features [N, F, KEYS]."""
        features = functional.relu(self.features(roll[:, :, LOWEST : HIGHEST + 1]))
        code = functional.relu(self.pooled(features)).flatten(1)  # [N, 16 * 22]
        code = functional.relu(self.code(code))
        parts = [
            self.part(event[:, 0]), self.gap(event[:, 1]), self.pitch(event[:, 2]),
            self.velocity(event[:, 3]), self.tick_in_beat(event[:, 4]), self.beat_in_bar(event[:, 5]), code,
        ]  # fmt: skip
        return self.norm(self.out(torch.cat(parts, dim=1))), features

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
    """How loud and how long, given all else."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.code = nn.Linear(config.head, 128)
        self.pitch = nn.Embedding(PITCHES, 128)
        self.velocity_logits = nn.Linear(128, VELOCITY_LEVELS)
        self.velocity = nn.Embedding(VELOCITY_LEVELS, 128)
        self.duration_logits = nn.Linear(128, TIME_CLASSES)

    def forward(self, code: Tensor, pitch: Tensor, velocity: Tensor) -> tuple[Tensor, Tensor]:
        """Map code [N, head], pitch [N] and velocity [N, ...] to velocity and duration logits."""
        touch = functional.relu(self.code(code) + self.pitch(pitch))
        wide = touch[:, None, :] if velocity.dim() > 1 else touch
        duration = self.duration_logits(functional.relu(wide + self.velocity(velocity)))
        return self.velocity_logits(touch), duration


class AntiphonNetwork(nn.Module):
    """Note events in, distributions of the next note event out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = EventEncoder(config)
        self.recurrence = nn.GRU(
            config.hidden, config.hidden, config.layers, batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )  # fmt: skip
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(config.hidden)
        self.time = TimeHead(config)
        self.pitch = PitchHead(config)
        self.touch = TouchHead(config)

    def forward(self, events: Tensor, durations: Tensor, rolls: Tensor) -> Tensor:
        """Give the negative log-likelihood in nats of every note after the first.

        Args:
            events: int64 [B, T, 6].
            durations: int64 [B, T], targets only.
            rolls: [B, T, channels, 128], right after each note.

        Returns:
            [B, T - 1, 5]: part, gap, pitch, velocity, duration of notes 1..T-1 given those before.
        """
        batch, steps = durations.shape
        code, features = self.encoder(events[:, :-1].flatten(0, 1), rolls[:, :-1].flatten(0, 1))
        hidden, _ = self.recurrence(code.view(batch, steps - 1, -1))
        context = self.dropout(self.norm(hidden)).flatten(0, 1)  # [N, H]
        target = events[:, 1:].flatten(0, 1)
        place = target[:, [0, 1, 4, 5]]
        pitch_logits, pitch_code = self.pitch(context, features, place)
        velocity_logits, duration_logits = self.touch(pitch_code, target[:, 2], target[:, 3])
        losses = [
            functional.cross_entropy(logits.float(), wanted, reduction="none")
            for logits, wanted in (
                (self.time.parts(context), target[:, 0]),
                (self.time.gaps(context, target[:, 0]), target[:, 1]),
                (pitch_logits, target[:, 2]),
                (velocity_logits, target[:, 3]),
                (duration_logits, durations[:, 1:].flatten()),
            )
        ]
        return torch.stack(losses, dim=1).view(batch, steps - 1, 5)
