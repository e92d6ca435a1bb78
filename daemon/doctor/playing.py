"""Checks of what plays: version, what runs the models, the models, the clocks of others."""

from __future__ import annotations

import importlib
import sys
from importlib import metadata

from antiphon.daemon.doctor.finding import Lacking
from antiphon.models.model_files import DEFAULT_MODEL, find_model, shipped_models


def version() -> str:
    """Tell Antiphon's and Python's."""
    return f"antiphon {metadata.version('antiphon')}, Python {sys.version.split()[0]}"


def inference() -> str:
    """Tell the execution providers that onnxruntime has. Raises: Lacking: there is none."""
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise Lacking(
            f"onnxruntime cannot be imported ({error})", "run: pip install 'antiphon[cpu]' (or [gpu])"
        ) from None
    has = [name.removesuffix("ExecutionProvider") for name in runtime.get_available_providers()]
    return f"onnxruntime {runtime.__version__} has {', '.join(has)}"


def provider() -> str:
    """Load the chosen model; tell the provider asked for and the one got, and how fast each is here.

    Raises:
        AntiphonError: it does not load.
    """
    from antiphon.daemon.config import load  # noqa: PLC0415
    from antiphon.models.load import load_generator  # noqa: PLC0415  a third of a second
    from antiphon.models.onnx_generator import OnnxGenerator  # noqa: PLC0415  onnxruntime

    options = load(None).options
    generator = load_generator(options["model"], options["provider"])
    told = f"{generator.name} loads: asked for {generator.provider_asked}, got {generator.provider_got}"
    if options["provider"] == "auto" and (trial := _trial(options["model"])):
        told += f"; {trial}"
    if isinstance(generator, OnnxGenerator) and generator.never_alone:
        told += "; this processor multiplies one row otherwise than several, so each call runs one more (slower)"
    return told


def _trial(model: str) -> str:
    """Time the providers that are installed, where there are several: nobody waits to play while the doctor looks."""
    from antiphon.models.provider_trial import tried  # noqa: PLC0415  onnxruntime

    files = find_model(model)
    trial = tried(files) if files.kind == DEFAULT_MODEL else None
    return "" if trial is None else str(trial)


def models() -> str:
    """Tell the shipped models, each whole. Raises: AntiphonError: one is not."""
    found = [find_model(name) for name in shipped_models()]
    if not found:
        raise Lacking("none is shipped", "make one with `antiphon train` and `antiphon export`")
    from antiphon.models.critic.judge import Critic  # noqa: PLC0415  onnxruntime

    Critic()  # raises where its files are not whole: `candidates` would then choose nothing
    return ", ".join(f"{model.name} (whole, {model.sha256[:12]})" for model in found) + ", critic (whole)"


def live() -> str:
    """Time a reply of each shipped model. Raises: AntiphonError: one does not load."""
    from antiphon.daemon.brain.model_start import reply_ms  # noqa: PLC0415  numpy
    from antiphon.daemon.config import load  # noqa: PLC0415
    from antiphon.models.load import load_generator  # noqa: PLC0415  a third of a second

    asked = load(None).options["provider"]
    told = [f"{name} {reply_ms(load_generator(name, asked)):.2f}" for name in shipped_models()]
    return f"each shipped model plays: {', '.join(told)} ms a reply"


def training() -> str:
    """Tell what trains. Raises: Lacking: it is not installed."""
    try:
        return f"torch {metadata.version('torch')}"
    except metadata.PackageNotFoundError:
        raise Lacking("torch is not installed", "to train: pip install 'antiphon[train]'") from None


def bridges() -> str:
    """Tell the bridges that are registered, and what each is. Raises: Lacking: one cannot be imported."""
    told = []
    for bridge in metadata.entry_points(group="antiphon.bridges"):
        try:
            about = (bridge.load().__doc__ or "").strip().splitlines()
        except ImportError as error:
            raise Lacking(
                f"{bridge.name} cannot be imported ({error})", f"reinstall what brings {bridge.value}"
            ) from None
        told.append(f"{bridge.name} ({about[0].rstrip('.')})" if about else bridge.name)
    return "; ".join(sorted(told)) or "none is registered"


def clock(name: str) -> str:
    """Tell a clock of others' that can be followed. Raises: AntiphonError: it is not there."""
    from antiphon.daemon.brain.clock_sources import SOURCES  # noqa: PLC0415  numpy
    from antiphon.daemon.settings import Settings  # noqa: PLC0415

    source = SOURCES[name]()
    try:
        source.open(Settings())
        return source.about
    finally:
        source.close()
