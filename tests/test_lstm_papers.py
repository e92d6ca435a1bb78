"""`antiphon papers lstm` runs whole: trains, exports, measures, writes; and tells what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import mido
import numpy as np
import pytest
from antiphon.daemon.commands import papers as command
from antiphon.models.errors import AntiphonError
from antiphon.models.lstm.papers import DURATION_S, OFFSETS, RUN_S, UNIQUE

from tests.midi_making import Row, midi_bytes, scale

pytestmark = pytest.mark.train

_RECIPE = """
[network]
hidden = 16
layers = 2
dense = 12
embedding = 8
[training]
window = 20
epochs = 3
rate = 1e-2
fewest = 1
"""


def _tune(number: int) -> list[Row]:
    motif = np.random.default_rng(number).integers(50, 80, 9).tolist()
    return [(place * 240, 200, motif[place % 9], 70) for place in range(120)]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for number in range(6):
        (folder / f"{number}.mid").write_bytes(midi_bytes({"": _tune(number)}))
    (folder / "recipe.toml").write_text(_RECIPE)
    return folder


@pytest.fixture(scope="module")
def out(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    argv = ["lstm", str(music), "--out", str(folder), "--quick", "--recipe", str(music / "recipe.toml")]
    assert command.main([*argv, "--pieces", "0", "--instrument", "11"]) == 0
    return folder


def test_every_experiment_is_there(out: Path) -> None:
    told = json.loads((out / "papers.json").read_text())
    assert [row["length"] for row in told["sequence_lengths"]] == list(RUN_S)
    for row in told["sequence_lengths"]:
        assert 1 <= row["unique"] <= told["elements_made"]
        assert min(row["run_s"], row["run_s_ours"], row["ratio"]) > 0
    assert [row["elements"] for row in told["durations"]] == list(DURATION_S)
    assert all(DURATION_S[row["elements"]] - 1 < row["s"] <= DURATION_S[row["elements"]] for row in told["durations"])
    assert [row["offset"] for row in told["offsets"]] == list(OFFSETS)
    assert [row["cell"] for row in told["cells"]] == ["lstm", "gru"]
    assert all(cell["epochs"] == len(cell["log"]) == 3 for cell in told["cells"])
    assert told["cells"][0]["parameters"] > told["cells"][1]["parameters"]
    assert [row["method"] for row in told["ratio"]["rows"]] == ["paper's"] * 2 + ["ours"] * 3
    assert told["baselines"]["uniform"] == pytest.approx(np.log(told["music"]["words"]), abs=1e-4)
    for cell in told["cells"]:
        assert cell["valid_8_bits"] == pytest.approx(cell["valid"], abs=0.02)


def test_the_page_has_our_figures_beside_the_papers(out: Path) -> None:
    told, text = json.loads((out / "papers.json").read_text()), (out / "papers.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for row in told["sequence_lengths"]:
        length = row["length"]
        assert f"| {length} | {UNIQUE[length]} | {row['unique']} |" in text
        assert any(f"| {RUN_S[length]:g} | {row['run_s']:g} |" in line for line in rows)
    for row in told["durations"]:
        assert f"| {row['elements']} | {DURATION_S[row['elements']]} | {row['s']:g} |" in text
    assert "| 0.7 | … |" in text  # what we do not know of the paper is not made up


def test_the_files_are_as_long_as_told(out: Path) -> None:
    told = json.loads((out / "papers.json").read_text())
    for row in told["durations"]:
        song = mido.MidiFile(out / f"elements-{row['elements']}.mid")
        assert song.length == pytest.approx(row["s"], abs=0.01)
        assert [message.program for message in song if message.type == "program_change"] == [11]
    assert {path.name for path in out.glob("offset-*.mid")} == {f"offset-{offset:g}.mid" for offset in OFFSETS}


def test_what_is_wrong_is_told(music: Path, tmp_path: Path) -> None:
    for argv, told in (
        ([], "PAPER"),
        (["sonnet"], "invalid choice: 'sonnet'"),
        (["lstm", str(music), "--out", str(tmp_path), "--minutes", "0"], "--minutes: must be above 0"),
        (["lstm", str(music), "--out", str(tmp_path), "--threads", "0"], "--threads: must be 1 to 1024, got 0"),
        (["lstm", str(music), "--out", str(tmp_path), "--instrument", "128"], "--instrument: .* got 128"),
        (["lstm", str(music), "--out", str(tmp_path), "--top-p", "0"], "top_p: must be above 0"),
        (["lstm", str(tmp_path / "none"), "--out", str(tmp_path)], "none"),
    ):
        with pytest.raises(AntiphonError, match=told):
            command.main(argv)


def test_too_little_music_for_the_longest_sequence_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes({"": scale(50, 40)}))
    with pytest.raises(AntiphonError, match="sequence length 500 needs as many elements"):
        command.main(["lstm", str(tmp_path), "--out", str(tmp_path / "out")])
