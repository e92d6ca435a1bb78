"""The layers of the `neurotune` generator: what a note is to it, its encoder and its heads.

Convolution over the last few notes and over the pitch axis of what was struck lately gives the relations of notes
and chords; a row of heads (part, gap, pitch, velocity, duration) draws the next note, each seeing what was drawn
before it. Notes are one-hot vectors all the way, so that a straight-through draw passes gradients from the
discriminator back into the heads. A duration is never an input: live it is not known yet.

Shapes: B sequences, T notes, N = B * T, H hidden, C code, F feature channels, Z noise.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import cast

import torch
from antiphon.models.generator import PARTS, PITCHES, TICKS_PER_BEAT, TIME_CLASSES, VELOCITY_LEVELS
from antiphon.models.neurotune.sequences import SIZES, Field
from antiphon.models.parts import Part
from antiphon.models.roll import RECENCY_TICKS
from torch import Tensor, nn
from torch.nn import functional

#: The keys of a piano, in fours: convolutions run over these.
LOWEST, KEYS = 21, 88
#: Channels of the recency image: pitched short and long, drums short and long, as in `models.roll`.
IMAGE_CHANNELS = 2 * len(RECENCY_TICKS)
#: What the generator takes in of a note, one-hot: part, gap, pitch, velocity, tick in the beat.
INPUTS = PARTS + TIME_CLASSES + PITCHES + VELOCITY_LEVELS + TICKS_PER_BEAT + 1


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Sizes of the generator."""

    hidden: int = 256
    code: int = 160
    window: int = 5  # notes that the convolution over time sees
    features: int = 16  # channels along the pitch axis
    width: int = 25  # semitones a feature sees: an octave up and down
    image_code: int = 96
    noise: int = 32
    head: int = 128
    dropout: float = 0.1

    def as_dict(self) -> dict[str, float | int]:
        """Give the fields as a plain mapping, for a checkpoint or a card."""
        return asdict(self)


def one_hots(rows: Tensor) -> list[Tensor]:
    """Map classes [..., 6] to one-hots, one for each `Field`."""
    return [functional.one_hot(rows[..., field], size).float() for field, size in enumerate(SIZES)]


def taken_in(hots: list[Tensor]) -> Tensor:
    """Join the one-hots that the generator takes in: [..., INPUTS]. The duration is left out."""
    return torch.cat([hot for field, hot in enumerate(hots) if field != Field.DURATION], dim=-1)


def images_of(rows: Tensor) -> Tensor:
    """Give the recency image after each note: rows [B, T, 6] -> [B, T, IMAGE_CHANNELS, 128], as `advanced` does."""
    batch, steps = rows.shape[:2]
    onset = rows[..., Field.GAP].cumsum(1)
    passed = (onset[:, :, None] - onset[:, None, :]).clamp(min=0).float()
    seen = torch.ones(steps, steps, device=rows.device).tril()
    slot = (rows[..., Field.PART] == Part.DRUMS).long() * PITCHES + rows[..., Field.PITCH]
    struck = functional.one_hot(slot, 2 * PITCHES).float()  # [B, T, 256]
    sums = [torch.bmm(torch.exp(-passed / tau) * seen, struck) for tau in RECENCY_TICKS]
    image = torch.stack([value.view(batch, steps, 2, PITCHES) for value in sums], dim=3)
    return image.view(batch, steps, IMAGE_CHANNELS, PITCHES)


def advanced(image: Tensor, rows: Tensor) -> Tensor:
    """Give the image after one more note: image [B, IMAGE_CHANNELS, 128], rows [B, 6]."""
    tau = torch.tensor(RECENCY_TICKS * 2, device=rows.device)
    decay = torch.exp(-rows[:, Field.GAP, None].float() / tau)  # [B, IMAGE_CHANNELS]
    drums = (rows[:, Field.PART, None] == Part.DRUMS).float()
    row = torch.cat([1.0 - drums, 1.0 - drums, drums, drums], dim=1)
    pitch = functional.one_hot(rows[:, Field.PITCH], PITCHES).float()
    return image * decay[:, :, None] + row[:, :, None] * pitch[:, None, :]


