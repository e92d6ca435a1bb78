"""A brain from its session's folder: model, engine, OSC, and the loop around them."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
from collections.abc import Mapping
from typing import Any

from antiphon.daemon.brain.model_choice import ModelChoice
from antiphon.daemon.brain.model_start import Load, plays_on, refused_provider, start_model, warm_up
from antiphon.daemon.brain.osc import open_osc
from antiphon.daemon.brain.process import Brain, Screen
from antiphon.daemon.brain.recovery import resume_records
from antiphon.daemon.journal import preallocate, segment_paths
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.session_models import SessionModels
from antiphon.models.model_files import shipped_models

NICE = -5
#: Rarely: a collection in the middle of a phrase costs milliseconds, and what the engine makes is no garbage cycle.
_GC_THRESHOLD = (50_000, 50, 100)


def run_brain(player: socket.socket, folder: SessionFolder, load: Load, screen: Screen) -> int:
    """Run the brain of a session until the player is gone; give the exit status.

    Args:
        player: the socket to the player.
        folder: the session's folder.
        load: gives the generator by model name and provider.
        screen: where lines go.
    """
    # Ctrl-C reaches the whole process group: the player ends the session, and tells this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):  # where that is granted: before whoever only has much to do
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    session = folder.read_session()
    models = SessionModels(folder)
    generator, number = start_model(folder, models, load, lambda line: screen.say(line, wrong=True))
    facts = models.facts(number)
    if not segment_paths(folder.path, "engine"):
        preallocate(folder.path, "engine", 0)
    engine, opening = resume_records(folder, generator, number)
    choice = ModelChoice(str(session["model"]), shipped_models(), lambda origin: _prepared(load, origin, session))
    brain: Brain | None = None
    osc = open_osc(
        str(session.get("osc", "off")), engine.settings, lambda: brain.status() if brain else {},
        plan=lambda: brain.intended() if brain else [], report=lambda line: screen.say(line, wrong=True),
    )  # fmt: skip
    if osc is not None:
        osc.offer_models(choice.check, choice.load, choice.name_of(str(facts["from"])))
    brain = Brain(player, folder, engine, osc, screen, models, choice, number, session)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)
    screen.say(plays_on(facts) + (f", OSC on {osc.address[0]}:{osc.address[1]}" if osc else ""))
    if refused := refused_provider(facts):
        screen.say(refused, wrong=True)
    try:
        brain.run(opening)
    finally:
        brain.close()
    return 0


def _prepared(load: Load, origin: str, session: Mapping[str, Any]) -> Any:
    generator = load(origin, str(session.get("provider", "auto")))
    warm_up(generator)
    return generator
