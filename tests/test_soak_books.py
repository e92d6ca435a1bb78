"""A soak's books find what is wrong with a session, and nothing where nothing is."""

from __future__ import annotations

import doctest
from collections import Counter
from dataclasses import replace

import pytest
from antiphon.daemon.messages import Kind, Record
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.soak import books, matching, memory
from tests.soak.books import Evidence, Verdict
from tests.soak.matching import XRUN_NS, Stamped, compare, normal
from tests.soak.scene import Period
from tests.take_records import MS, ended, midi_in, sampled, sent

_KEY = (0x90, 60, 80)


def _whole() -> Evidence:
    """One note played, passed on, replied to, heard and ended; one drawn note cancelled, one dropped."""
    wire = (
        Record(Kind.BRAIN_UP, id=1), midi_in(100, 0x90, 60, 80), Record(Kind.OUT, 0x9F, 60, 80, 1, 100 * MS, 100 * MS),
        sent(1, 101, 0, 64), ended(1, 200, 0, 64), midi_in(201, 0x80, 60, 0),
        Record(Kind.OUT, 0x8F, 60, 0, 1, 201 * MS, 201 * MS),
        Record(Kind.CANCELLED, 0x90, 65, 80, 2, 300 * MS, 300 * MS),
        Record(Kind.DROPPED, 0x90, 66, 80, 3, 300 * MS, 400 * MS),
    )  # fmt: skip
    return Evidence(
        wire=wire, drawn=[sampled(number, 0, 64) for number in (1, 2, 3)],
        played=[(100 * MS, bytes((0x90, 60, 80))), (200 * MS, bytes((0x80, 60, 64)))],
        heard=[(101 * MS, bytes((0x9F, 60, 80))), (102 * MS, bytes((0x90, 64, 80))), (201 * MS, bytes((0x80, 64, 64))),
               (202 * MS, bytes((0x8F, 60, 64)))],
        xruns=[], deaf=[], looped=[], lines=["sent 1 notes, dropped 1 as too late"],
    )  # fmt: skip


def _wrong(seen: Evidence) -> list[str]:
    verdicts: list[Verdict] = [books.ledger(seen), *books.wire(seen), *books.misses(seen), *books.performer(seen)]
    return [verdict.what for verdict in verdicts if not verdict.holds]


def _without(seen: Evidence, kind: Kind, status: int = 0) -> Evidence:
    return replace(seen, wire=[r for r in seen.wire if r.kind != kind or (status and r.a != status)])


def test_whole_books_have_nothing_wrong() -> None:
    assert _wrong(_whole()) == []


def test_a_note_that_is_not_ended_is_an_open_one_and_a_stuck_one() -> None:
    whole = _whole()
    left = replace(_without(whole, Kind.ENDED), heard=[m for m in whole.heard if m[1][:2] != bytes((0x80, 64))])
    assert _wrong(left) == ["the ledger has no open note", "no note is stuck on the wire"]


