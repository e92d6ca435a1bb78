"""How well a generator foretells music it never saw: nats a note, beside unigram and Markov.

The shipped graphs themselves are scored, as live play uses them: a window of W notes slides in hops of H, and a
note is scored with between W and W + H notes before it (fewer at a piece's beginning).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from antiphon.models.baselines import ATTRIBUTES, Markov, classes_of
from antiphon.models.corpus import load_pieces, read_corpus
from antiphon.models.errors import DataError
from antiphon.models.generator import (
    MAX_BEATS_IN_BAR,
    TICKS_PER_BEAT,
    UNKNOWN_BEAT_IN_BAR,
    UNKNOWN_TICK_IN_BEAT,
    HeldNote,
)
from antiphon.models.notes import Column, NoteTable, Piece
from antiphon.models.onnx_generator import OnnxGenerator
from antiphon.models.roll import Roll
from numpy.typing import NDArray

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Score:
    """Mean negative log-likelihood over some notes."""

    notes: int
    by_attribute: tuple[float, ...]
    interval: float  # half width of a 95% interval of the total, over pieces

    @property
    def total(self) -> float:
        """Nats a note."""
        return sum(self.by_attribute)

    def as_dict(self) -> dict[str, float | int]:
        """Give the score for JSON."""
        parts = {name: round(value, 4) for name, value in zip(ATTRIBUTES, self.by_attribute, strict=True)}
        return {
            "total": round(self.total, 4),
            "interval": round(self.interval, 4),
            "notes": self.notes,
            **parts,
        }


def score_of(losses: list[NDArray[np.float64]]) -> Score:
    """Sum up pieces' losses, each [notes, 5]."""
    sizes = np.array([len(loss) for loss in losses], np.float64)
    sums = np.array([loss.sum() for loss in losses])
    total = sums.sum() / sizes.sum()
    # a ratio's standard error over pieces: notes of one piece are far from independent
    spread = np.sqrt(((sums - total * sizes) ** 2).sum()) / sizes.sum()
    means = np.concatenate(losses).mean(axis=0)
    return Score(int(sizes.sum()), tuple(float(value) for value in means), float(1.96 * spread))


def generator_nll(
    generator: OnnxGenerator, pieces: list[NoteTable], window: int, hop: int
) -> list[NDArray[np.float64]]:
    """Give each piece's losses [notes - 1, 5] in nats."""
    losses = [np.zeros((len(notes) - 1, len(ATTRIBUTES))) for notes in pieces]
    jobs = [
        (piece, start) for piece, notes in enumerate(pieces) for start in range(0, max(1, len(notes) - window), hop)
    ]
    jobs.sort(key=lambda job: min(len(pieces[job[0]]) - job[1], window + hop))  # rows of a batch end together
    for first in range(0, len(jobs), _BATCH):
        _score_batch(generator, pieces, jobs[first : first + _BATCH], losses, (window, hop))
    return losses


def _score_batch(
    generator: OnnxGenerator, pieces: list[NoteTable], jobs: list[tuple[int, int]],
    losses: list[NDArray[np.float64]], size: tuple[int, int],
) -> None:  # fmt: skip
    window, hop = size
    excerpts = [pieces[piece][start : start + window + hop] for piece, start in jobs]
    longest = max(len(excerpt) for excerpt in excerpts)
    rolls = [Roll.empty() for _ in jobs]
    events = [events_of(excerpt, longest) for excerpt in excerpts]
    hidden: NDArray[np.float32] | None = None
    for step in range(longest - 1):
        images = []
        for row, excerpt in enumerate(excerpts):
            if step < len(excerpt):
                rolls[row] = rolls[row].advance(_held(excerpt[step]))
            images.append(rolls[row].image())
        now = np.stack([event[step] for event in events])
        following = np.stack([event[step + 1] for event in events])
        nll, hidden = generator.score_step(now[:, :6], np.stack(images), hidden, following)
        for row, (piece, start) in enumerate(jobs):
            at = start + step  # index of the loss of note at + 1
            scored = step + 1 < len(excerpts[row]) and (step + 1 >= window or start == 0)
            if scored:
                losses[piece][at] = nll[row]


def _held(row: NDArray[np.int32]) -> HeldNote:
    onset = int(row[Column.ONSET])
    end = onset + max(1, int(row[Column.DURATION]))
    return HeldNote(onset, int(row[Column.PART]), int(row[Column.PITCH]), int(row[Column.VELOCITY]), off_tick=end)


