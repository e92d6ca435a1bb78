"""`antiphon papers frames` runs whole: trains, scores, writes, resumes; and tells what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from antiphon.daemon.commands import papers as command
from antiphon.models.errors import AntiphonError
from antiphon.models.frames.sets import BENCHMARKS

from tests.frame_making import write_set

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_set(folder, "jsb", (3, 2, 2))
    write_set(folder, "piano", (2, 1, 1))
    return folder


def test_it_runs_whole_and_goes_on_where_it_was(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["frames", str(data), "--out", str(tmp_path), "--minutes", "0.003", "--sets", "piano,jsb"]
    assert command.main([*argv, "--seeds", "1"]) == 0
    capsys.readouterr()
    assert command.main([*argv, "--seeds", "1,2"]) == 0
    printed = capsys.readouterr().out
    assert "resumed after epoch" in printed
    told = json.loads((tmp_path / "frames.json").read_text())
    assert list(told["sets"]) == ["piano", "jsb"]
    jsb = told["sets"]["jsb"]
    assert jsb["pieces"] == [3, 2, 2]
    assert jsb["test_frames"] == 3 + 4
    assert [run["seed"] for run in jsb["runs"]] == [1, 2]
    for run in jsb["runs"]:
        assert run["epochs"] == len(run["log"]) >= run["best_epoch"] >= 1
        assert run["test"] < 0.0
    text = (tmp_path / "frames.md").read_text()
    assert text in printed
    assert "| model | Piano-midi.de | JSB chorales |" in text
    for model in ("RNN", "RNN-RBM", "RNN-NADE"):
        row = f"| {model} (published) | {BENCHMARKS['piano'].published[model]:.2f} "
        assert row + f"| {BENCHMARKS['jsb'].published[model]:.2f} |" in text
    assert f"**{jsb['runs'][1]['test']:.2f}** ±" in text
    assert "JSB chorales is not the official split: 3, 2, 2 pieces, not 229, 76, 77." in text
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_wrong_is_told_before_any_training(data: Path, tmp_path: Path) -> None:
    whole = ["frames", str(data), "--out", str(tmp_path / "out")]
    for argv, told in (
        ([*whole, "--sets", "jsb,bach"], "--sets: must be of jsb, nottingham, piano, muse, .* got 'bach'"),
        ([*whole, "--sets", "jsb,muse"], r"MuseData\.mat does not exist"),
        ([*whole, "--sets", "jsb", "--minutes", "0"], "minutes must be 0.0001 to 100000, got 0"),
        ([*whole, "--sets", "jsb", "--seeds", "one"], "--seeds: must be whole numbers .* got 'one'"),
        ([*whole, "--sets", "jsb", "--seeds=1,-1"], "seed must be 0 to .* got -1"),
        (["frames", str(tmp_path / "none"), "--out", str(tmp_path / "out")], r"JSB_Chorales\.mat does not exist"),
    ):
        with pytest.raises(AntiphonError, match=told):
            command.main(argv)
    assert not (tmp_path / "out").exists()
