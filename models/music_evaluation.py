"""Takes that generators make offline, measured beside real music: the second half of ``antiphon evaluate --music``.

Each generator continues the same held-out excerpts, and accompanies the same held-out melodies. Beside its figures
stand those of the real continuations and accompaniments, and a control: other real music for the overlapped areas, the
accompaniment of another melody for the harmony.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from antiphon.models.continuations import accompanied, accuracy, continued
from antiphon.models.errors import DataError
from antiphon.models.excerpt_choice import Excerpt, Passage, excerpts_of, passages_of
from antiphon.models.generator import TICKS_PER_BEAT, Constraints, Generator
from antiphon.models.harmony import agreement
from antiphon.models.music_metrics import music_metrics
from antiphon.models.notes import Column, NoteTable, Piece
from antiphon.models.originality import LEAST_RUN, CopyFinder
from antiphon.models.overlap import overlapped_areas
from antiphon.models.scoring import labelled
from numpy.typing import NDArray

REAL, OTHER = "real", "other"
#: Notes of each excerpt whose likeliest attributes are asked for: three draws a note are dear.
_ACCURACY_NOTES = 32


@dataclass(frozen=True)
class Takes:
    """How many takes are made, and of what length.

    Raises:
        DataError: a number is out of its range.
    """

    takes: int = 24
    prompt: int = 128  # notes
    notes: int = 128  # of a continuation
    beats: int = 32  # of an accompaniment
    copied: int = LEAST_RUN
    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        least = {
            "takes": 3,
            "prompt": 2,
            "notes": 8,
            "beats": 4,
            "copied": 3,
            "seed": 0,
            "temperature": 0,
            "top_p": 0.05,
        }
        for field in fields(self):
            value = getattr(self, field.name)
            if value < least[field.name]:
                raise DataError(f"evaluate: {field.name} is {value}; give {least[field.name]} or more")

    @property
    def drawing(self) -> Constraints:
        """How notes are drawn."""
        return Constraints(temperature=self.temperature, top_p=self.top_p)


Row = dict[str, "NDArray[np.float64] | list[float]"]  # column -> a figure of each take


def evaluate_music(
    generators: Sequence[Generator], train: Sequence[Piece], valid: Sequence[Piece], plan: Takes
) -> dict[str, Any]:
    """Make takes and measure them.

    Args:
        generators: each makes takes from the same excerpts.
        train: what originality is measured against.
        valid: held-out music.
        plan: how many takes, and how long.

    Returns:
        For JSON: ``columns``, ``rows`` (figure -> column -> mean and half a 95% interval over takes), and how many
        ``takes`` and ``accompaniments`` there were.

    Raises:
        DataError: held-out music is too short or too little for three takes.
    """
    rng = np.random.default_rng(plan.seed)
    chosen = excerpts_of(valid, plan.prompt, plan.notes, 2 * plan.takes, rng)
    if len(chosen) < 6:
        raise DataError(
            f"evaluate: held-out music has {len(chosen)} excerpts of {plan.prompt + plan.notes} notes, takes need 6; "
            "give more music, or lower --window and --take-notes"
        )
    excerpts, control = chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]
    finder = CopyFinder(train, plan.copied)
    passages = passages_of(valid, plan.prompt, plan.beats, plan.takes, rng)
    rows: dict[str, Row] = {}
    real = [excerpt.after for excerpt in excerpts]
    _add_takes(rows, REAL, real, finder)
    _add_overlap(rows, OTHER, [excerpt.after for excerpt in control], real)
    _add_accompaniments(rows, REAL, passages, [passage.accompaniment for passage in passages])
    _add_accompaniments(rows, OTHER, passages, _turned(passages))
    labels = labelled(generators, (REAL, OTHER))
    for name, generator in labels.items():
        made = [
            continued(generator, excerpt.prompt, plan.notes, np.random.default_rng([plan.seed, number]), plan.drawing)
            for number, excerpt in enumerate(excerpts)
        ]
        _add_takes(rows, name, made, finder)
        _add_overlap(rows, name, made, real)
        _add_accuracy(rows, name, generator, excerpts, plan.seed)
        played = [
            accompanied(
                generator, passage.prompt, passage.melody, passage.until, passage.parts,
                np.random.default_rng([plan.seed, 1, number]), plan.drawing,
            )
            for number, passage in enumerate(passages)
        ]  # fmt: skip
        _add_accompaniments(rows, name, passages, played)
    return {
        "columns": [REAL, OTHER, *labels],
        "rows": {name: {column: _summary(values) for column, values in row.items()} for name, row in rows.items()},
        "takes": len(excerpts), "accompaniments": len(passages), "prompt": plan.prompt, "notes": plan.notes,
        "beats": plan.beats, "copied": plan.copied, "seed": plan.seed,
        "temperature": plan.temperature, "top_p": plan.top_p,
    }  # fmt: skip


def _add_takes(rows: dict[str, Row], column: str, takes: list[NoteTable], finder: CopyFinder) -> None:
    for name, values in music_metrics(takes).items():
        _put(rows, name.replace("_", " "), column, values)
    found = [finder.copied(take) for take in takes]
    _put(rows, "longest copied run", column, [float(copied.longest) for copied in found])
    _put(rows, "longest copied run of all", column, [float(max(copied.longest for copied in found))])
    _put(rows, f"share in runs of {finder.least} and more", column, [copied.share for copied in found])


def _add_overlap(rows: dict[str, Row], column: str, takes: list[NoteTable], real: list[NoteTable]) -> None:
    for name, area in overlapped_areas(takes, real).items():
        _put(rows, f"overlapped area: {name}", column, [area])


def _add_accuracy(rows: dict[str, Row], column: str, generator: Generator, excerpts: list[Excerpt], seed: int) -> None:
    told = []
    for excerpt in excerpts:
        whole = np.concatenate([excerpt.prompt, excerpt.after[:_ACCURACY_NOTES]])
        told.append(accuracy(generator, whole, len(excerpt.prompt), np.random.default_rng(seed)))
    for name in ("part", "gap", "pitch"):
        _put(rows, f"accuracy: {name}", column, [shares[name] for shares in told])


def _add_accompaniments(rows: dict[str, Row], column: str, passages: list[Passage], played: list[NoteTable]) -> None:
    told = [
        agreement(passage.melody, notes, passage.until - passage.start).as_dict()
        for passage, notes in zip(passages, played, strict=True)
    ]
    for name in told[0] if told else ():
        _put(rows, f"accompaniment: {name.replace('_', ' ')}", column, [figures[name] for figures in told])


def _turned(passages: list[Passage]) -> list[NoteTable]:
    """Give each passage the real accompaniment of the next one, moved to its own beats: what any chords would score."""
    turned = []
    for number, passage in enumerate(passages):
        other = passages[(number + 1) % len(passages)]
        notes = other.accompaniment.copy()
        # by whole beats from both beginnings, so that what was on the beat stays on it
        apart = round((passage.start - other.start) / TICKS_PER_BEAT) * TICKS_PER_BEAT
        notes[:, Column.ONSET] += apart
        turned.append(notes)
    return turned


def _put(rows: dict[str, Row], name: str, column: str, values: NDArray[np.float64] | list[float]) -> None:
    rows.setdefault(name, {})[column] = values


def _summary(values: NDArray[np.float64] | list[float]) -> dict[str, float | None]:
    """Give mean and half a 95% interval over the takes that have the figure; None where there is none."""
    told = np.array([value for value in values if not math.isnan(value)], np.float64)
    mean = float(told.mean()) if len(told) else None
    interval = 1.96 * float(told.std(ddof=1)) / math.sqrt(len(told)) if len(told) > 1 else None
    return {"mean": _short(mean), "interval": _short(interval)}


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def show_music(told: dict[str, Any]) -> str:
    """Give the figures as a Markdown table."""
    columns = told["columns"]
    lines = [
        f"{told['takes']} continuations of {told['notes']} notes after {told['prompt']}, "
        f"{told['accompaniments']} accompaniments of {told['beats']} beats, "
        f"drawn at temperature {told['temperature']:g}, top-p {told['top_p']:g}; ± is 95% over takes.",
        "",
        "| figure | " + " | ".join(columns) + " |",
        "| --- " * (len(columns) + 1) + "|",
    ]
    for name, row in told["rows"].items():
        lines.append(f"| {name} | " + " | ".join(_cell(row.get(column)) for column in columns) + " |")
    return "\n".join(lines)


def _cell(told: dict[str, float | None] | None) -> str:
    if told is None or told["mean"] is None:
        return "—"
    interval = told["interval"]
    return f"{told['mean']:.3f}" + ("" if interval is None else f" ± {interval:.3f}")
