"""What ended lately: note by note and for whole excerpts the same, and nothing before it has ended."""

from __future__ import annotations

import numpy as np
from antiphon.models.generator import HeldNote
from antiphon.models.notes import COLUMNS, Column, NoteTable, ordered
from antiphon.models.recent import NONE_ENDED, NONE_PLAYED, Recent, recent_of
from hypothesis import given, settings
from hypothesis import strategies as st


@st.composite
def tables(draw: st.DrawFn) -> NoteTable:
    count = draw(st.integers(1, 24))
    rows = np.zeros((count, COLUMNS), np.int32)
    gaps = draw(st.lists(st.sampled_from([0, 0, 1, 3, 12, 24, 200, 1700]), min_size=count, max_size=count))
    rows[:, Column.ONSET] = np.cumsum(gaps)
    rows[:, Column.DURATION] = draw(
        st.lists(st.sampled_from([0, 1, 5, 12, 24, 96, 300, 1600]), min_size=count, max_size=count)
    )
    rows[:, Column.PART] = draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))
    rows[:, Column.PITCH] = draw(st.lists(st.integers(60, 63), min_size=count, max_size=count))
    rows[:, Column.VELOCITY] = draw(st.lists(st.integers(1, 127), min_size=count, max_size=count))
    return ordered(rows)


def held(row: NoteTable) -> HeldNote:
    onset = int(row[Column.ONSET])
    end = onset + max(1, int(row[Column.DURATION]))
    return HeldNote(onset, int(row[Column.PART]), int(row[Column.PITCH]), int(row[Column.VELOCITY]), off_tick=end)


@settings(max_examples=200, deadline=None)
@given(tables(), tables())
def test_whole_excerpts_are_what_one_note_after_the_other_tells(one: NoteTable, other: NoteTable) -> None:
    steps = max(len(one), len(other))
    padded = np.stack([np.concatenate([t, np.repeat(t[-1:], steps - len(t), axis=0)]) for t in (one, other)])
    ended, recent = recent_of(padded)
    for row, table in enumerate((one, other)):
        known = Recent.nothing()
        for index, note in enumerate(table):
            part, pitch = int(note[Column.PART]), int(note[Column.PITCH])
            assert recent[row, index].tolist() == list(known.of(part, pitch)), (row, index)
            assert known.keys_of(part)[pitch] == known.of(part, pitch)[1]
            known = known.advance(held(note))
            assert ended[row, index].tolist() == known.ended.tolist(), (row, index)


def test_a_held_note_tells_nothing_and_its_end_is_known_from_its_tick_on() -> None:
    note = HeldNote(0, 1, 60, 80)
    after = Recent.nothing().advance(note)
    assert after.of(1, 60) == (NONE_ENDED, NONE_ENDED, 10)
    assert after.of(2, 60) == (NONE_ENDED, NONE_ENDED, NONE_PLAYED)
    note.off_tick = 7
    assert after.advance(HeldNote(6, 2, 50, 64)).of(1, 60) == (NONE_ENDED, NONE_ENDED, 10)
    assert after.advance(HeldNote(7, 2, 50, 64)).of(1, 60) == (7, 7, 10)
    assert after.of(1, 60) == (NONE_ENDED, NONE_ENDED, 10)  # the earlier one stays as it was
    # drums are keys of their own
    assert after.advance(HeldNote(7, 2, 50, 64)).of(3, 60) == (NONE_ENDED, NONE_ENDED, NONE_PLAYED)
