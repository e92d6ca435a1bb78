"""The engine by whole lists of records: `follow`, settings, reports, panic, sessions."""

from __future__ import annotations

import math
from typing import Any

import pytest
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.settings import Settings

from tests.engine_rig import MS, S, cc, change, clock_ticks, engine, in_order, marks, midi, ns, of, off, on, phrase, run
from tests.fake_generator import FakeGenerator


def started(mode: str, **settings: Any) -> tuple[Engine, FakeGenerator]:
    generator = FakeGenerator()
    chosen = engine(mode, generator, **settings)
    chosen.handle(Record(Kind.START, id=1))
    return chosen, generator


def rest(chosen: Engine, t_ns: int) -> None:
    """Give the engine all the wakes it wants now."""
    while chosen.next_wake_ns is not None and chosen.next_wake_ns <= t_ns:
        chosen.handle(Record(Kind.WAKE, t_ns=t_ns))


def test_a_session_begins_with_thru_and_offset() -> None:
    chosen = engine("follow", thru=True, thru_channel=3, offset=-2.5)
    assert chosen.handle(Record(Kind.START, t_ns=5, id=1)) == [
        Record(Kind.THRU, 1, 2, t_ns=5),
        Record(Kind.OFFSET, t_ns=-2_500_000),
    ]


def test_follow_replies_at_once_and_ends_with_the_note() -> None:
    chosen, generator = started("follow")
    note, sampled = chosen.handle(on(1.0, 60, 90))
    assert (note.kind, note.a, note.id, note.t_ns, note.u_ns, note.value) == (Kind.NOTE, 4, 1, ns(1.0), 0, 60e6)
    assert (sampled.kind, sampled.a, sampled.b, sampled.id, sampled.t_ns) == (Kind.SAMPLED, 5, note.b, 1, 48)
    assert sampled.c == note.c
    assert sampled.value < 0
    constraints, grid = generator.samples[0]
    assert (constraints.part, constraints.gap, grid) == (5, 0, None)
    assert chosen.handle(off(1.4, 60)) == [Record(Kind.END, id=1, t_ns=ns(1.4))]


def test_a_reply_leaves_first_where_nothing_comes_before_it() -> None:
    """What is given as soon as it is drawn is the reply alone; all orders, and their order, are what they were."""
    plain, eager = started("follow")[0], started("follow")[0]
    sent: list[Record] = []
    known: list[int] = []  # how many notes the window held when each left: its own not yet

    def send(order: Record) -> None:
        sent.append(order)
        known.append(len(eager.window.notes))

    eager.send_first(send)
    for record in (on(1.0, 60), on(1.2, 64), off(1.3, 60), on(1.5, 64), on(1.6, 67), off(1.7, 64), off(1.8, 67)):
        before = len(sent)
        given = eager.handle(record)
        assert sent[before:] + given == plain.handle(record)
    # a key that is struck again ends its reply first: that order comes before the new one
    assert [order.t_ns for order in sent] == [ns(1.0), ns(1.2), ns(1.6)]
    assert {order.kind for order in sent} == {Kind.NOTE}
    assert known == [1, 3, 7]


def test_a_reply_costs_one_step_and_one_sample() -> None:
    chosen, generator = started("follow")
    for index in range(300):
        chosen.handle(on(index / 4, 40 + index % 40))
        rest(chosen, ns(index / 4))
        chosen.handle(off(index / 4 + 0.2, 40 + index % 40))
        rest(chosen, ns(index / 4 + 0.2))
        before, drawn = generator.steps, len(generator.samples)
        chosen.handle(on(index / 4 + 0.23, 85))
        assert (generator.steps - before, len(generator.samples) - drawn) == (1, 1)
        chosen.handle(off(index / 4 + 0.24, 85))
        rest(chosen, ns(index / 4 + 0.24))


def test_the_reply_depends_on_the_pitch_played_and_on_what_came_before() -> None:
    def states(*pitches: int) -> object:
        chosen, _ = started("follow")
        for index, pitch in enumerate(pitches):
            chosen.handle(on(index, pitch))
        return chosen.window.state

    assert len({states(60, 62), states(60, 63), states(59, 62)}) == 3


