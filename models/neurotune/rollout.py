"""Free runs of a trained generator in torch, for the papers' tables; live play runs the exported graphs."""

from __future__ import annotations

import torch
from antiphon.models.neurotune.discriminator import Discriminator
from antiphon.models.neurotune.layers import one_hots
from antiphon.models.neurotune.network import Generator
from antiphon.models.neurotune.sequences import HEARD_BEFORE, SIZES, Rows


def continued(generator: Generator, prefix: Rows, notes: int, seed: int) -> Rows:
    """Draw what comes after real notes.

    Args:
        generator: in evaluation mode.
        prefix: [B, P, 6], P at least 1.
        notes: how many to draw.
        seed: of noise and draws.

    Returns:
        [B, notes, 6].
    """
    torch.manual_seed(seed)
    with torch.no_grad():
        hots = generator.play_on(torch.from_numpy(prefix), notes, 1.0)
    fields = [hot.argmax(dim=2) for hot in torch.split_with_sizes(hots, list(SIZES), 2)]
    drawn: Rows = torch.stack(fields, dim=2).numpy()
    return drawn


def judged(discriminator: Discriminator, prefix: Rows, played: Rows) -> torch.Tensor:
    """Give the discriminator's score [B] of ``played`` [B, N, 6] after the last of ``prefix`` [B, P, 6]."""
    heard = torch.from_numpy(prefix[:, -HEARD_BEFORE:])
    rows = torch.cat([heard, torch.from_numpy(played)], dim=1)
    with torch.no_grad():
        scores, _ = discriminator(torch.cat(one_hots(rows), dim=2))
    return torch.as_tensor(scores)


def best_of(
    generator: Generator, discriminator: Discriminator, prefix: Rows, notes: int, candidates: int, seed: int
) -> Rows:
    """Draw ``candidates`` continuations of each prefix in one batch, and keep the one that the critic likes best."""
    many = prefix.repeat(candidates, axis=0)  # the candidates of one prefix side by side
    played = continued(generator, many, notes, seed)
    chosen = judged(discriminator, many, played).view(len(prefix), candidates).argmax(dim=1).numpy()
    kept: Rows = played.reshape(len(prefix), candidates, notes, -1)[range(len(prefix)), chosen]
    return kept
