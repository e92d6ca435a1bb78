"""Excerpts drawn and changed for training: still music in order, and told what they are or nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from antiphon.models.augment import Augment, Excerpts, change
from antiphon.models.controls import ANTIPHON, CONTROLS, PERFORMER, PLAYERS, STYLE, style_class
from antiphon.models.notes import Column, NoteTable, Piece
from antiphon.models.parts import Part
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import wide

ALL = Augment(
    transpose=6, free_time=0.5, stretch=0.4, as_piano=0.3, drop_part=0.5, velocity=12, told=0.7, handed_over=0.5
)


def band(beats: int = 64) -> NoteTable:
    rows = []
    for beat in range(beats):
        at = beat * 24
        rows += [(at, 6, 36, 100, Part.DRUMS, at % 96), (at, 20, 40 + beat % 5, 90, Part.BASS, at % 96)]
        rows += [(at + 12, 12, pitch, 70, Part.CHORDS, (at + 12) % 96) for pitch in (60, 64, 67)]
    return wide(sorted(rows, key=lambda row: (row[0], row[4], row[2])))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_changed_excerpt_is_music_in_order(seed: int) -> None:
    notes, factor = change(band(), ALL, np.random.default_rng(seed))
    assert len(notes)
    assert np.all(np.diff(notes[:, Column.ONSET]) >= 0)
    assert notes[0, Column.ONSET] >= 0
    assert ((notes[:, Column.PITCH] >= 0) & (notes[:, Column.PITCH] <= 127)).all()
    assert ((notes[:, Column.VELOCITY] >= 1) & (notes[:, Column.VELOCITY] <= 127)).all()
    assert ((notes[:, Column.SHIFT] >= -4) & (notes[:, Column.SHIFT] <= 3)).all()
    free = bool((notes[:, Column.BAR_POSITION] < 0).any())
    assert free == bool((notes[:, Column.BAR_POSITION] < 0).all())
    assert np.exp(-0.4) <= factor <= np.exp(0.4)
    assert (factor == 1.0) == (not free)


def test_drums_keep_their_keys_when_the_rest_is_transposed() -> None:
    moved, _ = change(band(), Augment(transpose=6), np.random.default_rng(3))
    before = band()
    drums = before[:, Column.PART] == Part.DRUMS
    np.testing.assert_array_equal(moved[drums], before[drums])
    assert len(set((moved[~drums, Column.PITCH] - before[~drums, Column.PITCH]).tolist())) == 1


def test_onsets_off_the_beat_keep_what_is_finer_than_a_tick() -> None:
    """Stretched time moves an onset to its own eighth of a tick: ticks and eighths together are what was played."""
    notes = band()
    notes[:, Column.SHIFT] = 3
    free, factor = change(notes, Augment(free_time=1.0, stretch=0.0), np.random.default_rng(1))
    assert factor == 1.0
    assert set(free[:, Column.SHIFT].tolist()) == set(range(-4, 4))  # a hand is never on a grid that is not there


def test_what_is_told_is_measured_or_kept_back_and_hands_change_over() -> None:
    pieces = (Piece("a", "sea", band(), 120.0),)
    told = Excerpts(pieces, {}, replace(ALL, told=1.0, handed_over=1.0), {"sea": "jazz"})
    drawn = told.draw(np.random.default_rng(0), 200, 48)
    assert drawn.controls.shape == (200, 2, len(CONTROLS))
    styles = drawn.controls[:, 0, STYLE]
    assert set(styles.tolist()) == {0, style_class("jazz")}
    before, after = drawn.controls[:, 0, PLAYERS], drawn.controls[:, 1, PLAYERS]
    assert ((before == PERFORMER) == (after == ANTIPHON)).all()
    assert ((before < PERFORMER) == (after < PERFORMER)).all()
    others = [column for column in range(len(CONTROLS)) if not PLAYERS.start <= column < PLAYERS.stop]
    np.testing.assert_array_equal(drawn.controls[:, 0, others], drawn.controls[:, 1, others])
    assert ((drawn.turns >= 1) & (drawn.turns < 48)).all()
    untold = Excerpts(pieces, {}, Augment(), {}).draw(np.random.default_rng(0), 8, 48)
    assert not untold.controls.any()
    assert (untold.turns == 48).all()


def test_pieces_are_drawn_by_size_and_weight() -> None:
    pieces = (Piece("a", "often", band(40)), Piece("b", "never", band(40)))
    drawn = Excerpts(pieces, {"never": 0.0}, Augment(told=1.0), {"never": "pop"}).draw(np.random.default_rng(0), 50, 20)
    assert not drawn.controls[:, :, STYLE].any()
    assert drawn.lengths.max() == 20
    assert pytest.approx(20.0, abs=5) == drawn.lengths.mean()