def test_a_reply_on_the_pedal_ends_with_the_pedal() -> None:
    chosen, _ = started("follow")
    chosen.handle(cc(0.5, 64, 127))
    chosen.handle(on(1.0, 60))
    assert chosen.handle(off(1.2, 60)) == []
    assert chosen.handle(cc(2.0, 64, 0)) == [Record(Kind.END, id=1, t_ns=ns(2.0))]


def test_a_retriggered_note_ends_its_reply_first() -> None:
    chosen, _ = started("follow")
    chosen.handle(on(1.0, 60))
    out = chosen.handle(on(2.0, 60))
    assert [record.kind for record in out] == [Kind.END, Kind.NOTE, Kind.SAMPLED]


def test_a_chord_is_never_answered_by_one_pitch_twice() -> None:
    chosen, _ = started("follow", low=60, high=63)
    notes = [record for pitch in (60, 64, 67, 71) for record in of(chosen.handle(on(1.0, pitch)), Kind.NOTE)]
    assert len({note.b for note in notes}) == 4


def test_more_held_than_there_are_pitches_is_played_all_the_same() -> None:
    chosen, _ = started("follow", low=60, high=61)
    for pitch in (60, 64, 67):
        assert of(chosen.handle(on(1.0, pitch)), Kind.NOTE)


def test_a_dropped_reply_is_taken_out_and_not_ended() -> None:
    chosen, generator = started("follow")
    chosen.handle(on(1.0, 60))
    chosen.handle(Record(Kind.DROPPED, id=1, t_ns=ns(1.0), u_ns=ns(1.1)))
    assert [note.pitch for note in chosen.window.notes] == [60]
    assert chosen.window.state == generator.prime(chosen.window.notes)
    assert chosen.handle(off(1.4, 60)) == []
    assert chosen.counters.dropped == 1


def test_velocity_is_a_factor_on_what_is_drawn() -> None:
    loud, _ = started("follow", velocity=2.0)
    note, sampled = loud.handle(on(1.0, 60))
    assert note.c == min(127, 2 * sampled.c)


def test_a_setting_is_heard_from_the_next_note() -> None:
    chosen, _ = started("follow")
    chosen.handle(on(1.0, 60))
    chosen.handle(change(1.5, "voice", "bass"))
    note, sampled = chosen.handle(on(2.0, 62))
    assert (note.a, sampled.a) == (2, 2)
    assert 28 <= note.b <= 55


def test_thru_and_offset_are_ordered_when_they_change() -> None:
    chosen, _ = started("follow")
    assert chosen.handle(change(1, "thru", True)) == [Record(Kind.THRU, 1, 15, t_ns=ns(1))]
    assert chosen.handle(change(2, "thru_channel", 2)) == [Record(Kind.THRU, 1, 1, t_ns=ns(2))]
    assert chosen.handle(change(3, "offset", 1.5)) == [Record(Kind.OFFSET, t_ns=1_500_000)]
    assert chosen.handle(change(4, "offset", 1.5)) == []


@pytest.mark.parametrize(
    "bad", [Record(Kind.SET, id=999), Record(Kind.SET, id=0, value=77.0), Record(Kind.SET, id=4, value=math.nan)]
)
def test_a_bad_setting_is_counted_and_changes_nothing(bad: Record) -> None:
    chosen, _ = started("follow")
    before = chosen.settings
    assert chosen.handle(bad) == []
    assert chosen.settings is before
    assert chosen.counters.malformed == 1


def test_malformed_midi_is_counted() -> None:
    chosen, _ = started("follow")
    assert chosen.handle(midi(1, 0x90, 200, 1)) == []
    assert chosen.counters.malformed == 1


def test_a_mode_change_ends_what_sounds() -> None:
    chosen, _ = started("follow")
    chosen.handle(on(1.0, 60))
    out = chosen.handle(change(2.0, "mode", "answer"))
    assert out == [Record(Kind.CANCEL, 1, id=0, t_ns=ns(2.0))]
    assert chosen.handle(off(3.0, 60)) == []


