"""``antiphon train``: a recipe, a corpus, and a folder that a run can be killed in and resumed from at any moment.

The parts: `recipe`, `training_run` (the run and one step of it), `checkpoint`, `training_loop`, `training_log`,
`training_processes` (several at once), `precision`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from antiphon.models.checkpoint import CHECKPOINT, load_network
from antiphon.models.errors import DataError
from antiphon.models.network import ATTRIBUTES
from antiphon.models.precision import told
from antiphon.models.recipe import Recipe, Stage
from antiphon.models.training_loop import quiet, train, undrawn
from antiphon.models.training_processes import joined
from antiphon.models.training_run import Run, mean_loss

__all__ = ["ATTRIBUTES", "CHECKPOINT", "Recipe", "Run", "Stage", "load_network", "main", "mean_loss", "train"]

_MOST_THREADS = 1024


def main(argv: list[str], draw: Callable[[Path], object] = undrawn) -> int:
    """Run ``antiphon train``.

    Args:
        argv: its arguments.
        draw: draws the curves of a run's folder.
    """
    args = _parser().parse_args(argv)
    recipe = Recipe.load(args.recipe)
    if args.minutes is not None:
        recipe = replace(recipe, minutes=args.minutes)
    set_threads(args.threads)
    with joined(args.device) as processes:
        tell = partial(print, flush=True) if processes.leads else quiet
        tell(told(processes.device.partition(":")[0]) + (f", {processes.size} processes" if processes.size > 1 else ""))
        run = train(args.data, args.out, recipe, processes.device, processes, tell=tell, draw=draw)
        why = (
            ""
            if run.progress >= 1.0
            else f" (no better for {run.waited} checks; the best, step {run.best_step}, is kept)"
        )
        tell(f"done: {run.step} steps, {run.notes_seen} notes, validation {run.best:.3f} nats a note{why}")
    return 0


def set_threads(asked: int | None) -> None:
    """Let torch use so many threads, or this process's share of the cores. Raises: DataError."""
    if asked is not None and not 1 <= asked <= _MOST_THREADS:
        raise DataError(f"--threads: must be 1 to {_MOST_THREADS}, got {asked}")
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    torch.set_num_threads(asked or max(1, (os.cpu_count() or 1) // max(1, here)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon train", description="Train a generator on folders of MIDI.",
        epilog="Several processes: torchrun --nproc-per-node N -m antiphon.daemon.cli train DATA... --out RUN",
    )  # fmt: skip
    parser.add_argument("data", nargs="+", type=Path, help="folders of MIDI files, or of a zipped data set")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder; a run in it is resumed")
    parser.add_argument("--recipe", default="antiphon", help="one that ships, or a .toml file")
    parser.add_argument("--minutes", type=float, help="instead of the recipe's")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, help="of torch (default: all cores, shared by the processes here)")
    return parser
