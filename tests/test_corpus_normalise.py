"""Pieces on a grid of few places and in one key, where that is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from antiphon.models.errors import DataError
from antiphon.models.normalise import Normal, in_one_key, key_of, quantised
from antiphon.models.notes import Column, NoteTable, Piece
from antiphon.models.parts import Part
from antiphon.models.prepare import main, prepare
from hypothesis import given
from hypothesis import strategies as st

from tests.midi_making import midi_bytes, scale
from tests.tables import wide

_ROW = st.tuples(
    st.integers(0, 2000), st.integers(0, 300), st.integers(0, 127), st.integers(1, 127), st.integers(0, 5),
    st.integers(-1, 95),
)  # fmt: skip
_TABLES = st.lists(_ROW, min_size=1, max_size=60).map(
    lambda rows: wide(sorted(rows, key=lambda row: (row[0], row[4], row[2])))
)


@given(_TABLES, st.sampled_from((1, 2, 3, 4, 6, 8, 12, 24)))
def test_quantised_notes_lie_on_the_grid_near_where_they_were(notes: NoteTable, places: int) -> None:
    step = 24 // places
    grid = quantised(notes, places)
    assert grid.dtype == np.int32
    assert not np.any(grid[:, [Column.ONSET, Column.DURATION]] % step)
    assert grid[:, Column.DURATION].min() >= step
    assert np.all(np.diff(grid[:, Column.ONSET]) >= 0)
    voices = {tuple(row) for row in grid[:, [Column.ONSET, Column.PITCH, Column.PART]].tolist()}
    assert len(voices) == len(grid)
    wanted = {((o + step // 2) // step * step, p, r) for o, _, p, _, r in notes[:, :5].tolist()}
    assert voices == wanted
    for voice in {(p, r) for _, p, r in voices}:
        rows = grid[(grid[:, Column.PITCH] == voice[0]) & (grid[:, Column.PART] == voice[1])]
        assert np.all(rows[:-1, 0] + rows[:-1, 1] <= rows[1:, 0])


@given(_TABLES)
def test_quantising_twice_is_quantising_once(notes: NoteTable) -> None:
    once = quantised(notes, 4)
    np.testing.assert_array_equal(quantised(once, 4), once)


def _tune(tonic: int, minor: bool) -> NoteTable:
    degrees = [0, 3, 7, 8, 7, 5, 3, 2, 0, 7, 12, 11, 12] if minor else [0, 4, 7, 9, 7, 5, 4, 2, 0, 7, 12, 11, 12]
    rows = [(i * 12, 12, 60 + tonic + degree, 80, Part.PIANO, i * 12 % 96) for i, degree in enumerate(degrees)]
    return wide([*rows, (200, 12, 38, 80, Part.DRUMS, 8)])


@pytest.mark.parametrize("minor", [False, True])
@pytest.mark.parametrize("tonic", range(12))
def test_every_key_becomes_one(tonic: int, minor: bool) -> None:
    notes = _tune(tonic, minor)
    assert key_of(notes) == (tonic, minor)
    moved = in_one_key(notes)
    assert key_of(moved) == ((9, True) if minor else (0, False))
    drums = notes[:, Column.PART] == Part.DRUMS
    np.testing.assert_array_equal(moved[drums], notes[drums])
    shifts = set((moved - notes)[~drums, Column.PITCH].tolist())
    assert len(shifts) == 1
    assert abs(shifts.pop()) <= 6
    np.testing.assert_array_equal(np.delete(moved, Column.PITCH, 1), np.delete(notes, Column.PITCH, 1))


@given(_TABLES)
def test_one_key_stays_in_range(notes: NoteTable) -> None:
    moved = in_one_key(notes)
    assert moved[:, Column.PITCH].min() >= 0
    assert moved[:, Column.PITCH].max() <= 127


def test_drums_alone_have_no_key() -> None:
    notes = _tune(3, False)
    notes[:, Column.PART] = Part.DRUMS
    assert in_one_key(notes) is notes


def test_the_command_changes_pieces_and_remembers_how(tmp_path: Path) -> None:
    for number in (1, 3, 6):
        (tmp_path / f"{number}.mid").write_bytes(midi_bytes({"": scale(60 + number, step=250 + number)}))
    out = tmp_path / "out"
    assert main([str(tmp_path), "--out", str(out), "--quantise", "2", "--one-key"]) == 0
    pieces = sum(prepare([tmp_path], out, normal=Normal(2, one_key=True)), ())
    assert len(pieces) == 3
    for piece in pieces:
        assert not np.any(piece.notes[:, Column.ONSET] % 12)
        assert set((piece.notes[:, Column.PITCH] % 12).tolist()) <= {0, 2, 4, 5, 7, 9, 11}
    with pytest.raises(DataError, match="quantise 2, one key; asked for was quantise 0, keys as they are"):
        prepare([tmp_path], out)


def test_a_grid_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one of 1, 2, 3, 4, 6, 8, 12, 24 .* not 5"):
        main([str(tmp_path), "--out", str(tmp_path / "out"), "--quantise", "5"])
    with pytest.raises(DataError, match="not -4"):
        Normal(-4)
    piece = Piece("a", "b", _tune(2, False))
    np.testing.assert_array_equal(Normal().of(piece).notes, piece.notes)
