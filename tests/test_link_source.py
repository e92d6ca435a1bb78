"""Ableton Link, with a real peer beside it in the same process."""

from __future__ import annotations

import asyncio
import select
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from antiphon.daemon.brain.clock_sources import ClockSources, MissingError, read_at
from antiphon.daemon.brain.link_source import LinkSource
from antiphon.daemon.brain.midi_clock import ClockEvent
from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.told_clock import Source, Told
from antiphon.daemon.messages import Record
from antiphon.daemon.settings import Settings

from tests.jack_rig import wait_until

aalink = pytest.importorskip("aalink")
LINK = Settings().with_value("clock", "link")


@pytest.fixture
def peer() -> Iterator[Any]:
    """Somebody else's app, at 97 bpm."""
    loop = asyncio.new_event_loop()

    async def join() -> Any:
        return aalink.Link(97.0)

    link = loop.run_until_complete(join())
    link.quantum = 4
    link.start_stop_sync_enabled = True
    link.enabled = True
    yield link
    link.enabled = False
    loop.close()


@pytest.fixture
def source() -> Iterator[LinkSource]:
    opened = LinkSource()
    opened.open(LINK)
    yield opened
    opened.close()
    opened.close()


def apart_ms(told: Told, peer: Any, quantum: int = 4) -> float:
    """How far the bars of what was told and of the peer are apart."""
    t_ns, beat = read_at(lambda: float(peer.beat))
    return ((told.beat_at(t_ns) - beat + quantum / 2) % quantum - quantum / 2) * told.beat_ns / 1e6


def test_two_peers_agree_on_tempo_and_bar(peer: Any, source: LinkSource) -> None:
    wait_until(lambda: source.peers and peer.num_peers, "they find each other")
    # whose tempo it is at first is Link's to say: the older session's, of two of the same age either's
    wait_until(lambda: abs(source.read(LINK).bpm - peer.tempo) < 0.01, "the tempo is shared")
    offs = [abs(apart_ms(source.read(LINK), peer)) for _ in range(200)]
    assert sorted(offs)[100] < 0.2
    assert max(offs) < 2.0
    peer.tempo = 143.0
    wait_until(lambda: abs(source.read(LINK).bpm - 143.0) < 0.01, "the new tempo is shared")
    assert abs(apart_ms(source.read(LINK), peer)) < 2.0


def test_bars_of_another_metre_agree_too(peer: Any, source: LinkSource) -> None:
    wait_until(lambda: source.peers and peer.num_peers, "they find each other")
    threes = LINK.with_value("beats_per_bar", 3)
    peer.quantum = 3
    wait_until(lambda: abs(apart_ms(source.read(threes), peer, 3)) < 1.0, "the bars agree")
    assert source.read(threes).beats_per_bar == 0  # Link knows of no metre: the settings' it is


def test_starts_and_stops_count_from_the_first_start_on(peer: Any, source: LinkSource) -> None:
    wait_until(lambda: source.peers and peer.num_peers, "they find each other")
    assert source.read(LINK).running  # nobody shares a transport: it goes on for ever
    peer.playing = True
    wait_until(lambda: source.read(LINK).running and source._started, "the start is shared")
    peer.playing = False
    wait_until(lambda: not source.read(LINK).running, "the stop is shared")
    peer.playing = True
    wait_until(lambda: source.read(LINK).running, "the next start is shared")


def test_alone_it_goes_at_the_tempo_of_the_settings(source: LinkSource) -> None:
    slower = LINK.with_value("tempo", 83.0)
    first = source.read(slower)
    assert first.source is Source.LINK
    wait_until(lambda: abs(source.read(slower).bpm - 83.0) < 0.01, "it goes slower")


def test_the_engines_time_follows_a_peer_through_the_journalled_records(peer: Any) -> None:
    lines: list[tuple[str, bool]] = []
    sources = ClockSources(lambda line, wrong: lines.append((line, wrong)))
    ours = MusicalTime(time.perf_counter_ns(), LINK)
    ours.select(LINK, time.perf_counter_ns())
    events: list[ClockEvent] = []
    told: list[Record] = []

    def listen() -> bool:
        readable, _, _ = select.select([sources], [], [], 0.05)
        for record in sources.take() if readable else ():
            told.append(record)
            said = Told.of(record)
            assert said is not None
            ours.tell(said, LINK, max(time.perf_counter_ns(), said.t_ns))
        events.extend(ours.take_events())
        return True

    def off_ms() -> float:
        assert ours.grid is not None
        t_ns, beat = read_at(lambda: float(peer.beat))
        where = (ours.position(t_ns) - ours.grid[0]) / ours.grid[1]
        return ((where - beat + 2) % 4 - 2) * 60e3 / ours.bpm

    try:
        sources.follow(LINK)
        wait_until(lambda: listen() and ours.running and peer.num_peers, "they find each other")
        wait_until(lambda: listen() and abs(ours.bpm - peer.tempo) < 0.01, "the tempo is shared")
        wait_until(lambda: listen() and abs(off_ms()) < 2.0, "the bars agree")
        peer.tempo = 131.0
        wait_until(lambda: listen() and abs(ours.bpm - 131.0) < 0.01, "the tempo is followed")
        wait_until(lambda: listen() and abs(off_ms()) < 2.0, "the bars agree again")
        assert events[0] is ClockEvent.STARTED
        sources.follow(LINK.with_value("clock", "internal"))
        wait_until(lambda: listen() and not ours.running, "it is left")
        assert events[-1] is ClockEvent.STOPPED
        assert lines == [("clock link: Ableton Link is joined; alone, it goes at `tempo`", False)]
        assert told[-1].b == 0
    finally:
        sources.close()
        sources.close()


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aalink", None)
    lonely = LinkSource()
    with pytest.raises(MissingError, match=r"clock link: .*pip install 'antiphon\[link\]'"):
        lonely.open(LINK)
    lonely.close()
