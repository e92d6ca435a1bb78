"""``antiphon train``."""

from __future__ import annotations

from antiphon.daemon.commands.forward import forward


def main(argv: list[str]) -> int:
    """Train a model, its curves drawn as it goes; or ``critic``, which ranks what the shipped one plays."""
    if argv[:1] == ["critic"]:
        return forward("train critic", "antiphon.export.critic_train", argv[1:])
    return forward("train", "antiphon.export.training_command", argv)
