"""Nats a note of the exported `neurotune` graphs, at the resolution that all generators are compared at.

What came is forced, and the draw's own log-probabilities are read off: the graphs that play are the ones scored. The
noise is one fixed stream, not summed over, so the figure is an upper bound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from antiphon.models.neurotune.biases import Biases, Floats
from antiphon.models.neurotune.player import Player, Rolling
from antiphon.models.neurotune.sequences import Rows, rows_of
from antiphon.models.notes import NoteTable
from numpy.typing import NDArray

_BATCH = 32


def piece_losses(
    player: Player, stream: Floats, snapped: Callable[[Rows], Rows], pieces: list[NoteTable], window: int, hop: int
) -> list[NDArray[np.float64]]:
    """Give each piece's losses [notes - 1, 5]: a note is scored with W to W + H notes before it, fewer at the start.

    Args:
        player: the graphs.
        stream: noise [steps, Z], by the notes since a window's beginning.
        snapped: puts what is taken in (not what is scored) on the learnt grid.
        pieces: note tables of two notes or more.
        window: W.
        hop: H.
    """
    losses = [np.zeros((max(0, len(notes) - 1), 5)) for notes in pieces]
    tables = [rows_of(notes) for notes in pieces]
    jobs = [(at, start) for at, rows in enumerate(tables) for start in range(0, max(1, len(rows) - window), hop)]
    jobs.sort(key=lambda job: min(len(tables[job[0]]) - job[1], window + hop))  # rows of a batch end together
    for first in range(0, len(jobs), _BATCH):
        batch = jobs[first : first + _BATCH]
        excerpts = [tables[piece][start : start + window + hop] for piece, start in batch]
        longest = max(map(len, excerpts))
        padded = np.stack([np.concatenate([e, np.repeat(e[-1:], longest - len(e), axis=0)]) for e in excerpts])
        taken = snapped(padded)
        taken[:, 0, 1] = 0  # a window's first note follows nothing
        rolling: Rolling | None = None
        uniforms = np.zeros((len(batch), 5))
        for step in range(longest - 1):
            noise = np.repeat(stream[step % len(stream)][None], len(batch), axis=0)
            rolling = player.step(np.ascontiguousarray(taken[:, step]), noise, rolling)
            _, log_probs = player.draw(rolling, Biases.forcing(padded[:, step + 1]), uniforms, 1.0, 1.0)
            for row, (piece, start) in enumerate(batch):
                if step + 1 < len(excerpts[row]) and (step + 1 >= window or start == 0):
                    losses[piece][start + step] = -log_probs[row]
    return losses
