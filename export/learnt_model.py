"""``antiphon learn`` with what it needs of export: the model folder that it writes, its card, and the curves."""

from __future__ import annotations

import json
from pathlib import Path

from antiphon.export.model_folder import export_run
from antiphon.export.training_curves import draw_run
from antiphon.models import learn
from antiphon.models.learn import Learnt, table

_NAMED = 40  # pieces that a card names


def main(argv: list[str]) -> int:
    """Run ``antiphon learn``."""
    return learn.main(argv, _export, describe, draw_run)


def _export(checkpoint: Path, folder: Path) -> None:
    export_run(checkpoint, folder, folder.name, {})


def describe(folder: Path, learnt: Learnt) -> None:
    """Write into an exported folder its name, base and gain: ``model.json`` and ``CARD.md``."""
    path = folder / "model.json"
    name = folder.resolve().parents[1].name  # exported two folders below where it will stand
    base, run, split = learnt.base.files, learnt.run, learnt.split
    facts = json.loads(path.read_text()) | {
        "name": name,
        "base": {"name": base.name, "sha256": base.sha256},
        "learnt": {
            "pieces": len(split.learnt), "held_out": len(split.held_out), "best_step": run.best_step,
            "before": learnt.before.as_dict(), "after": learnt.after.as_dict(), "gain": learnt.gain.as_dict(),
        },
    }  # fmt: skip
    path.write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "CARD.md").write_text(card(name, learnt))


def card(name: str, learnt: Learnt) -> str:
    """Give the card's text (Markdown)."""
    base, run, split = learnt.base.files, learnt.run, learnt.split
    return "\n".join([
        f"# {name}",
        "",
        f"`{base.name}` (sha256 {base.sha256[:12]}…), learnt on by `antiphon learn`. The music is its owner's; what",
        f"`{base.name}` learnt from before, and on which terms, its own card tells.",
        "",
        "## What it learnt from",
        f"{len(split.learnt)} pieces, {sum(len(piece.notes) for piece in split.learnt):,} notes: "
        f"{_names([piece.name for piece in split.learnt])}.",
        "",
        f"Held out, never learnt from: {_names([piece.name for piece in split.held_out])}.",
        "",
        "## How",
        f"Best at step {run.best_step} of {run.step} ({run.trained_s / 60:.1f} minutes of learning, "
        f"{run.notes_seen:,} notes seen); the pieces were moved by up to {run.recipe.augment.transpose} semitones.",
        "",
        "## What it gained",
        table(learnt),
        "",
        "Of the graphs as they play, window 128 + hop 128 (as `antiphon evaluate`).",
        "",
    ])  # fmt: skip


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
