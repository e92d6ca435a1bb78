"""The rows that states share: what a state sees never changes, however it is gone on from."""

from __future__ import annotations

import numpy as np
from antiphon.models.note_memory import NoteMemory
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.integers(0, 1_000_000), min_size=1, max_size=200))
def test_every_state_keeps_its_rows(choices: list[int]) -> None:
    """States are gone on from in any order: each has its own past, told apart by a number a row."""
    states: list[tuple[NoteMemory, list[float]]] = [(NoteMemory(2, 4), [])]
    for number, choice in enumerate(choices):
        memory, past = states[choice % len(states)]
        row = np.full(2, number, np.float32)
        states.append((memory.then(len(past), row, -row), [*past, float(number)]))
    for memory, past in states:
        keys, values = memory.rows(len(past))
        assert keys.shape == (1, len(past), 2)
        assert keys[0, :, 0].tolist() == past
        assert values[0, :, 1].tolist() == [0.0, *(-number for number in past)]


def test_going_straight_on_copies_nothing() -> None:
    first = NoteMemory(2, 8)
    second = first.then(0, np.ones(2, np.float32), np.ones(2, np.float32))
    assert second is first
    assert second.then(1, np.ones(2, np.float32), np.ones(2, np.float32)) is first
    assert first.then(1, np.zeros(2, np.float32), np.zeros(2, np.float32)) is not first
    assert first.rows(2)[0].base is not None  # a view
