"""``antiphon export``."""

from __future__ import annotations

from antiphon.daemon.commands.forward import forward

#: The papers' generators, each with a module of ``main(argv) -> exit status``; the word before it is no run's folder.
PAPERS = {"lstm": "antiphon.export.lstm_ship", "neurotune": "antiphon.export.neurotune_ship"}


def main(argv: list[str]) -> int:
    """Turn a trained network into a model to play with; ``lstm RUN`` and ``neurotune RUN`` those of the papers."""
    if argv and argv[0] in PAPERS:
        return forward(f"export {argv[0]}", PAPERS[argv[0]], argv[1:])
    return forward("export", "antiphon.export.model_folder", argv)
