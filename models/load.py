"""Loads a generator by the kind that its folder names. What a kind needs is imported when one of it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from antiphon.models.generator import Generator
from antiphon.models.model_files import check_model, find_folder, kind_of


class LiveGenerator(Generator, Protocol):
    """A `Generator` that tells what it runs on."""

    @property
    def provider_asked(self) -> str:
        """What was asked for: auto, cpu, and so on."""

    @property
    def provider_got(self) -> str:
        """The execution provider that runs the graphs in truth."""

    @property
    def runtime(self) -> str:
        """Its name and version."""


def load_generator(name: str, provider: str = "auto") -> LiveGenerator:
    """Find, check and load a model.

    Args:
        name: one of a model's that ships, or the path of a model's folder.
        provider: what is to run it; ``auto`` is the CPU, the fastest there is for one stream of small steps.

    Raises:
        ModelError: not found, not whole, of an unknown kind, or its graphs do not load or take other inputs; a
            provider that is not there.
    """
    folder = find_folder(name)
    return _LOADERS[kind_of(folder)](folder, provider)


def _antiphon(folder: Path, provider: str) -> LiveGenerator:
    from antiphon.models.onnx_generator import OnnxGenerator  # noqa: PLC0415

    return OnnxGenerator(check_model(folder, "antiphon"), provider)


def _lstm(folder: Path, provider: str) -> LiveGenerator:
    from antiphon.models.lstm.live import ElementGenerator  # noqa: PLC0415

    return ElementGenerator.load(folder, provider)


def _neurotune(folder: Path, provider: str) -> LiveGenerator:
    from antiphon.models.neurotune.live import NeurotuneGenerator  # noqa: PLC0415

    return NeurotuneGenerator.load(folder, provider)


_LOADERS: Mapping[str, Callable[[Path, str], LiveGenerator]] = {
    "antiphon": _antiphon, "lstm": _lstm, "neurotune": _neurotune,
}  # fmt: skip
