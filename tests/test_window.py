"""The window: what the generator remembers is always what priming over its notes gives."""

from __future__ import annotations

import math

import pytest
from antiphon.daemon.brain.window import Window
from antiphon.models.generator import HeldNote
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fake_generator import FakeGenerator

FAR = 1 << 30


def note(tick: int, pitch: int = 60, off: float = math.inf) -> HeldNote:
    return HeldNote(tick, 0, pitch, 80, off_tick=off)


def filled(size: int, hop: int, count: int, span: int = FAR, every: int = 6) -> tuple[FakeGenerator, Window]:
    generator = FakeGenerator()
    window = Window(generator, size, hop, span)
    for index in range(count):
        window.insert(note(index * every, 40 + index % 40, index * every + 5))
        while window.pending:
            window.work(1)
    return generator, window


@pytest.mark.parametrize(("size", "hop"), [(16, 8), (16, 16), (16, 5), (17, 64), (128, 64)])
def test_the_state_is_what_priming_gives_over_several_hops(size: int, hop: int) -> None:
    generator = FakeGenerator()
    window = Window(generator, size, hop, FAR)
    for index in range(size + 4 * hop):
        window.insert(note(index, index % 128, index + 3))
        assert window.state == generator.prime(window.notes)
        window.work(3)
        assert len(window.notes) <= size + hop
        assert len(window.notes) >= min(index + 1, size)


def test_a_note_never_pays_for_priming() -> None:
    generator, window = filled(16, 8, 0)
    for index in range(200):
        before = generator.steps
        window.insert(note(index, index % 128))
        _ = window.state
        assert generator.steps - before == 1
        spent = 0
        while window.pending:
            window.work(1)
            spent += 1
        assert spent <= 2  # 16 notes over the 8 before the hop


def test_hops_fall_on_fixed_notes() -> None:
    sizes = []
    for work in (0, 1, 5):
        window = Window(FakeGenerator(), 16, 8, FAR)
        row = []
        for index in range(60):
            window.insert(note(index))
            window.work(work)
            row.append(len(window.notes))
        sizes.append(row)
    assert sizes[0] == sizes[1] == sizes[2]
    assert sizes[0][:26] == [*range(1, 25), 17, 18]


def test_a_note_put_before_later_ones_is_heard_there() -> None:
    generator, window = filled(16, 8, 10)
    late = note(13, 99)
    window.insert(late)
    assert [held.tick for held in window.notes] == [0, 6, 12, 13, 18, 24, 30, 36, 42, 48, 54]
    assert window.state == generator.prime(window.notes)


def test_a_note_of_the_same_tick_goes_after() -> None:
    _, window = filled(16, 8, 3)
    late = note(6, 99)
    window.insert(late)
    assert window.notes.index(late) == 2


def test_a_removed_note_never_was() -> None:
    generator, window = filled(16, 8, 10)
    before = window.state
    extra = note(60, 99)
    window.insert(extra)
    assert window.state != before
    assert window.remove(extra)
    assert window.state == before == generator.prime(window.notes)
    assert not window.remove(extra)


def test_an_end_is_heard_from_its_tick_on_only() -> None:
    generator, window = filled(16, 8, 0)
    held = note(0)
    for each in (held, note(6), note(12), note(18)):
        window.insert(each)
    _ = window.state
    before = generator.steps
    window.end(held, 15)
    assert window.state == generator.prime(window.notes)
    assert generator.steps - before == 1 + 4  # the last note again, and the prime of this test


def test_an_end_after_everything_costs_nothing() -> None:
    generator, window = filled(16, 8, 5)
    held = note(30)
    window.insert(held)
    state, before = window.state, generator.steps
    window.end(held, 31)
    assert window.state is state
    assert generator.steps == before


def test_a_note_lasts_a_tick_at_least() -> None:
    _, window = filled(16, 8, 0)
    held = note(10)
    window.insert(held)
    window.end(held, 10)
    assert held.off_tick == 11


def test_what_is_too_old_is_forgotten_at_a_hop() -> None:
    _, window = filled(64, 8, 40, span=96, every=12)  # ten notes ago is too old
    assert len(window.notes) <= 8 + 8 + 8 + 1
    assert window.notes[-1].tick - window.notes[0].tick <= 96 + 2 * 8 * 12


@pytest.mark.parametrize("work", [0, 2])
def test_other_sizes_are_reached_at_the_next_hop(work: int) -> None:
    generator, window = filled(64, 16, 70)
    window.resize(16, 8, FAR)
    for index in range(70, 100):
        window.insert(note(index * 6))
        window.work(work)
        assert window.state == generator.prime(window.notes)
    assert len(window.notes) <= 16 + 8


_CHANGE = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 3), st.integers(0, 2)),
    st.tuples(st.just("put"), st.integers(0, 30), st.integers(0, 2)),
    st.tuples(st.just("remove"), st.integers(0, 6), st.just(0)),
    st.tuples(st.just("end"), st.integers(0, 6), st.integers(-20, 20)),
    st.tuples(st.just("work"), st.integers(0, 4), st.just(0)),
    st.tuples(st.just("resize"), st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.just("look"), st.just(0), st.just(0)),
)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([4, 20, FAR]), st.lists(_CHANGE, max_size=80))
def test_whatever_happens_the_state_is_the_notes(
    size: int, hop: int, span: int, changes: list[tuple[str, int, int]]
) -> None:
    generator = FakeGenerator()
    window = Window(generator, size, hop, span)
    for what, one, two in changes:
        last = window.last_tick or 0
        if what == "add":
            window.insert(note(last + one, 60 + two))
        elif what == "put":
            window.insert(note(max(last - one, window.notes[0].tick if window.notes else 0), 60 + two))
        elif what == "remove" and window.notes:
            window.remove(window.notes[-1 - one % len(window.notes)])
        elif what == "end" and window.notes:
            held = window.notes[-1 - one % len(window.notes)]
            window.end(held, last + two)
        elif what == "work":
            window.work(one)
        elif what == "resize":
            window.resize(one, two, span)
        elif what == "look":
            assert window.state == generator.prime(window.notes)
    assert window.state == generator.prime(window.notes)
    while window.pending:
        window.work(1)
    assert window.state == generator.prime(window.notes)
