"""What sounds, note by note and for whole excerpts, is one definition; and no future is read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from antiphon.models.generator import HeldNote
from antiphon.models.notes import Column
from antiphon.models.roll import HIGHEST, KEYS, LOWEST, ROLL_CHANNELS, Roll
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.tables import wide

Table = NDArray[np.int32]
Image = np.ndarray[tuple[int, int], np.dtype[np.float32]]
_NOTE = st.tuples(st.integers(0, 40), st.integers(0, 120), st.integers(30, 90), st.integers(1, 127), st.integers(0, 5))
_EXCERPT = st.lists(_NOTE, min_size=1, max_size=24)


def table_of(rows: list[tuple[int, int, int, int, int]]) -> Table:
    onset = np.cumsum([row[0] for row in rows])
    columns = [[int(o), row[1], row[2], row[3], row[4], -1] for o, row in zip(onset, rows, strict=True)]
    return wide(columns)


def images(table: Table) -> list[Image]:
    roll, seen = Roll.empty(), []
    for row in table:
        onset, duration = int(row[Column.ONSET]), int(row[Column.DURATION])
        note = HeldNote(onset, int(row[4]), int(row[2]), int(row[3]), off_tick=onset + max(1, duration))
        roll = roll.advance(note)
        seen.append(roll.image())
    return seen


@pytest.mark.train
@settings(deadline=None, max_examples=40)
@given(_EXCERPT)
def test_note_by_note_equals_whole_excerpts(rows: list[tuple[int, int, int, int, int]]) -> None:
    from antiphon.models.excerpts import batch_of

    table = table_of(rows)
    batch = batch_of(table[None], np.array([len(table)]))
    np.testing.assert_allclose(np.stack(images(table)), batch.rolls[0].numpy(), atol=2e-5)


@settings(deadline=None)
@given(_EXCERPT, st.integers(0, 23))
def test_an_end_that_is_not_known_yet_changes_nothing(rows: list[tuple[int, int, int, int, int]], place: int) -> None:
    """Live, ends arrive late: every image up to an onset is the same with later ends still unknown."""
    table = table_of(rows)
    place = min(place, len(table) - 1)
    now = int(table[place, Column.ONSET])
    whole = images(table)
    roll = Roll.empty()
    for row, image in zip(table[: place + 1], whole, strict=False):
        end = int(row[Column.ONSET]) + max(1, int(row[Column.DURATION]))
        note = HeldNote(int(row[0]), int(row[4]), int(row[2]), int(row[3]), off_tick=end if end <= now else math.inf)
        roll = roll.advance(note)
        np.testing.assert_array_equal(roll.image(), image)


def test_advance_leaves_the_older_roll_alone() -> None:
    first = Roll.empty().advance(HeldNote(0, 0, 60, 80))
    before = first.image()
    first.advance(HeldNote(12, 1, 64, 80))
    np.testing.assert_array_equal(first.image(), before)


@settings(deadline=None)
@given(_EXCERPT)
def test_the_image_of_the_keys_is_cut_from_that_of_all_pitches(rows: list[tuple[int, int, int, int, int]]) -> None:
    roll, keys = Roll.empty(), np.full((ROLL_CHANNELS, KEYS), np.nan, np.float32)
    for row in table_of(rows):
        end = int(row[Column.ONSET]) + max(1, int(row[Column.DURATION]))
        roll = roll.advance(HeldNote(int(row[0]), int(row[4]), int(row[2]), int(row[3]), off_tick=end))
        np.testing.assert_array_equal(roll.image(keys), roll.image()[:, LOWEST : HIGHEST + 1])
