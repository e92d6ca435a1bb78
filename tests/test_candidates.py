"""Best of N live: the critic's best line is planned, what was promised holds, and the take replays from its seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from antiphon.daemon.brain import candidates
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.brain.modes import soloist
from antiphon.daemon.messages import Kind, Mark, Record, Trouble
from antiphon.daemon.settings import Settings, parameter
from antiphon.models.generator import HeldNote
from antiphon.models.parts import Part
from numpy.typing import NDArray

from tests.engine_rig import S, change, engine, in_order, marks, of, off, on, phrase, run
from tests.fake_generator import FakeGenerator

PLAYED = phrase(1.0, [60, 62, 64, 65, 67, 69, 71, 72] * 2)


class LikesHigh:
    """Prefers high pitches, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []  # heard, lines, notes of each

    def score_notes(self, heard: Sequence[HeldNote], lines: Sequence[Sequence[HeldNote]]) -> NDArray[np.float32]:
        assert len({len(line) for line in lines}) == 1
        assert all(heard[-1].tick <= line[0].tick for line in lines if heard)
        self.asked.append((len(heard), len(lines), len(lines[0])))
        return np.array([np.mean([note.pitch for note in line]) for line in lines], np.float32)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> LikesHigh:
    judge = LikesHigh()
    monkeypatch.setattr(soloist, "shipped_judge", lambda: judge)
    return judge


def pitches(log: list[Record]) -> list[int]:
    return [record.b for record in of(log, Kind.NOTE)]


def timed(tested: Engine, inputs: list[Record], end_s: float, a_wake_ns: int) -> list[Record]:
    """Run with time passing at every wake, as it does live; notes are sent when they are due."""
    log: list[Record] = []
    now, coming = 0, [Record(Kind.START, id=1), *inputs]
    while now < end_s * S:
        wake = tested.next_wake_ns
        if coming and (wake is None or coming[0].t_ns <= max(now, wake)):
            now = max(now, coming[0].t_ns)
            log += tested.handle(coming.pop(0))
        elif wake is None:
            break
        else:
            now = max(now + a_wake_ns, wake)
            log += tested.handle(Record(Kind.WAKE, t_ns=now))
    return log


def test_the_critics_best_is_played(judge: LikesHigh) -> None:
    plain = run(engine("answer"), PLAYED, 12.0)
    assert not judge.asked
    log = run(engine("answer", candidates=16), PLAYED, 12.0)
    assert marks(log) == marks(plain) == [Mark.PHRASE_END, Mark.ANSWER]
    assert np.mean(pitches(log)) > np.mean(pitches(plain)) + 3
    assert all(lines <= 4 and notes <= candidates.STRETCH for _, lines, notes in judge.asked)
    assert sum(lines for _, lines, _ in judge.asked) >= 16


def test_it_begins_and_ends_as_without_candidates(judge: LikesHigh) -> None:
    plain, best = (of(run(engine("answer", candidates=n), PLAYED, 12.0), Kind.NOTE) for n in (1, 8))
    assert best[0].t_ns == pytest.approx(plain[0].t_ns, abs=0.03 * S)
    assert abs(best[-1].t_ns - plain[-1].t_ns) < 1.5 * S
    assert len(best) > len(plain) // 3


def test_a_take_replays_from_its_seed(judge: LikesHigh) -> None:
    first, again, other = (run(engine("answer", candidates=5, seed=seed), PLAYED, 12.0) for seed in (3, 3, 4))
    assert first == again
    assert pitches(first) != pitches(other)


@pytest.mark.parametrize("mode", ["answer", "continue"])
def test_what_constraints_promise_holds_for_every_candidate(judge: LikesHigh, mode: str) -> None:
    made = FakeGenerator()
    asked: dict[str, Any] = {"candidates": 6, "low": 50, "high": 70, "key": "C", "voice": "chords", "tightness": 1}
    inputs = PLAYED if mode == "answer" else in_order(PLAYED, [Record(Kind.TRIGGER, t_ns=round(5.2 * S))])
    log = run(engine(mode, made, **asked), inputs, 11.0)
    notes = of(log, Kind.SAMPLED)
    assert len(notes) > 6
    assert {record.a for record in notes} == {Part.CHORDS}
    assert all(50 <= record.b <= 70 and record.b % 12 in (0, 2, 4, 5, 7, 9, 11) for record in notes)
    onsets = [record.t_ns for record in of(log, Kind.NOTE)]
    assert onsets == sorted(onsets)


