"""``antiphon train``: the training of `models`, its curves drawn here."""

from __future__ import annotations

from antiphon.export.training_curves import draw_run
from antiphon.models import training


def main(argv: list[str]) -> int:
    """Run ``antiphon train``."""
    return training.main(argv, draw_run)
