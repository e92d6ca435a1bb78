"""``antiphon papers frames``: a CRNN on the sets of Boulanger-Lewandowski et al. (2012), published figures beside."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from antiphon.export.neurotune_curves import Panel, draw_curves
from antiphon.models.errors import DataError
from antiphon.models.frames.page import page
from antiphon.models.frames.reading import read_set
from antiphon.models.frames.recipe import RECIPES, Recipe
from antiphon.models.frames.scoring import interval, mean_of_frames, note_unigram, scored_pieces
from antiphon.models.frames.sets import BENCHMARKS, FrameSet
from antiphon.models.frames.training import Run, train


def main(argv: list[str]) -> int:
    """Run ``antiphon papers frames``."""
    parser = argparse.ArgumentParser(
        prog="antiphon papers frames", allow_abbrev=False,
        description="Frame-level log-likelihood of a CRNN on the sets of Boulanger-Lewandowski et al. (2012).",
        epilog="Writes frames.md, frames.json and curves.png. A run that was killed goes on where it was.",
    )  # fmt: skip
    files = ", ".join(benchmark.file for benchmark in BENCHMARKS.values())
    parser.add_argument("data", type=Path, help=f"folder with {files}")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; training in it is resumed")
    defaults = ", ".join(f"{name} {recipe.minutes:g}" for name, recipe in RECIPES.items())
    parser.add_argument("--minutes", type=float, help=f"of processor time in training, each set (default: {defaults})")
    parser.add_argument("--sets", default=",".join(BENCHMARKS), help="which, with commas between (default: all)")
    parser.add_argument("--seeds", default="1", help="of the training, one run each, with commas between (default: 1)")
    args = parser.parse_args(argv)
    names, seeds = _names(args.sets), _seeds(args.seeds)
    recipes = {name: [replace(_recipe(name, args.minutes), seed=seed) for seed in seeds] for name in names}
    data = {name: read_set(args.data, name) for name in names}  # before any training: all that is missing is told
    torch.set_num_threads(1)
    results: dict[str, Any] = {
        "command": "antiphon papers frames " + " ".join(argv), "torch": torch.__version__, "seeds": seeds, "sets": {},
    }  # fmt: skip
    for name in names:
        results["sets"][name] = _set(name, data[name], recipes[name], args.out)
        _write(results, args.out)  # what is done is there, whatever becomes of the rest
    print(page(results))
    return 0


def _write(results: dict[str, Any], out: Path) -> None:
    (out / "frames.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "frames.md").write_text(page(results), encoding="utf-8")
    draw_curves([_panel(name, told) for name, told in results["sets"].items()], out / "curves.png")


def _set(name: str, data: FrameSet, recipes: list[Recipe], out: Path) -> dict[str, Any]:
    unigram = note_unigram(data.train, data.test)
    return {
        "pieces": [len(part) for part in (data.train, data.valid, data.test)],
        "test_frames": sum(len(piece) for piece in data.test),
        "note_unigram": mean_of_frames(unigram),
        "runs": [_run(name, data, recipe, out / f"{name}-{recipe.seed}") for recipe in recipes],
    }


def _run(name: str, data: FrameSet, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Train one network, score the test part once, and give how it went."""
    run = Run(folder, recipe)
    _say(f"{name}, seed {recipe.seed}: {recipe.minutes:g} minutes at most")
    if run.resume():
        _say(f"resumed after epoch {run.epoch}, {run.trained_s / 60:.1f} minutes")
    train(run, data.train, data.valid, lambda line: _say(f"{name}-{recipe.seed} {line}"))
    network = run.best_of_it()
    scored = scored_pieces(network, data.test)
    test = mean_of_frames(scored)
    _say(f"{name}, seed {recipe.seed}: {run.why_over}; test {test:.3f}")
    return {
        "seed": recipe.seed, "weights": sum(weight.numel() for weight in network.parameters()),
        "epochs": run.epoch, "best_epoch": run.best_epoch, "minutes": run.trained_s / 60.0, "why_over": run.why_over,
        "train": run.log[-1]["train"], "valid": run.best, "test": test, "interval": interval(scored), "log": run.log,
    }  # fmt: skip


def _panel(name: str, told: Mapping[str, Any]) -> Panel:
    lines = {}
    for run in told["runs"]:
        last = run["log"][-1]["trained_s"]
        for kind in ("train", "valid"):
            lines[f"{kind}, seed {run['seed']}"] = [(row["trained_s"] / last, -row[kind]) for row in run["log"]]
    return Panel(f"{BENCHMARKS[name].title}: nats a frame", lines)


def _names(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in BENCHMARKS:
            raise DataError(f"--sets: must be of {', '.join(BENCHMARKS)}, with commas between, got {name!r}")
    return names


def _seeds(text: str) -> list[int]:
    try:
        return list(dict.fromkeys(int(seed) for seed in text.split(",")))
    except ValueError:
        raise DataError(f"--seeds: must be whole numbers with commas between, got {text!r}") from None


def _recipe(name: str, minutes: float | None) -> Recipe:
    return RECIPES[name] if minutes is None else replace(RECIPES[name], minutes=minutes)


def _say(line: str) -> None:
    print(line, flush=True)
