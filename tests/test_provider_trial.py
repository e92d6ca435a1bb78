"""Which provider plays fastest, by sessions that only say how slow they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from antiphon.models import provider_trial
from antiphon.models.errors import ModelError
from antiphon.models.model_files import ModelFiles
from antiphon.models.provider_trial import CPU, Trial, found, providers_for, tried

_GPU = "CUDAExecutionProvider"
_BOTH = (CPU, _GPU)


@dataclass(frozen=True)
class _Item:
    name: str
    shape: list[object]
    type: str


class _Session:
    """Takes so many nanoseconds of a clock that only it moves."""

    def __init__(self, clock: list[int], providers: Sequence[str], ns: int) -> None:
        self._clock, self._providers, self._ns = clock, list(providers), ns

    def get_providers(self) -> list[str]:
        return self._providers

    def get_inputs(self) -> list[_Item]:
        return [_Item("event", ["batch", 14], "tensor(int64)"), _Item("keys", ["batch", "notes", 3], "tensor(float)")]

    def run(self, _: None, feed: dict[str, Any]) -> list[Any]:
        assert feed["event"].shape == (1, 14)
        assert feed["keys"].shape == (1, 64, 3)
        self._clock[0] += self._ns
        return []


class _Machine:
    """Opens sessions: each provider's nanoseconds a step, or an error in its place."""

    def __init__(self, ns: dict[str, int | Exception], falls_back: bool = False) -> None:
        self.ns, self.falls_back, self.opened = ns, falls_back, 0
        self.clock = [0]

    def __call__(self, path: Path, providers: Sequence[str]) -> _Session:
        assert path.name == "step.onnx"
        self.opened += 1
        cost = self.ns[providers[0]]
        if isinstance(cost, Exception):
            raise cost
        return _Session(self.clock, [CPU] if self.falls_back else providers, cost)


@pytest.fixture
def files(tmp_path: Path) -> ModelFiles:
    return ModelFiles("tiny", tmp_path / "tiny", {}, "a" * 64, {})


def _tried(machine: _Machine, files: ModelFiles, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Trial | None:
    monkeypatch.setattr("antiphon.models.provider_trial.time.perf_counter_ns", lambda: machine.clock[0])
    return tried(files, _BOTH, cache, machine)


@pytest.mark.parametrize(("gpu_ns", "chosen"), [(50_000, _GPU), (95_000, CPU), (300_000, CPU)])
def test_the_faster_is_chosen_and_remembered(
    gpu_ns: int, chosen: str, files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = _Machine({CPU: 100_000, _GPU: gpu_ns})
    assert found(files, _BOTH, tmp_path) is None
    trial = _tried(machine, files, tmp_path, monkeypatch)
    assert trial is not None
    assert (trial.chosen, trial.us) == (chosen, {CPU: 100.0, _GPU: gpu_ns / 1e3})
    assert found(files, _BOTH, tmp_path) == trial == _tried(machine, files, tmp_path, monkeypatch)
    assert machine.opened == 2
    assert f"CPU 100 us, CUDA {gpu_ns // 1000} us" in str(trial)


def test_with_the_cpu_alone_nothing_is_tried(files: ModelFiles, tmp_path: Path) -> None:
    machine = _Machine({})
    assert tried(files, [CPU], tmp_path, machine) is None
    assert machine.opened == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [ModelError("no"), RuntimeError("no device")])
def test_a_provider_that_does_not_load_loses(
    fault: Exception, files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = _tried(_Machine({CPU: 100_000, _GPU: fault}), files, tmp_path, monkeypatch)
    assert trial is not None
    assert (trial.chosen, list(trial.us)) == (CPU, [CPU])


def test_a_provider_that_falls_back_loses(files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = _tried(_Machine({CPU: 100_000, _GPU: 10_000}, falls_back=True), files, tmp_path, monkeypatch)
    assert trial is not None
    assert (trial.chosen, list(trial.us)) == (CPU, [CPU])


def test_another_model_or_runtime_is_tried_anew(
    files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = _Machine({CPU: 100_000, _GPU: 50_000})
    _tried(machine, files, tmp_path, monkeypatch)
    _tried(machine, ModelFiles("tiny", files.folder, {}, "b" * 64, {}), tmp_path, monkeypatch)
    assert machine.opened == 4
    monkeypatch.setattr(provider_trial, "runtime_name", lambda: "onnxruntime 99")
    assert found(files, _BOTH, tmp_path) is None


@pytest.mark.parametrize("broken", ["", "{}", "[1]", '{"chosen": "Other", "us": {}}', '{"chosen": 1, "us": []}'])
def test_a_broken_memory_is_none(
    broken: str, files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = _Machine({CPU: 100_000, _GPU: 50_000})
    _tried(machine, files, tmp_path, monkeypatch)
    (kept,) = tmp_path.glob("*.json")
    kept.write_text(broken)
    assert found(files, _BOTH, tmp_path) is None
    again = _tried(machine, files, tmp_path, monkeypatch)
    assert again is not None
    assert again.chosen == _GPU


def test_a_cache_that_cannot_be_written_is_none(
    files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    machine = _Machine({CPU: 100_000, _GPU: 50_000})
    trial = _tried(machine, files, tmp_path / "file", monkeypatch)
    assert trial is not None
    assert trial.chosen == _GPU


def test_auto_is_what_a_trial_found_and_whoever_plays_waits_for_none(
    files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = _Machine({CPU: 100_000, _GPU: 50_000})
    monkeypatch.setattr("antiphon.models.provider_trial.time.perf_counter_ns", lambda: machine.clock[0])
    monkeypatch.setattr("antiphon.models.provider_trial.platformdirs.user_cache_dir", lambda _: str(tmp_path))
    monkeypatch.setattr(provider_trial, "installed", lambda: list(_BOTH))
    monkeypatch.setattr(provider_trial, "_opened", machine)
    assert providers_for(files, "auto") == [CPU]
    assert machine.opened == 0
    assert str(tried(files)).startswith("provider: auto is CUDA")
    assert providers_for(files, "auto") == [_GPU, CPU]
    assert providers_for(files, "cpu") == [CPU]
    monkeypatch.setattr(provider_trial, "installed", lambda: [CPU])
    assert providers_for(files, "auto") == [CPU]
