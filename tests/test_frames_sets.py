"""The official splits are read as they are; what is not one of them is told; excerpts keep every frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from antiphon.models.errors import DataError
from antiphon.models.frames.excerpts import batches, cut, moved
from antiphon.models.frames.page import is_official
from antiphon.models.frames.reading import read_set
from antiphon.models.frames.sets import BENCHMARKS, KEYS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from tests.frame_making import cell, pieces, write_set


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_set_is_read_in_its_official_parts(name: str, tmp_path: Path) -> None:
    counts = BENCHMARKS[name].pieces
    write_set(tmp_path, name, counts, frames=2)
    read = read_set(tmp_path, name)
    assert [len(read.train), len(read.valid), len(read.test)] == list(counts)
    for seed, part in enumerate((read.train, read.valid, read.test)):
        for piece, wanted in zip(part, pieces(len(part), 2, seed), strict=True):
            np.testing.assert_array_equal(piece, wanted)
    assert is_official(name, counts)
    assert not is_official(name, (counts[0] - 1, *counts[1:]))


def test_numbers_of_any_kind_are_frames(tmp_path: Path) -> None:
    piece = pieces(1, 4)[0]
    for kind in (np.float64, np.int32, np.bool_):
        savemat(tmp_path / "JSB_Chorales.mat", dict.fromkeys(_FIELDS, cell([piece.astype(kind)])))
        read = read_set(tmp_path, "jsb")
        assert read.test[0].dtype == np.uint8
        np.testing.assert_array_equal(read.test[0], piece)


_FIELDS = ("traindata", "validdata", "testdata")
_GOOD = cell(pieces(2, 3))


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"traindata": _GOOD, "validdata": _GOOD}, "testdata must be a cell array .* got nothing"),
        ({**dict.fromkeys(_FIELDS, _GOOD), "validdata": np.eye(3)}, r"validdata must be a cell array .* \[3, 3\]"),
        (dict.fromkeys(_FIELDS, cell([np.zeros((4, 87))])), rf"piece 1: must be \[frames, {KEYS}\], got .*\[4, 87\]"),
        (dict.fromkeys(_FIELDS, cell([np.zeros((0, KEYS))])), r"piece 1: must be \[frames"),
        (dict.fromkeys(_FIELDS, cell([np.zeros((2, KEYS)), np.full((2, KEYS), 64)])), "piece 2: a key must be 0 or 1"),
        (dict.fromkeys(_FIELDS, cell(["music"])), r"piece 1: must be \[frames"),
    ],
)
def test_a_foreign_table_is_told(table: dict[str, object], told: str, tmp_path: Path) -> None:
    savemat(tmp_path / "JSB_Chorales.mat", table)
    with pytest.raises(DataError, match=told):
        read_set(tmp_path, "jsb")


def test_a_missing_or_foreign_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no set 'bach'; there are jsb, nottingham, piano, muse"):
        read_set(tmp_path, "bach")
    with pytest.raises(DataError, match=r"MuseData\.mat does not exist; give the folder that holds MuseData\.mat"):
        read_set(tmp_path, "muse")
    whole = write_set(tmp_path, "jsb", (2, 1, 1)).read_bytes()
    for content in (b"", b"MThd\0\0\0\6", b"{}" * 400, whole[: len(whole) // 2], whole[:128], b"\x80\x04." * 90):
        (tmp_path / "JSB_Chorales.mat").write_bytes(content)
        with pytest.raises(DataError, match=r"JSB_Chorales\.mat"):
            read_set(tmp_path, "jsb")


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(2, 12), st.integers(0, 9))
@settings(max_examples=60)
def test_each_frame_is_in_one_excerpt_and_counts_in_one_batch(lengths: list[int], length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    music = [(rng.random((frames, 5)) < 0.5).astype(np.uint8) for frames in lengths]
    excerpts = cut(music, length, rng)
    assert all(1 <= len(frames) <= length for _, frames in excerpts)
    joined = np.concatenate([frames for _, frames in excerpts])  # pieces stay in their order
    np.testing.assert_array_equal(joined, np.concatenate(music))
    assert sum(place == 0 for place, _ in excerpts) == len(music)
    made = batches(excerpts, 30, rng)
    assert sum(int(batch.counts.sum()) for batch in made) == sum(lengths)
    assert sum(batch.frames.sum() for batch in made) == joined.sum()
    for batch in made:
        assert batch.counts.shape == batch.frames.shape[:2]
        assert batch.counts.size <= 30 or len(batch.counts) == 1
        assert not batch.frames[~batch.counts].any()


@given(st.integers(0, 99), st.integers(-30, 30))
def test_moving_keeps_the_intervals_and_every_note(seed: int, steps: int) -> None:
    frames = (np.random.default_rng(seed).random((4, 9)) < 0.2).astype(np.uint8)
    out = moved(frames, steps)
    np.testing.assert_array_equal(out.sum(1), frames.sum(1))
    for before, after in zip(frames, out, strict=True):
        np.testing.assert_array_equal(np.diff(np.flatnonzero(before)), np.diff(np.flatnonzero(after)))
    used = np.flatnonzero(frames.any(0))
    if len(used) and used[0] + steps >= 0 and used[-1] + steps < 9:
        np.testing.assert_array_equal(np.flatnonzero(out.any(0)), used + steps)
