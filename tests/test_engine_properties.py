"""Whatever is played and set, in any mode: nothing sticks, nothing is early, nothing differs the second time."""

from __future__ import annotations

from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.messages import ALL_NOTES, Kind, Record
from antiphon.daemon.offline import engine_log, run_offline
from antiphon.daemon.settings import PARAMETERS, Settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine_rig import MS, S, midi
from tests.fake_generator import FakeGenerator

_MODES = ("follow", "answer", "continue", "accompany")


def _value(index: int) -> st.SearchStrategy[float]:
    chosen = PARAMETERS[index]
    if chosen.kind == "choice":
        return st.integers(0, len(chosen.choices) - 1).map(float)
    if chosen.kind == "bool":
        return st.sampled_from([0.0, 1.0])
    if chosen.kind == "parts":
        return st.integers(1, (1 << len(chosen.choices)) - 1).map(float)
    if chosen.kind == "int":
        return st.integers(int(chosen.low), int(min(chosen.high, 128))).map(float)
    return st.floats(chosen.low, chosen.high)


_SET = st.integers(0, len(PARAMETERS) - 1).flatmap(
    lambda index: _value(index).map(lambda value: Record(Kind.SET, id=index, value=value))
)
_PITCH = st.integers(40, 80)
_PLAYED = st.one_of(
    _PITCH.map(lambda pitch: midi(0, 0x90, pitch, 80)),
    _PITCH.map(lambda pitch: midi(0, 0x80, pitch, 0)),
    st.sampled_from([midi(0, 0xB0, 64, 127), midi(0, 0xB0, 64, 0), midi(0, 0xB0, 67, 127), midi(0, 0xB0, 67, 0),
                     midi(0, 0xB0, 123, 0)]),
)  # fmt: skip
_TRANSPORT = st.sampled_from([midi(0, 0xFA), midi(0, 0xFB), midi(0, 0xFC), midi(0, 0xF2, 8, 0), midi(0, 0xF8)])
_OTHER = st.sampled_from(
    [Record(Kind.TRIGGER), Record(Kind.PANIC), Record(Kind.SEED, id=3), Record(Kind.PORT, 0, 0), Record(Kind.WAKE)]
)
#: (what, milliseconds since the one before)
_STORY = st.lists(
    st.tuples(st.one_of(_PLAYED, _PLAYED, _PLAYED, _SET, _TRANSPORT, _OTHER), st.integers(0, 700)), max_size=50
)


def told(story: list[tuple[Record, int]]) -> list[Record]:
    records, now = [], 0
    for record, wait_ms in story:
        now += wait_ms * MS
        records.append(record._replace(t_ns=now))
    return records


def play(mode: str, story: list[tuple[Record, int]], seed: int = 1) -> tuple[list[Record], Engine, FakeGenerator]:
    generator = FakeGenerator()
    chosen = Engine(generator, Settings().with_value("mode", mode), seed)
    inputs = told(story)
    end_ns = (inputs[-1].t_ns if inputs else 0) + 3 * S
    return run_offline(chosen, inputs, end_ns), chosen, generator


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(_MODES), _STORY)
def test_orders_are_sound(mode: str, story: list[tuple[Record, int]]) -> None:
    log, chosen, generator = play(mode, story)
    now_ns, ids = 0, []
    open_ended: set[int] = set()
    for index, record in enumerate(log):
        if record.kind in (Kind.MIDI_IN, Kind.WAKE, Kind.SET, Kind.TRIGGER, Kind.STOP):
            now_ns = record.t_ns
        elif record.kind == Kind.NOTE:
            ids.append(record.id)
            assert record.t_ns >= now_ns
            assert not record.u_ns or record.u_ns > record.t_ns
            assert 1 <= record.c <= 127
            assert 0 <= record.b <= 127
            if not record.u_ns:
                open_ended.add(record.id)
            after = log[index + 1]
            assert after.kind != Kind.SAMPLED or (after.id, after.b) == (record.id, record.b)
        elif record.kind in (Kind.END, Kind.CANCEL, Kind.DROPPED):
            if record.kind == Kind.CANCEL and record.id == ALL_NOTES:
                open_ended.clear()
            open_ended.discard(record.id)
        elif record.kind == Kind.SAMPLED:
            assert log[index - 1].kind == Kind.NOTE
    assert not open_ended
    assert len(ids) == len(set(ids))
    assert ids == sorted(ids)
    assert chosen.window.state == generator.prime(chosen.window.notes)
    ticks = [note.tick for note in chosen.window.notes]
    assert ticks == sorted(ticks)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(_MODES), _STORY)
def test_every_note_ends_exactly_once_on_the_wire(mode: str, story: list[tuple[Record, int]]) -> None:
    log, _, _ = play(mode, story)
    notes = {record.id for record in log if record.kind == Kind.NOTE}
    fates: dict[int, list[int]] = {number: [] for number in notes}
    for record in log:
        if record.kind in (Kind.SENT, Kind.DROPPED, Kind.CANCELLED, Kind.ENDED, Kind.CUT):
            fates[record.id].append(record.kind)
    for fate in fates.values():
        assert fate in ([Kind.CANCELLED], [Kind.DROPPED], [Kind.SENT, Kind.ENDED], [Kind.SENT, Kind.CUT])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(_MODES), _STORY, st.integers(0, 5))
def test_the_same_again_is_the_same(mode: str, story: list[tuple[Record, int]], seed: int) -> None:
    assert play(mode, story, seed)[0] == play(mode, story, seed)[0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(_MODES), _STORY)
def test_a_log_fed_again_makes_the_same_notes(mode: str, story: list[tuple[Record, int]]) -> None:
    log, _, _ = play(mode, story)
    again = Engine(FakeGenerator(), Settings().with_value("mode", mode), 1)
    remade: list[Record] = []
    for record in engine_log(log):
        if record.kind not in (Kind.SAMPLED, Kind.MARK):
            remade += again.handle(record)
    assert [r for r in remade if r.kind in (Kind.NOTE, Kind.SAMPLED)] == [
        r for r in log if r.kind in (Kind.NOTE, Kind.SAMPLED)
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(("answer", "continue", "accompany")), _STORY)
def test_the_engine_never_asks_for_ever(mode: str, story: list[tuple[Record, int]]) -> None:
    log, _, _ = play(mode, story)
    at_once: dict[int, int] = {}
    for record in log:
        if record.kind == Kind.WAKE:
            at_once[record.t_ns] = at_once.get(record.t_ns, 0) + 1
    assert max(at_once.values(), default=0) < 600
