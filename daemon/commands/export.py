"""``antiphon export``."""

from __future__ import annotations

from antiphon.daemon.commands.forward import forward


def main(argv: list[str]) -> int:
    """Turn a trained network into a model to play with."""
    return forward("export", "antiphon.export.onnx_export", argv)