def events_of(excerpt: NoteTable, length: int) -> NDArray[np.int64]:
    """Give rows (part, gap, pitch, level, tick in beat, beat in bar, duration), padded to ``length``."""
    classes = classes_of(excerpt)
    bar = excerpt[:, Column.BAR_POSITION].astype(np.int64)
    beat = np.clip(bar // TICKS_PER_BEAT, 0, MAX_BEATS_IN_BAR - 1)
    columns = [
        classes[:, 0], classes[:, 1], classes[:, 2], classes[:, 3],
        np.where(bar < 0, UNKNOWN_TICK_IN_BEAT, bar % TICKS_PER_BEAT),
        np.where(bar < 0, UNKNOWN_BEAT_IN_BAR, beat), classes[:, 4],
    ]  # fmt: skip
    table = np.stack(columns, axis=1)
    return np.concatenate([table, np.repeat(table[-1:], length - len(table), axis=0)])


def limited(pieces: list[Piece], notes: int) -> list[NoteTable]:
    """Take pieces, evenly through the list, until there are ``notes`` notes (0: all)."""
    if not notes:
        return [piece.notes for piece in pieces]
    order = np.random.default_rng(0).permutation(len(pieces))
    taken: list[NoteTable] = []
    for index in order:
        if sum(map(len, taken)) >= notes:
            break
        taken.append(pieces[index].notes)
    return taken


def evaluate(
    generator: OnnxGenerator,
    train: tuple[Piece, ...],
    valid: tuple[Piece, ...],
    notes: int,
    window: int,
    hop: int,
) -> dict[str, Any]:
    """Give the table: data set -> scorer -> score."""
    markov = {"unigram": Markov(train, 0), "markov3": Markov(train, 3)}
    table: dict[str, Any] = {}
    sources = sorted({piece.source for piece in valid})
    every: dict[str, list[NDArray[np.float64]]] = {}
    for source in sources:
        pieces = limited([piece for piece in valid if piece.source == source], notes)
        losses = {name: [chain.nll(piece) for piece in pieces] for name, chain in markov.items()}
        losses[generator.name] = generator_nll(generator, pieces, window, hop)
        table[source] = {name: score_of(loss).as_dict() for name, loss in losses.items()}
        for name, loss in losses.items():
            every.setdefault(name, []).extend(loss)
    if len(sources) > 1:
        table["all"] = {name: score_of(loss).as_dict() for name, loss in every.items()}
    return table


def show(table: dict[str, Any]) -> str:
    """Give the table as Markdown."""
    lines = ["| data | model | nats a note | " + " | ".join(ATTRIBUTES) + " | notes |", "| --- " * 9 + "|"]
    for source, scores in table.items():
        for name, score in scores.items():
            parts = " | ".join(f"{score[attribute]:.3f}" for attribute in ATTRIBUTES)
            total = f"{score['total']:.3f} ± {score['interval']:.3f}"
            lines.append(f"| {source} | {name} | {total} | {parts} | {score['notes']} |")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Run ``antiphon evaluate``."""
    parser = argparse.ArgumentParser(prog="antiphon evaluate", description="Score a model on music it never saw.")
    parser.add_argument("model", help="one that ships, or a model folder")
    parser.add_argument("data", nargs="*", type=Path, help="folders of music; their validation parts are scored")
    parser.add_argument("--run", type=Path, help="a training run's folder: its corpus is used as it is")
    parser.add_argument("--only", help="data sets to score, joined by commas")
    parser.add_argument("--notes", type=int, default=20_000, help="notes of each data set at most (0: all)")
    parser.add_argument("--window", type=int, default=128)
    parser.add_argument("--hop", type=int, default=128)
    parser.add_argument("--json", type=Path, help="write the table here too")
    args = parser.parse_args(argv)
    if args.run is None and not args.data:
        raise DataError("evaluate: nothing to score on; give folders of music, or --run with a training run")
    if args.run is not None:
        train, valid = load_pieces(args.run / "train.npz"), load_pieces(args.run / "valid.npz")
    else:
        corpus = read_corpus(args.data)
        train, valid = corpus.train, corpus.valid
    if args.only:
        wanted = args.only.split(",")
        valid = tuple(piece for piece in valid if piece.source in wanted)
    if not valid:
        raise DataError("evaluate: there is no held-out music in what was given; give more files, or other --only")
    table = evaluate(OnnxGenerator.load(args.model), train, valid, args.notes, args.window, args.hop)
    print(show(table))
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n")
    return 0
