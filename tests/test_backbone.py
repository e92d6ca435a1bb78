"""The due places of a rhythm section."""

from __future__ import annotations

from antiphon.daemon.brain.backbone import Backbone
from antiphon.models.generator import HeldNote
from antiphon.models.parts import Part
from hypothesis import given
from hypothesis import strategies as st

BAND = (Part.CHORDS, Part.BASS, Part.DRUMS)


def play(backbone: Backbone, start: int, end: int) -> list[HeldNote]:
    """Play what is due and nothing else."""
    played: list[HeldNote] = []
    while (due := backbone.due(played[-1].tick if played else start, played)) is not None and due.tick < end:
        pitch = 60 if due.pitch is None else int(due.pitch.argmax())
        played.append(HeldNote(due.tick, due.part, pitch, 80))
    return played


def test_a_bar_of_four() -> None:
    bar = [(note.tick, Part(note.part).name) for note in play(Backbone(BAND, 0, 4, 0.0), 0, 48)]
    assert bar == [
        (0, "CHORDS"), (0, "CHORDS"), (0, "CHORDS"), (0, "BASS"), (0, "DRUMS"), (0, "DRUMS"),
        (12, "DRUMS"), (24, "DRUMS"), (24, "DRUMS"), (36, "DRUMS"),
    ]  # fmt: skip


def test_the_drums_play_low_back_low_back_and_keep_time() -> None:
    drums = [(note.tick, note.pitch) for note in play(Backbone([Part.DRUMS], 0, 4, 0.0), 0, 96)]
    assert drums == [(0, 35), (0, 42), (12, 42), (24, 38), (24, 42), (36, 42),
                     (48, 35), (48, 42), (60, 42), (72, 38), (72, 42), (84, 42)]  # fmt: skip
    waltz = [note.pitch for note in play(Backbone([Part.DRUMS], 0, 3, 0.0), 0, 72) if note.tick % 24 == 0]
    assert waltz == [35, 42, 38, 42, 38, 42]


def test_a_waltz_has_one_bass_note_a_bar() -> None:
    assert [note.tick for note in play(Backbone([Part.BASS], 7, 3, 0.0), 0, 200)] == [7, 79, 151]


def test_a_note_near_its_place_is_the_one_that_was_due() -> None:
    backbone = Backbone([Part.BASS], 0, 4, 0.0)
    late = backbone.due(46, [HeldNote(46, Part.BASS, 40, 80)])
    assert late is not None
    assert late.tick == 96
    missed = backbone.due(40, [HeldNote(40, Part.BASS, 40, 80)])
    assert missed is not None
    assert missed.tick == 48


def test_fewer_places_are_due_where_less_is_asked_for() -> None:
    counts = [len(play(Backbone(BAND, 0, 4, density), 0, 96 * 4)) for density in (0.5, 1.0, 2.0, 4.0)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert len(set(counts)) == 4


def test_parts_that_keep_no_time_owe_nothing() -> None:
    assert Backbone([Part.LEAD, Part.PAD, Part.PIANO], 0, 4, 0.0).due(0, []) is None


@given(st.integers(-200, 5000), st.integers(-50, 50), st.integers(1, 7))
def test_nothing_is_due_before_now(tick: int, downbeat: int, beats: int) -> None:
    due = Backbone(BAND, downbeat, beats, 0.0).due(tick, [])
    assert due is not None
    assert tick <= due.tick < tick + 12
