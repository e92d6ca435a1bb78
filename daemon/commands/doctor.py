"""``antiphon doctor``: what this machine has and lacks, a line each."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable
from importlib import metadata

from antiphon.daemon.commands.flags import Parser
from antiphon.models.errors import AntiphonError
from antiphon.models.model_files import DEFAULT_MODEL, find_model, shipped_models


def main(argv: list[str]) -> int:
    """Print one line for each thing that Antiphon uses; 1 when something that it needs is missing."""
    Parser("doctor", "Say what this machine has and lacks.").parse_args(argv)
    missing = False
    for what, check, needed in _CHECKS:
        try:
            found, line = True, check()
        except AntiphonError as error:
            found, line = False, str(error)
        missing |= needed and not found
        print(f"{'ok ' if found else 'NO ' if needed else '-  '} {what:<10} {line}")
    return 1 if missing else 0


def _version() -> str:
    return f"antiphon {metadata.version('antiphon')}, Python {sys.version.split()[0]}"


def _midi() -> str:
    from antiphon.daemon.commands.ports import systems  # noqa: PLC0415

    return "; ".join(systems())


def _scheduling() -> str:
    from antiphon.daemon.player.priority import fifo_granted  # noqa: PLC0415

    if fifo_granted():
        return "real-time scheduling is granted"
    remedy = "give your user rtprio (Debian: a group with `@audio - rtprio 20` in /etc/security/limits.d), log in again"
    if sys.platform != "linux":
        remedy = "only Linux's is used, so it plays at the usual priority here"
    raise AntiphonError(f"no real-time scheduling: under load notes may leave some ms late; {remedy}")


def _providers() -> str:
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise AntiphonError(
            f"onnxruntime cannot be imported ({error}); run: pip install 'antiphon[cpu]' (or [gpu])"
        ) from None
    has = [name.removesuffix("ExecutionProvider") for name in runtime.get_available_providers()]
    return f"onnxruntime {runtime.__version__} has {', '.join(has)}"


def _provider() -> str:
    from antiphon.daemon.config import load  # noqa: PLC0415
    from antiphon.models.load import load_generator  # noqa: PLC0415  a third of a second

    options = load(None).options
    generator = load_generator(options["model"], options["provider"])
    told = f"{generator.name} loads: asked for {generator.provider_asked}, got {generator.provider_got}"
    if options["provider"] == "auto" and (trial := _trial(options["model"])):
        told += f"; {trial}"
    return told


def _trial(model: str) -> str:
    """Time the providers that are installed, where there are several: nobody waits to play while the doctor looks."""
    from antiphon.models.provider_trial import tried  # noqa: PLC0415  onnxruntime

    files = find_model(model)
    trial = tried(files) if files.kind == DEFAULT_MODEL else None
    return "" if trial is None else str(trial)


def _models() -> str:
    models = [find_model(name) for name in shipped_models()]
    if not models:
        raise AntiphonError("none is shipped; make one with `antiphon train` and `antiphon export`")
    from antiphon.models.critic.judge import Critic  # noqa: PLC0415  onnxruntime

    Critic()  # raises where its files are not whole: `candidates` would then choose nothing
    return ", ".join(f"{model.name} (whole, {model.sha256[:12]})" for model in models) + ", critic (whole)"


def _live() -> str:
    from antiphon.daemon.brain.model_start import reply_ms  # noqa: PLC0415  numpy
    from antiphon.daemon.config import load  # noqa: PLC0415
    from antiphon.models.load import load_generator  # noqa: PLC0415  a third of a second

    provider = load(None).options["provider"]
    told = [f"{name} {reply_ms(load_generator(name, provider)):.2f}" for name in shipped_models()]
    return f"each shipped model plays: {', '.join(told)} ms a reply"


def _session() -> str:
    from antiphon.daemon.commands.status import ask  # noqa: PLC0415
    from antiphon.daemon.config import load  # noqa: PLC0415

    counters = ask(load(None).options["osc"])["counters"]
    return f"one plays now: {counters.get('mode')} with {counters.get('model')} on {counters.get('provider')}"


def _program(name: str, remedy: str) -> Callable[[], str]:
    def check() -> str:
        path = shutil.which(name)
        if path is None:
            raise AntiphonError(f"not found; {remedy}")
        return path

    return check


def _training() -> str:
    try:
        return f"torch {metadata.version('torch')}"
    except metadata.PackageNotFoundError:
        raise AntiphonError("torch is not installed; to train: pip install 'antiphon[train]'") from None


def _takes() -> str:
    from antiphon.daemon.commands.which_take import folder_of  # noqa: PLC0415
    from antiphon.daemon.config import load  # noqa: PLC0415

    folder = folder_of(load(None))
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise AntiphonError(f"{folder} cannot be written; give another folder with --takes DIR")
    return str(folder)


def _config() -> str:
    from antiphon.daemon.config import default_path, load  # noqa: PLC0415

    path = default_path()
    if not path.exists():
        return f"{path} (not there, and need not be)"
    load(None)
    return str(path)


def _bridges() -> str:
    told = []
    for bridge in metadata.entry_points(group="antiphon.bridges"):
        about = (bridge.load().__doc__ or "").strip().splitlines()
        told.append(f"{bridge.name} ({about[0].rstrip('.')})" if about else bridge.name)
    return "; ".join(sorted(told)) or "none is registered"


#: What, how it is found out, and whether playing needs it.
_CHECKS: tuple[tuple[str, Callable[[], str], bool], ...] = (
    ("version", _version, True),
    ("MIDI", _midi, True),
    ("inference", _providers, True),
    ("models", _models, True),
    ("provider", _provider, True),
    ("live", _live, False),
    ("session", _session, False),
    ("takes", _takes, True),
    ("config", _config, True),
    ("scheduling", _scheduling, False),
    ("bridges", _bridges, False),
    ("jackd", _program("jackd", "to play over JACK, install it (Debian: apt install jackd2)"), False),
    ("fluidsynth", _program("fluidsynth", "for --synth, install it (Debian: apt install fluidsynth)"), False),
    ("training", _training, False),
)