@pytest.mark.parametrize(("xrun_ms", "wrong"), [
    (200 - XRUN_NS // MS - 5, ["no note is stuck on the wire", "what was sent was heard"]),
    (200 - XRUN_NS // MS + 5, []),
    (200 + XRUN_NS // MS, []),
])  # fmt: skip
def test_a_note_off_that_never_arrives_is_jacks_loss_only_near_an_xrun(xrun_ms: int, wrong: list[str]) -> None:
    whole = _whole()
    heard = [m for m in whole.heard if m[1][:2] != bytes((0x80, 64))]
    assert _wrong(replace(whole, heard=heard, xruns=[xrun_ms * MS])) == wrong


@pytest.mark.parametrize(("xruns", "wrong"), [
    ([], ["no note is stuck on the wire", "what was sent was heard"]),
    ([(300 + XRUN_NS // MS) * MS], []),
])  # fmt: skip
def test_a_note_on_that_comes_twice_is_jacks_doing_only_near_an_xrun(xruns: list[int], wrong: list[str]) -> None:
    whole = _whole()
    twice = replace(whole, heard=[*whole.heard, (300 * MS, bytes((0x90, 64, 80)))], xruns=xruns)
    assert _wrong(twice) == wrong


def test_a_drawn_note_that_nobody_speaks_of_is_an_uncounted_miss() -> None:
    assert _wrong(_without(_whole(), Kind.CANCELLED)) == ["no miss is uncounted"]


def test_a_note_with_two_fates_is_found() -> None:
    whole = _whole()
    twice = replace(whole, wire=[*whole.wire, Record(Kind.CANCELLED, 0x90, 66, 80, 3, 300 * MS, 400 * MS)])
    assert _wrong(twice) == ["no miss is uncounted"]


def test_a_note_later_than_its_tolerance_is_found() -> None:
    whole = _whole()
    late = [
        record._replace(t_ns=record.t_ns - 63 * MS) if record.kind == Kind.SENT else record for record in whole.wire
    ]
    assert _wrong(replace(whole, wire=late)) == ["no note went out later than its tolerance"]


def test_what_is_said_at_the_end_is_compared() -> None:
    assert _wrong(replace(_whole(), lines=["sent 1 notes, dropped 0 as too late"])) == [
        "what it says at the end is what its journal holds"
    ]
    assert _wrong(replace(_whole(), lines=[])) == ["what it says at the end is what its journal holds"]


def test_a_played_note_that_did_not_come_in_is_found_but_not_while_the_cable_was_out() -> None:
    lost = _without(_without(_whole(), Kind.MIDI_IN), Kind.OUT)
    lost = replace(lost, heard=[m for m in lost.heard if m[1][0] & 0x0F != 15])
    assert _wrong(lost) == ["all that was played came in"]
    assert _wrong(replace(lost, deaf=[Period("input unplugged", 50 * MS, 250 * MS)])) == []


def test_notes_that_nobody_played_are_found_but_not_while_the_output_was_fed_back() -> None:
    whole = _whole()
    more = replace(whole, played=[])
    assert _wrong(more) == ["all that was played came in"]
    assert _wrong(replace(more, looped=[Period("feedback", 50 * MS, 250 * MS)])) == []


def test_a_played_note_that_is_not_passed_on_is_found() -> None:
    whole = _whole()
    kept = replace(_without(whole, Kind.OUT), heard=[m for m in whole.heard if m[1][0] & 0x0F != 15])
    assert _wrong(kept) == ["all that came in was passed on"]


def test_a_stuck_note_of_the_performers_is_found() -> None:
    whole = _whole()
    assert _wrong(replace(whole, heard=whole.heard[:-1])) == ["all that came in was passed on"]


def test_counters_are_compared_kind_by_kind() -> None:
    told = {"sent": 1, "ended": 1, "cut": 0, "dropped": 1, "cancelled": 1}
    since = Counter(Kind(record.kind) for record in _whole().wire)
    assert books.counters(told, since).holds
    assert not books.counters({**told, "dropped": 0}, since).holds
    assert not books.counters({}, since).holds


def test_what_one_side_lost_is_found_where_it_was_lost() -> None:
    times = [0, 100 * MS, 200 * MS, 300 * MS]
    heard = [(t_ns + MS, _KEY) for t_ns in times if t_ns != 100 * MS]
    differs = compare([(t_ns, _KEY) for t_ns in times], heard)
    assert differs.lost == ((100 * MS, _KEY),)
    assert differs.extra == ()


_MESSAGES = st.lists(st.tuples(st.integers(0, 10_000 * MS), st.sampled_from([_KEY, (0x80, 60, 0), (0x91, 62, 1)])))


@given(_MESSAGES, st.integers(0, 40 * MS))
@settings(deadline=None)
def test_what_all_arrives_is_all_found(messages: list[Stamped], later_ns: int) -> None:
    differs = compare(messages, [(t_ns + later_ns, message) for t_ns, message in messages])
    assert differs.lost == ()
    assert differs.extra == ()


@given(_MESSAGES, st.data())
@settings(deadline=None)
def test_what_is_lost_is_counted(messages: list[Stamped], data: st.DataObject) -> None:
    arrives = data.draw(st.lists(st.booleans(), min_size=len(messages), max_size=len(messages)))
    heard = [message for message, whether in zip(messages, arrives, strict=True) if whether]
    differs = compare(messages, heard)
    assert len(differs.lost) - len(differs.extra) == arrives.count(False)


def test_a_note_off_is_one_however_it_is_spelt() -> None:
    assert normal(1, (0x93, 60, 0)) == normal(1, (0x83, 60, 64)) == (1, (0x83, 60, 0))


@pytest.mark.parametrize("module", [matching, memory])
def test_examples_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
