"""Ardour 7, headless over JACK: a track into Antiphon, one that records it, and its clock, through everything."""

from __future__ import annotations

import os
import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from antiphon.bridges.ardour import create_session
from antiphon.daemon.messages import Kind, Record

from tests.ardour_compare import Outcome, Pass, Region, compare, passes_of, regions_of, sent_in
from tests.ardour_rig import PERIOD, SAMPLE_RATE, Antiphon, Daw, HurriedJack, Keyboard
from tests.ardour_takes import takes_until_it_holds
from tests.freezes import FreezeWatch
from tests.jack_rig import in_environment

pytestmark = [pytest.mark.ardour, pytest.mark.jack, pytest.mark.timeout(600)]

#: The session's tempo and metre are Ardour's own.
_BPM, _BEAT_S, _BAR_S = 120.0, 0.5, 2.0
_TICK_NS = 60e9 / _BPM / 24
#: One period and 2 ms, in beats.
_TOLERANCE = (PERIOD / SAMPLE_RATE + 0.002) / _BEAT_S
_MARGIN_NS = 5_000_000
#: Two bars of a tune: a note on every beat, each with a velocity of its own.
_TUNE = tuple(zip((60, 64, 67, 72, 69, 65, 62, 67), range(70, 86, 2), strict=True))
_LOCATED_BAR, _LOOPED_BAR = 8, 1
_LAPS = 3


@dataclass(frozen=True)
class Played:
    """What is left of the scene: Antiphon's log, Ardour's regions, and how it went."""

    records: list[Record]
    passes: list[Pass]
    antiphon: list[Region]
    player: list[Region]
    xruns: int
    exit_code: int

    @property
    def outcomes(self) -> list[Outcome]:
        return [
            compare(sent_in(rolled, self.records, _TICK_NS, _MARGIN_NS), region, rolled.end, _TOLERANCE)
            for rolled, region in zip(self.passes, self.antiphon, strict=True)
        ]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, freezes: FreezeWatch) -> Played:
    return takes_until_it_holds(lambda: _scene(tmp_path_factory.mktemp("ardour")), _CHECKS, freezes, slipped_ms)


def slipped_ms(scene: Played) -> float:
    return max((rolled.worst_slip(_TICK_NS) for rolled in scene.passes), default=0.0) * _BEAT_S * 1e3


def _scene(folder: Path) -> Played:
    with HurriedJack(f"antiphon-ardour{os.getpid()}") as jack, in_environment(jack.environment):
        return _play(folder)


