"""``antiphon train``."""

from __future__ import annotations

from antiphon.daemon.commands.forward import forward


def main(argv: list[str]) -> int:
    """Train a model; its curves are drawn as it goes."""
    return forward("train", "antiphon.export.training_curves", argv)
