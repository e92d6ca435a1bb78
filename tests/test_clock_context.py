"""A brain that comes back in the middle of a song knows where it is."""

from __future__ import annotations

from typing import Any

import pytest
from antiphon.daemon.brain.clock_context import clock_context, internal_beat
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.settings import Settings

from tests.engine_rig import change, clock_ticks, engine, in_order, midi, ns, off, on

_STARTED = in_order([midi(0.99, 0xFA)], clock_ticks(1.0, 40.3))


def test_there_is_nothing_to_tell_without_a_clock() -> None:
    assert clock_context([on(1, 60), off(2, 60), midi(3, 0xFE)]) == []


@pytest.mark.parametrize(
    ("wire", "beat"),
    [
        (_STARTED, (20.9 - 1.0) * 2),
        (in_order(_STARTED[:500], [midi(11.5, 0xFC), midi(11.6, 0xF2, 33, 0), midi(11.7, 0xFB)], clock_ticks(12.0, 9)),
         33 / 4 + (20.9 - 12.0) * 2),
        (clock_ticks(2.0, 38), (20.9 - 2.0) * 2),
        (in_order([midi(0.9, 0xF2, 0, 127), midi(0.95, 0xFB)], clock_ticks(1.0, 40.3)),
         (127 * 128 - 12_288) / 4 + (20.9 - 1.0) * 2),
    ],
)  # fmt: skip
def test_the_place_in_the_song_is_found_again(wire: list[Record], beat: float) -> None:
    told = clock_context(wire)
    assert len(told) <= 98
    chosen = engine("accompany")
    for record in [Record(Kind.RESTART, t_ns=ns(20.8), id=1, u_ns=5), *told]:
        chosen.handle(record)
    status = chosen.status(ns(20.9))
    assert (status["bar"], status["beat"]) == (int(beat) // 4 + 1, int(beat) % 4 + 1)
    assert status["tempo_bpm"] == pytest.approx(120.0, abs=0.5)


def test_a_master_that_stopped_is_waited_for() -> None:
    chosen = engine("accompany")
    told = clock_context([*_STARTED[:300], midi(8.0, 0xFC)])
    for record in [Record(Kind.RESTART, t_ns=ns(9.0), id=1, u_ns=5), *told]:
        chosen.handle(record)
    assert chosen.status(ns(9.0))["turn"] == "waiting"


def test_context_notes_lie_on_the_beats_that_they_were_played_on() -> None:
    chosen = engine("accompany")
    opening = [Record(Kind.RESTART, t_ns=ns(20.8), id=1, u_ns=5), *clock_context(_STARTED)]
    for record in [*opening, Record(Kind.CONTEXT, 0, 72, 80, 0, ns(20.0), ns(20.2))]:
        chosen.handle(record)
    (note,) = chosen.window.notes
    assert (note.tick_in_beat, note.beat_in_bar) == (0, 2)


_BEGUN = Record(Kind.START, t_ns=ns(0), id=1)


@pytest.mark.parametrize(
    ("mode", "settings", "log"),
    [
        ("accompany", {"count_in": 2, "tempo": 97.0}, []),
        ("accompany", {"count_in": 2}, [change(3.0, "tempo", 60.0), change(8.5, "tempo", 173.0)]),
        ("answer", {}, [change(2.0, "mode", "accompany"), change(3.0, "density", 2.0)]),
        ("answer", {"clock": "internal"}, [change(2.0, "beats_per_bar", 3)]),
        ("accompany", {}, [*clock_ticks(1.0, 4), midi(3.1, 0xFC), change(5.3, "clock", "internal")]),
        ("accompany", {}, [Record(Kind.NUDGE, t_ns=ns(3), value=0.5), Record(Kind.TAPPED, t_ns=ns(6), u_ns=ns(5.9))]),
        ("accompany", {"count_in": 1}, [Record(Kind.RESTART, 1, id=2, t_ns=ns(6.0), u_ns=9, value=-1.25)]),
    ],
)
def test_the_internal_clock_goes_on_where_it_was(mode: str, settings: dict[str, Any], log: list[Record]) -> None:
    never_lost = engine(mode, **settings)
    for record in (_BEGUN, *log):
        never_lost.handle(record)
    beat = internal_beat([_BEGUN, *log], engine(mode, **settings).settings, ns(10.0))
    assert beat is not None
    back = engine(mode, **settings)
    for record in log:
        if record.kind == Kind.SET:
            back.handle(record)
    back.handle(Record(Kind.RESTART, 1, id=2, t_ns=ns(10.0), u_ns=5, value=beat))
    for t_s in (10.0, 10.7, 14.2):
        told, expected = back.status(ns(t_s)), never_lost.status(ns(t_s))
        assert {key: told[key] for key in ("bar", "beat", "tempo_bpm")} == {
            key: expected[key] for key in ("bar", "beat", "tempo_bpm")
        }


@pytest.mark.parametrize(
    ("mode", "log"),
    [
        ("answer", []),
        ("accompany", clock_ticks(1.0, 4)),
        ("accompany", [change(2.0, "mode", "follow")]),
        ("accompany", [Record(Kind.RESTART, id=2, t_ns=ns(3.0), u_ns=9), *clock_ticks(2.0, 1)]),
    ],
)
def test_there_is_no_internal_beat_on_another_clock(mode: str, log: list[Record]) -> None:
    assert internal_beat([_BEGUN, *log], Settings().with_value("mode", mode), ns(10.0)) is None
