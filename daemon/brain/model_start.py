"""A model made ready to play: loaded, warm, and what is told of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import numpy as np
from antiphon.daemon.brain.generator_watch import is_sound
from antiphon.daemon.brain.recovery import last_model
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.session_models import SessionModels
from antiphon.models.errors import AntiphonError, ModelError
from antiphon.models.generator import UNIFORMS, Constraints, Generator, HeldNote, State

#: As `follow` asks for a reply.
_AT_ONCE = Constraints(part=0, gap=0, duration=1)
#: Replies that a trial times; the first few are slower.
_TRIED = 40
#: Gives a generator by the model's name or folder, and provider.
Load = Callable[[str, str], Any]


def start_model(
    folder: SessionFolder, models: SessionModels, load: Load, report: Callable[[str], None]
) -> tuple[Any, int]:
    """Load what a session plays with: what it started with, or what it had changed to before its brain was lost.

    Args:
        folder: the session's.
        models: its models.
        load: see `Load`.
        report: gets a line where what it had changed to does not load any more; then it plays with the first.

    Returns:
        The generator, warm, and its number among the session's.

    Raises:
        AntiphonError: the model that it started with does not load.
    """
    session = folder.read_session()
    first, provider = str(session["model"]), str(session.get("provider", "auto"))
    origin = str(models.facts(last_model(folder)).get("from", first))
    try:
        generator = load(origin, provider)
        warm_up(generator)
    except AntiphonError as error:
        if origin == first:
            raise
        report(f"{error}; playing on with {first}")
        origin, generator = first, load(first, provider)
        warm_up(generator)
    return generator, models.number(model_facts(generator, origin))


def model_facts(generator: Any, origin: str) -> dict[str, Any]:
    """Tell which model runs, on what, and by which name or folder it was loaded: for the take."""
    return {
        "model": generator.name,
        "from": origin,
        "sha256": generator.sha256,
        "provider_asked": generator.provider_asked,
        "provider": generator.provider_got,
        "runtime": generator.runtime,
    }


def plays_on(facts: Mapping[str, Any]) -> str:
    """Say which model plays, on what."""
    return f"{facts['model']} on {facts['provider']} (asked for {facts['provider_asked']}; {facts['runtime']})"


def refused_provider(facts: Mapping[str, Any]) -> str:
    """Say that a provider that was asked for did not come; empty where it did."""
    asked, got = str(facts["provider_asked"]), str(facts["provider"])
    if asked in ("auto", "cpu") or not got.startswith("CPU"):
        return ""
    return (
        f"provider: {asked} was asked for, but onnxruntime plays on {got}: {asked}'s libraries or its device are "
        "missing; install them, or give --provider cpu"
    )


def rehearse(generator: Generator, state: State, constraints: Constraints = _AT_ONCE) -> None:
    """Run what an answer that must leave at once runs, from a state, and change nothing."""
    with contextlib.suppress(Exception):  # what fails here fails in the engine too, and is told there
        generator.rehearse(state, constraints)


def warm_up(generator: Generator) -> None:
    """Run each graph a few times: the first call of each allocates, and nobody should wait for it.

    Raises:
        ModelError: it fails, or draws what is no note.
    """
    try:
        state = generator.initial()
        for tick in range(0, 96, 12):
            state = generator.step(state, HeldNote(tick, 0, 60, 80))
            draw = generator.sample(state, Constraints(part=0, gap=0), np.full(UNIFORMS, 0.5))
            if not is_sound(draw):
                raise ArithmeticError(f"it drew what is no note: {draw}")
    except AntiphonError:
        raise
    except Exception as error:
        raise ModelError(
            f"model: {generator.name} loads but does not play ({type(error).__name__}: {error}); give --model with "
            "another, or --provider cpu"
        ) from error


def reply_ms(generator: Generator) -> float:
    """Time a reply as `follow` asks for it: the median of some, warm, in milliseconds."""
    warm_up(generator)
    state, times = generator.step(generator.initial(), HeldNote(0, 0, 60, 80)), []
    for _ in range(_TRIED):
        began = time.perf_counter_ns()
        rehearse(generator, state)
        times.append(time.perf_counter_ns() - began)
    return median(times) / 1e6
