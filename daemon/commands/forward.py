"""Commands that learn need torch, which playing does not: hand over to them, or say what is missing."""

from __future__ import annotations

import importlib

from antiphon.models.errors import AntiphonError

#: What `antiphon[train]` brings.
_TRAINING = ("torch", "onnx", "onnx_ir", "onnxscript", "scipy")


class MissingExtraError(AntiphonError):
    """A command needs packages that are not installed."""


def forward(command: str, module: str, argv: list[str]) -> int:
    """Run ``main(argv)`` of a module.

    Raises:
        MissingExtraError: it needs the training extra.
    """
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _TRAINING:
            raise
        raise MissingExtraError(
            f"{command} needs {error.name}, which is not installed; run: pip install 'antiphon[train]'"
        ) from None
    return int(found.main(argv))
