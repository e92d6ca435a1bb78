"""The log-likelihood of frames, by the paper's measure: nats a frame, the mean over all frames of all pieces.

Each piece is scored whole, from its first frame, at full precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from antiphon.models.frames.excerpts import Batch, batches
from antiphon.models.frames.network import FrameNetwork
from antiphon.models.frames.sets import Frames
from numpy.typing import NDArray

#: Frames scored at a time: what keeps the memory small. Pieces beyond it are still scored whole.
_AT_A_TIME = 2048


def scored_pieces(network: FrameNetwork, pieces: Sequence[Frames]) -> list[NDArray[np.float64]]:
    """Give log p(frame | the piece's frames before it) in nats, [frames] for each piece."""
    network.eval()
    scored: list[NDArray[np.float64]] = []
    order = sorted(range(len(pieces)), key=lambda number: len(pieces[number]))
    for batch in batches([(0, piece) for piece in pieces], _AT_A_TIME):
        values = likelihoods(network, batch).double().numpy()
        scored += [row[counts] for row, counts in zip(values, batch.counts, strict=True)]
    places = {number: place for place, number in enumerate(order)}
    return [scored[places[number]] for number in range(len(pieces))]


def likelihoods(network: FrameNetwork, batch: Batch) -> torch.Tensor:
    """Give log-likelihoods [B, T]; those of what does not count are meaningless."""
    with torch.inference_mode():
        return network.log_likelihood(torch.from_numpy(batch.frames), torch.from_numpy(batch.place))


def mean_of_frames(scored: Sequence[NDArray[np.float64]]) -> float:
    """Give the mean over all frames, a long piece counting more than a short one: the paper's measure.

    `note_unigram` over the published files gives the paper's row of that name so, and not with a mean over pieces.
    """
    return float(np.concatenate(scored).mean())


def interval(scored: Sequence[NDArray[np.float64]]) -> float:
    """Give half a 95% interval of `mean_of_frames`, over pieces: frames of one piece are far from independent.

    The mean is a ratio of sums over pieces, and this its usual variance (Cochran, Sampling Techniques, 1977, 2.11).
    """
    if len(scored) < 2:
        return float("nan")
    lengths = np.array([len(piece) for piece in scored], np.float64)
    errors = np.array([piece.sum() for piece in scored]) - mean_of_frames(scored) * lengths
    return float(1.96 * np.sqrt(errors.var(ddof=1) / len(scored)) / lengths.mean())


def note_unigram(learnt: Sequence[Frames], pieces: Sequence[Frames]) -> list[NDArray[np.float64]]:
    """Score each key by how often it sounds in what was learnt from, and by nothing else: the paper's note 1-gram."""
    sounds = np.zeros(learnt[0].shape[1])
    for piece in learnt:
        sounds += piece.sum(0)
    share = (sounds + 1.0) / (sum(len(piece) for piece in learnt) + 2.0)
    on, off = np.log(share), np.log1p(-share)
    return [piece @ on + (1 - piece.astype(np.float64)) @ off for piece in pieces]
