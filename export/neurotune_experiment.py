"""The experiment of ``antiphon papers neurotune``: two generators from one beginning, trained and compared.

One learns from likelihood for the first part of the budget. From there two go on for the same time: one with
likelihood alone, one with the discriminator beside it. Both then continue the same held-out beginnings.
"""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from antiphon.export.neurotune_curves import Panel, draw_curves, draw_rolls
from antiphon.models.corpus import load_pieces
from antiphon.models.neurotune.checkpoint import save
from antiphon.models.neurotune.comparison import (
    difference_table,
    differences,
    foretold,
    foretold_differences,
    row_of,
    table,
    verdict,
)
from antiphon.models.neurotune.layers import parameters_of
from antiphon.models.neurotune.metrics import Counted
from antiphon.models.neurotune.post import tidied
from antiphon.models.neurotune.recipe import Recipe
from antiphon.models.neurotune.rollout import best_of, continued
from antiphon.models.neurotune.samples import write_midi
from antiphon.models.neurotune.sequences import Rows, Sequences, notes_of
from antiphon.models.neurotune.training import Arm, Run, finish_critic, train

_CANDIDATES = 8
_INTERVALS = 4  # samples and rolls are made this often in each arm
_HELD_OUT_EVERY = 0.05  # share of the run
_ROLLS = 3
_ARMS: tuple[Arm, ...] = ("likelihood", "adversarial")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    sequences: int
    rounds: int
    checked: int  # held-out sequences of the curves


FULL, QUICK = Size(256, 1000, 64), Size(64, 200, 16)


class Watch:
    """Follows one arm: held-out likelihood for the curves; samples, rolls and a checkpoint at intervals."""

    def __init__(self, name: str, out: Path, checked: Rows, started: float) -> None:
        self._name, self._out, self._first = name, out, checked[:_ROLLS, :1]
        self._checked = torch.from_numpy(checked)
        self._next_check, self._last_sample = started, started

    def __call__(self, run: Run) -> None:
        """Look at a run after one of its steps."""
        if run.progress >= self._next_check or run.progress >= 1.0:
            self._next_check = run.progress + _HELD_OUT_EVERY
            losses = run.held_out(self._checked)
            run.curves.add(run.progress, {"held-out": float(losses.sum())})
        if run.progress >= self._last_sample + 1 / _INTERVALS or run.progress >= 1.0:
            self._last_sample = run.progress
            self._sample(run)

    def _sample(self, run: Run) -> None:
        played = continued(run.average, self._first, self._checked.shape[1], seed=run.plan.seed)
        percent = round(100 * run.progress)
        rolls = {}
        for number, rows in enumerate(played):
            raw = notes_of(rows)
            neat = tidied(raw)
            rolls[f"{self._name}, {percent}% of the run, sample {number + 1}: as drawn"] = raw
            rolls[f"{self._name}, {percent}% of the run, sample {number + 1}: post-processed"] = neat
            write_midi(neat, self._out / f"{self._name}-{percent:03d}-{number + 1}.mid")
        draw_rolls(rolls, self._out / f"{self._name}-{percent:03d}.png")
        save(run, self._out / f"{self._name}.pt")
        print(f"{self._name}: {percent}% of the run, {run.step} steps, {run.trained_s:.0f} s", flush=True)


def _trained(recipe: Recipe, music: Sequences, out: Path, checked: Rows) -> dict[str, Run]:
    started = Run(recipe)
    train(started, "likelihood", music, recipe.training.pretrain, Watch("pretrained", out, checked, 0.0))
    runs: dict[str, Run] = {}
    for arm in _ARMS:
        runs[arm] = copy.deepcopy(started)
        train(runs[arm], arm, music, 1.0, Watch(arm, out, checked, started.progress))
    # after its generator is done: what is compared had no part of this
    finish_critic(runs["adversarial"], music)
    for name, run in runs.items():
        save(run, out / f"{name}.pt")
    return runs


def _curves(runs: dict[str, Run], path: Path) -> None:
    series = {arm: run.curves.series for arm, run in runs.items()}
    against = series["adversarial"]

    def of_both(name: str) -> dict[str, list[tuple[float, float]]]:
        return {arm: found[name] for arm, found in series.items() if name in found}

    def of_one(*names: str) -> dict[str, list[tuple[float, float]]]:
        return {name: against[name] for name in names if name in against}

    panels = [
        Panel("likelihood on training batches, nats a note", of_both("likelihood")),
        Panel("likelihood on held-out music (averaged weights), nats a note", of_both("held-out")),
        Panel("discriminator and generator", of_one("critic", "adversarial")),
        Panel("feature matching", of_one("matching")),
        Panel("share that the discriminator tells apart", of_one("critic_accuracy")),
        Panel("the critic learning on alone (its own run)", of_one("finishing", "finishing_accuracy")),
    ]
    draw_curves([panel for panel in panels if panel.lines], path)


