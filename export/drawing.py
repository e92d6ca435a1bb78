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
    order, place = ranked(logits, share, sharpness)
    return order.gather(-1, place)


def ranked(logits: Tensor, share: Tensor, sharpness: Tensor) -> tuple[Tensor, Tensor]:
    """Give the classes by rank [..., classes], and the rank that is drawn [..., 1]; see `draw`.

    It is the first whose chances, with all before it, reach the share: there what is cut off at the share is largest.
    """
    chances, order = torch.topk(torch.softmax(logits * sharpness, dim=-1), logits.shape[-1], dim=-1)
    return order, torch.argmax(torch.minimum(torch.cumsum(chances, dim=-1), share), dim=-1, keepdim=True)


def share_of(uniform: Tensor, top_p: Tensor) -> Tensor:
    """Give what `models.sampling.share_of` gives, for each row."""
    return (uniform * top_p).clamp(max=MOST_OF_ALL)
