"""``antiphon evaluate``."""

from __future__ import annotations

from antiphon.daemon.commands.forward import forward


def main(argv: list[str]) -> int:
    """Score a model on music that it has not learnt from."""
    return forward("evaluate", "antiphon.export.evaluation_plots", argv)
