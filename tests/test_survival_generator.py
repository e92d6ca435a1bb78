"""A generator that fails: nothing wrong is played, the music holds or rests, and it comes back by itself."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.brain.generator_watch import with_troubles
from antiphon.daemon.messages import Kind, Record, Trouble
from antiphon.daemon.offline import engine_log
from antiphon.daemon.settings import Settings
from antiphon.models.generator import Draw, NothingAllowedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine_rig import MS, S, engine, of, phrase, run
from tests.fake_generator import FakeGenerator, FakeState

_MODES = ("follow", "answer", "continue", "accompany")
_TUNE = phrase(1, [60, 62, 64, 65, 67, 65, 64, 62] * 3)


def _inputs(mode: str) -> list[Record]:
    """A tune, and for who waits for one a trigger."""
    return [*_TUNE, *([Record(Kind.TRIGGER, t_ns=8 * S)] if mode == "continue" else [])]


def _raise(error: Exception) -> Callable[[Draw], Draw]:
    def broken(_draw: Draw) -> Draw:
        raise error

    return broken


#: What a draw becomes.
_BROKEN: dict[str, Callable[[Draw], Draw]] = {
    "raises": _raise(RuntimeError("the provider is gone")),
    "memory": _raise(MemoryError("no more")),
    "forbids all": _raise(NothingAllowedError()),
    "shape": _raise(ValueError("operands could not be broadcast together with shapes (6,) (5,)")),
    "nan": lambda draw: dataclasses.replace(draw, log_prob=math.nan),
    "infinite": lambda draw: dataclasses.replace(draw, log_prob=math.inf),
    "pitch": lambda draw: dataclasses.replace(draw, pitch=128),
    "no pitch": lambda draw: dataclasses.replace(draw, pitch=-1),
    "half a pitch": lambda draw: dataclasses.replace(draw, pitch=60.5),  # type: ignore[arg-type]
    "velocity": lambda draw: dataclasses.replace(draw, velocity=0),
    "part": lambda draw: dataclasses.replace(draw, part=6),
    "gap": lambda draw: dataclasses.replace(draw, gap=-3),
    "duration": lambda draw: dataclasses.replace(draw, duration=math.nan),  # type: ignore[arg-type]
}


class Faulty(FakeGenerator):
    """Is as another in all but the draws between two (counted), which are broken, and steps where it is told."""

    def __init__(self, broken: Callable[[Draw], Draw], first: int, last: float, *, steps: bool = False) -> None:
        super().__init__()
        self._broken, self._first, self._last, self._breaks_steps = broken, first, last, steps
        self.asked = 0

    def sample(self, *given: Any, **more: Any) -> Draw:
        self.asked += 1
        drawn = super().sample(*given, **more)
        return self._broken(drawn) if self._first <= self.asked <= self._last else drawn

    def step(self, *given: Any, **more: Any) -> FakeState:
        if self._breaks_steps:
            self.asked += 1
            if self._first <= self.asked <= self._last:
                raise RuntimeError("a step that fails")
        return super().step(*given, **more)


class WrongShapes(FakeGenerator):
    """Raises numpy's own error for shapes out of one of its ways of stepping, the first few times."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self._way, self.failed = way, 0

    def _fail(self, way: str) -> None:
        if way == self._way and self.failed < 2:
            self.failed += 1
            np.zeros(3) + np.zeros(2)

    def step(self, *given: Any, **more: Any) -> FakeState:
        self._fail("step")
        return super().step(*given, **more)

    def step_together(self, *given: Any, **more: Any) -> list[FakeState]:
        self._fail("step_together")
        return super().step_together(*given, **more)


def _notes(log: Iterable[Record]) -> list[Record]:
    return of(log, Kind.NOTE)


def _gaps_ns(records: list[Record]) -> list[int]:
    return [later.t_ns - earlier.t_ns for earlier, later in itertools.pairwise(records)]