def _play(folder: Path) -> Played:
    own = {name: str(folder / name.lower()) for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    ardours = {**os.environ, **own}  # nothing of the user's preferences is read or written
    loop_s = (_LOOPED_BAR * _BAR_S, (_LOOPED_BAR + 1) * _BAR_S)
    session = create_session(folder, "Duet", sample_rate=SAMPLE_RATE, loop_s=loop_s, environment=ardours)
    flags = (
        "--mode",
        "accompany",
        "--clock",
        "midi",
        "--tightness",
        "1",
        "--seed",
        "1",
        "--osc",
        "off",
        "--api",
        "jack",
    )
    with (
        Antiphon(folder / "takes", *flags) as antiphon,
        Keyboard() as keyboard,
        Daw(session, ardours, keyboard.port) as daw,
    ):
        daw.arm("Player")
        daw.arm("Antiphon")
        _play_and_stop(daw, keyboard, antiphon)
        _locate_and_play(daw, antiphon)
        _loop(daw, antiphon)
        daw.save()
        xruns = daw.xruns
        exit_code = antiphon.stop()
        records = antiphon.records()
    by_antiphon, by_player = (regions_of(session, track, _BPM) for track in ("Antiphon", "Player"))
    return Played(records, passes_of(records), by_antiphon, by_player, xruns, exit_code)


def _play_and_stop(daw: Daw, keyboard: Keyboard, antiphon: Antiphon) -> None:
    """Two bars of the tune from the song's start, and a half more for Antiphon alone."""
    daw.record()
    daw.roll()
    for beat, (pitch, velocity) in enumerate(_TUNE):
        daw.wait_past((beat + 0.1) * _BEAT_S)
        keyboard.note_on(pitch, velocity)
        daw.wait_past((beat + 0.8) * _BEAT_S)
        keyboard.note_off(pitch)
    daw.wait_past(2.3 * _BAR_S)
    daw.stop()
    antiphon.wait_silent()


def _locate_and_play(daw: Daw, antiphon: Antiphon) -> None:
    """Further on in the song, where the Player's track is empty."""
    daw.arm("Player", on=False)
    daw.locate(_LOCATED_BAR * _BAR_S)
    daw.record()
    daw.roll()
    daw.wait_past((_LOCATED_BAR + 2.2) * _BAR_S)
    daw.stop()
    antiphon.wait_silent()


def _loop(daw: Daw, antiphon: Antiphon) -> None:
    """Laps over the tune's second bar, which the Player's track now plays."""
    daw.record()
    daw.loop()
    for _ in range(_LAPS - 1):
        daw.wait_wrap()
    daw.wait_past((_LOOPED_BAR + 0.7) * _BAR_S)
    daw.stop()
    daw.end_loop()
    antiphon.wait_silent()


def test_every_pass_of_the_transport_is_a_region(played: Played) -> None:
    starts = [0.0, _LOCATED_BAR * 4.0, *([_LOOPED_BAR * 4.0] * _LAPS)]
    assert [rolled.start for rolled in played.passes] == starts
    assert [region.start for region in played.antiphon] == pytest.approx(starts, abs=_TOLERANCE)


def test_every_note_sent_while_recording_is_in_ardours_region_exactly_once(played: Played) -> None:
    for number, outcome in enumerate(played.outcomes):
        assert outcome.matched >= 4, f"pass {number}: too little was played to tell: {outcome}"
        assert outcome.lost == (), f"pass {number}"
        assert outcome.strange == (), f"pass {number}"


def test_every_note_is_within_a_period_and_2_ms(played: Played) -> None:
    errors_ms = [error * _BEAT_S * 1e3 for outcome in played.outcomes for error in outcome.errors]
    stalled = sum(outcome.stalled for outcome in played.outcomes)
    print(
        f"\n{len(errors_ms)} notes, recorded minus sent: {min(errors_ms):.2f} to {max(errors_ms):.2f} ms, median "
        f"{statistics.median(errors_ms):.2f}; {stalled} allowed more because Ardour's clock stood still; "
        f"{sum(outcome.at_the_edge for outcome in played.outcomes)} at an edge; {played.xruns} xruns"
    )
    assert [outcome.late for outcome in played.outcomes] == [()] * len(played.passes)
    assert stalled <= len(errors_ms) // 10, "JACK lost too many periods here to tell anything; is the machine busy?"


def test_antiphon_hears_the_players_track_live_and_from_disk(played: Played) -> None:
    heard = Counter((r.b, r.c) for r in played.records if r.kind == Kind.MIDI_IN and r.a >> 4 == 9 and r.c)
    first_bar, second_bar = _TUNE[:4], _TUNE[4:]
    laps_with_all = _LAPS - 1  # the last lap ends within the bar
    assert {note: heard[note] for note in first_bar} == dict.fromkeys(first_bar, 1)
    assert all(laps_with_all + 1 <= heard[note] <= _LAPS + 1 for note in second_bar), heard
    assert set(heard) == set(_TUNE)
    (take,) = played.player
    assert [(note.pitch, note.velocity) for note in take.notes] == list(_TUNE)


def test_nothing_hangs_and_nothing_plays_while_the_transport_stands(played: Played) -> None:
    kinds = Counter(record.kind for record in played.records)
    assert kinds[Kind.SENT] == kinds[Kind.ENDED] + kinds[Kind.CUT]
    assert played.exit_code == 0
    begun_or_ended = [(p.begun_ns, p.ended_ns) for p in played.passes]
    sent_ns = [record.u_ns for record in played.records if record.kind == Kind.SENT]
    outside = [ns for ns in sent_ns if not any(a <= ns <= b + _MARGIN_NS for a, b in begun_or_ended)]
    assert outside == []


_CHECKS = (
    test_every_pass_of_the_transport_is_a_region,
    test_every_note_sent_while_recording_is_in_ardours_region_exactly_once,
    test_every_note_is_within_a_period_and_2_ms,
    test_antiphon_hears_the_players_track_live_and_from_disk,
    test_nothing_hangs_and_nothing_plays_while_the_transport_stands,
)
