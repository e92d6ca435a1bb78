"""What the network takes in: note by note and for whole excerpts the same."""

from __future__ import annotations

import numpy as np
from antiphon.models.continuations import held_notes
from antiphon.models.controls import UNTOLD
from antiphon.models.events import CYCLE, EVENT, TOLD, events_of, told_of
from antiphon.models.notes import COLUMNS, Column, NoteTable, ordered
from antiphon.models.recent import Recent, recent_of
from hypothesis import given, settings
from hypothesis import strategies as st


@st.composite
def tables(draw: st.DrawFn) -> NoteTable:
    count = draw(st.integers(1, 20))
    notes = np.zeros((count, COLUMNS), np.int32)
    notes[:, Column.ONSET] = np.cumsum(draw(st.lists(st.integers(0, 150), min_size=count, max_size=count)))
    bounds = {
        Column.DURATION: (0, 200), Column.PITCH: (0, 127), Column.VELOCITY: (1, 127), Column.PART: (0, 5),
        Column.BAR_POSITION: (-1, 400), Column.SHIFT: (-4, 3), Column.PROGRAM: (-1, 127),
    }  # fmt: skip
    for column, (low, high) in bounds.items():
        notes[:, column] = draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
    return ordered(notes)


@settings(max_examples=100, deadline=None)
@given(tables())
def test_a_note_that_follows_a_state_is_the_row_of_its_excerpt(notes: NoteTable) -> None:
    rows = events_of(notes[None], recent_of(notes[None])[0])[0]
    assert rows.shape == (len(notes), EVENT)
    recent, before = Recent.nothing(), None
    for note, row in zip(held_notes(notes), rows, strict=True):
        recent = recent.advance(note)
        told = list(told_of(before, note, recent))
        assert (len(told), told[:EVENT]) == (TOLD, row.tolist())
        assert told[EVENT:] == [*UNTOLD, note.tick % CYCLE]
        before = note.tick
