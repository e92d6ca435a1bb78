"""Excerpts of note tables as training batches: what `Roll` is note by note, for whole sequences at once.

Every tensor is causal: row i is made of notes 0..i and of ends at or before note i's onset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from antiphon.models.generator import (
    MAX_BEATS_IN_BAR,
    MAX_TICKS,
    PITCHES,
    TICKS_PER_BEAT,
    UNKNOWN_BEAT_IN_BAR,
    UNKNOWN_TICK_IN_BEAT,
    VELOCITY_STEP,
)
from antiphon.models.notes import Column
from antiphon.models.roll import AGE_TICKS, DRUMS, FORGET_TICKS, GROUP_OF_PART, GROUPS, RECENCY_TICKS
from numpy.typing import NDArray

#: Columns of an event batch: what the network takes in of one note.
PART, GAP, PITCH, VELOCITY, TICK_IN_BEAT, BEAT_IN_BAR = range(6)


@dataclass(frozen=True, slots=True)
class Batch:
    """Excerpts side by side, padded at the end."""

    events: torch.Tensor  # int64 [B, T, 6]
    durations: torch.Tensor  # int64 [B, T], a target only
    rolls: torch.Tensor  # float32 [B, T, ROLL_CHANNELS, PITCHES], right after each note's onset
    weights: torch.Tensor  # float32 [B, T]: 1 for a note, 0 for padding


def batch_of(notes: NDArray[np.int32], lengths: NDArray[np.int64]) -> Batch:
    """Make a batch of padded note tables.

    Args:
        notes: [B, T, 6], rows after an excerpt's end are ignored.
        lengths: [B], notes in each excerpt.
    """
    table = torch.from_numpy(notes.astype(np.int64))
    steps = table.shape[1]
    weights = (torch.arange(steps)[None, :] < torch.from_numpy(lengths)[:, None]).float()
    onset = table[..., Column.ONSET]
    gap = torch.zeros_like(onset)
    gap[:, 1:] = (onset[:, 1:] - onset[:, :-1]).clamp(0, MAX_TICKS)
    bar = table[..., Column.BAR_POSITION]
    events = torch.stack(
        [
            table[..., Column.PART],
            gap,
            table[..., Column.PITCH],
            (table[..., Column.VELOCITY] // VELOCITY_STEP).clamp(0, 15),
            torch.where(bar < 0, UNKNOWN_TICK_IN_BEAT, bar % TICKS_PER_BEAT),
            torch.where(bar < 0, UNKNOWN_BEAT_IN_BAR, (bar // TICKS_PER_BEAT).clamp(0, MAX_BEATS_IN_BAR - 1)),
        ],
        dim=-1,
    )
    durations = table[..., Column.DURATION].clamp(0, MAX_TICKS)
    return Batch(events, durations, _rolls(table, onset), weights)


def _rolls(table: torch.Tensor, onset: torch.Tensor) -> torch.Tensor:
    batch, steps = onset.shape
    part, pitch = table[..., Column.PART], table[..., Column.PITCH]
    off = onset + table[..., Column.DURATION].clamp(min=1)
    passed = onset[:, :, None] - onset[:, None, :]  # [B, i, j]: from note j to note i
    seen = torch.ones(steps, steps, dtype=torch.bool).tril()
    sounds = (seen & (off[:, None, :] > onset[:, :, None]) & (passed < FORGET_TICKS)).float()
    aged = sounds * torch.exp(-passed.clamp(min=0) / AGE_TICKS)
    group = torch.tensor(GROUP_OF_PART)[part]
    pitched = torch.zeros(batch, steps, GROUPS * PITCHES)
    slot = (group.clamp(min=0) * PITCHES + pitch)[..., None]
    pitched.scatter_(2, slot, (group >= 0).float()[..., None])
    flags = torch.bmm(sounds, pitched).clamp(max=1.0).view(batch, steps, GROUPS, PITCHES)
    ages = torch.bmm(aged, pitched).clamp(max=1.0).view(batch, steps, GROUPS, PITCHES)
    struck = torch.zeros(batch, steps, 2 * PITCHES)
    struck.scatter_(2, ((part == DRUMS).long() * PITCHES + pitch)[..., None], 1.0)
    recencies = []
    for tau in RECENCY_TICKS:
        decay = torch.exp(-passed.clamp(min=0) / tau) * seen
        recency = torch.bmm(decay, struck).view(batch, steps, 2, PITCHES)
        recencies.append(recency / (1.0 + recency))
    rolls = torch.stack([flags, ages], dim=3).reshape(batch, steps, 2 * GROUPS, PITCHES)
    recent = torch.stack(recencies, dim=3).reshape(batch, steps, 2 * len(RECENCY_TICKS), PITCHES)
    return torch.cat([rolls, recent], dim=2)
