"""What may be told of an excerpt: measured as a musician would say it, and every class is in range."""

from __future__ import annotations

import numpy as np
from antiphon.models.controls import (
    ABSENT,
    ANTIPHON,
    CONTROLS,
    DENSITY,
    ENERGY,
    INSTRUMENTS,
    KEY,
    PERFORMER,
    REGISTER,
    STYLE,
    STYLES,
    UNTOLD,
    VALENCE,
    cast,
    measured,
    style_class,
)
from antiphon.models.notes import COLUMNS, Column, NoteTable
from antiphon.models.parts import Part
from hypothesis import given
from hypothesis import strategies as st

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)


def tune(tonic: int, steps: tuple[int, ...], gap: int = 12, velocity: int = 80, part: int = 0) -> NoteTable:
    order = [0, 4, 2, 0, 1, 2, 3, 4, 5, 6, 4, 0, 2, 4, 0, 0]
    notes = np.zeros((len(order), COLUMNS), np.int32)
    notes[:, Column.ONSET] = np.arange(len(order)) * gap
    notes[:, Column.DURATION], notes[:, Column.VELOCITY], notes[:, Column.PART] = gap, velocity, part
    notes[:, Column.PITCH] = [60 + tonic + steps[step] for step in order]
    return notes


def test_keys_are_told_by_their_tonic_and_mode() -> None:
    for tonic in range(12):
        assert measured(tune(tonic, MAJOR), 120, "")[KEY] == 1 + tonic
        assert measured(tune(tonic, MINOR), 120, "")[KEY] == 13 + tonic


def test_mood_follows_mode_tempo_pace_and_touch() -> None:
    bright, dark = measured(tune(0, MAJOR), 150, "pop"), measured(tune(0, MINOR), 70, "pop")
    assert bright[VALENCE] > dark[VALENCE] > 0
    wild, calm = measured(tune(0, MAJOR, 6, 110), 150, ""), measured(tune(0, MAJOR, 48, 45), 70, "")
    assert wild[ENERGY] > calm[ENERGY] > 0
    assert wild[DENSITY] > calm[DENSITY] > 0
    assert measured(tune(12, MAJOR), 120, "")[REGISTER] > measured(tune(-20, MAJOR), 120, "")[REGISTER] > 0
    assert bright[STYLE] == style_class("pop") > 0 == wild[STYLE]


def test_drums_have_no_key_and_an_instrument_is_its_family() -> None:
    drums = tune(0, MAJOR, part=Part.DRUMS)
    drums[:, Column.PROGRAM] = -1
    told = measured(drums, 100, "drums")
    assert told[KEY] == told[REGISTER] == told[VALENCE] == 0
    assert told[INSTRUMENTS].tolist() == [0] * 6
    strings = tune(0, MAJOR, part=Part.PAD)
    strings[:, Column.PROGRAM] = 48
    assert measured(strings, 100, "")[INSTRUMENTS].tolist() == [0, 0, 0, 0, 7, 0]


@given(st.integers(0, 2**32 - 1), st.floats(0, 400), st.sampled_from(["", "opera", *STYLES]))
def test_every_class_is_in_range(seed: int, bpm: float, style: str) -> None:
    rng = np.random.default_rng(seed)
    notes = np.zeros((int(rng.integers(1, 30)), COLUMNS), np.int32)
    for column, (low, high) in enumerate(((0, 60), (0, 400), (0, 128), (1, 128), (0, 6), (-1, 96), (-4, 4), (-1, 128))):
        notes[:, column] = rng.integers(low, high, len(notes))
    notes[:, 0] = np.cumsum(notes[:, 0])
    told = measured(notes, bpm, style)
    assert all(0 <= value < control.classes for value, control in zip(told, CONTROLS, strict=True))
    assert len(UNTOLD) == len(told)


@given(st.integers(0, 2**32 - 1), st.sets(st.integers(0, 5), min_size=1))
def test_each_of_the_two_plays_where_two_parts_are_there(seed: int, parts: set[int]) -> None:
    notes = np.zeros((len(parts), COLUMNS), np.int32)
    notes[:, Column.PART] = sorted(parts)
    players = cast(notes, np.random.default_rng(seed))
    assert {part for part in range(6) if players[part] != ABSENT} == parts
    if len(parts) > 1:
        assert {int(players[part]) for part in parts} == {PERFORMER, ANTIPHON}