def _troubles(log: Iterable[Record], *which: Trouble) -> list[Record]:
    return [record for record in of(log, Kind.TROUBLE) if record.a in which]


def _no_note_is_wrong(log: list[Record]) -> None:
    for record in _notes(log):
        assert 0 <= record.b <= 127
        assert 1 <= record.c <= 127
    notes = {record.id for record in of(log, Kind.SENT)}
    assert notes == {record.id for record in of(log, Kind.ENDED, Kind.CUT)}


@pytest.mark.parametrize("how", _BROKEN)
@pytest.mark.parametrize("mode", _MODES)
def test_a_fault_is_survived_counted_and_over_again(mode: str, how: str) -> None:
    generator = Faulty(_BROKEN[how], 12, 14)
    chosen = engine(mode, generator)
    log = run(chosen, _inputs(mode), 20)
    faults = _troubles(log, Trouble.GENERATOR)
    assert len(faults) >= 1
    assert chosen.counters.generator_faults == len(faults)
    assert len(_troubles(log, Trouble.GENERATOR_BACK)) == 1
    back = _troubles(log, Trouble.GENERATOR_BACK)[0]
    assert any(note.t_ns > back.t_ns for note in _notes(log))
    _no_note_is_wrong(log)
    assert chosen.window.state == generator.prime(chosen.window.notes)


@pytest.mark.parametrize(("way", "mode"), [("step", "answer"), ("step", "accompany"), ("step_together", "answer")])
def test_a_value_error_of_numpys_is_a_fault_like_any_other(way: str, mode: str) -> None:
    generator = WrongShapes(way)
    chosen = engine(mode, generator, candidates=4)
    log = run(chosen, _inputs(mode), 20)
    assert generator.failed == 2
    assert len(_troubles(log, Trouble.GENERATOR)) == chosen.counters.generator_faults == 2
    assert len(_troubles(log, Trouble.GENERATOR_BACK)) >= 1
    assert chosen.counters.constraint_fallbacks == 0
    _no_note_is_wrong(log)


@pytest.mark.parametrize("mode", _MODES)
def test_one_that_never_works_again_is_asked_ever_less(mode: str) -> None:
    generator = Faulty(_BROKEN["raises"], 12, math.inf)
    chosen = engine(mode, generator)
    tune = [note for bar in range(10) for note in phrase(1 + 6 * bar, [60, 62, 64, 65, 67, 65, 64, 62])]
    triggers = [Record(Kind.TRIGGER, t_ns=(5 + 6 * bar) * S) for bar in range(10)]
    log = run(chosen, sorted([*tune, *triggers], key=lambda record: record.t_ns), 60)
    faults = _troubles(log, Trouble.GENERATOR)
    assert 3 <= len(faults) <= 15  # of hundreds that would have been asked for
    assert max(_gaps_ns(faults)) >= 8 * S
    # an accompaniment plays its last bar again for four bars (of two seconds) after what was planned
    longest_s = 11 if mode == "accompany" else 3
    assert not [note for note in _notes(log) if note.t_ns > faults[0].t_ns + longest_s * S]
    assert len(of(log, Kind.WAKE)) < 3000
    _no_note_is_wrong(log)


def test_what_is_planned_plays_on_while_it_rests() -> None:
    def played(first: int) -> tuple[int, list[Record]]:
        chosen = engine("accompany", Faulty(_BROKEN["raises"], first, first), lookahead=4.0)
        log = run(chosen, [], 12)
        faults = _troubles(log, Trouble.GENERATOR)
        return (faults[0].t_ns if faults else 0), _notes(log)

    failed_ns, notes = played(60)
    assert failed_ns
    held = [note for note in notes if failed_ns < note.t_ns <= failed_ns + 250 * MS]
    assert held
    assert max(_gaps_ns(notes)) <= max(_gaps_ns(played(10**9)[1])) + 250 * MS  # one fault makes no hole


