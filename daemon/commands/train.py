"""``antiphon train``."""

from __future__ import annotations

from antiphon.daemon.commands.forward import forward


def main(argv: list[str]) -> int:
    """Train a model."""
    return forward("train", "antiphon.models.training", argv)
