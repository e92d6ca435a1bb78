"""What is about to be played, told before it is."""

from __future__ import annotations

import pytest
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.brain.intent import MOST, Intended
from antiphon.daemon.brain.osc import OscControl
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.offline import run_offline
from antiphon.daemon.settings import Settings

from tests.engine_rig import engine, ns, of, on, phrase, run
from tests.osc_rig import Controller

_BEAT_S = 0.5


class Reader:
    """Reads what is intended after every record of a run."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.told: list[tuple[Record, list[Intended]]] = []

    def __call__(self, record: Record) -> None:
        self.told.append((record, self._engine.intended(record.t_ns) if record.kind == Kind.WAKE else []))

    def first_after(self, t_s: float) -> tuple[int, list[Intended]]:
        """Give the first wake after a time, and what was intended then."""
        return next((r.t_ns, told) for r, told in self.told if r.kind == Kind.WAKE and r.t_ns >= ns(t_s))


def accompanied(inputs: list[Record], end_s: float, commit: float = 0.25) -> tuple[Reader, list[Record]]:
    played = engine("accompany", clock="internal", tempo=120.0, tightness=1.0, commit=commit, lookahead=2.0)
    reader = Reader(played)
    return reader, run_offline(played, inputs, ns(end_s), reader)


def test_what_an_accompaniment_intends_is_what_it_then_plays() -> None:
    reader, log = accompanied([], 8.0, commit=1.0)
    now_ns, told = reader.first_after(4.0)
    assert told == sorted(told, key=lambda note: note.beats)
    assert {note.handed_over for note in told} == {True, False}
    assert all(0.0 <= note.beats <= 3.0 for note in told)
    assert any(note.beats > 1.0 for note in told)

    def ms_on(beats: float) -> int:
        return round(now_ns / 1e6 + beats * _BEAT_S * 1e3)

    said = [(ms_on(note.beats), note.pitch) for note in told if note.beats <= 1.5]
    due = [(round(r.t_ns / 1e6), r.b) for r in of(log, Kind.NOTE) if now_ns <= r.t_ns <= now_ns + 1.5 * _BEAT_S * 1e9]
    assert sorted(said) == sorted(due)
    assert len(said) >= 4


def test_what_the_performer_plays_changes_only_what_was_not_handed_over() -> None:
    reader, log = accompanied([on(4.0, 67), on(4.1, 71)], 8.0, commit=0.5)
    handed_over = {r.id: r for r in of(log, Kind.NOTE) if r.t_ns >= ns(4.0)}
    assert not [r for r in of(log, Kind.CANCEL) if r.id in handed_over]
    before = [told for r, told in reader.told if r.kind == Kind.WAKE and r.t_ns < ns(4.0)][-1]
    _, after = reader.first_after(4.11)
    assert [note for note in before if not note.handed_over]
    assert [(n.part, n.pitch) for n in after if n.beats > 0.5] != [(n.part, n.pitch) for n in before if n.beats > 0.72]


@pytest.mark.parametrize("mode", ["answer", "continue", "accompany"])
def test_nothing_is_intended_after_a_panic(mode: str) -> None:
    played = engine(mode)
    reader = Reader(played)
    trigger = [Record(Kind.TRIGGER, t_ns=ns(1.4))] if mode == "continue" else []
    inputs = [*phrase(0.1, [60, 62, 64, 65, 67]), *trigger, Record(Kind.PANIC, t_ns=ns(3.0))]
    run_offline(played, inputs, ns(4.0), reader)
    assert any(told for r, told in reader.told if r.t_ns < ns(3.0))
    assert not any(told for r, told in reader.told if r.t_ns > ns(3.0))
    assert played.intended(ns(4.0)) == []


def test_a_mode_that_plays_at_once_intends_nothing() -> None:
    played = engine("follow")
    run(played, phrase(0.1, [60, 62, 64]), 1.0)
    assert played.intended(ns(1.0)) == []


def test_plan_is_told_over_osc_in_one_bundle() -> None:
    notes = [Intended("bass", 36, 90, 0.25, 0.5, True)] + [Intended("drums", 42, 70, 0.5, 0.25, False)] * (MOST - 1)
    with OscControl(("127.0.0.1", 0), Settings(), None, lambda: notes) as control:
        page = Controller(control)
        page.say("/antiphon/plan")
        control.receive(0)
        told = page.hear()
        page.socket.close()
    assert (told[0].address, told[0].values) == ("/antiphon/plan/notes", (MOST,))
    assert {message.address for message in told[1:]} == {"/antiphon/plan/note"}
    assert told[1].values == ("bass", 36, 90, 0.25, 0.5, 1)
    assert len(told) == MOST + 1
