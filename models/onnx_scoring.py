"""Negative log-likelihood of the `antiphon` graphs themselves: many excerpts stepped side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from antiphon.models.alone import Rows
from antiphon.models.controls import UNTOLD
from antiphon.models.events import CYCLE, GAP, PART, PITCH, PLACE, VELOCITY, events_of
from antiphon.models.generator import MAX_TICKS, HeldNote
from antiphon.models.notes import Column, NoteTable
from antiphon.models.onnx_state import StateLayout, given_of, layout_of
from antiphon.models.recent import recent_of
from antiphon.models.roll import KEYS, ROLL_CHANNELS, Roll
from antiphon.models.sampling import log_softmax
from numpy.typing import NDArray

_BATCH = 64
_ATTRIBUTES = 5  # at the common resolution: what is finer comes after them, so nothing has to be summed


def score_pieces(graphs: Sequence[Rows], pieces: list[NoteTable], window: int, hop: int) -> list[NDArray[np.float64]]:
    """Give each piece's losses [notes - 1, 5] in nats, a note's from between W and W + H notes before it.

    Args:
        graphs: step, time, pitch and touch.
        pieces: at least two notes each.
        window: W.
        hop: H.
    """
    layout = layout_of(graphs[0].session, graphs[2].session)
    losses = [np.zeros((len(notes) - 1, _ATTRIBUTES)) for notes in pieces]
    jobs = [
        (piece, start) for piece, notes in enumerate(pieces) for start in range(0, max(1, len(notes) - window), hop)
    ]
    jobs.sort(key=lambda job: min(len(pieces[job[0]]) - job[1], window + hop))  # rows of a batch end together
    for first in range(0, len(jobs), _BATCH):
        batch = jobs[first : first + _BATCH]
        excerpts = [pieces[piece][start : start + window + hop] for piece, start in batch]
        scored = _score_excerpts(graphs, layout, excerpts)
        for (piece, start), excerpt, rows in zip(batch, excerpts, scored, strict=True):
            seen = 0 if start == 0 else window - 1  # what an earlier excerpt told with more before it
            losses[piece][start + seen : start + len(excerpt) - 1] = rows[seen : len(excerpt) - 1]
    return losses


def _score_excerpts(graphs: Sequence[Rows], layout: StateLayout, excerpts: list[NoteTable]) -> NDArray[np.float64]:
    """Give losses [B, longest - 1, 5]; what is after an excerpt's end means nothing."""
    step, time, pitch, touch = graphs
    longest = max(map(len, excerpts))
    table = np.stack([np.concatenate([one, np.repeat(one[-1:], longest - len(one), axis=0)]) for one in excerpts])
    ended, recent = recent_of(table)
    events = events_of(table, ended)
    durations = np.clip(table[..., Column.DURATION], 0, MAX_TICKS)
    phases = table[..., Column.ONSET].astype(np.int64) % CYCLE
    batch = len(excerpts)
    hidden = np.zeros((batch, layout.hidden.stop), np.float32)
    told = np.repeat(np.array([UNTOLD], np.int64), batch, axis=0)
    keys = np.empty((batch, longest, layout.recalled), np.float32)
    values = np.zeros((batch, 1 + longest, layout.recalled), np.float32)  # see `NoteMemory`
    rolls = [Roll.empty() for _ in excerpts]
    images = np.empty((batch, ROLL_CHANNELS, KEYS), np.float32)
    losses = np.zeros((batch, longest - 1, _ATTRIBUTES))
    for index in range(longest - 1):
        rolls = [
            roll.advance(_held(row[index])) if index < len(one) else roll
            for roll, row, one in zip(rolls, table, excerpts, strict=True)
        ]
        for roll, image in zip(rolls, images, strict=True):
            roll.image(image)
        feed = {
            "told": np.concatenate([events[:, index], told, phases[:, index, None]], axis=1),
            "given": given_of(images, hidden),
        }
        if layout.recalled:
            feed |= {"keys": keys[:, :index], "values": values[:, : 1 + index]}
        row = step.run({name: np.ascontiguousarray(value) for name, value in feed.items()})[0][:, 0]
        hidden, context = row[:, layout.hidden], np.ascontiguousarray(row[:, layout.context])
        features = row[:, layout.features].reshape(batch, *layout.feature_shape)
        parts, gaps = time.run({"context": context})
        keys[:, index], values[:, 1 + index] = row[:, layout.key], row[:, layout.value]
        following = np.ascontiguousarray(events[:, index + 1])
        pitches, code = pitch.run({"context": context, "features": features, "place": following[:, PLACE]})
        levels, lengths, _, _ = touch.run(
            {
                "code": code, "pitch": np.ascontiguousarray(following[:, PITCH]),
                "recent": np.ascontiguousarray(recent[:, index + 1]),
            },
        )  # fmt: skip
        losses[:, index] = _loss((parts, gaps, pitches, levels, lengths), following, durations[:, index + 1])
    return losses


def _loss(
    logits: tuple[NDArray[np.float32], ...], wanted: NDArray[np.int64], duration: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Give losses [B, 5] from the heads' logits and the notes that came."""
    part, gap, pitch, velocity, length = logits
    rows = np.arange(len(wanted))
    picked = (
        log_softmax(part)[rows, wanted[:, PART]],
        log_softmax(gap[rows, wanted[:, PART]])[rows, wanted[:, GAP]],
        log_softmax(pitch)[rows, wanted[:, PITCH]],
        log_softmax(velocity)[rows, wanted[:, VELOCITY]],
        log_softmax(length[rows, wanted[:, VELOCITY]])[rows, duration],
    )
    return -np.stack(picked, axis=1)


def _held(row: NDArray[np.int32]) -> HeldNote:
    onset = int(row[Column.ONSET])
    end = onset + max(1, int(row[Column.DURATION]))
    return HeldNote(onset, int(row[Column.PART]), int(row[Column.PITCH]), int(row[Column.VELOCITY]), off_tick=end)
