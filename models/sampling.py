"""Drawing one class from logits: temperature, top-p, forced and masked choices. Randomness is an argument."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]


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
        top_p: the likeliest classes that make up this share are kept, at least one.

    Raises:
        ValueError: every class is forbidden.
    """
    best = int(logits.argmax())
    top = float(logits[best])
    if not np.isfinite(top):
        raise ValueError("every choice is forbidden")
    if temperature <= 1e-6:
        return best
    weights = np.exp((logits - top) * (1.0 / temperature))
    # by rank also where all are kept: one uniform then means the same class here and in a graph that draws
    order = np.argsort(-weights, kind="stable")
    ranked = weights[order]
    mass = np.cumsum(ranked)
    kept = len(mass) if top_p >= 1.0 else min(len(mass), int(np.searchsorted(mass, top_p * mass[-1])) + 1)
    place = int(np.searchsorted(mass[:kept], uniform * mass[kept - 1], side="right"))
    return int(order[min(place, kept - 1)])
