"""A run killed at any moment goes on, and ends as if nothing had happened; it stops early, and keeps the best."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from antiphon.models.errors import DataError

from tests.training_making import RECIPE, music

pytestmark = pytest.mark.train


class KilledError(BaseException):
    """Ends a run where nothing expects it."""


class Killer:
    """Ends the run at one file operation, what is written then half written."""

    def __init__(self, at: int) -> None:
        self.at, self.operations = at, 0

    def dies(self) -> bool:
        self.operations += 1
        return self.operations == self.at

    def before(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*args: Any, **kwargs: Any) -> Any:
            if self.dies():
                raise KilledError
            return real(*args, **kwargs)

        return operation

    def torn(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def save(state: Any, file: Any) -> None:
            if self.dies():
                file.write(b"half a checkpoint")
                raise KilledError
            real(state, file)

        return save

    def told(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def write(log: Any, line: dict[str, Any]) -> None:
            if self.dies():
                log._file.write('{"what": "tra')
                log._file.flush()
                raise KilledError
            real(log, line)

        return write


@pytest.fixture(autouse=True)
def _few_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    from antiphon.models import training_loop

    monkeypatch.setattr(training_loop, "_VALID_BATCHES", 1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from antiphon.models.prepare import prepare

    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("corpus")
    prepare([music(tmp_path_factory.mktemp("all") / "music")], out, lambda line: None)
    return out


def _train(corpus: Path, out: Path, **changes: Any) -> Any:
    from antiphon.models.recipe import Recipe
    from antiphon.models.training_loop import quiet, train

    if not out.is_dir():
        shutil.copytree(corpus, out)
    recipe = replace(Recipe.parse(RECIPE, "test"), **changes)
    return train([Path("music")], out, recipe, "cpu", tell=quiet)


def _same(one: Any, other: Any) -> bool:
    import torch

    theirs = other.network.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.network.state_dict().items())


def test_killed_at_every_file_operation_it_ends_as_if_it_had_not_been(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from antiphon.models.training_log import TrainingLog, read_log

    whole = _train(corpus, tmp_path / "whole", steps=4)
    lines = [line for line in read_log(tmp_path / "whole") if line["what"] == "valid"]
    assert [line["step"] for line in lines] == [2, 4]
    at, killed = 1, True
    while killed:
        out = tmp_path / str(at)
        killer = Killer(at)
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", killer.before(os.replace))
            patch.setattr(os, "fsync", killer.before(os.fsync))
            patch.setattr(torch, "save", killer.torn(torch.save))
            patch.setattr(TrainingLog, "write", killer.told(TrainingLog.write))
            try:
                _train(corpus, out, steps=4)
                killed = False
            except KilledError:
                at += 1
        again = _train(corpus, out, steps=4)
        assert again.step == 4
        assert _same(again, whole), f"killed at operation {killer.operations}"
        told = [line["step"] for line in read_log(out) if line["what"] == "valid"]
        assert told == [2, 4]
    assert at == 9  # twice a line, a save, its way to the disk and its name; then once without a kill


def test_a_process_ended_by_sigkill_goes_on_where_it_saved(tmp_path: Path) -> None:
    folder, out, recipe = music(tmp_path / "music"), tmp_path / "run", tmp_path / "mine.toml"
    recipe.write_text(RECIPE.replace("steps = 6", "steps = 1000000", 1))
    command = [sys.executable, "-m", "antiphon.daemon.cli", "train", str(folder), "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "--recipe", str(recipe), "--threads", "1"], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        checked = 0
        for line in process.stdout:
            checked += line.startswith("what=valid")
            if checked == 3:
                process.kill()
                break
    assert checked == 3
    assert process.returncode == -9
    from antiphon.models.checkpoint import read_checkpoint

    saved = read_checkpoint(out / "checkpoint.pt")["step"]
    assert saved >= 4
    assert _train(out, out, steps=saved + 2).step == saved + 2
    assert (out / "curves.png").is_file()


def test_it_stops_when_it_gets_no_better_and_keeps_the_best(corpus: Path, tmp_path: Path) -> None:
    import torch
    from antiphon.models.checkpoint import load_network

    # a rate at which a network this small is soon worse than it was
    run = _train(corpus, tmp_path / "run", steps=400, rate=0.3, rate_end=0.3, patience=3)
    assert run.over
    assert run.progress < 1.0
    assert run.step == run.best_step + 3 * 2
    network, told = load_network(tmp_path / "run" / "checkpoint.pt")
    assert told["best"] == run.best
    assert run.best_average is not None
    for name, value in network.state_dict().items():
        assert torch.equal(value, run.best_average[name])
    assert not torch.equal(run.average["norm.weight"], run.best_average["norm.weight"])
    again = _train(corpus, tmp_path / "run", steps=400, rate=0.3, rate_end=0.3, patience=3)
    assert again.step == run.step  # over is over, also after a restart


def test_another_networks_checkpoint_is_refused_and_left(corpus: Path, tmp_path: Path) -> None:
    from antiphon.models.checkpoint import load_network, read_checkpoint
    from antiphon.models.checkpoint_file import write_checkpoint
    from antiphon.models.recipe import Recipe

    out = tmp_path / "run"
    recipe = Recipe.parse(RECIPE, "test")
    _train(corpus, out)
    path = out / "checkpoint.pt"
    kept = path.read_bytes()
    with pytest.raises(DataError, match=r"hidden.*16.*asks for.*hidden.*24.*another --out"):
        _train(corpus, out, network=replace(recipe.network, hidden=24))
    assert path.read_bytes() == kept
    state = read_checkpoint(path)
    state["network"]["norm.weight"] = state["network"]["norm.weight"][:3]
    write_checkpoint(path, state)
    with pytest.raises(DataError, match=r"size mismatch.*another --out"):
        _train(corpus, out)
    state["average"].pop("norm.weight")
    write_checkpoint(path, state)
    with pytest.raises(DataError, match=r"another network.*norm\.weight"):
        load_network(path)
    path.write_bytes(kept[:1000])
    with pytest.raises(DataError, match="not a checkpoint"):
        _train(corpus, out)
    assert path.read_bytes() == kept[:1000]
    with pytest.raises(DataError, match="does not exist"):
        load_network(tmp_path / "nothing.pt")


def test_full_precision_is_taken_and_told_where_there_is_no_bfloat16(
    monkeypatch: pytest.MonkeyPatch, corpus: Path, tmp_path: Path
) -> None:
    import torch
    from antiphon.models import precision

    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    precision.fast_type.cache_clear()
    try:
        assert precision.fast_type("cpu") is None
        assert "full precision" in precision.told("cpu")
        assert _train(corpus, tmp_path / "run").step == 6
    finally:
        precision.fast_type.cache_clear()


def test_curves_show_loss_by_attribute_and_rate_over_notes(corpus: Path, tmp_path: Path) -> None:
    from antiphon.export.training_curves import draw_run, panels_of
    from antiphon.models.network import ATTRIBUTES
    from antiphon.models.training_log import read_log
    from PIL import Image

    assert draw_run(tmp_path) is None
    run = _train(corpus, tmp_path / "run")
    panels = panels_of(read_log(run.folder), run.notes_seen)
    assert [panel.title.split(",")[0] for panel in panels] == ["nats a note", *ATTRIBUTES, "learning rate"]
    points = panels[0].lines["valid (averaged weights)"]
    assert [round(share, 6) for share, _ in points] == sorted({round(share, 6) for share, _ in points})
    assert points[-1][0] == 1.0
    path = draw_run(run.folder)
    assert path is not None
    with Image.open(path) as image:
        assert image.width > 600
        assert len(set(image.convert("RGB").tobytes())) > 10
