"""The loop of a training run: draw, learn, tell, check, save, until it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from antiphon.models.augment import Augment, Excerpts
from antiphon.models.excerpts import Batch, batch_of
from antiphon.models.network import ATTRIBUTES
from antiphon.models.prepare import Pieces, prepare
from antiphon.models.recipe import Recipe
from antiphon.models.training_log import TrainingLog
from antiphon.models.training_processes import Processes
from antiphon.models.training_run import Run, total_of
from torch import Tensor

_VALID_BATCHES, _VALID_EXCERPTS = 12, 16
_LONGEST_STEP_S = 5.0  # a process that was suspended has not trained meanwhile

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a run tells, and saves, in seconds."""

    tell_s: float = 30.0
    save_s: float = 180.0


def quiet(line: str) -> None:
    """Tell nothing."""


def undrawn(folder: Path) -> None:
    """Draw nothing."""


def train(
    folders: list[Path], out: Path, recipe: Recipe, device: str, processes: Processes | None = None,
    *, tell: Tell = print, draw: Callable[[Path], object] = undrawn,
) -> Run:  # fmt: skip
    """Train until the recipe's time is over or it gets no better, saving as it goes; resumes what ``out`` holds.

    Args:
        folders: of MIDI files.
        out: the run's folder.
        recipe: what is learnt and how.
        device: of torch.
        processes: those that train together; alone where not given.
        tell: is given a line now and then.
        draw: is given the folder after every save, to draw its curves.

    Raises:
        DataError: there is too little music, or ``out`` holds something else.
    """
    processes = processes or Processes(device=device)
    out.mkdir(parents=True, exist_ok=True)
    pieces, held_out = _prepared(folders, out, processes, tell)
    run = Run(out, recipe, device, processes)
    if run.resume():
        tell(f"resumed at step {run.step}, {run.trained_s / 60:.1f} minutes")
    check, rng = Excerpts(held_out or pieces, {}, Augment()), np.random.default_rng(0)
    checks = [
        _batch(check, rng, _VALID_EXCERPTS, recipe.stages[-1].notes)
        for _ in range(_VALID_BATCHES if processes.leads else 0)
    ]
    fit(run, Excerpts(pieces, recipe.weights, recipe.augment, recipe.styles), checks, tell=tell, draw=draw)
    return run


def _prepared(folders: list[Path], out: Path, processes: Processes, tell: Tell) -> tuple[Pieces, Pieces]:
    """Read the corpus: the first process, then the first of every machine, then those that find it read."""
    for turn in (processes.leads, processes.local_rank == 0, True):
        if turn:
            found = prepare(folders, out, tell)
        processes.wait()
    return found


def fit(
    run: Run, excerpts: Excerpts, checks: list[Batch],
    *, tell: Tell = print, draw: Callable[[Path], object] = undrawn, pace: Pace | None = None,
) -> None:  # fmt: skip
    """Take a run on until it is over. Only the first of several processes checks, saves and tells.

    Args:
        run: begun or resumed.
        excerpts: what batches are drawn from.
        checks: held-out music.
        tell: is given a line now and then.
        draw: is given the run's folder after every save.
        pace: how often.
    """
    pace, processes, recipe = pace or Pace(), run.processes, run.recipe
    with TrainingLog(run.folder, run.step) if processes.leads else nullcontext() as log:
        told = saved = time.monotonic()
        recent: list[Tensor] = []
        while True:
            # every process must see the same clock and the same patience, or one leaves while the others wait
            run.trained_s, waited = processes.shared((run.trained_s, float(run.waited)))
            run.waited = int(waited)
            if run.over:
                break
            began = time.monotonic()
            recent.append(run.learn(_drawn(run, excerpts)))
            now = time.monotonic()
            run.trained_s += min(now - began, _LONGEST_STEP_S)
            if log is None:
                recent.clear()
                continue
            if now - told > pace.tell_s:
                told = now
                _tell(log, run, torch.stack(recent).mean(0), "train", tell)
                recent.clear()
            timely = now - saved > pace.save_s
            due = run.step % recipe.check_steps == 0 if recipe.check_steps else timely
            if due or run.over:
                losses = run.validate(checks)
                run.judge(losses)
                _tell(log, run, losses, "valid", tell)
            if due or timely or run.over:
                saved = now
                run.save()
                draw(run.folder)
        if log is not None:
            draw(run.folder)  # a kill may have come between the last save and its picture


def _drawn(run: Run, excerpts: Excerpts) -> Batch:
    """Draw a step's batch: its own at every step and in every process, whether the run was interrupted or not."""
    stages = run.recipe.stages
    stage = next(s for s in stages if run.progress < s.until or s is stages[-1])
    rng = np.random.default_rng((run.recipe.seed, run.step, run.processes.rank))
    return _batch(excerpts, rng, stage.batch, stage.notes)


def _batch(excerpts: Excerpts, rng: np.random.Generator, batch: int, notes: int) -> Batch:
    drawn = excerpts.draw(rng, batch, notes)
    return batch_of(drawn.notes, drawn.lengths, drawn.controls, drawn.turns)


def _tell(log: TrainingLog, run: Run, losses: Tensor, what: str, tell: Tell) -> None:
    values = [round(float(value), 4) for value in losses]
    line = {
        "what": what, "step": run.step, "minutes": round(run.trained_s / 60, 2), "notes": run.notes_seen,
        "total": round(total_of(values), 4), **dict(zip(ATTRIBUTES, values, strict=True)),
        "rate": float(f"{run.rate:.3g}"),
    }  # fmt: skip
    log.write(line)
    tell(" ".join(f"{key}={value}" for key, value in line.items()) + f" left={run.seconds_left() / 60:.1f}min")