def test_mute_ends_what_sounds_and_plays_nothing() -> None:
    chosen, _ = started("follow")
    chosen.handle(on(1.0, 60))
    assert chosen.handle(change(2.0, "mute", True)) == [Record(Kind.CANCEL, 1, id=0, t_ns=ns(2.0))]
    assert chosen.handle(on(3.0, 62)) == []
    chosen.handle(change(4.0, "mute", False))
    assert of(chosen.handle(on(5.0, 64)), Kind.NOTE)


def test_panic_cancels_silences_and_marks() -> None:
    chosen, _ = started("follow")
    chosen.handle(on(1.0, 60))
    assert chosen.handle(Record(Kind.PANIC, t_ns=ns(2.0))) == [
        Record(Kind.CANCEL, 1, id=0, t_ns=ns(2.0)),
        Record(Kind.PANIC, 1, t_ns=ns(2.0)),
        Record(Kind.MARK, int(Mark.PANIC), t_ns=ns(2.0)),
    ]
    assert chosen.handle(off(3.0, 60)) == []


def test_stop_from_the_transport_ends_replies() -> None:
    chosen, _ = started("follow")
    chosen.handle(on(1.0, 60))
    out = chosen.handle(midi(2.0, 0xFC))
    assert Record(Kind.END, id=1, t_ns=ns(2.0)) in out


def test_a_lost_input_ends_replies() -> None:
    chosen, _ = started("follow")
    chosen.handle(on(1.0, 60))
    assert chosen.handle(Record(Kind.PORT, 0, 0, id=0, t_ns=ns(2.0))) == [Record(Kind.END, id=1, t_ns=ns(2.0))]


def test_after_the_session_ends_nothing_is_played() -> None:
    chosen, _ = started("follow")
    chosen.handle(on(1.0, 60))
    assert chosen.handle(Record(Kind.STOP, t_ns=ns(2.0))) == [Record(Kind.CANCEL, 1, id=0, t_ns=ns(2.0))]
    assert chosen.handle(on(3.0, 62)) == []


def test_cancelled_and_sent_after_all_is_heard_after_all() -> None:
    chosen, generator = started("answer")
    log = run_to_answer(chosen)
    due = of(log, Kind.NOTE)[-1]
    chosen.handle(on(due.t_ns / S - 0.05, 60))
    pitches = [note.pitch for note in chosen.window.notes]
    chosen.handle(Record(Kind.SENT, 0x94, due.b, due.c, due.id, due.t_ns, due.t_ns))
    assert len(chosen.window.notes) == len(pitches) + 1
    assert chosen.window.state == generator.prime(chosen.window.notes)


def run_to_answer(chosen: Engine) -> list[Record]:
    """Play a phrase and let the answer's first notes be handed over; nothing is reported sent."""
    log = [record for each in phrase(1.0, [60, 62, 64, 65]) for record in chosen.handle(each)]
    now = ns(2.0)
    while not of(log, Kind.NOTE):
        now = max(now, chosen.next_wake_ns or now)
        log += chosen.handle(Record(Kind.WAKE, t_ns=now))
    return log


def test_the_same_seed_is_the_same_take_and_another_another() -> None:
    def take(seed: int, *, reseed: bool = False) -> list[Record]:
        inputs = in_order(phrase(1.0, [60, 62, 64]), [Record(Kind.SEED, id=9, t_ns=1)] if reseed else [])
        return run(engine("follow", seed=seed), inputs, 5.0)

    assert take(1) == take(1)
    assert of(take(1), Kind.NOTE) != of(take(2), Kind.NOTE)
    assert of(take(1, reseed=True), Kind.NOTE) == of(take(2, reseed=True), Kind.NOTE) != of(take(1), Kind.NOTE)


