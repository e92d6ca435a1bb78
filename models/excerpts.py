"""Excerpts of note tables as training batches: what `Roll` is note by note, for whole sequences at once.

Every tensor is causal: row i is made of notes 0..i and of ends at or before note i's onset.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from antiphon.models.controls import CONTROLS
from antiphon.models.events import events_of
from antiphon.models.generator import MAX_TICKS, PITCHES
from antiphon.models.notes import Column
from antiphon.models.recent import recent_of
from antiphon.models.roll import AGE_TICKS, DRUMS, FORGET_TICKS, GROUP_OF_PART, GROUPS, RECENCY_TICKS
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Batch:
    """Excerpts side by side, padded at the end."""

    events: torch.Tensor  # int64 [B, T, events.EVENT]
    durations: torch.Tensor  # int64 [B, T], a target only
    recent: torch.Tensor  # int64 [B, T, RECENT]: what is known of each note before it is struck
    ticks: torch.Tensor  # int64 [B, T]: onsets
    rolls: torch.Tensor  # float32 [B, T, ROLL_CHANNELS, PITCHES], right after each note's onset
    weights: torch.Tensor  # float32 [B, T]: 1 for a note, 0 for padding
    controls: torch.Tensor  # int64 [B, 2, controls]: what is told, before and from `turns` on
    turns: torch.Tensor  # int64 [B]: the note from which on the second row is told

    def to(self, device: str) -> Batch:
        """Give the batch on another device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


def batch_of(
    notes: NDArray[np.int32], lengths: NDArray[np.int64], controls: NDArray[np.int64] | None = None,
    turns: NDArray[np.int64] | None = None,
) -> Batch:  # fmt: skip
    """Make a batch of padded note tables.

    Args:
        notes: [B, T, columns], rows after an excerpt's end are ignored.
        lengths: [B], notes in each excerpt.
        controls: [B, 2, controls]; None: nothing is told.
        turns: [B]; None: the first row holds throughout.
    """
    ended, recent = recent_of(notes)
    told = np.zeros((len(notes), 2, len(CONTROLS)), np.int64) if controls is None else controls
    turned = np.full(len(notes), notes.shape[1], np.int64) if turns is None else turns
    table = torch.from_numpy(notes.astype(np.int64))
    onset = table[..., Column.ONSET]
    weights = (torch.arange(notes.shape[1])[None, :] < torch.from_numpy(lengths)[:, None]).float()
    durations = table[..., Column.DURATION].clamp(0, MAX_TICKS)
    return Batch(
        torch.from_numpy(events_of(notes, ended)), durations, torch.from_numpy(recent), onset, _rolls(table, onset),
        weights, torch.from_numpy(told), torch.from_numpy(turned),
    )  # fmt: skip


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
