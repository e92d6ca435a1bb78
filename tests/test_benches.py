"""The benchmarks run, each for a moment: their figures are for whoever reads them, that they come is for this.

What `antiphon bench` measures is `test_bench_command.py`'s, the backbones' `test_backbones.py`'s.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.bench import (
    accompany,
    candidates,
    follow,
    gpu_rollout,
    kills,
    listen,
    paces,
    pauses,
    reading,
    shared_memory,
    stage,
)
from tests.training_making import music

_ALL = sorted(path.stem for path in (Path(__file__).parent / "bench").glob("*.py") if "def main(" in path.read_text())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Music, read: a folder with ``train.npz`` and ``valid.npz``."""
    from antiphon.models.prepare import prepare

    out = tmp_path_factory.mktemp("read")
    prepare([music(tmp_path_factory.mktemp("all") / "music", 8, 120)], out, lambda line: None)
    return out


@pytest.mark.train  # some import torch
@pytest.mark.parametrize("name", _ALL)
def test_each_says_how_it_is_called(name: str) -> None:
    bench: Any = importlib.import_module(f"tests.bench.{name}")
    assert f"python -m tests.bench.{name}" in bench.__doc__


def test_reading_tells_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)  # it would hold all later tests to one core
    reading.main([str(music(tmp_path / "music"))])  # how fast is the machine's matter
    told = capsys.readouterr().out
    assert re.search(r"\n5 pieces, 210 notes", told)
    assert re.search(r"each step by itself: .*symusic alone \d", told)


def test_paces_are_those_of_the_music(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paces.main([str(corpus / "train.npz")]) == 0
    assert re.search(r"\npiano +(\d+\.\d\d\s+){8}", capsys.readouterr().out)


def test_pauses_are_a_row_each(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(pauses, "_CALLS", 2)
    monkeypatch.setattr(pauses, "_PAUSES_MS", (0.0, 1.0))
    assert pauses.main() == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[2:]] == ["0", "1"]


def test_memory_is_told_beside_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert shared_memory.main(["1"]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["alone", "beside 1", "alone again"]


def test_candidates_are_compared(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--prompts", "2", "--candidates", "2", "--heard", "24", "--notes", "8", "--keep", str(tmp_path)]
    assert candidates.main([str(corpus / "valid.npz"), *few]) == 0
    told = capsys.readouterr().out
    for figure in ("repetition", "pitch class", "groove", "interval"):
        assert figure in told


def test_a_take_is_rendered_to_be_listened_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert listen.main(["--out", str(tmp_path), "--only", "blues"]) == 0
    assert capsys.readouterr().out.count("\nblues") == 2  # and without a key to keep to
    assert {path.suffix for path in tmp_path.iterdir()} == {".mid", ".png", ".wav"}


def test_without_a_gpu_nothing_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    assert gpu_rollout.main(["nowhere"]) == 0
    assert "nothing was measured" in capsys.readouterr().out


@pytest.mark.jack
@pytest.mark.patient
class TestOnJack:
    """On a JACK server that each starts itself; what they measure on a busy machine is nobody's matter here."""

    @pytest.fixture(autouse=True)
    def _nothing_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """JACK waits for its clients: else it passes over who is late, and a busy machine makes everybody late."""
        for bench in (follow, kills):
            monkeypatch.setattr(bench, "jack", functools.partial(stage.jack, synchronous=True))

    def test_follow_tells_what_it_takes_over_an_echo(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert follow.main(["8"]) == 0
        told = capsys.readouterr().out
        assert re.search(r"\| follow \| [1-8] \|", told)
        assert re.search(r"exit 0; replies [1-9]\d*, not a logged sample: 0\n", told)

    def test_a_killed_brain_is_timed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert kills.main(["1"]) == 0
        told = capsys.readouterr().out
        assert re.search(r"1 kills: silent after median \d", told)
        assert re.search(r"still sounding 0; exit 0\n", told)

    def test_an_accompaniment_is_held_against_the_beat(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert accompany.main(["6", "--synchronous"]) == 0
        told = capsys.readouterr().out
        assert re.search(r"onsets [1-9]\d*; off the grid", told)
        assert re.search(r"stuck notes: 0; exit 0\n", told)