def test_a_brain_that_comes_back_starts_from_what_is_told_it() -> None:
    chosen, generator = started("follow")
    out = chosen.handle(Record(Kind.RESTART, t_ns=ns(10), id=7, u_ns=42))
    assert [record.kind for record in out] == [Kind.THRU, Kind.OFFSET]
    chosen.handle(Record(Kind.CONTEXT, 5, 60, 80, 0, ns(8), ns(9)))
    chosen.handle(Record(Kind.OWN_CONTEXT, 5, 67, 70, 41, ns(8.5), ns(9.5)))
    chosen.handle(Record(Kind.CONTEXT, 5, 64, 80, 0, ns(9), 0))
    assert [(note.tick, note.pitch, note.off_tick) for note in chosen.window.notes] == [
        (-96, 60, -48), (-72, 67, -24), (-48, 64, math.inf),
    ]  # fmt: skip
    note, _ = chosen.handle(on(10.5, 62))
    assert note.id == 42
    chosen.handle(off(11, 64))  # held from before: its end is heard
    assert chosen.window.notes[2].off_tick == 48
    assert chosen.window.state == generator.prime(chosen.window.notes)
    assert chosen.counters.restarts == 1


def test_what_it_played_itself_it_knows_by_id_alone() -> None:
    chosen, _ = started("follow")
    note, sampled = chosen.handle(on(1.0, 60))
    chosen.handle(Record(Kind.RESTART, t_ns=ns(10), id=7, u_ns=2))
    chosen.handle(Record(Kind.OWN_CONTEXT, id=1, t_ns=ns(1), u_ns=ns(2)))
    assert [(held.part, held.pitch, held.velocity) for held in chosen.window.notes] == [(sampled.a, note.b, note.c)]


def test_channels_have_the_parts_they_are_mapped_to() -> None:
    chosen = Engine(FakeGenerator(), Settings().with_value("mode", "follow"), 1, {9: 3})
    chosen.handle(on(1.0, 38, channel=9))
    chosen.handle(on(1.0, 60))
    assert [note.part for note in chosen.window.notes if note.pitch in (38, 60)][:2] == [3, 5]


def test_the_part_of_the_performer() -> None:
    for mode, performer, part in (("follow", "auto", 5), ("accompany", "auto", 0), ("follow", "bass", 2)):
        chosen, _ = started(mode, performer=performer)
        chosen.handle(on(1.0, 60))
        assert chosen.window.notes[0].part == part


def test_the_status_tells_turn_place_and_counts() -> None:
    chosen, _ = started("accompany")
    told = chosen.status(ns(0.1 + 2.6))
    assert (told["mode"], told["turn"], told["bar"], told["beat"], told["tempo_bpm"]) == (
        "accompany", "playing", 2, 2, 120.0,
    )  # fmt: skip
    assert told["notes_in"] == 0


def test_the_key_is_heard_while_nobody_waits() -> None:
    chosen, generator = started("follow", mute=True)
    for record in phrase(1.0, [60, 64, 67, 72, 71, 69, 67, 65, 64, 62, 60, 67, 64, 60], gap_s=0.2, length_s=0.1):
        chosen.handle(record)
        rest(chosen, record.t_ns)
    chosen.handle(change(9, "mute", False))
    chosen.handle(on(10, 60))
    bias = generator.samples[0][0].part_pitch_bias[5]
    assert [bias[60], bias[61], bias[66], bias[67]] == [0.0, -2.5, -2.5, 0.0]


def test_tempo_starts_and_stops_are_marked() -> None:
    inputs = in_order([midi(1.0, 0xFA)], clock_ticks(1.0, 8, 100.0), [midi(6.0, 0xFC)])
    log = run(engine("answer"), inputs, 8.0)
    assert marks(log) == [Mark.CLOCK_START, Mark.TEMPO, Mark.CLOCK_STOP]
    tempo = next(r for r in log if r.kind == Kind.MARK and r.a == Mark.TEMPO)
    assert tempo.value == pytest.approx(100.0, rel=0.005)


def test_a_wake_does_little() -> None:
    chosen, generator = started("accompany", lookahead=8.0)
    now = ns(0.05)
    for _ in range(400):
        steps, samples = generator.steps, len(generator.samples)
        chosen.handle(Record(Kind.WAKE, t_ns=now))
        assert len(generator.samples) - samples <= 4
        assert generator.steps - steps <= 5
        now = max(now + MS, chosen.next_wake_ns or now)