class Encoder(nn.Module):
    """A note, those before it, what was struck lately, and noise, as one vector."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.note = nn.Linear(INPUTS, config.code)
        self.window = nn.Conv1d(config.code, config.code, config.window)
        self.features = nn.Conv1d(IMAGE_CHANNELS, config.features, config.width, padding=config.width // 2)
        self.image_code = nn.Linear(config.features * KEYS // 4, config.image_code)
        self.merge = nn.Linear(2 * config.code + config.image_code + config.noise, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)

    def forward(self, codes: Tensor, image: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Map codes [B, window - 1 + T, C], images [N, ...] and noise [N, Z] to [N, H] and features [N, F, KEYS]."""
        kernel = self.window.kernel_size[0]
        around = functional.relu(self.window(codes.transpose(1, 2))).transpose(1, 2).flatten(0, 1)  # [N, C]
        level = image / (1.0 + image)
        features = functional.relu(self.features(level[:, :, LOWEST : LOWEST + KEYS]))
        pooled = features.view(features.shape[0], -1, KEYS // 4, 4).mean(dim=3).flatten(1)
        parts = [codes[:, kernel - 1 :].flatten(0, 1), around, functional.relu(self.image_code(pooled)), noise]
        return self.norm(self.merge(torch.cat(parts, dim=1))), features


class Heads(nn.Module):
    """The next note, attribute by attribute; every choice is a one-hot."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.part_logits = nn.Linear(config.hidden, PARTS)
        self.time = nn.Linear(config.hidden, config.head)
        self.time_part = nn.Linear(PARTS, config.head, bias=False)
        self.gap_logits = nn.Linear(config.head, TIME_CLASSES)
        self.place = nn.Linear(config.hidden + PARTS + TIME_CLASSES, config.head)
        self.film = nn.Linear(config.head, 2 * config.features)
        self.around = nn.Conv1d(config.features, config.features, 13, padding=6)
        self.key_logit = nn.Conv1d(config.features, 1, 1)
        self.absolute = nn.Linear(config.head, PITCHES)
        self.touch = nn.Linear(config.head + PITCHES, config.head)
        self.velocity_logits = nn.Linear(config.head, VELOCITY_LEVELS)
        self.touch_velocity = nn.Linear(VELOCITY_LEVELS, config.head, bias=False)
        self.duration_logits = nn.Linear(config.head, TIME_CLASSES)

    def gaps(self, context: Tensor, part: Tensor) -> Tensor:
        """Map context [N, H] and part [N, PARTS] to gap logits [N, TIME_CLASSES]."""
        return cast(Tensor, self.gap_logits(functional.relu(self.time(context) + self.time_part(part))))

    def every_gap(self, context: Tensor) -> Tensor:
        """Map context [N, H] to gap logits of every part [N, PARTS, TIME_CLASSES]."""
        code = self.time(context)[:, None, :] + self.time_part.weight.T[None]
        return cast(Tensor, self.gap_logits(functional.relu(code)))

    def pitches(self, context: Tensor, features: Tensor, part: Tensor, gap: Tensor) -> tuple[Tensor, Tensor]:
        """Give pitch logits [N, 128] and the code [N, head] of this place."""
        code = functional.relu(self.place(torch.cat([context, part, gap], dim=1)))
        scale, shift = self.film(code)[:, :, None].chunk(2, dim=1)  # [N, F, 1] each
        view = functional.relu(self.around(features) * (1.0 + scale) + shift)
        keys = functional.pad(self.key_logit(view)[:, 0], (LOWEST, PITCHES - LOWEST - KEYS))
        return keys + self.absolute(code), code

    def velocities(self, code: Tensor, pitch: Tensor) -> tuple[Tensor, Tensor]:
        """Give velocity logits [N, VELOCITY_LEVELS] and the touch [N, head] that durations need."""
        touch = self.touch(torch.cat([code, pitch], dim=1))
        return self.velocity_logits(functional.relu(touch)), touch

    def durations(self, touch: Tensor, velocity: Tensor) -> Tensor:
        """Give duration logits [N, TIME_CLASSES]."""
        return cast(Tensor, self.duration_logits(functional.relu(touch + self.touch_velocity(velocity))))


def straight_through(logits: Tensor, temperature: float) -> Tensor:
    """Draw a one-hot whose gradient is the relaxed draw's (Jang et al. 2017, arXiv 1611.01144, section 2.2)."""
    uniform = torch.rand_like(logits).clamp_(1e-9, 1.0 - 1e-7)
    soft = torch.softmax((logits - torch.log(-torch.log(uniform))) / temperature, dim=-1)
    hard = functional.one_hot(soft.argmax(dim=-1), logits.shape[-1]).float()
    return hard - soft.detach() + soft


def parameters_of(module: nn.Module) -> int:
    """Count a module's weights."""
    return sum(math.prod(weight.shape) for weight in module.parameters())
