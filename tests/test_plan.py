"""The plan and the density that steers it, on a stage of their own."""

from __future__ import annotations

import pytest
from antiphon.daemon.brain.density import Density
from antiphon.daemon.brain.musical_time import WAKE_LATE_NS
from antiphon.daemon.brain.plan import YIELD_NS, Plan
from antiphon.daemon.brain.stage import Stage
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.settings import Settings
from antiphon.models.generator import Draw

from tests.engine_rig import MS, ns, of
from tests.fake_generator import FakeGenerator

TICK_NS = 500 * MS / 24  # free time: 120 to the minute


def stage(**changes: object) -> Stage:
    settings = Settings().with_value("tightness", 1.0)
    for name, value in changes.items():
        settings = settings.with_value(name, value)
    return Stage(FakeGenerator(), settings, 1, {})


def planned(stage: Stage, *ticks: int, pitch: int = 60, length: int = 12) -> Plan:
    plan = Plan(stage, Density(0))
    for index, tick in enumerate(ticks):
        plan.add(Draw(5, 0, pitch + index, 68, length, -1.0), tick, tick + length)
    return plan


def test_notes_are_handed_over_when_due_with_what_the_model_drew() -> None:
    on_stage = stage()
    plan = planned(on_stage, 12, 24)
    plan.hand_over(12, 0)
    assert on_stage.out == [
        Record(Kind.NOTE, 4, 60, 68, 1, ns(0.25), ns(0.5), 60e6),
        Record(Kind.SAMPLED, 5, 60, 68, 1, 12, 12, -1.0),
    ]
    assert [own.pitch for own in plan.ahead] == [61]


def test_what_was_dropped_never_was() -> None:
    on_stage = stage()
    before = on_stage.window.state
    plan = planned(on_stage, 12, 24)
    plan.drop()
    assert on_stage.window.notes == []
    assert on_stage.window.state == before
    assert plan.density.rate(48) == 0.0


def test_a_note_whose_time_has_gone_is_not_squeezed_in() -> None:
    on_stage = stage()
    plan = planned(on_stage, 12, 24)
    on_stage.now_ns = ns(0.4)
    plan.hand_over(24, ns(0.4))
    assert [r.b for r in of(on_stage.out, Kind.NOTE)] == [61]
    assert on_stage.counts.late_plans == 1
    assert [note.pitch for note in on_stage.window.notes] == [61]


def test_giving_way_cancels_what_is_due_and_lets_go_of_what_sounds() -> None:
    on_stage = stage()
    plan = planned(on_stage, 6, 30, 60, 90, length=48)
    plan.hand_over(60, 0)
    on_stage.out.clear()
    on_stage.now_ns = now = round(20 * TICK_NS)
    assert plan.give_way(now)
    assert on_stage.out == [
        Record(Kind.CANCEL, 1, id=3, t_ns=now),
        Record(Kind.CANCEL, 1, id=2, t_ns=now),
        Record(Kind.END, id=1, t_ns=now + YIELD_NS),
    ]
    assert [note.pitch for note in on_stage.window.notes] == [60]
    assert on_stage.window.notes[0].off_tick == 25  # 100 ms after tick 20
    assert not plan.give_way(now + YIELD_NS)


def test_an_offset_into_the_past_is_planned_and_handed_over_sooner() -> None:
    usual, early = planned(stage(), 48), planned(stage(offset=-250.0), 48)
    assert usual.commits_ns() == round(42 * TICK_NS) + WAKE_LATE_NS
    assert early.commits_ns() == round(30 * TICK_NS) + WAKE_LATE_NS
    assert usual.runs_short_ns(48) - early.runs_short_ns(48) == 250 * MS
    assert early.earliest(0) - usual.earliest(0) == 12
    assert usual.reaches(49, 0)
    assert not early.reaches(49, 0)
    for plan, due_s in ((usual, 0.875), (early, 0.625)):
        plan.commit(ns(due_s) - MS)
        assert len(plan.ahead) == 1
        plan.commit(ns(due_s))
        assert plan.ahead == []


def test_a_note_that_ends_soon_anyway_is_let_ring() -> None:
    on_stage = stage()
    plan = planned(on_stage, 6, length=6)
    plan.hand_over(6, 0)
    on_stage.out.clear()
    assert plan.give_way(round(10 * TICK_NS))
    assert on_stage.out == []


def test_muted_notes_stay_in_the_head_and_are_not_handed_over() -> None:
    on_stage = stage(mute=True)
    plan = planned(on_stage, 6, 30)
    plan.hand_over(30, 0)
    assert on_stage.out == []
    assert len(on_stage.window.notes) == 2
    on_stage.now_ns = round(10 * TICK_NS)
    plan.give_way(on_stage.now_ns)
    assert [note.tick for note in on_stage.window.notes] == [6]


def test_imagined_notes_are_never_handed_over_and_pass() -> None:
    on_stage = stage()
    plan = planned(on_stage, 6)
    plan.add(Draw(0, 0, 72, 68, 12, -1.0), 12, 24, imagined=True)
    plan.add(Draw(5, 0, 62, 68, 12, -1.0), 18, 30)
    plan.hand_over(6, 0)
    assert plan.imagined_passes_ns() == round(14 * TICK_NS) + WAKE_LATE_NS
    assert not plan.pass_imagined(13.9)
    assert plan.pass_imagined(14)
    assert [note.pitch for note in on_stage.window.notes] == [60]
    assert [r.b for r in of(on_stage.out, Kind.NOTE)] == [60]


def test_a_pitch_struck_again_ends_where_it_is_struck() -> None:
    on_stage = stage()
    plan = planned(on_stage, 6, length=48)
    plan.add(Draw(5, 0, 60, 68, 12, -1.0), 20, 32)
    plan.hand_over(20, 0)
    first, second = of(on_stage.out, Kind.NOTE)
    assert first.u_ns == second.t_ns


@pytest.mark.parametrize("tightness", [1.0, 0.5, 0.0])
def test_looseness_is_a_few_milliseconds_and_none_at_1(tightness: float) -> None:
    on_stage = stage(tightness=tightness)
    plan = planned(on_stage, *range(24, 24 * 40, 24), length=6)
    plan.hand_over(24 * 40, 0)
    offsets = [abs(r.t_ns - round((24 + 24 * index) * TICK_NS)) / MS
               for index, r in enumerate(of(on_stage.out, Kind.NOTE))]  # fmt: skip
    assert max(offsets) <= (1 - tightness) * 24.001
    assert (max(offsets) > 1) == (tightness < 1)


def test_density_counts_chords_once_and_looks_back_two_bars() -> None:
    density = Density(0)
    for beat in range(20):
        for _ in range(3):
            density.add(beat * 24)
    assert density.rate(20 * 24) == pytest.approx(1.0)
    density.forget_from(16 * 24)
    assert density.rate(20 * 24) == pytest.approx(0.5)


def test_density_tilts_towards_the_target_and_a_floor_only_up() -> None:
    density = Density(0)
    for beat in range(8):
        density.add(beat * 24)
    more = density.steer(192, 4.0).gap_bias
    less = density.steer(192, 0.5).gap_bias
    assert more is not None
    assert less is not None
    assert more[48] < more[24] < more[12] == more[0] == 0.0 < more[6]
    assert less[48] > less[24] > less[12] == less[0] == 0.0 > less[6]
    assert density.steer(192, 0.5, floor_only=True).gap_bias is None
    assert density.steer(192, 0.0).gap_bias is None
