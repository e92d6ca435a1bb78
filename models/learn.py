"""``antiphon learn``: a model that ships, adapted to a folder of the user's own music, and what that gained.

What is held out is scored before and after by the graphs that play, in the same windows. Without a gain nothing is
written to play with, and nothing is claimed.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from antiphon.models.baselines import ATTRIBUTES
from antiphon.models.errors import DataError
from antiphon.models.learn_pieces import Split, keep_plan, read_split
from antiphon.models.learn_weights import Base, load_base
from antiphon.models.learning import HOP, WINDOW, adapt, learn_recipe
from antiphon.models.load import load_generator
from antiphon.models.model_files import DEFAULT_MODEL
from antiphon.models.notes import NoteTable
from antiphon.models.scoring import Losses, Score, limited, losses_of, score_of
from antiphon.models.training import set_threads
from antiphon.models.training_run import Run

#: In the model's folder: what is needed to go on after a kill, and to see how it went.
WORK = "learning"
NO_GAIN = 1
#: Less than this a note is nothing that anyone could hear, nor more than rounding to 8 bits moves.
LEAST_GAIN = 0.01
#: Held-out notes that are scored at most: more would take longer than the learning.
_MOST_NOTES = 12_000


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt on what, and how well both tell the held-out pieces."""

    base: Base
    split: Split
    run: Run
    before: Score
    after: Score
    gain: Score  # before less after, note by note; its interval is of the difference


def main(argv: list[str], export: Callable[[Path, Path], object], describe: Callable[[Path, Learnt], object],
         draw: Callable[[Path], object]) -> int:  # fmt: skip
    """Run ``antiphon learn``.

    Args:
        argv: its arguments.
        export: writes a model folder from a checkpoint.
        describe: writes into a model folder what it was learnt from and what it gained.
        draw: draws the curves of a run's folder.

    Returns:
        0, or `NO_GAIN`.
    """
    args = _parser().parse_args(argv)
    if not 0.01 <= args.minutes <= 600.0:
        raise DataError(f"learn: --minutes must be 0.01 to 600, got {args.minutes:g}")
    if not 0 <= args.seed < 2**31:
        raise DataError(f"learn: --seed must be 0 to {2**31 - 1}, got {args.seed}")
    set_threads(args.threads)
    tell = partial(print, flush=True)
    base = load_base(args.base)
    out: Path = args.out or Path(f"{base.files.name}-{args.folder.resolve().name}")
    work = out / WORK
    if (out / "model.json").exists() and not work.is_dir():
        raise DataError(f"{out} holds a model that was not learnt here; take another --out")
    found = read_split(args.folder, work, args.seed, tell)
    keep_plan(work, found, base.files.sha256, args.seed)
    told = f"{len(found.learnt)} pieces to learn from, {len(found.held_out)} held out"
    tell(f"{told}; at most {args.minutes:g} minutes of learning")

    held_out = limited(list(found.held_out), _MOST_NOTES)
    recipe = learn_recipe(base.network, found, args.minutes, args.seed)
    run = adapt(base.network, found, held_out, work, recipe, tell, draw)
    learnt = _measured(base, found, run, held_out, export) if run.best_step else None
    if learnt is None or learnt.gain.total < LEAST_GAIN:
        reason = (
            "no step told the held-out pieces better" if learnt is None else f"{learnt.gain.total:+.3f} nats a note"
        )
        tell(f"no gain ({reason}): kept {base.files.name}, nothing was written to play with")
        return NO_GAIN
    fresh = work / "model"
    describe(fresh, learnt)
    _move(fresh, out)
    tell(table(learnt))
    tell(f"play it: antiphon jam --model {out}")
    return 0


def _measured(
    base: Base, found: Split, run: Run, held_out: list[NoteTable], export: Callable[[Path, Path], object]
) -> Learnt:
    fresh = run.folder / "model"
    shutil.rmtree(fresh, ignore_errors=True)  # half of it, where an export was killed
    export(run.folder / "checkpoint.pt", fresh)
    before, after = (_losses(folder, held_out) for folder in (base.files.folder, fresh))
    gain = score_of([was - now for was, now in zip(before, after, strict=True)])
    return Learnt(base, found, run, score_of(before), score_of(after), gain)


def _losses(folder: Path, held_out: list[NoteTable]) -> list[Losses]:
    return losses_of(load_generator(str(folder)), held_out, WINDOW, HOP) or []


def table(learnt: Learnt) -> str:
    """Give the figures as Markdown, and in words how sure they are."""
    lines = [f"| nats a note | all | {' | '.join(ATTRIBUTES)} |", "| --- " * (2 + len(ATTRIBUTES)) + "|"]
    for name, score in (
        (learnt.base.files.name, learnt.before), ("learnt", learnt.after), ("gain", learnt.gain),
    ):  # fmt: skip
        total = f"{score.total:.3f}" + (f" ± {score.interval:.3f}" if name == "gain" and _several(learnt) else "")
        lines.append(f"| {name} | {total} | {' | '.join(f'{value:.3f}' for value in score.by_attribute)} |")
    return "\n".join([*lines, "", sureness(learnt)])


def sureness(learnt: Learnt) -> str:
    """Say in a line what the gain is worth."""
    pieces = len(learnt.split.held_out)
    what = f"on {learnt.gain.notes:,} notes of {pieces} held-out piece{'s' * (pieces > 1)}"
    if not _several(learnt):
        return f"{what}: one piece tells little; more pieces tell more"
    if learnt.gain.total <= learnt.gain.interval:
        return f"{what}: it may be chance, its 95% interval over pieces holds 0"
    return f"{what}; the best step was chosen by the same pieces, so on others expect a little less"


def _several(learnt: Learnt) -> bool:
    return len(learnt.split.held_out) > 1


def _move(fresh: Path, out: Path) -> None:
    """Put a model folder's files in place, ``model.json`` last: without it a folder is no model."""
    (out / "model.json").unlink(missing_ok=True)
    for path in sorted(fresh.iterdir(), key=lambda path: path.name == "model.json"):
        os.replace(path, out / path.name)
    shutil.rmtree(fresh)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon learn", description="Adapt a model to your own music, and tell what that gained.",
        epilog=f"Exit status {NO_GAIN}: no gain, nothing was written to play with. A run that was killed goes on.",
    )  # fmt: skip
    parser.add_argument("folder", type=Path, help="MIDI files of yours: two at least, twenty and more are better")
    parser.add_argument("--from", dest="base", default=DEFAULT_MODEL, help="model to learn on from: a name or a folder")
    parser.add_argument("--out", type=Path, help="the model folder to write (default: ./MODEL-FOLDER)")
    parser.add_argument("--minutes", type=float, default=5.0, help="of learning, at most (default 5)")
    parser.add_argument("--seed", type=int, default=1, help="of what is held out, and of chance (default 1)")
    parser.add_argument("--threads", type=int, help="of torch (default: all cores)")
    return parser
