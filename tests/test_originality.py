"""What is copied is found in any key and with any hand's timing; what is new is not."""

from __future__ import annotations

import numpy as np
import pytest
from antiphon.models.notes import COLUMNS, NoteTable, Piece, ordered
from antiphon.models.originality import CopyFinder
from hypothesis import given, settings
from hypothesis import strategies as st


def _line(seed: int, notes: int, part: int = 0) -> NoteTable:
    rng = np.random.default_rng(seed)
    table = np.zeros((notes, COLUMNS), np.int32)
    table[:, 0] = np.cumsum(rng.choice([6, 12, 18, 24], notes))
    table[:, 1], table[:, 3], table[:, 4] = 6, 80, part
    table[:, 2] = rng.integers(48, 84, notes)
    return table


@pytest.fixture(scope="module")
def finder() -> CopyFinder:
    pieces = [Piece(str(seed), "set", _line(seed, 200)) for seed in range(20)]
    return CopyFinder(pieces, 8)


def _with(run: NoteTable, before: int, after: int) -> NoteTable:
    """Put a run between notes of one's own."""
    first, last = _line(1000, before), _line(1001, after)
    middle = run.copy()
    middle[:, 0] += 12 - middle[0, 0] + (first[-1, 0] if before else 0)
    last[:, 0] += middle[-1, 0]
    return np.concatenate([first, middle, last])


@settings(max_examples=30, deadline=None)
@given(piece=st.integers(0, 19), start=st.integers(0, 150), length=st.integers(8, 50), up=st.integers(-12, 12))
def test_a_copied_run_is_found_with_its_length_and_source(
    finder: CopyFinder, piece: int, start: int, length: int, up: int
) -> None:
    run = _line(piece, 200)[start : start + length]
    run[:, 2] += up
    told = finder.copied(_with(run, 20, 20))
    # a neighbour may happen to fit, too
    assert length <= told.longest <= length + 2
    assert told.source == f"set/{piece}"
    assert told.notes == 40 + length
    assert length <= round(told.share * told.notes) <= length + 4


def test_timing_of_a_hand_hides_nothing_and_another_part_neither(finder: CopyFinder) -> None:
    run = _line(3, 200)[50:80]
    late = run.copy()
    late[:, 0] += np.random.default_rng(0).integers(-2, 3, 30)
    assert finder.copied(late).longest == 30
    # the same line, with chords of another part between its notes
    mixed = ordered(np.concatenate([run, _line(500, 40, part=1)]))
    told = finder.copied(mixed)
    assert told.longest == 30
    assert told.share == pytest.approx(30 / 70)


def test_new_music_is_not_copied_nor_are_short_runs(finder: CopyFinder) -> None:
    new = finder.copied(_line(777, 300))
    assert (new.longest, new.share, new.source) == (0, 0.0, "")
    assert finder.copied(_with(_line(3, 200)[50:57], 10, 10)).longest == 0
    assert finder.copied(np.zeros((0, COLUMNS), np.int32)).notes == 0


def test_the_end_of_one_piece_and_the_beginning_of_the_next_are_no_run(finder: CopyFinder) -> None:
    seam = np.concatenate([_line(4, 200)[-6:], _line(5, 200)[:6] + np.array([9999, *[0] * (COLUMNS - 1)], np.int32)])
    assert finder.copied(seam).longest == 0


def test_one_key_struck_over_and_over_and_drums_are_nobodys(finder: CopyFinder) -> None:
    del finder
    same = _line(0, 100)
    same[:, 2], same[:, 0] = 60, np.arange(100) * 6
    drums = _line(1, 100, part=3)
    found = CopyFinder([Piece("a", "", same), Piece("b", "", drums)], 8)
    assert found.copied(same).longest == 0
    assert found.copied(drums).longest == 0
    assert found.copied(drums).notes == 0


def test_the_longest_is_found_among_many_beginnings() -> None:
    """The same eight notes begin every piece; what follows differs, and only one goes on as the take does."""
    head = _line(0, 8)
    pieces = [Piece(str(seed), "", _with(head, 0, 30 + seed)) for seed in range(3)]
    tails = [_with(head, 0, 0), *[_line(90 + seed, 40) for seed in range(5)]]
    long = np.concatenate([head, tails[3] + np.array([head[-1, 0], *[0] * (COLUMNS - 1)], np.int32)])
    pieces += [Piece("long", "", long)]
    told = CopyFinder(pieces, 8).copied(long[:30])
    assert (told.longest, told.source) == (30, "/long")
    assert told.share == 1.0


def test_a_run_of_two_notes_is_refused() -> None:
    with pytest.raises(ValueError, match="least: 2"):
        CopyFinder([], 2)
    assert CopyFinder([], 8).copied(_line(0, 50)).longest == 0
