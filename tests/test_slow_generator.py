"""A generator that is too slow for what is asked of it: the music thins, and is never late."""

from __future__ import annotations

from typing import Any

import pytest
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.offline import SimulatedPlayer, is_order
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine_rig import MS, S, engine, phrase
from tests.fake_generator import FakeGenerator, FakeState

_ELSE_NS = 20_000  # what an input costs beside the generator
_TUNE = phrase(1, [60, 62, 64, 65, 67, 65, 64, 62] * 3)
_LASTS_S = 20
#: Half of what is drawn at the beginning is drawn before anybody knows how long it takes.
_LEARNT_S = 1.5


class _Slow(FakeGenerator):
    """Counts calls, each of which is to take a while."""

    calls = 0

    def step(self, *given: Any, **more: Any) -> FakeState:
        self.calls += 1
        return super().step(*given, **more)

    def sample(self, *given: Any, **more: Any) -> Any:
        self.calls += 1
        return super().sample(*given, **more)

    def reply(self, *given: Any, **more: Any) -> Any:
        before = self.calls
        drawn = super().reply(*given, **more)
        self.calls = before + 1  # one call of a graph
        return drawn


def _played(mode: str, call_ns: float, inputs: list[Record], **chosen: Any) -> tuple[list[Record], int]:
    """Run a session in which time goes on while the generator works; give what the player did, and the calls."""
    generator, player = _Slow(), SimulatedPlayer()
    brain, now, done = engine(mode, generator, **chosen), 0, []
    waiting = [Record(Kind.START, id=1), *inputs]

    def take(record: Record) -> None:
        nonlocal now
        pending = [record]
        while pending:
            following = pending.pop(0)
            if following.kind in (Kind.SENT, Kind.DROPPED):
                done.append(following)
            if following.kind == Kind.OUT:
                continue
            before = generator.calls
            results = brain.handle(following)
            now += round((generator.calls - before) * call_ns) + _ELSE_NS
            for order in filter(is_order, results):
                pending += player.order(order, now)

    while now < _LASTS_S * S:
        for report in player.advance(now):
            take(report)
        if waiting and waiting[0].t_ns <= now:
            take(waiting.pop(0))
        elif brain.next_wake_ns is not None and brain.next_wake_ns <= now:
            take(Record(Kind.WAKE, t_ns=now))
        else:
            coming = (brain.next_wake_ns, player.next_ns, waiting[0].t_ns if waiting else None, _LASTS_S * S)
            now = max(now + 1, min(moment for moment in coming if moment is not None))
    return done, generator.calls


def _counts(done: list[Record]) -> tuple[int, int, float]:
    """Give how many were sent and dropped once the pace was known, and the greatest lateness in ms."""
    settled = [record for record in done if record.u_ns > _LEARNT_S * S]
    sent = [record for record in settled if record.kind == Kind.SENT]
    late_ms = max(((record.u_ns - record.t_ns) / MS for record in sent), default=0.0)
    return len(sent), len(settled) - len(sent), late_ms


@pytest.mark.parametrize("slower", [1.0, 3.0, 10.0])
def test_an_accompaniment_thins_and_is_never_late(slower: float) -> None:
    enough, calls = _played("accompany", 0.0, _TUNE)
    call_ns = slower * _LASTS_S * S / calls
    slow, _ = _played("accompany", call_ns, _TUNE)
    wanted, _, _ = _counts(enough)
    sent, dropped, late_ms = _counts(slow)
    assert late_ms < 1.0
    assert dropped <= 2
    assert sent >= 0.5 * wanted / slower  # half of what its rate allows, at least


@pytest.mark.parametrize("mode", ["answer", "continue"])
def test_an_answer_thins_and_is_never_late(mode: str) -> None:
    tune = [*phrase(1, [60, 62, 64, 65, 67, 65, 64, 62]), Record(Kind.TRIGGER, t_ns=4 * S)]
    enough, _ = _played(mode, 0.0, tune)
    slow, _ = _played(mode, 30.0 * MS, tune)
    wanted, _, _ = _counts(enough)
    sent, dropped, late_ms = _counts(slow)
    assert wanted > 0
    assert late_ms < 1.0
    assert dropped <= 2
    assert sent >= 0.5 * wanted


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 120.0))
def test_however_slow_it_is_nothing_is_played_late(call_ms: float) -> None:
    _, _, late_ms = _counts(_played("accompany", call_ms * MS, _TUNE)[0])
    assert late_ms < 1.0
