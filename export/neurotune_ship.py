"""``antiphon export neurotune``: what `antiphon papers neurotune` trained, as a model to play with, in 8 bits."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from antiphon.export.neurotune_onnx import graphs_of
from antiphon.export.paper_card import LICENCE, data_terms, read_report, write_folder
from antiphon.models.errors import ModelError
from antiphon.models.evaluation import show
from antiphon.models.neurotune.checkpoint import load_trained
from antiphon.models.neurotune.recipe import Recipe

_AGAIN = "give a folder that `antiphon papers neurotune` wrote"
#: Which of its generators: the adversarial one has the critic.
ARM = "adversarial"
_WHAT = (
    "A convolutional recurrent generator after the Neurotune paper, trained from noise against a discriminator: two "
    "convolutions (over the last notes, and along the keys of what sounds) before a GRU, then heads for part, gap, "
    "pitch, velocity and duration. The discriminator ships beside it as a critic that ranks continuations."
)
_LIMITS = (
    "Its notes lie on a grid of sixteenths and triplets; what is played between is heard as the nearest of them.",
    "It remembers less than the default: trained on sequences of 64 notes, for minutes, with a third of the weights. "
    "Its pitches wander more and motifs come back a sixth as often as in real music (repetition, below).",
    "It foretells music worse than its own training by likelihood alone: the discriminator made no distance to real "
    "music smaller that one seed can show (the table below).",
    "It is told no place in the bar, only in the beat.",
)


def ship(run: Path, out: Path, name: str, recipe: Recipe, scores: dict[str, str]) -> dict[str, Any]:
    """Write a model's folder; give what its ``model.json`` holds.

    Args:
        run: what `antiphon papers neurotune` wrote.
        out: the folder; made if it is not there.
        name: the model's.
        recipe: that it was trained with.
        scores: more of them for the card: title -> Markdown.

    Raises:
        ModelError: ``run`` is not whole, or a graph differs from torch.
    """
    told = read_report(run / "neurotune.json", _AGAIN)
    checkpoint = run / f"{ARM}.pt"
    if not checkpoint.is_file():
        raise ModelError(f"export: {checkpoint} is missing; {_AGAIN}")
    files, facts = graphs_of(*load_trained(checkpoint), eight_bits=True)
    try:
        seen, markdown = told["facts"], str(told["markdown"])
        minutes, steps = float(seen["minutes_each"]), int(seen["steps"][ARM])
        trained_for = (
            f"{minutes:g} minutes of processor time, {steps:,} steps, from {seen['notes']:,} notes "
            f"({seen['pieces_dropped']} pieces too short or without structure left out), then {minutes / 2:g} minutes "
            "for the critic alone."
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"export: {run / 'neurotune.json'} does not tell all ({error!r}); {_AGAIN}") from None
    command = "antiphon papers neurotune --run TRAINED --out RUN"
    facts |= {
        "name": name, "licence": LICENCE, "what": _WHAT, "grid": list(recipe.sequences.grid),
        "window": recipe.sequences.length,
        "data": data_terms(source for source, weight in recipe.weights.items() if weight > 0),
        "command": command, "trained_for": trained_for,
        "scores": {"The paper's comparison, at full precision": f"`{command}`\n\n{markdown}"} | scores,
        "limits": list(_LIMITS),
    }  # fmt: skip
    return write_folder(out, files, facts)


def main(argv: list[str]) -> int:
    """Run ``antiphon export neurotune``."""
    parser = argparse.ArgumentParser(
        prog="antiphon export neurotune",
        description="What `antiphon papers neurotune` trained, as a model to play with.",
    )  # fmt: skip
    parser.add_argument("run", type=Path, help="the folder that `antiphon papers neurotune` wrote")
    parser.add_argument("--out", type=Path, required=True, help="the model folder to write")
    parser.add_argument("--name", help="the model's name (default: the folder's)")
    parser.add_argument("--recipe", default="neurotune", help="the recipe that it was trained with")
    parser.add_argument("--scores", type=Path, help="for the card: what `antiphon evaluate --json` wrote of the export")
    parser.add_argument("--scores-command", default="antiphon evaluate", help="for the card: how --scores came about")
    args = parser.parse_args(argv)
    scores = {}
    if args.scores is not None:
        found = read_report(args.scores, "give what `antiphon evaluate --json` wrote")
        try:
            scores["Nats a note, as shipped"] = f"`{args.scores_command}`\n\n{show(found)}"
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"export: {args.scores} is no evaluation ({error!r}); give what --json wrote") from None
    written = ship(args.run, args.out, args.name or args.out.name, Recipe.load(args.recipe), scores)
    for file, size in written["bytes"].items():
        print(f"{file}: {size} bytes, off torch by {json.dumps(written['off_torch_by'][Path(file).stem])}")
    return 0
