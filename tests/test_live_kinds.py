"""Every kind of generator that ships, in every mode, over the bundled performance: music, and nothing that sticks."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from antiphon.daemon.brain.constraints import allowed_range
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.brain.key import SCALE_DEGREES
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.offline import performance_records, run_offline
from antiphon.daemon.settings import MODES, Settings
from antiphon.models.bundled import bundled_performance
from antiphon.models.generator import HeldNote
from antiphon.models.load import LiveGenerator, load_generator
from antiphon.models.model_files import KINDS
from antiphon.models.parts import Part

from tests.engine_rig import MS, in_order, marks, ns, of

#: An accompaniment draws all the time; the others mostly wait.
_END_S = {"follow": 12.0, "answer": 12.0, "continue": 12.0, "accompany": 6.0}
_D = 2
_LOW, _HIGH = 40, 84
_TOLERANCE = 1e-4
#: The player has what is due within the commit horizon; a cut takes a moment.
_AT_ONCE_NS = 5 * MS

_CASES = [(kind, mode) for kind in KINDS for mode in MODES]


@cache
def generator_of(kind: str) -> LiveGenerator:
    return load_generator(kind)


def _story(mode: str) -> list[Record]:
    heard = [r for r in performance_records(Path(str(bundled_performance()))) if r.t_ns < ns(_END_S[mode])]
    if mode != "continue":
        return heard
    # the performer stops after the first phrase: it takes over, and gives way when they come back
    return in_order(heard, [Record(Kind.TRIGGER, t_ns=ns(6.0))])


def _settings(mode: str) -> Settings:
    changes = {
        "mode": mode, "key": "D", "scale": "minor", "low": _LOW, "high": _HIGH, "window": 32, "hop": 16,
        "performer": "lead" if mode == "accompany" else "piano",
    }  # fmt: skip
    settings = Settings()
    for name, value in changes.items():
        settings = settings.with_value(name, value)
    return settings


def _distance(one: Any, other: Any) -> float:
    """Give how far two states are apart, whatever they are made of; infinite where what is no number differs."""
    if isinstance(one, np.ndarray):
        return float(np.abs(one - other).max()) if one.size else 0.0
    if isinstance(one, HeldNote) or one is None or isinstance(one, (int, str)):
        return 0.0 if one is other or one == other else float("inf")
    if isinstance(one, tuple):
        if len(one) != len(other):
            return float("inf")
        return max((_distance(a, b) for a, b in zip(one, other, strict=True)), default=0.0)
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one) if field.compare]
        return max(_distance(getattr(one, name), getattr(other, name)) for name in names)
    return 0.0  # what a generator keeps beside (a memory it shares between states)


@cache
def take(kind: str, mode: str) -> tuple[tuple[Record, ...], tuple[float, ...]]:
    """Give a take's whole log, and how far its window's state was from the window's at some moments."""
    generator = generator_of(kind)
    engine = Engine(generator, _settings(mode), seed=5)
    seen: list[float] = []

    def look(record: Record) -> None:
        if record.kind == Kind.MIDI_IN and record.b % 7 == 0:
            seen.append(_distance(engine.window.state, generator.prime(engine.window.notes)))

    log = run_offline(engine, _story(mode), ns(_END_S[mode]), look)
    seen.append(_distance(engine.window.state, generator.prime(engine.window.notes)))
    return tuple(log), tuple(seen)


@pytest.mark.parametrize(("kind", "mode"), _CASES)
def test_there_is_music_and_nothing_sticks(kind: str, mode: str) -> None:
    log, _ = take(kind, mode)
    sent = of(log, Kind.SENT)
    assert len(sent) >= {"follow": 20, "answer": 12, "continue": 12, "accompany": 40}[mode]
    assert sorted(r.id for r in sent) == sorted(r.id for r in of(log, Kind.ENDED, Kind.CUT))
    assert len({r.b for r in sent}) >= 5
    assert not of(log, Kind.DROPPED)
    drawn = of(log, Kind.SAMPLED)
    assert all(np.isfinite(r.value) and r.value <= 0 for r in drawn)


@pytest.mark.parametrize(("kind", "mode"), _CASES)
def test_scale_range_and_part_are_kept(kind: str, mode: str) -> None:
    parts = {Part.CHORDS, Part.BASS, Part.DRUMS} if mode == "accompany" else {Part.PIANO}
    in_key = {(_D + degree) % 12 for degree in SCALE_DEGREES["minor"]}
    drawn = of(take(kind, mode)[0], Kind.SAMPLED)
    assert {Part(r.a) for r in drawn} == parts
    for record in drawn:
        low, high = allowed_range(Part(record.a), _LOW, _HIGH)
        assert low <= record.b <= high
        assert record.a == Part.DRUMS or record.b % 12 in in_key


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("mode", "begins"), [("answer", Mark.ANSWER), ("continue", Mark.TAKE_OVER)])
def test_it_yields_when_the_performer_comes_back(kind: str, mode: str, begins: Mark) -> None:
    log, _ = take(kind, mode)
    assert Mark.YIELD in marks(log)
    playing = False
    for record in log:
        if record.kind == Kind.MARK and record.a in (begins, Mark.YIELD):
            playing, since_ns = record.a == begins, record.t_ns
        assert record.kind != Kind.SENT or playing or record.u_ns <= since_ns + _AT_ONCE_NS


@pytest.mark.parametrize(("kind", "mode"), _CASES)
def test_the_state_is_the_windows(kind: str, mode: str) -> None:
    _, seen = take(kind, mode)
    assert len(seen) >= 3
    assert max(seen) < _TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_is_the_same_take(kind: str) -> None:
    log, _ = take(kind, "answer")
    again = run_offline(Engine(generator_of(kind), _settings("answer"), seed=5), _story("answer"), ns(_END_S["answer"]))
    other = run_offline(Engine(generator_of(kind), _settings("answer"), seed=6), _story("answer"), ns(_END_S["answer"]))
    assert of(again, Kind.SENT, Kind.ENDED, Kind.CUT) == of(log, Kind.SENT, Kind.ENDED, Kind.CUT)
    assert of(other, Kind.SENT) != of(log, Kind.SENT)


@pytest.mark.parametrize("kind", KINDS)
def test_it_tells_what_it_runs_on(kind: str) -> None:
    generator = generator_of(kind)
    assert (generator.name, generator.provider_asked, generator.provider_got) == (kind, "auto", "CPUExecutionProvider")
    assert generator.runtime.startswith("onnxruntime ")
    assert len(generator.sha256) == 64
