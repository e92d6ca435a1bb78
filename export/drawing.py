"""Drawing inside a graph, as `models.sampling.draw` does outside."""

from __future__ import annotations

import torch
from antiphon.models.sampling import MOST_OF_ALL
from torch import Tensor


def draw(logits: Tensor, share: Tensor, sharpness: Tensor) -> Tensor:
    """Draw a class for each row.

    Args:
        logits: [..., classes], biased; -inf forbids.
        share: [..., 1], as `share_of` gives it.
        sharpness: [..., 1], one over the temperature.

    Returns:
        [..., 1] classes.
    """
    chances = torch.softmax(logits * sharpness, dim=-1)
    ranked, order = torch.topk(chances, logits.shape[-1], dim=-1)
    place = (torch.cumsum(ranked, dim=-1) <= share).sum(dim=-1, keepdim=True)
    return order.gather(-1, place)


def share_of(uniform: Tensor, top_p: Tensor) -> Tensor:
    """Give what `models.sampling.share_of` gives, for each row."""
    return (uniform * top_p).clamp(max=MOST_OF_ALL)


def log_prob(logits: Tensor, choice: Tensor) -> Tensor:
    """Map logits [..., classes] and choice [..., 1] to the choice's log-probability [..., 1]."""
    return torch.log_softmax(logits, dim=-1).gather(-1, choice)
