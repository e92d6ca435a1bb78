"""``antiphon papers neurotune``: the paper's training as one command, and what its discriminator is good for.

No torch here: bad flags and recipes are told without it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from antiphon.models.errors import DataError
from antiphon.models.neurotune.recipe import Recipe


def _markdown(report: dict[str, Any], out: Path) -> str:
    facts = report["facts"]
    steps = ", ".join(f"{arm} {count} steps" for arm, count in facts["steps"].items())
    return "\n\n".join(
        [
            "# neurotune: likelihood alone against likelihood and a discriminator",
            f"{facts['parameters']['generator']:,} weights (discriminator {facts['parameters']['discriminator']:,}), "
            f"{facts['notes']:,} notes to learn from, {facts['minutes_each']:g} minutes of processor "
            f"time each ({steps}). "
            f"{facts['sequences']} held-out beginnings of {facts['notes_before']} notes, each "
            f"continued by {facts['judged_notes']}. "
            "Distances: Jensen-Shannon of pitch classes, intervals and gaps, earth mover's of repetition; "
            "95% bootstrap intervals over sequences, one seed.",
            report["markdown"],
            f"Curves, rolls, samples, checkpoints and JSON: {out}",
        ]
    )


def main(argv: list[str]) -> int:
    """Run ``antiphon papers neurotune``."""
    parser = argparse.ArgumentParser(
        prog="antiphon papers neurotune", description="Train neurotune with and without its discriminator; compare."
    )
    parser.add_argument("--run", type=Path, required=True, help="a training run's folder: its corpus is used as it is")
    parser.add_argument("--out", type=Path, required=True, help="folder for the report, pictures and samples")
    parser.add_argument("--recipe", default="neurotune", help="one that ships, or a .toml file")
    parser.add_argument("--minutes", type=float, help="processor time of each arm, instead of the recipe's")
    parser.add_argument("--quick", action="store_true", help="24 seconds each, fewer sequences: does it run?")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    if args.threads < 1:
        raise DataError(f"papers neurotune: --threads: 1 or more, not {args.threads}")
    recipe = Recipe.load(args.recipe)
    minutes = args.minutes if args.minutes is not None else 0.4 if args.quick else recipe.training.minutes
    recipe = replace(recipe, training=replace(recipe.training, minutes=minutes))
    import torch  # noqa: PLC0415
    from antiphon.export.neurotune_experiment import FULL, QUICK, run_paper  # noqa: PLC0415

    torch.set_num_threads(args.threads)
    report = run_paper(args.run, args.out, recipe, QUICK if args.quick else FULL)
    print(_markdown(report, args.out))
    return 0
