"""Two processes learn what one learns from both their batches, and go on together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from antiphon.models.errors import DataError

from tests.training_making import RECIPE, music

pytestmark = pytest.mark.train

_WORKER = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from antiphon.models import training_loop, training_run
from antiphon.models.recipe import Recipe
from antiphon.models.training_loop import quiet, train
from antiphon.models.training_processes import joined

torch.set_num_threads(1)
training_loop._VALID_BATCHES = 1
training_run.fast_type = lambda kind: None  # sums in another order are alike in full precision alone
folder, out, recipe = (Path(argument) for argument in sys.argv[1:4])
with joined("cpu") as processes:
    for steps in (3, 5):  # the second time it resumes
        mine = replace(Recipe.load(str(recipe)), steps=steps)
        run = train([folder], out, mine, "cpu", processes, tell=quiet)
        assert run.step == steps, run.step
    state = {"network": run.network.state_dict(), "notes": run.notes_seen, "lines": processes.leads}
    torch.save(state, out / f"rank{processes.rank}.pt")
"""


def _full(kind: str) -> None:
    return None


@pytest.mark.timeout(300)  # it starts two processes, and a busy machine is slow at that
def test_two_processes_learn_what_one_learns_from_both_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from antiphon.models import training_run
    from antiphon.models.augment import Excerpts
    from antiphon.models.corpus import load_pieces
    from antiphon.models.excerpts import batch_of
    from antiphon.models.recipe import Recipe
    from antiphon.models.training_log import read_log

    # pieces shorter than an excerpt: the processes' batches hold different numbers of notes
    folder, out, path = music(tmp_path / "music", notes=20), tmp_path / "run", tmp_path / "mine.toml"
    text = RECIPE.replace("dropout = 0.1", "dropout = 0.0").replace("notes = 12", "notes = 24")
    path.write_text(text)
    (tmp_path / "worker.py").write_text(_WORKER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "worker.py"), str(folder), str(out), str(path)],
            stderr=subprocess.PIPE, text=True, env={
                **os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1",
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
            },
        )
        for rank in range(2)
    ]  # fmt: skip
    told = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], "\n".join(told)
    first, second = (torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    for name, value in first["network"].items():
        assert torch.equal(value, second["network"][name]), name
    assert [line["step"] for line in read_log(out) if line["what"] == "valid"] == [2, 3, 4, 5]

    monkeypatch.setattr(training_run, "fast_type", _full)
    recipe = Recipe.parse(text, "test")
    alone = training_run.Run(tmp_path, recipe, "cpu")
    excerpts = Excerpts(load_pieces(out / "train.npz"), {}, recipe.augment)
    for step in range(5):
        alone.recipe = replace(recipe, steps=3 if step < 3 else 5)  # its rate anneals as theirs did
        drawn = [excerpts.draw(np.random.default_rng((recipe.seed, step, rank)), 2, 24) for rank in range(2)]
        columns = [[one.notes, one.lengths, one.controls, one.turns] for one in drawn]
        alone.learn(batch_of(*(np.concatenate(column) for column in zip(*columns, strict=True))))
    assert alone.notes_seen == first["notes"] == second["notes"]
    assert alone.notes_seen < 5 * 2 * 2 * 24
    off = [
        float((value - first["network"][name]).abs().mean() / value.abs().mean().clamp(min=1e-3))
        for name, value in alone.network.state_dict().items()
    ]
    assert max(off) < 1e-3


@pytest.mark.parametrize(
    ("environment", "device", "told"),
    [
        ({"RANK": "first"}, "cpu", "RANK.*whole number.*'first'"),
        ({}, "toaster", "cpu or cuda, got 'toaster'"),
        ({}, "cuda:99", "needs GPU 99"),
    ],
)
def test_what_can_not_be_joined_is_told(
    environment: dict[str, str], device: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from antiphon.models.training_processes import joined

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DataError, match=told), joined(device):
        pass


def test_alone_nothing_waits() -> None:
    from antiphon.models.training_processes import joined

    with joined("cpu") as processes:
        processes.wait()
        assert processes.leads
        assert processes.shared((1.5, 2.0)) == (1.5, 2.0)
        assert processes.average_gradients([], 7.0) == 7.0
