"""A second round: the next critic also learns from what a critic before it chose. No torch.

The best of N by a critic is not music yet: it goes too far where that critic goes too far (of the first one's choices
too few repeat themselves, though single draws repeat themselves too much). The next critic has to tell these choices
from real music as well, so what was overdone scores lower. Hard negatives, as in Felzenszwalb et al., "Object Detection
with Discriminatively Trained Part-Based Models", IEEE TPAMI 32 (2010), section 4.4.
"""

from __future__ import annotations

import numpy as np
from antiphon.models.critic.judge import Critic
from antiphon.models.critic.pairs import Pairs
from antiphon.models.errors import DataError


def check_singles(singles: int, count: int) -> None:
    """Check how many of so many continuations are to be kept for being draws like any other.

    Raises:
        DataError: none, or so many that there is nothing to choose from.
    """
    if not 1 <= singles < count:
        raise DataError(
            f"train critic: --singles: 1 to {count - 1} with {count} candidates, not {singles}; give fewer, or more "
            "--candidates"
            if count > 1
            else f"train critic: --candidates: 2 or more with --before, not {count}"
        )


def with_chosen(pairs: Pairs, before: Critic, singles: int) -> Pairs:
    """Keep of each prompt the first continuations that were made, and the one that a critic likes best of them all.

    Args:
        pairs: with N continuations of each prompt.
        before: the critic of the round before.
        singles: how many of the N are kept for being draws like any other; see `check_singles`.
    """
    check_singles(singles, pairs.made.shape[1])
    both = zip(pairs.prompts, pairs.made, strict=True)
    best = np.array([before.score_tables(prompt, made).argmax() for prompt, made in both], np.intp)
    chosen = pairs.made[np.arange(len(pairs)), best]
    return Pairs(pairs.prompts, pairs.real, np.concatenate([pairs.made[:, :singles], chosen[:, None]], axis=1))
