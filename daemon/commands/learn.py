"""``antiphon learn``."""

from __future__ import annotations

from antiphon.daemon.commands.forward import forward


def main(argv: list[str]) -> int:
    """Adapt a model to the user's own music."""
    return forward("learn", "antiphon.export.learnt_model", argv)
