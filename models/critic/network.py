"""The critic's network: the Neurotune paper's discriminator over the critic's own rows."""

from __future__ import annotations

import numpy as np
import torch
from antiphon.models.critic.rows import SIZES, Rows
from antiphon.models.neurotune.discriminator import Discriminator, DiscriminatorConfig
from torch import Tensor, nn
from torch.nn import functional


class CriticNetwork(Discriminator):
    """A `Discriminator` whose notes are `models.critic.rows`."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__(config)
        self.note = nn.Linear(sum(SIZES), config.code)
        nn.init.normal_(self.note.weight, std=len(SIZES) ** -0.5)  # as in `Discriminator`

    def scores(self, rows: Rows) -> Tensor:
        """Give the scores [B] of rows [B, T, 8]."""
        notes = torch.from_numpy(np.ascontiguousarray(rows))
        hots = [functional.one_hot(notes[..., field], size).float() for field, size in enumerate(SIZES)]
        scores, _ = self(torch.cat(hots, dim=-1))
        return torch.as_tensor(scores)
