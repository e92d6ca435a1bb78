"""Latency per part: what each part's notes are moved by, in the player, in its likeness, in plans and in takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.commands.fast import write_journal
from antiphon.daemon.errors import ConfigError
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.offline import SimulatedPlayer, engine_log, run_offline, wire_log
from antiphon.daemon.options import option
from antiphon.daemon.part_offsets import channel_offsets, channel_offsets_of
from antiphon.daemon.replay import engine_of, regenerate
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.settings import Settings
from antiphon.models.parts import OUTPUT_CHANNEL, Part

from tests.engine_rig import MS, in_order, midi, ns, phrase
from tests.fake_generator import FakeGenerator


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("bass=-12.5", {"bass": -12.5}),
        (" Drums = 3, pad=-500", {"drums": 3.0, "pad": -500.0}),
        ({"lead": 500}, {"lead": 500.0}),
        ({}, {}),
    ],
)
def test_offsets_are_given_by_part(value: Any, read: dict[str, float]) -> None:
    checked = option("part_offsets").check(value)
    assert checked == read
    assert channel_offsets_of({"part_offsets": json.loads(json.dumps(checked))}) == tuple(
        round(1e6 * next((ms for part, ms in read.items() if OUTPUT_CHANNEL[Part[part.upper()]] == channel), 0.0))
        for channel in range(16)
    )


@pytest.mark.parametrize("value", ["", "bass", "bass=x", "flute=1", "bass=500.1", "bass=nan", "bass=1,bass=2", 3, None])
def test_a_map_of_offsets_is_whole_or_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^part_offsets: .* is not allowed; give PART=MS,.*MS from -500 to 500"):
        option("part_offsets").check(value)


def test_a_simulated_player_moves_each_part_by_its_own() -> None:
    player = SimulatedPlayer(channel_offsets({"bass": 30.0, "drums": -20.0}))
    player.order(Record(Kind.OFFSET, t_ns=10 * MS), 0)
    for number, channel in enumerate((0, 2, 9)):
        note = Record(Kind.NOTE, channel, 60, 80, number + 1, 100 * MS, 0, 50.0 * MS)
        assert player.order(note, 0) == []
        player.order(Record(Kind.END, id=number + 1, t_ns=200 * MS), 0)
        player.order(Record(Kind.SEND, 0xC0 | channel, 5, 0, 2, 50 * MS), 0)
    happened = [(record.kind, record.a & 0x0F, record.u_ns // MS) for record in player.advance(1000 * MS)]
    assert happened == [
        (Kind.OUT, 9, 40), (Kind.OUT, 0, 60), (Kind.OUT, 2, 90), (Kind.SENT, 9, 90), (Kind.SENT, 0, 110),
        (Kind.SENT, 2, 140), (Kind.ENDED, 9, 190), (Kind.ENDED, 0, 210), (Kind.ENDED, 2, 240),
    ]  # fmt: skip


def _accompanied(**offsets: float) -> tuple[Engine, list[Record]]:
    settings = Settings().with_value("mode", "accompany").with_value("parts", "bass+drums").with_value("tempo", 120)
    engine = Engine(FakeGenerator(), settings, 3, part_offsets_ns=channel_offsets(offsets))
    return engine, run_offline(engine, phrase(1.0, range(60, 76), 0.5, 0.4), ns(9))


@pytest.mark.parametrize("offsets", [{"bass": -300.0}, {"bass": -150.0, "drums": 80.0}, {"drums": -40.0}])
def test_plans_look_ahead_for_the_soonest_part_so_that_none_is_late(offsets: dict[str, float]) -> None:
    engine, log = _accompanied(**offsets)
    ordered = {record.id: record for record in log if record.kind == Kind.NOTE}
    sent = [record for record in log if record.kind == Kind.SENT]
    assert {record.a & 0x0F for record in sent} == {2, 9}
    assert not [record for record in log if record.kind == Kind.DROPPED]
    for record in sent:
        assert record.t_ns == ordered[record.id].t_ns + engine.part_offsets_ns[record.a & 0x0F]
        assert record.u_ns == record.t_ns


def test_offsets_move_the_notes_alone_and_not_the_music() -> None:
    plain, moved = (
        [(r.a, r.b, r.c, r.t_ns) for r in _accompanied(**offsets)[1] if r.kind == Kind.NOTE]
        for offsets in ({}, {"drums": 25.0})
    )
    assert plain
    assert moved == plain


def test_a_take_with_offsets_is_made_again_equal(tmp_path: Path) -> None:
    session = {
        "settings": {"mode": "accompany", "parts": ["bass", "drums"], "offset": 5.0}, "seed": 3,
        "part_offsets": {"bass": -60.0, "drums": 15.0}, "also_in": {"LPD8": "chords"}, "t0_ns": 0,
    }  # fmt: skip
    folder = SessionFolder.create(tmp_path, session)
    theirs = [midi(2.1, 0x90, 52, 80, port=1), midi(3, 0x80, 52, 0, port=1)]
    played = in_order(phrase(1.0, range(60, 70), 0.5, 0.4), theirs)
    log = run_offline(engine_of(folder.read_session(), FakeGenerator()), played, ns(7))
    write_journal(folder, "wire", wire_log(log))
    write_journal(folder, "engine", engine_log(log))
    again = regenerate(folder, FakeGenerator())
    assert len(again.sent) > 10
    assert again.equal
    folder.write_session({**folder.read_session(), "part_offsets": {}})
    assert not regenerate(folder, FakeGenerator()).equal
    folder.release()
