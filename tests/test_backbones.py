"""Backbones: whole excerpts and one note after the other give the same; no note hears a later one."""

from __future__ import annotations

import pytest

from tests.training_making import RECIPE, exported_run, traced_before

pytestmark = pytest.mark.train

STACKS = (("gru", "gru"), ("lstm",), ("linear", "mlp", "linear"), ("linear", "mlp", "recall", "linear"), ("recall",))


@pytest.mark.parametrize("names", STACKS, ids="-".join)
def test_steps_give_what_the_whole_gives(names: tuple[str, ...]) -> None:
    import torch
    from antiphon.models.backbones import RECALLED, Backbone, Memory
    from antiphon.models.events import CYCLE

    torch.manual_seed(0)
    backbone = Backbone(names, 48, 0.0).eval()
    x = torch.randn(3, 20, 48)
    ticks = torch.randint(0, 40, (3, 20)).cumsum(1) + 5000
    with torch.no_grad():
        whole = backbone(x, ticks)
        state = torch.zeros(3, sum(backbone.states))
        keys, values = torch.zeros(3, 0, RECALLED), torch.zeros(3, 0, RECALLED)
        for note in range(20):
            phase = ticks[:, note, None] % CYCLE
            out, state, added = backbone.step(x[:, note], state, Memory(phase, keys, values))
            assert added is not None
            if backbone.recalls:
                keys, values = torch.cat([keys, added.keys[:, None]], 1), torch.cat([values, added.values[:, None]], 1)
            torch.testing.assert_close(out, whole[:, note], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("names", STACKS, ids="-".join)
def test_no_note_hears_a_later_one(names: tuple[str, ...]) -> None:
    import torch
    from antiphon.models.backbones import Backbone

    torch.manual_seed(1)
    backbone = Backbone(names, 32, 0.0).eval()
    x, ticks = torch.randn(1, 12, 32), torch.arange(12)[None] * 7
    changed, later = x.clone(), ticks.clone()
    changed[:, 8:], later[:, 8:] = torch.randn(1, 4, 32), ticks[:, 8:] + 100
    with torch.no_grad():
        before, after = backbone(x, ticks), backbone(changed, later)
    torch.testing.assert_close(before[:, :8], after[:, :8])
    assert not torch.allclose(before[:, 8:], after[:, 8:])


def test_the_scan_has_the_gradient_of_what_it_computes() -> None:
    import torch
    from antiphon.models.backbones import _Scan

    torch.manual_seed(2)
    gate = torch.rand(6, 2, 3, dtype=torch.float64, requires_grad=True)
    new = torch.randn(6, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(_Scan.apply, (gate, new))


def test_a_time_far_away_is_recalled_as_the_same_time_nearby() -> None:
    """Only how far apart notes are counts, not when it was: a take of an hour is as its first minute."""
    import torch
    from antiphon.models.backbones import Recall

    torch.manual_seed(3)
    recall = Recall(32, 0.0).eval()
    x, ticks = torch.randn(1, 10, 32), (torch.arange(10) * 11)[None]
    with torch.no_grad():
        torch.testing.assert_close(recall(x, ticks), recall(x, ticks + 1_000_003), atol=1e-5, rtol=1e-4)


def test_the_bench_of_backbones_times_a_step(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from antiphon.export import onnx_export
    from antiphon.models.network import AntiphonNetwork
    from antiphon.models.recipe import Recipe

    from tests.bench import backbones

    monkeypatch.setattr(backbones, "_PACE_S", 0.0)
    monkeypatch.setattr(onnx_export, "traced", traced_before(exported_run(tmp_path_factory)))
    told = backbones.paced(AntiphonNetwork(Recipe.parse(RECIPE, "test").network).eval())
    assert 0.0 < told["step_us"] <= told["step_us_p95"]