def compared(runs: dict[str, Run], held_out: Sequences, size: Size, seed: int) -> dict[str, Any]:
    """Measure both arms, best-of-n by the critic, and real music beside itself.

    Returns:
        ``rows`` and ``differences`` for JSON, ``markdown`` to print.
    """
    rng = np.random.default_rng((seed, 7))
    rows = held_out.draw(rng, size.sequences, changed=False)
    others = held_out.draw(rng, size.sequences, changed=False)
    half = rows.shape[1] // 2
    judged = rows.shape[1] - half
    before, real = rows[:, :half], Counted.of(rows[:, half:])
    lines, counted = [], {}
    told = {arm: foretold(run.average, rows) for arm, run in runs.items()}
    for arm, run in runs.items():
        line, counted[arm] = row_of(arm, continued(run.average, before, judged, seed), real, size.rounds, told[arm])
        lines.append(line)
    run = runs["adversarial"]
    run.discriminator.eval()
    best = f"adversarial, best of {_CANDIDATES} by its critic"
    chosen = best_of(run.average, run.discriminator, before, judged, _CANDIDATES, seed + 1)
    line, counted[best] = row_of(best, chosen, real, size.rounds, None)
    lines.append(line)
    lines.append(row_of("real music, other excerpts", others[:, half:], real, size.rounds, None)[0])
    pairs = (("adversarial", "likelihood"), (best, "adversarial"))
    found = {f"{a} - {b}": differences(counted[a], counted[b], real, size.rounds) for a, b in pairs}
    changed = foretold_differences(told["adversarial"], told["likelihood"], size.rounds)
    in_words = "adversarial - likelihood, paired: " + ", ".join(f"{name} {value}" for name, value in changed.items())
    told_in_words = [verdict(a, b, found[f"{a} - {b}"]) for a, b in pairs]
    return {
        "rows": [line.as_dict() for line in lines],
        "differences": {name: {k: v.as_dict() for k, v in value.items()} for name, value in found.items()},
        "foretold": {name: value.as_dict() for name, value in changed.items()},
        "markdown": "\n\n".join([table(lines), difference_table(found), in_words, *told_in_words]),
    }


def run_paper(run_folder: Path, out: Path, recipe: Recipe, size: Size) -> dict[str, Any]:
    """Train both arms, write pictures and samples to ``out``, and give the report."""
    music = Sequences(load_pieces(run_folder / "train.npz"), recipe.sequences, recipe.weights)
    valid = load_pieces(run_folder / "valid.npz")
    held_out = Sequences(valid, recipe.sequences, recipe.weights)
    checked = held_out.draw(np.random.default_rng(recipe.training.seed), size.checked, changed=False)
    out.mkdir(parents=True, exist_ok=True)  # what cannot be read leaves no folder behind
    began = time.perf_counter()
    runs = _trained(recipe, music, out, checked)
    _curves(runs, out / "curves.png")
    report = compared(runs, held_out, size, recipe.training.seed)
    report["facts"] = {
        "parameters": {
            "generator": parameters_of(runs["adversarial"].generator),
            "discriminator": parameters_of(runs["adversarial"].discriminator),
        },
        "pieces_dropped": len(music.dropped),
        "notes": music.notes,
        "held_out_notes": held_out.notes,
        "minutes_each": recipe.training.minutes,
        "steps": {arm: run.step for arm, run in runs.items()},
        "trained_s": {arm: round(run.trained_s, 1) for arm, run in runs.items()},
        "wall_s": round(time.perf_counter() - began, 1),
        "sequences": size.sequences,
        "notes_before": recipe.sequences.length // 2,
        "judged_notes": recipe.sequences.length - recipe.sequences.length // 2,
        "seed": recipe.training.seed,
    }
    (out / "neurotune.json").write_text(json.dumps(report, indent=1) + "\n")
    (out / "dropped.txt").write_text("".join(f"{name}: {why}\n" for name, why in music.dropped))
    return report