def test_it_yields_at_once_while_candidates_are_drawn(judge: LikesHigh) -> None:
    back = [on(6.0, 60), off(6.4, 60)]
    tested = engine("answer", candidates=32)
    log = run(tested, in_order(PLAYED, back), 6.2)
    assert marks(log) == [Mark.PHRASE_END, Mark.ANSWER, Mark.YIELD]
    yielded = next(at for at, record in enumerate(log) if record.kind == Kind.MARK and record.a == Mark.YIELD)
    assert not of(log[yielded:], Kind.NOTE)
    assert not of(log[yielded:], Kind.SENT)


def test_a_wake_is_bounded_however_many_candidates(judge: LikesHigh) -> None:
    made = FakeGenerator()
    tested = engine("answer", made, candidates=64)
    most = 0
    now, coming = 0, [Record(Kind.START, id=1), *PLAYED]
    for _ in range(4000):
        wake = tested.next_wake_ns
        record = coming.pop(0) if coming and (wake is None or coming[0].t_ns <= max(now, wake)) else None
        if record is None:
            if wake is None:
                break
            record = Record(Kind.WAKE, t_ns=max(now, wake))
        now = max(now, record.t_ns)
        before = (len(made.samples), made.steps)
        tested.handle(record)
        if record.kind == Kind.WAKE:
            most = max(most, len(made.samples) - before[0])
            assert made.steps - before[1] <= 6
    assert tested.counters.searches >= 2
    assert 4 <= most <= 8  # a row may be drawn a second time


def test_where_time_is_up_what_there_is_is_played_and_counted(judge: LikesHigh) -> None:
    tested = engine("answer", candidates=64)
    log = timed(tested, PLAYED, 9.0, a_wake_ns=2_000_000)  # 64 candidates of 8 notes want 256 ms of it
    found = tested.counters
    assert 0 < found.short_searches <= found.searches
    assert Mark.ANSWER in marks(log)
    notes = of(log, Kind.NOTE)
    assert len(notes) > 5
    assert tested.counters.late_plans == 0
    first_answer = next(record.t_ns for record in log if record.kind == Kind.MARK and record.a == Mark.ANSWER)
    assert notes[0].t_ns - first_answer < 0.7 * S
    assert any(0 < notes < candidates.STRETCH for _, _, notes in judge.asked)


def test_with_time_enough_every_candidate_is_heard_out(judge: LikesHigh) -> None:
    tested = engine("answer", candidates=64)
    timed(tested, PLAYED, 9.0, a_wake_ns=0)
    assert tested.counters.searches > 0
    assert tested.counters.short_searches == 0


def test_candidates_may_change_while_it_plays(judge: LikesHigh) -> None:
    changes = [change(5.6, "candidates", 12), change(7.0, "candidates", 1)]
    log = run(engine("answer", answer_length=2.0), in_order(PLAYED, changes), 14.0)
    assert judge.asked
    assert len(of(log, Kind.NOTE)) > 8


def test_a_critic_of_other_shapes_is_asked_no_more(judge: LikesHigh, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(heard: Sequence[HeldNote], lines: Sequence[Sequence[HeldNote]]) -> NDArray[np.float32]:
        return np.stack([np.zeros(len(line) + row, np.float32) for row, line in enumerate(lines)])  # a ValueError

    monkeypatch.setattr(judge, "score_notes", wrong)
    log = run(engine("answer", candidates=6), PLAYED, 12.0)
    assert [record.a for record in of(log, Kind.TROUBLE)] == [Trouble.CRITIC]
    assert of(log, Kind.SENT)


def test_without_a_whole_critic_it_plays_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soloist, "shipped_judge", lambda: None)
    assert run(engine("answer", candidates=8), PLAYED, 12.0)[1:] == run(engine("answer"), PLAYED, 12.0)[1:]


def test_the_parameter_has_a_range() -> None:
    told = parameter("candidates")
    assert (told.default, told.low, told.high) == (1, 1, 64)
    assert Settings().with_value("candidates", 16).candidates == 16
