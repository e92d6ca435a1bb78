from __future__ import annotations

import random
from itertools import pairwise

import pytest
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.take_tempo import ClockLog, tempo_map
from antiphon.daemon.takes import take_from_records
from antiphon.models.tempo_map import FREE_TIME, TempoChange, TempoMap
from hypothesis import given
from hypothesis import strategies as st

from tests.take_records import mark, midi_in

CLOCK, START, CONTINUE, STOP, POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2


def clocks(log: ClockLog, start_s: float, beats: float, bpm: float, jitter_s: float = 0.0) -> list[float]:
    """Feed a steady clock; give the true times of its beats."""
    hand = random.Random(3)
    period = 60 / bpm / 24
    for i in range(round(beats * 24)):
        log.take_in(start_s + i * period + hand.uniform(-jitter_s, jitter_s), bytes((CLOCK,)))
    return [start_s + beat * 60 / bpm for beat in range(int(beats))]


def test_no_clock_and_no_marks_is_free_time() -> None:
    assert tempo_map(ClockLog(), [], 4) == FREE_TIME


def test_a_jittering_clock_makes_one_straight_piece_whose_bars_are_its_own() -> None:
    log = ClockLog()
    log.take_in(3.2, bytes((START,)))
    beats = clocks(log, 3.2, 400, 97.0, jitter_s=0.0015)
    tempo = tempo_map(log, [], 4)
    assert tempo.clocked
    assert len(tempo.changes) <= 4
    found = tempo.beats_at(beats)
    assert found[0] % 4 == pytest.approx(0.0, abs=0.01)
    assert [beat - found[0] for beat in found] == pytest.approx(range(400), abs=0.01)


def test_a_tempo_change_is_followed_to_a_few_milliseconds() -> None:
    log = ClockLog()
    first = clocks(log, 1.0, 32, 120.0)
    second = clocks(log, 17.0, 32, 90.0)
    tempo = tempo_map(log, [], 4)
    found = tempo.beats_at(first + second)
    assert [beat - found[0] for beat in found] == pytest.approx(range(64), abs=0.01)


def test_a_song_that_goes_on_from_a_position_keeps_its_place_in_the_bar() -> None:
    log = ClockLog()
    log.take_in(2.0, bytes((POSITION, 24, 0)))  # 24 sixteenths: beat 6, the third of its bar
    log.take_in(2.0, bytes((CONTINUE,)))
    beats = clocks(log, 2.01, 16, 100.0)
    assert tempo_map(log, [], 4).beats_at(beats[:1])[0] % 4 == pytest.approx(2.0)


def test_a_locate_starts_new_bars_without_a_wild_tempo() -> None:
    log = ClockLog()
    log.take_in(2.0, bytes((START,)))
    clocks(log, 2.0, 13.5, 120.0)
    log.take_in(8.755, bytes((START,)))
    beats = clocks(log, 8.76, 16, 120.0)
    tempo = tempo_map(log, [], 4)
    assert [beat % 4 for beat in tempo.beats_at(beats)] == pytest.approx([i % 4 for i in range(16)], abs=0.01)
    assert all(60 <= change.bpm <= 240 for change in tempo.changes)


def test_a_master_that_ticks_while_stopped_moves_nothing() -> None:
    log = ClockLog()
    log.take_in(1.0, bytes((START,)))
    clocks(log, 1.0, 6, 120.0)
    log.take_in(4.0, bytes((STOP,)))
    clocks(log, 4.0, 7.3, 120.0)
    log.take_in(7.7, bytes((CONTINUE,)))
    beats = clocks(log, 7.7, 8, 120.0)
    # it stopped after six beats: it goes on with the third of a bar
    assert tempo_map(log, [], 4).beats_at(beats[:1])[0] % 4 == pytest.approx(2.0, abs=0.01)


def test_a_second_master_is_ignored() -> None:
    log, other = ClockLog(), ClockLog()
    for i in range(24 * 8):
        log.take_in(1 + i / 48, bytes((CLOCK,)), port=0)
        log.take_in(1.007 + i / 37, bytes((CLOCK,)), port=1)
        other.take_in(1 + i / 48, bytes((CLOCK,)), port=0)
    assert tempo_map(log, [], 4) == tempo_map(other, [], 4)


def test_the_engines_marks_make_the_map_where_no_clock_came_in() -> None:
    wire = [midi_in(0, 0x90, 60, 1), midi_in(20000, 0x80, 60, 0)]
    engine = [
        Record(Kind.START, id=7),
        mark(Mark.TEMPO, 1500, 120.0),
        mark(Mark.TEMPO, 5500, 90.0),
    ]
    tempo = take_from_records(wire, engine, {"t0_ns": 0, "settings": {"beats_per_bar": 4}}, {}).tempo
    # the clock started at 1.5 s with a bar; four seconds later, eight beats on, it slowed down
    assert tempo.clocked
    beats = tempo.beats_at([1.5, 5.5, 5.5 + 60 / 90])
    assert beats == pytest.approx([4.0, 12.0, 13.0])


@given(
    st.lists(st.tuples(st.floats(0.05, 30), st.floats(20, 400)), min_size=1, max_size=8),
    st.lists(st.floats(0, 300), min_size=1, max_size=20),
)
def test_beats_and_seconds_undo_each_other(pieces: list[tuple[float, float]], times: list[float]) -> None:
    changes, t = [], 0.0
    for length, bpm in pieces:
        changes.append(TempoChange(t, bpm))
        t += length
    tempo = TempoMap(tuple(changes))
    assert tempo.seconds_at(tempo.beats_at(times)) == pytest.approx(times, abs=1e-6)


@given(st.data())
def test_whatever_the_clock_does_the_map_is_one(data: st.DataObject) -> None:
    log, t = ClockLog(), 0.0
    for _ in range(data.draw(st.integers(1, 6))):
        t += data.draw(st.floats(0, 3))
        for status in data.draw(st.lists(st.sampled_from([START, STOP, CONTINUE, POSITION]), max_size=3)):
            position = (3, 0) if status == POSITION else ()
            log.take_in(t, bytes((status, *position)))
        bpm, count = data.draw(st.floats(30, 300)), data.draw(st.integers(0, 120))
        for _ in range(count):
            log.take_in(t, bytes((CLOCK,)))
            t += 60 / bpm / 24
    tempo = tempo_map(log, [], data.draw(st.integers(1, 7)))
    assert all(a.t_s < b.t_s for a, b in pairwise(tempo.changes))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ((), "0 s"),
        ((TempoChange(1.0, 120),), "0 s"),
        ((TempoChange(0.0, 120), TempoChange(0.0, 90)), "rise"),
        ((TempoChange(0.0, 0.0),), "above 0"),
    ],
)
def test_a_map_that_is_none_is_refused(changes: tuple[TempoChange, ...], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        TempoMap(changes)
