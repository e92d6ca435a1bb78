"""The discriminator over sequences of notes: convolution and recurrence over time. Live it is the critic.

Stabilised by spectral norm on convolutions and score (Miyato et al. 2018, arXiv 1802.05957) and dropout;
its pooled features are what feature matching compares (Salimans et al. 2016, arXiv 1606.03498, section 3.1).

Shapes: B sequences, T notes, C code, H hidden of each direction.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import cast

import torch
from antiphon.models.neurotune.sequences import SIZES
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

#: A note as the discriminator sees it: one-hots of every `Field`.
NOTE_INPUTS = sum(SIZES)
LEAK = 0.2  # of the rectifiers: a discriminator that is dead below 0 tells the generator nothing (arXiv 1511.06434)


@dataclass(frozen=True, slots=True)
class DiscriminatorConfig:
    """Sizes of the discriminator."""

    code: int = 96
    hidden: int = 64
    width: int = 5  # notes that a convolution over time sees
    dropout: float = 0.2

    def as_dict(self) -> dict[str, float | int]:
        """Give the fields as a plain mapping, for a checkpoint or a card."""
        return asdict(self)


class Discriminator(nn.Module):
    """Sequences of notes in, logits of "a person wrote this" out. Length is free."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.note = nn.Linear(NOTE_INPUTS, config.code)
        # six ones in 369 inputs: the usual start, made for dense inputs, would leave next to nothing of a note
        nn.init.normal_(self.note.weight, std=len(SIZES) ** -0.5)
        padding = config.width // 2
        self.near = spectral_norm(nn.Conv1d(config.code, config.code, config.width, padding=padding))
        self.wide = spectral_norm(nn.Conv1d(config.code, config.code, config.width, padding=padding))
        self.recurrence = nn.GRU(config.code, config.hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(config.dropout)
        self.score = spectral_norm(nn.Linear(4 * config.hidden, 1))

    def features(self, notes: Tensor) -> Tensor:
        """Map one-hots [B, T, NOTE_INPUTS] to features [B, 4 H]: mean and maximum over time."""
        code = functional.leaky_relu(self.note(notes), LEAK).transpose(1, 2)  # [B, C, T]
        code = self.dropout(functional.leaky_relu(self.near(code), LEAK))
        code = functional.leaky_relu(self.wide(code), LEAK).transpose(1, 2)
        hidden, _ = self.recurrence(code)  # [B, T, 2 H]
        return torch.cat([hidden.mean(dim=1), hidden.amax(dim=1)], dim=1)

    def forward(self, notes: Tensor) -> tuple[Tensor, Tensor]:
        """Map one-hots [B, T, NOTE_INPUTS] to scores [B] and features [B, 4 H]."""
        features = self.features(notes)
        return self.scored(features), features

    def scored(self, features: Tensor) -> Tensor:
        """Map features [B, 4 H] to scores [B], in logits: above 0 is "real"."""
        return cast(Tensor, self.score(self.dropout(features)))[:, 0]