def test_follow_counts_what_it_could_not_answer() -> None:
    chosen = engine("follow", Faulty(_BROKEN["raises"], 3, 3))
    log = run(chosen, phrase(1, [60, 62, 64, 65, 67, 69, 71, 72], gap_s=0.1, length_s=0.05), 4)
    answered = len(_notes(log))
    assert chosen.counters.unanswered >= 1
    assert answered + chosen.counters.unanswered + chosen.counters.generator_faults == 8
    assert answered >= 4


def test_steps_that_fail_while_it_only_listens_are_tried_again() -> None:
    generator = Faulty(lambda draw: draw, 5, 6, steps=True)
    chosen = engine("continue", generator)
    run(chosen, _TUNE, 12)
    assert chosen.counters.generator_faults == 2
    assert chosen.window.state == generator.prime(chosen.window.notes)


@pytest.mark.parametrize("mode", _MODES)
def test_a_model_that_keeps_failing_gives_way_to_the_one_before(mode: str) -> None:
    good, bad = FakeGenerator(), Faulty(_BROKEN["nan"], 1, math.inf)
    chosen = engine(mode, good)
    chosen.models[1] = bad
    tune = [note for bar in range(4) for note in phrase(2 + 6 * bar, [60, 62, 64, 65, 67, 65, 64, 62])]
    triggers = [Record(Kind.TRIGGER, t_ns=(6 + 6 * bar) * S) for bar in range(4)]
    inputs = [Record(Kind.MODEL, id=1, t_ns=S), *sorted([*tune, *triggers], key=lambda record: record.t_ns)]
    log = run(chosen, inputs, 28)
    (back,) = _troubles(log, Trouble.MODEL_BACK)
    assert back.value == 0.0
    assert chosen.model == 0
    assert chosen.generator is good
    assert any(note.t_ns > back.t_ns for note in _notes(log))
    assert chosen.counters.generator_faults == 3
    _no_note_is_wrong(log)


def test_a_model_that_fails_before_it_takes_over_never_does() -> None:
    good, bad = FakeGenerator(), Faulty(lambda draw: draw, 2, math.inf, steps=True)
    chosen = engine("follow", good)
    chosen.models[1] = bad
    log = run(chosen, sorted([*_TUNE, Record(Kind.MODEL, id=1, t_ns=3 * S)], key=lambda record: record.t_ns), 8)
    assert len(_troubles(log, Trouble.COMING_MODEL)) == 1
    assert chosen.generator is good
    assert chosen.model == 0
    assert chosen.counters.unanswered == 0
    assert len(_notes(log)) == 24


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(_MODES), st.sampled_from(sorted(_BROKEN.keys() - {"forbids all"})), st.integers(1, 60),
    st.integers(0, 5), st.integers(1, 3), st.booleans(),
)  # fmt: skip
def test_a_take_with_faults_is_made_again_by_a_generator_that_works(
    mode: str, how: str, first: int, more: int, candidates: int, steps: bool
) -> None:
    faulty = Faulty(_BROKEN[how], first, first + more, steps=steps)
    _made_again_alike(mode, faulty, candidates)


@pytest.mark.parametrize("mode", _MODES)
def test_so_is_one_in_which_it_allowed_nothing(mode: str) -> None:
    _made_again_alike(mode, Faulty(_BROKEN["forbids all"], 7, 8), 1)  # as asked, and with the least asked


def _made_again_alike(mode: str, faulty: Faulty, candidates: int) -> None:
    chosen = engine(mode, faulty, candidates=candidates)
    log = run(chosen, _inputs(mode), 12)
    asked = Settings().with_value("mode", mode).with_value("candidates", candidates)
    again = Engine(FakeGenerator(), asked, 1)
    remade: list[Record] = []
    for record, troubles in with_troubles(engine_log(log)):
        if record.kind not in (Kind.SAMPLED, Kind.MARK):
            remade += again.handle(record, troubles)
    kinds = (Kind.NOTE, Kind.SAMPLED, Kind.TROUBLE)
    assert [record for record in remade if record.kind in kinds] == of(log, *kinds)
