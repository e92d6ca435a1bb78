"""A folder of one's own music is split by piece: versions stay together, and every file tells what became of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from antiphon.models.errors import DataError
from antiphon.models.learn_pieces import digest, keep_plan, read_split, split
from antiphon.models.learn_versions import versions
from antiphon.models.notes import Column, Piece
from antiphon.models.parts import Part
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training_making import music


def _piece(seed: int, notes: int = 60, part: int = Part.PIANO) -> Piece:
    rng = np.random.default_rng(seed)
    table = np.zeros((notes, len(Column)), np.int32)
    table[:, Column.ONSET] = np.cumsum(rng.integers(1, 5, notes) * 6)
    table[:, Column.DURATION], table[:, Column.VELOCITY], table[:, Column.PART] = 6, 80, part
    table[:, Column.PITCH] = 60 + rng.integers(-12, 12, notes)
    return Piece(f"{seed}.mid", "mine", table)


def _version(piece: Piece, seed: int) -> Piece:
    """Saved again: in another key, played a little late here and there, with a new ending."""
    table, rng = piece.notes.copy(), np.random.default_rng(seed)
    table[:, Column.PITCH] += 2
    table[:, Column.ONSET] += rng.integers(0, 2, len(table))
    table[-12:] = _piece(seed).notes[:12]
    table[-12:, Column.ONSET] += table[-13, Column.ONSET]
    return Piece(f"{piece.name} again", "mine", table)


def _nothing(line: str) -> None:
    """Tell nothing."""


def test_versions_are_found_and_other_pieces_left_alone() -> None:
    pieces = [_piece(seed) for seed in range(6)]
    pieces += [_version(pieces[0], 90), _version(_version(pieces[0], 91), 92), _version(pieces[3], 93)]
    assert versions(pieces) == [[0, 6, 7], [1], [2], [3, 8], [4], [5]]


def test_a_drummer_plays_one_pattern_in_many_pieces() -> None:
    one = _piece(1, part=Part.DRUMS)
    assert versions([one, _version(one, 2)]) == [[0], [1]]


@settings(deadline=None, max_examples=25)
@given(count=st.integers(2, 23), seed=st.integers(0, 99), doubled=st.integers(0, 3))
def test_a_split_holds_out_a_fifth_and_no_version_is_on_both_sides(count: int, seed: int, doubled: int) -> None:
    pieces = [_piece(number, 20 + 7 * number) for number in range(count)]
    pieces += [_version(_piece(number, 20 + 7 * number), 50 + number) for number in range(4, min(4 + doubled, count))]
    found = split(pieces, seed)
    assert sorted(map(digest, (*found.learnt, *found.held_out))) == sorted(map(digest, pieces))
    assert found.learnt
    held = [index for index, piece in enumerate(pieces) if piece in found.held_out]
    assert max(1, count // 5) <= len(held) <= max(1, count // 5) + doubled
    for group in versions(pieces):
        assert len({index in held for index in group}) == 1
    if count >= 20 and not doubled:  # long and short ones are both held out; versions may outweigh a side
        lengths = sorted(len(piece.notes) for piece in found.held_out)
        assert lengths[0] < np.median([len(piece.notes) for piece in pieces]) < lengths[-1]


def test_the_split_is_the_music_s_not_the_names_and_the_seed_s(tmp_path: Path) -> None:
    one = music(tmp_path / "one", 12)
    other = tmp_path / "other"
    other.mkdir()
    for path in one.iterdir():
        (other / f"x{9 - int(path.stem)}.mid").write_bytes(path.read_bytes())
    splits = [read_split(folder, tmp_path / f"{folder.name}-work", 1, _nothing) for folder in (one, other)]
    assert len({tuple(map(digest, found.held_out)) for found in splits}) == 1
    seeds = {tuple(map(digest, read_split(one, tmp_path / "w", seed, _nothing).held_out)) for seed in range(6)}
    assert len(seeds) > 1


def test_a_broken_file_among_many_is_left_out_and_told(tmp_path: Path) -> None:
    folder, told = music(tmp_path / "music"), list[str]()
    (folder / "torn.mid").write_bytes((folder / "1.mid").read_bytes()[:60])
    (folder / "text.mid").write_text("not MIDI")
    found = read_split(folder, tmp_path / "work", 1, told.append)
    assert len(found.learnt) + len(found.held_out) == 5
    assert any("text.mid" in line for line in told)
    assert any("torn.mid" in line for line in told)


def test_too_little_music_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no music.*give folders"):
        read_split(tmp_path / "empty", tmp_path / "w0", 1, _nothing)
    with pytest.raises(DataError, match=r"1 pieces.*at least 2.*add more"):
        read_split(music(tmp_path / "one", 1), tmp_path / "w1", 1, _nothing)
    with pytest.raises(DataError, match="is not a folder"):
        read_split(tmp_path / "nowhere", tmp_path / "w2", 1, _nothing)
    one = _piece(1)
    with pytest.raises(DataError, match=r"versions of one.*add another"):
        split([one, _version(one, 5)], 1)


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    found = split([_piece(seed) for seed in range(4)], 1)
    keep_plan(tmp_path, found, "a model", 1)
    keep_plan(tmp_path, found, "a model", 1)
    kept = (tmp_path / "learn.json").read_bytes()
    with pytest.raises(DataError, match=r"base.*another --out"):
        keep_plan(tmp_path, found, "another", 1)
    with pytest.raises(DataError, match=r"learnt.*another --out"):
        keep_plan(tmp_path, split([_piece(seed) for seed in range(5)], 1), "a model", 1)
    assert (tmp_path / "learn.json").read_bytes() == kept
    (tmp_path / "learn.json").write_bytes(kept[:20])
    with pytest.raises(DataError, match="not readable"):
        keep_plan(tmp_path, found, "a model", 1)
