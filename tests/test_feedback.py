"""Antiphon's output routed to its input: found within a few notes, and not heard while it lasts."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable

import pytest
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.brain.feedback import Feedback
from antiphon.daemon.brain.generator_watch import with_troubles
from antiphon.daemon.messages import Kind, Record, Trouble
from antiphon.daemon.offline import SimulatedPlayer, is_order
from antiphon.daemon.settings import Settings
from hypothesis import given
from hypothesis import strategies as st

from tests.engine_rig import MS, S, engine, ns, of, off, on, phrase
from tests.fake_generator import FakeGenerator

#: What a note that was sent comes back as: messages and by how much later (ns); None: it does not.
Loop = Callable[[Record], int | None]


def _play_in_a_loop(chosen: Engine, inputs: Iterable[Record], loop: Loop, end_s: float) -> list[Record]:
    """Run a session in which what is sent, and what is passed on, may come in again."""
    player, order, log = SimulatedPlayer(), itertools.count(), list[Record]()
    coming = [(record.t_ns, next(order), record) for record in [Record(Kind.START, id=1), *inputs]]
    heapq.heapify(coming)
    thru: tuple[bool, int] = (False, 0)
    now = 0

    def back(record: Record) -> None:
        delay = loop(record)
        if delay is not None:
            message = Record(Kind.MIDI_IN, record.a, record.b, record.c, 3, record.u_ns + delay)
            heapq.heappush(coming, (message.t_ns, next(order), message))

    def take(record: Record) -> None:
        nonlocal thru
        pending = [record]
        while pending:
            following = pending.pop(0)
            log.append(following)
            if following.kind in (Kind.SENT, Kind.ENDED, Kind.CUT):
                back(following)
            elif following.kind == Kind.MIDI_IN and thru[0]:
                back(following._replace(a=following.a & 0xF0 | thru[1], u_ns=following.t_ns))
            for result in chosen.handle(following):
                log.append(result)
                if result.kind == Kind.THRU:
                    thru = (bool(result.a), result.b)
                elif is_order(result):
                    pending += player.order(result, now)

    while now < end_s * S and len(log) < 200_000:
        wishes = [
            at for at in (player.next_ns, chosen.next_wake_ns, coming[0][0] if coming else None) if at is not None
        ]
        now = max(now, min(wishes, default=ns(end_s)))
        for report in player.advance(now):
            take(report)
        while coming and coming[0][0] <= now:
            take(heapq.heappop(coming)[2])
        if chosen.next_wake_ns is not None and chosen.next_wake_ns <= now:
            take(Record(Kind.WAKE, t_ns=now))
    return log


def _always(_record: Record) -> int | None:
    return 4 * MS


def _onsets_alone(record: Record) -> int | None:
    return 4 * MS if record.kind == Kind.SENT else None


def test_what_was_heard_of_the_loop_is_let_go_when_it_is_found_though_its_ends_never_come() -> None:
    chosen = engine("follow")
    log = _play_in_a_loop(chosen, phrase(1, [60, 64, 67, 72, 60, 64, 67, 72]), _onsets_alone, 12.0)
    found, *_ = of(log, Kind.TROUBLE)
    assert found.a == Trouble.FEEDBACK
    before = {record.id for record in of(log, Kind.SENT) if record.t_ns <= found.t_ns}
    ended = {record.id for record in of(log, Kind.ENDED, Kind.CUT)}
    assert len(before) > 3
    assert {record.id for record in of(log, Kind.SENT)} == ended


def _troubles(log: Iterable[Record]) -> list[int]:
    return [record.a for record in of(log, Kind.TROUBLE)]


@pytest.mark.parametrize("mode", ["follow", "answer", "continue", "accompany"])
def test_a_loop_is_found_and_its_notes_are_not_heard(mode: str) -> None:
    chosen = engine(mode)
    tunes = [note for turn in range(6) for note in phrase(1 + 4 * turn, [60, 62, 64, 65, 67])]
    triggers = [Record(Kind.TRIGGER, t_ns=(3 + 4 * turn) * S) for turn in range(6)]
    inputs = [*tunes, *(triggers if mode == "continue" else [])]
    log = _play_in_a_loop(chosen, inputs, _always, 30)
    assert _troubles(log) == [Trouble.FEEDBACK]
    (found,) = of(log, Kind.TROUBLE)
    sent = of(log, Kind.SENT)
    before = [record for record in sent if record.u_ns <= found.t_ns]
    # in `answer` and `continue` the first note that comes back makes Antiphon yield: a few turns then
    assert len(before) <= (8 if mode == "accompany" else 5)
    assert len([record for record in sent if record.u_ns > found.t_ns]) >= 5
    assert chosen.counters.notes_in <= 30 + len(before)
    after = [record for record in sent if found.t_ns < record.u_ns < 29 * S]
    assert chosen.counters.feedback >= 2 * len(after) - 4  # note-ons and note-offs; the last may still sound


@given(st.integers(0, 60), st.integers(0, 6), st.sampled_from([(4, 4), (0, 5)]), st.integers(0, 2**32 - 1))
def test_it_is_found_whatever_the_wires_delay(
    delay_ms: int, jitter_ms: int, channel_and_notes: tuple[int, int], seed: int
) -> None:
    channel, notes = channel_and_notes
    rng = random.Random(seed)
    feedback, now = Feedback(), 0
    for number in range(12):
        now += rng.randrange(20, 900) * MS
        pitch, velocity = rng.randrange(128), rng.randrange(1, 128)
        feedback.sent(4, pitch, velocity, now)
        back_ns = now + round((delay_ms + rng.uniform(0, jitter_ms)) * MS)
        heard = on(0, pitch, velocity, channel)._replace(t_ns=back_ns)
        assert feedback.heard(heard) == (number >= notes - 1)


def test_only_what_was_not_heard_loses_its_end() -> None:
    feedback = Feedback()
    for number in range(5):
        feedback.sent(9, 60 + number, 80, number * S)
        assert feedback.heard(on(number + 0.004, 60 + number)) == (number == 4)
    assert not feedback.heard(off(5, 60))  # its beginning was heard, before anybody knew
    assert feedback.heard(off(5, 64))
    assert not feedback.heard(off(5.1, 64))
    assert not feedback.heard(on(6, 72))  # the performer plays on
    assert not feedback.heard(off(6.5, 72))


def test_it_is_over_when_nothing_comes_back() -> None:
    chosen = engine("follow")
    loop_until_ns = 5 * S
    inputs = phrase(1, [60, 62, 64, 65, 67, 69, 71, 72] * 5, gap_s=0.4)
    log = _play_in_a_loop(chosen, inputs, lambda record: 4 * MS if record.u_ns < loop_until_ns else None, 20)
    assert _troubles(log) == [Trouble.FEEDBACK, Trouble.FEEDBACK_OVER]
    over = of(log, Kind.TROUBLE)[1]
    assert loop_until_ns < over.t_ns < loop_until_ns + 3 * S
    after = [record for record in inputs if record.a == 0x90 and record.t_ns > over.t_ns]
    assert len([record for record in of(log, Kind.SENT) if record.t_ns > over.t_ns]) == len(after)


def test_thru_in_a_loop_is_broken_and_comes_back() -> None:
    chosen = engine("follow", thru=True, mute=True)
    inputs = phrase(1, [60, 62], gap_s=1)
    log = _play_in_a_loop(chosen, inputs, _always, 6)
    assert _troubles(log) == [Trouble.FEEDBACK]
    assert [record.a for record in of(log, Kind.THRU)] == [1, 0]
    assert len(of(log, Kind.MIDI_IN)) < 40  # else it would be 250 a second


def test_a_take_in_a_loop_is_made_again_equal() -> None:
    log = _play_in_a_loop(engine("follow"), phrase(1, [60, 62, 64, 65, 67] * 3), _always, 8)
    again, remade = Engine(FakeGenerator(), Settings().with_value("mode", "follow"), 1), list[Record]()
    inputs = [r for r in log if not is_order(r) and r.kind not in (Kind.SAMPLED, Kind.MARK)]
    for record, troubles in with_troubles(inputs):
        bare = record._replace(a=0, b=0, c=0) if record.kind in (Kind.SENT, Kind.ENDED, Kind.CUT) else record
        remade += again.handle(bare, troubles)
    assert of(remade, Kind.NOTE, Kind.SAMPLED, Kind.TROUBLE) == of(log, Kind.NOTE, Kind.SAMPLED, Kind.TROUBLE)


@pytest.mark.parametrize(("late_ms", "spread_ms", "velocity_off"), [(0, 15, 10), (30, 10, 10), (60, 20, 8)])
def test_a_performer_who_doubles_its_notes_is_heard(late_ms: float, spread_ms: float, velocity_off: int) -> None:
    rng = random.Random(5)
    feedback, found = Feedback(), 0
    for number in range(20_000):
        now = number * 250 * MS
        pitch, velocity = rng.randrange(40, 80), rng.randrange(30, 110)
        feedback.sent(0, pitch, velocity, now)  # on the keyboard's own channel
        doubled = velocity + rng.randint(-velocity_off, velocity_off)
        at_ns = now + round(max(0.0, rng.gauss(late_ms, spread_ms)) * MS)
        found += feedback.heard(on(0, pitch, doubled)._replace(t_ns=at_ns))
    assert found == 0
