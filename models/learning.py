"""Learning on from a model's weights on a few pieces, as long as it helps with pieces that are held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from antiphon.models.augment import Augment, Excerpts
from antiphon.models.excerpts import Batch, batch_of
from antiphon.models.learn_pieces import Split
from antiphon.models.network import AntiphonNetwork
from antiphon.models.notes import NoteTable
from antiphon.models.recipe import Recipe, Stage
from antiphon.models.training_loop import Pace, fit
from antiphon.models.training_run import Run

#: As live play and `antiphon evaluate`: a note is told from so many notes before it at least, and twice at most.
WINDOW = HOP = 128
#: A few keys around the user's own and a little touch; who plays what is theirs to tell, so no part is dropped. Free
#: time and what is told go on as before, else the model forgets how to play without a clock and to be steered.
_LIGHT = Augment(transpose=3, velocity=3, free_time=0.2, stretch=0.1, told=0.6, handed_over=0.3)
#: As the base was taught: finer than anyone is compared at, and more noise than music.
_SCALE = {"fine": 0.3, "shift": 0.3}
_BATCH_NOTES = 2048
_PACE = Pace(tell_s=20.0, save_s=60.0)
_ROWS = 16


def learn_recipe(base: AntiphonNetwork, found: Split, minutes: float, seed: int) -> Recipe:
    """Give how to learn on: a low rate, few notes a step, checked often, stopped when it helps no more."""
    longest = max(len(piece.notes) for piece in found.learnt)
    notes = max(2, min(WINDOW + HOP, longest))
    return Recipe(
        network=base.config, augment=_LIGHT, weights={}, data={}, scale=_SCALE, minutes=minutes, rate=3e-4,
        rate_end=1e-5,
        stages=(Stage(1.0, max(1, _BATCH_NOTES // notes), notes),), warmup_steps=20, weight_decay=0.01, clip=1.0,
        seed=seed, patience=6, check_steps=20,
    )  # fmt: skip


def adapt(
    base: AntiphonNetwork, found: Split, held_out: list[NoteTable], work: Path, recipe: Recipe,
    tell: Callable[[str], None], draw: Callable[[Path], object],
) -> Run:  # fmt: skip
    """Learn on in the folder ``work``; resumes what it holds. The run's best step is 0 where nothing helped.

    Raises:
        DataError: ``work`` holds another run.
    """
    run = Run(work, recipe, "cpu")
    checks = check_batches(held_out)
    if run.resume():
        tell(f"resumed at step {run.step}, {run.trained_s / 60:.1f} minutes")
    else:
        run.begin_with(base.state_dict())
        run.judge(run.validate(checks))  # what must be beaten
        run.save()
    fit(run, Excerpts(found.learnt, {}, recipe.augment), checks, tell=tell, draw=draw, pace=_PACE)
    return run


def check_batches(pieces: list[NoteTable]) -> list[Batch]:
    """Cut held-out pieces as `onnx_scoring` does: every note counts once, after 128 to 256 notes before it."""
    jobs = [(notes, start) for notes in pieces for start in range(0, max(1, len(notes) - WINDOW), HOP)]
    jobs.sort(key=lambda job: min(len(job[0]) - job[1], WINDOW + HOP))  # rows of a batch end together
    batches = []
    for first in range(0, len(jobs), _ROWS):
        rows = [(notes[start : start + WINDOW + HOP], start) for notes, start in jobs[first : first + _ROWS]]
        lengths = np.array([len(row) for row, _ in rows], np.int64)
        table = np.stack(
            [np.concatenate([row, np.repeat(row[-1:], lengths.max() - len(row), axis=0)]) for row, _ in rows]
        )
        batch = batch_of(table, lengths)
        counts = batch.weights.clone()
        counts[torch.tensor([start > 0 for _, start in rows]), :WINDOW] = 0.0  # counted in the window before
        batches.append(replace(batch, weights=counts))
    return batches
