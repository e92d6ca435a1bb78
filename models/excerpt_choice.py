"""Which held-out music takes are made from: excerpts to continue, and passages with a melody to accompany."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from antiphon.models.generator import TICKS_PER_BEAT
from antiphon.models.notes import Column, NoteTable, Piece
from antiphon.models.parts import Part

#: Notes that a melody, and an accompaniment, must have in a passage to be measured.
_LEAST_NOTES = 8
#: Places of a piece that are tried for a passage.
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Real music in two: what a generator hears, and what really came."""

    prompt: NoteTable
    after: NoteTable


@dataclass(frozen=True, slots=True)
class Passage:
    """A melody with its real accompaniment, and what was played before."""

    prompt: NoteTable
    melody: NoteTable
    accompaniment: NoteTable  # pitched parts only
    parts: list[int]  # who accompanies, drums included
    start: int  # tick
    until: int  # tick


def excerpts_of(
    pieces: Sequence[Piece], prompt: int, after: int, count: int, rng: np.random.Generator
) -> list[Excerpt]:
    """Choose up to ``count`` excerpts at random, one a piece, evenly over the data sets."""
    chosen: list[Excerpt] = []
    for piece in _evenly([piece for piece in pieces if len(piece.notes) >= prompt + after], rng):
        if len(chosen) == count:
            break
        start = int(rng.integers(0, len(piece.notes) - prompt - after + 1))
        heard = piece.notes[start : start + prompt + after]
        chosen.append(Excerpt(heard[:prompt], heard[prompt:]))
    return chosen


def passages_of(
    pieces: Sequence[Piece], prompt: int, beats: int, count: int, rng: np.random.Generator
) -> list[Passage]:
    """Choose up to ``count`` passages of ``beats`` beats where a lead is accompanied, one a piece, evenly over sets."""
    chosen: list[Passage] = []
    for piece in _evenly([piece for piece in pieces if len(piece.notes) > prompt], rng):
        if len(chosen) == count:
            break
        if Part.LEAD not in piece.notes[:, Column.PART]:
            continue
        for _ in range(_TRIES):
            passage = _passage(piece.notes, int(rng.integers(prompt, len(piece.notes))), prompt, beats)
            if passage is not None:
                chosen.append(passage)
                break
    return chosen


def _passage(notes: NoteTable, at: int, prompt: int, beats: int) -> Passage | None:
    start = int(notes[at - 1, Column.ONSET])  # of the last note heard: what is struck with it is not asked for
    until = start + beats * TICKS_PER_BEAT
    onset, part = notes[:, Column.ONSET], notes[:, Column.PART]
    inside = (np.arange(len(notes)) >= at) & (onset < until)
    melody = notes[inside & (part == Part.LEAD)]
    others = inside & (part != Part.LEAD)
    accompaniment = notes[others & (part != Part.DRUMS)]
    whole = onset[-1] >= until
    if not whole or min(len(melody), len(accompaniment)) < _LEAST_NOTES:
        return None
    parts = [int(value) for value in np.unique(part[others])]
    return Passage(notes[at - prompt : at], melody, accompaniment, parts, start, until)


def _evenly(pieces: list[Piece], rng: np.random.Generator) -> Iterator[Piece]:
    """Give pieces in random order, from each data set in turn."""
    queues = [
        [piece for piece in pieces if piece.source == source] for source in sorted({piece.source for piece in pieces})
    ]
    orders = [iter(rng.permutation(len(queue)).tolist()) for queue in queues]
    waiting = list(zip(queues, orders, strict=True))
    while waiting:
        for queue, order in tuple(waiting):
            number = next(order, None)
            if number is None:
                waiting.remove((queue, order))
            else:
                yield queue[number]
