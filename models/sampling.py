"""Drawing one class from logits: temperature, top-p, forced and masked choices. Randomness is an argument."""

from __future__ import annotations

import numpy as np
from antiphon.models.generator import NothingAllowedError
from numpy.typing import NDArray

Logits = NDArray[np.float32]


#: The most of all chances that may lie before a draw: 32 bits add up 128 of them to within a few times 1e-7 of 1.
MOST_OF_ALL = 1.0 - 2.0**-18


def log_softmax(logits: Logits) -> NDArray[np.float64]:
    """Give log-probabilities along the last axis."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))  # type: ignore[no-any-return]


def draw(logits: Logits | NDArray[np.float64], uniform: float, temperature: float, top_p: float) -> int:
    """Draw a class by inverse transform.

    Args:
        logits: [classes]; ``-inf`` forbids a class.
        uniform: in [0, 1).
        temperature: 0 takes the likeliest.
        top_p: only the likeliest classes that make up this share are drawn, the last of them by what is left of it.

    Raises:
        NothingAllowedError: every class is forbidden.
        ValueError: a logit is no number.
    """
    best = int(logits.argmax())
    top = float(logits[best])
    if top == -np.inf:
        raise NothingAllowedError
    if not np.isfinite(top):
        raise ValueError(f"logits: the greatest is {top}; no class can be drawn")
    if temperature <= 1e-6:
        return best
    weights = np.exp((logits - top) * (1.0 / temperature))
    # by rank also where all are kept: one uniform then means the same class here and in a graph that draws
    order = np.argsort(-weights, kind="stable")
    ranked = weights[order]
    mass = np.cumsum(ranked)
    place = int(np.searchsorted(mass, share_of(uniform, top_p) * mass[-1], side="right"))
    return int(order[place])


def share_of(uniform: float, top_p: float) -> float:
    """Give how much of all chances, the likeliest first, lies before what is drawn; always some lies after it."""
    return min(uniform * top_p, MOST_OF_ALL)
