"""What is counted, and that all of it is told."""

from __future__ import annotations

import dataclasses
import json

import pytest
from antiphon.daemon.brain.generator_watch import is_sound
from antiphon.daemon.brain.metrics import LATENESS_US, Counts, Metrics, histogram_text
from antiphon.daemon.messages import Kind, Record
from antiphon.models.generator import Draw
from hypothesis import given
from hypothesis import strategies as st

from tests.engine_rig import MS, S, engine, ns, of, on, phrase, run


@given(st.lists(st.integers(-(10**6), 10**9), max_size=200))
def test_every_note_is_in_one_class_and_quantiles_bound_it(late_ns: list[int]) -> None:
    counts = Counts()
    for late in late_ns:
        counts.note_lateness(late)
    told = counts.snapshot()
    assert sum(told.lateness) == len(late_ns)
    assert told.latest_ns == max([0, *late_ns])
    for share in (0.5, 0.99, 1.0):
        exact = sorted(late_ns)[max(0, -(-round(share * 100) * len(late_ns) // 100) - 1)] if late_ns else 0
        assert told.lateness_ms(share) >= min(max(0, exact), told.latest_ns) / 1e6 - 1e-9
        assert told.lateness_ms(share) <= max(told.latest_ns / 1e6, 0.0) + 1e-9


def test_the_histogram_counts_what_was_sent_by_how_late() -> None:
    chosen = engine("follow")
    chosen.handle(Record(Kind.START, id=1))
    for number, late in enumerate((0, 50_000, 150_000, 3 * MS, 70 * MS), 1):
        orders = chosen.handle(on(number, 60 + number))
        (note,) = of(orders, Kind.NOTE)
        chosen.handle(Record(Kind.SENT, 0x90, note.b, note.c, note.id, note.t_ns, note.t_ns + late))
    told = chosen.counters
    assert told.sent == 5
    assert told.lateness == (2, 1, 0, 0, 0, 1, 0, 0, 0, 1)
    status = chosen.status(ns(6))
    assert status["lateness"] == "0.1 ms 2, 0.2 ms 1, 5 ms 1, later 1"
    assert (status["lateness_p50_ms"], status["lateness_max_ms"]) == (0.2, 70.0)
    assert status["lateness_p99_ms"] == 70.0


def test_both_forms_hold_the_same_counters() -> None:
    assert [entry.name for entry in dataclasses.fields(Counts)] == [entry.name for entry in dataclasses.fields(Metrics)]
    assert len(Metrics().lateness) == len(LATENESS_US) + 1
    assert histogram_text(Metrics().lateness) == ""


@pytest.mark.parametrize("mode", ["follow", "answer", "continue", "accompany"])
def test_all_that_is_told_can_go_over_osc_and_json(mode: str) -> None:
    chosen = engine(mode)
    run(chosen, phrase(1, [60, 62, 64]), 6)
    status = chosen.status(6 * S)
    assert all(isinstance(value, (int, float, str)) for value in status.values())
    assert json.loads(json.dumps(status)) == status
    assert status["misses"] == status["dropped"] + status["late_plans"] + status["unanswered"]  # type: ignore[operator]
    assert status["underruns"] == 0
    assert status["generator_rests"] is False


@given(st.builds(
    Draw, part=st.integers(-9, 9), gap=st.integers(-9, 300), pitch=st.integers(-9, 140), velocity=st.integers(-9, 140),
    duration=st.integers(-9, 300), log_prob=st.floats(), shift=st.integers(-9, 9),
))  # fmt: skip
def test_a_note_is_sound_where_every_attribute_is_in_its_range(draw: Draw) -> None:
    ranges = (
        (draw.part, 0, 5), (draw.gap, 0, 300), (draw.pitch, 0, 127), (draw.velocity, 1, 127), (draw.duration, 0, 300),
        (draw.shift, -4, 3), (draw.log_prob, -1e308, 1e308),
    )  # fmt: skip
    assert is_sound(draw) == all(low <= value <= high for value, low, high in ranges)
