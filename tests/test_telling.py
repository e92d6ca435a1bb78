"""What the generator is told: by the settings' words, in range, and who plays what."""

from __future__ import annotations

from antiphon.daemon.brain.telling import told_of
from antiphon.daemon.settings import ENERGIES, INSTRUMENTS, STYLES, VALENCES, Settings, parameter
from antiphon.models.controls import (
    ABSENT,
    ANTIPHON,
    CONTROLS,
    ENERGY,
    FAMILIES,
    KEY,
    MOOD_EDGES,
    PERFORMER,
    PLAYERS,
    STYLE,
    UNTOLD,
    style_class,
)
from antiphon.models.controls import STYLES as LEARNT_STYLES
from antiphon.models.parts import Part
from hypothesis import given
from hypothesis import strategies as st


def test_the_words_are_the_classes_that_were_learnt() -> None:
    assert STYLES[1:] == LEARNT_STYLES
    assert len(INSTRUMENTS) == 1 + FAMILIES
    assert len(VALENCES) == len(ENERGIES) == 2 + len(MOOD_EDGES)


def test_nothing_asked_for_is_nothing_told_but_who_plays() -> None:
    told = told_of(Settings(), [Part.LEAD], [Part.BASS, Part.DRUMS])
    assert told[: PLAYERS.start] == UNTOLD[: PLAYERS.start]
    assert told[PLAYERS.stop :] == UNTOLD[PLAYERS.stop :]
    assert told[PLAYERS] == (PERFORMER, ABSENT, ANTIPHON, ANTIPHON, ABSENT, ABSENT)


def test_a_part_of_both_is_left_open() -> None:
    told = told_of(Settings(), [Part.PIANO], [Part.PIANO])
    assert told[PLAYERS] == (ABSENT, ABSENT, ABSENT, ABSENT, ABSENT, 0)


def test_what_is_asked_for_is_told() -> None:
    settings = Settings().with_value("style", "jazz").with_value("energy", "wild").with_value("key", "D")
    told = told_of(settings, [], [])
    assert (told[STYLE], told[ENERGY], told[KEY]) == (style_class("jazz"), len(MOOD_EDGES) + 1, 3)
    assert told_of(settings.with_value("scale", "minor"), [], [])[KEY] == 15


@given(st.data())
def test_every_setting_tells_a_class_in_range(data: st.DataObject) -> None:
    settings = Settings()
    for name in ("style", "instrument", "valence", "energy", "key", "scale", "voice"):
        settings = settings.with_value(name, data.draw(st.sampled_from(parameter(name).choices)))
    settings = settings.with_value("register", data.draw(st.integers(0, 127)))
    settings = settings.with_value("density", data.draw(st.floats(0, 12)))
    parts = st.sets(st.integers(0, 5))
    told = told_of(settings, data.draw(parts), data.draw(parts))
    assert all(0 <= value < control.classes for value, control in zip(told, CONTROLS, strict=True))
