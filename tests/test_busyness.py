"""How much a part plays, beside what people usually do."""

from __future__ import annotations

import itertools

import pytest
from antiphon.daemon.brain.busyness import TOGETHER, USUAL, USUAL_ONSETS, Busyness
from antiphon.daemon.brain.density import Density
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.messages import Kind
from antiphon.daemon.offline import run_offline
from antiphon.daemon.settings import Settings
from antiphon.models.generator import HeldNote
from antiphon.models.onnx_generator import OnnxGenerator
from antiphon.models.parts import Part

from tests.engine_rig import clock_ticks, in_order, midi, ns, of, phrase

BEAT = 24


def notes(part: Part, *ticks: int) -> list[HeldNote]:
    return [HeldNote(tick, part, 60, 80, 0, 0) for tick in ticks]


def test_nothing_is_held_back_up_to_what_is_usual_and_the_more_the_more_beyond() -> None:
    usual = round(USUAL[Part.CHORDS] * 8)
    held_back = [
        Busyness(notes(Part.CHORDS, *[100] * count), 192, 0).restraint((Part.CHORDS,))
        for count in (0, usual, 2 * usual, 3 * usual, 9 * usual)
    ]
    assert held_back[:2] == [0.0, pytest.approx(0.0, abs=0.1)]
    assert held_back == sorted(held_back)
    assert 0 < held_back[2] < held_back[3] <= held_back[4]


def test_only_the_last_two_bars_and_only_since_the_start_count() -> None:
    many = notes(Part.BASS, *[10] * 50)
    assert Busyness(many, 10 + 8 * BEAT, 0).excess((Part.BASS,)) > 0
    assert Busyness(many, 11 + 8 * BEAT, 0).excess((Part.BASS,)) == 0
    assert Busyness(many, 40, 11).excess((Part.BASS,)) == 0


def test_a_denser_accompaniment_that_was_asked_for_is_not_held_back() -> None:
    played = notes(Part.DRUMS, *range(0, 192, 3))
    assert Busyness(played, 192, 0).excess((Part.DRUMS,)) > 0.5
    assert Busyness(played, 192, 0, scale=2.0).excess((Part.DRUMS,)) == 0


def test_parts_together_are_judged_by_their_sum() -> None:
    played = notes(Part.BASS, *[100] * 20)
    alone, both = (
        Busyness(played, 192, 0).excess((Part.BASS,)),
        Busyness(played, 192, 0).excess((Part.BASS, Part.CHORDS)),
    )
    assert alone > 0 == both


def test_hands_are_full() -> None:
    for part, most in TOGETHER.items():
        chosen = Part(part)
        assert not Busyness(notes(chosen, *[48] * (most - 1)), 48, 0).full(part)
        assert Busyness(notes(chosen, *[48] * most), 48, 0).full(part)
        assert not Busyness(notes(chosen, *[48] * most), 49, 0).full(part)


def test_an_onset_waits_until_the_rate_is_below_the_ceiling_but_not_for_ever() -> None:
    density = Density(0)
    for tick in range(0, 192, 6):
        density.add(tick)
    assert density.shortest_gap(186, 2.0, 24) == 24
    assert density.shortest_gap(186, 4.5, 24) == 6
    sparse = Density(0)
    assert sparse.shortest_gap(0, 1.0, 24) == 6


@pytest.mark.parametrize("seed", [1, 2])
def test_the_shipped_model_keeps_to_peoples_pace(seed: int) -> None:
    """Played along with for 16 bars: as many notes and onsets a beat as a band plays, in every eight bars."""
    settings = Settings().with_value("mode", "accompany").with_value("clock", "midi")
    tune = [phrase(2.0 * bar + 0.01, [72, 76, 79, 76], gap_s=0.5, length_s=0.4) for bar in range(0, 16, 2)]
    story = in_order([midi(0, 0xFA)], clock_ticks(0.0, 64), *tune)
    log = run_offline(Engine(OnnxGenerator.load("antiphon"), settings, seed), story, ns(32))
    sent = {record.id for record in of(log, Kind.SENT)}
    ticks = [record.t_ns for record in of(log, Kind.SAMPLED) if record.id in sent]
    first = min(ticks)
    for bar in range(0, 9, 4):
        inside = [tick for tick in ticks if 0 <= tick - first - bar * 4 * BEAT < 32 * BEAT]
        assert 5 * 32 <= len(inside) <= 13 * 32
        assert 2 * 32 <= len(set(inside)) <= 1.15 * USUAL_ONSETS * 32
    parts = {(record.t_ns, record.a) for record in of(log, Kind.SAMPLED) if record.id in sent}
    assert {part for _, part in parts} == {Part.CHORDS, Part.BASS, Part.DRUMS}
    struck = sorted((record.a, record.t_ns) for record in of(log, Kind.SAMPLED) if record.id in sent)
    assert all(len(list(same)) <= TOGETHER[place[0]] for place, same in itertools.groupby(struck))
