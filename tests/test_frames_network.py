"""The network gives a distribution over frames, exact, and knows nothing of what it has to tell."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from antiphon.models.errors import DataError

from tests.frame_making import pieces

pytestmark = pytest.mark.train

_SMALL = {"recent": 2, "width": 5, "features": 6, "tied": 5, "whole": 7, "near": 3, "channels": 6}


def _network(keys: int, **sizes: Any) -> Any:
    """Give a network whose weights are large enough that everything tells."""
    import torch
    from antiphon.models.frames.network import FrameNetwork, NetworkConfig

    torch.set_num_threads(1)
    torch.manual_seed(3)
    network = FrameNetwork(NetworkConfig(keys=keys, **{**_SMALL, **sizes})).eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.5 * torch.randn_like(weights))
    return network


def _music(keys: int, time: int = 6, batch: int = 2) -> Any:
    import torch

    return (torch.rand(batch, time, keys, generator=torch.Generator().manual_seed(1)) < 0.4).float()


@pytest.mark.parametrize("keys", [1, 3, 6])
def test_the_probabilities_of_all_frames_sum_to_one(keys: int) -> None:
    import torch

    network, place = _network(keys), torch.tensor([5])
    past = _music(keys, 4, 1)
    frames = torch.tensor(list(itertools.product((0.0, 1.0), repeat=keys)))
    with torch.no_grad():
        together = [torch.cat([past, frame[None, None]], 1) for frame in frames]
        likelihoods = network.log_likelihood(torch.cat(together), place.expand(len(frames)))
    for time in range(4):  # the past is the same whatever comes
        assert float(likelihoods[:, time].std()) == pytest.approx(0.0, abs=1e-5)
    last = likelihoods[:, 4].double()
    assert float(last.exp().sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(last.max() - last.min()) > 0.1  # not merely uniform


def test_a_logit_knows_the_past_and_the_keys_below_alone() -> None:
    import torch

    keys, time = 9, 6
    network, frames, place = _network(keys), _music(keys, time), torch.tensor([0, 3])
    with torch.no_grad():
        logits = network(frames, place)
        for step, key in itertools.product(range(time), range(keys)):
            changed = frames.clone()
            changed[:, step, key] = 1.0 - changed[:, step, key]
            others = network(changed, place)
            torch.testing.assert_close(others[:, :step], logits[:, :step], atol=1e-5, rtol=0.0)
            torch.testing.assert_close(others[:, step, : key + 1], logits[:, step, : key + 1], atol=1e-5, rtol=0.0)
            if key + 1 < keys:
                assert float((others[:, step, key + 1 :] - logits[:, step, key + 1 :]).abs().max()) > 1e-3
            if step + 1 < time:
                assert float((others[:, step + 1] - logits[:, step + 1]).abs().max()) > 1e-3


def test_what_is_beside_an_excerpt_in_its_batch_does_not_matter() -> None:
    from antiphon.models.frames.excerpts import batches
    from antiphon.models.frames.scoring import scored_pieces

    network = _network(12)
    music = [piece[:length] for piece, length in zip(pieces(4, 9, keys=12), (9, 2, 7, 1), strict=True)]
    together = scored_pieces(network, music)
    assert [len(scored) for scored in together] == [9, 2, 7, 1]
    assert len(batches([(0, piece) for piece in music], 2048)) == 1
    for piece, scored in zip(music, together, strict=True):
        np.testing.assert_allclose(scored, scored_pieces(network, [piece])[0], atol=1e-4)


def test_the_place_of_an_excerpt_tells() -> None:
    import torch

    network, frames = _network(5), _music(5, 3, 1)
    with torch.no_grad():
        here, later, bars_later = (network(frames, torch.tensor([place])) for place in (1, 2, 49))
    assert float((here - later).abs().max()) > 1e-3
    torch.testing.assert_close(here, bars_later)  # 48 frames are whole bars of either metre


def test_dropout_is_of_training_alone() -> None:
    import torch

    network, frames, place = _network(6, dropout=0.5), _music(6), torch.tensor([0, 0])
    with torch.no_grad():
        torch.testing.assert_close(network(frames, place), network(frames, place))
        network.train()
        assert float((network(frames, place) - network(frames, place)).abs().max()) > 1e-3


def test_the_precision_of_training_is_that_of_scoring() -> None:
    import torch
    from antiphon.models.frames.network import FrameNetwork, NetworkConfig

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = FrameNetwork(NetworkConfig(dropout=0.0))
    frames, place = (torch.rand(3, 12, 88) < 0.05).float(), torch.tensor([0, 7, 100])
    results = []
    for low in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            likelihood = network.log_likelihood(frames, place)
        gradients = torch.autograd.grad(-likelihood.mean(), list(network.parameters()))
        results.append((likelihood.detach(), gradients))
    (full, exact), (half, rough) = results
    assert float((full - half).abs().max()) < 0.01 * float(full.abs().mean())
    for (name, _), gradient, other in zip(network.named_parameters(), exact, rough, strict=True):
        if name.endswith(("weight", "weight_ih_l0", "weight_hh_l0")):  # in the others rounding may be most of a sum
            assert float((other - gradient).norm() / gradient.norm()) < 0.4, name  # read wrongly, it would be 1


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"tied": 0}, "network.tied: must be a whole number from 1 to 1024, got 0"),
        ({"width": 8}, "network.width: must be odd, got 8"),
        ({"channels": 1.5}, "network.channels: .* got 1.5"),
        ({"dropout": 1.0}, "network.dropout: must be at least 0 and below 1, got 1.0"),
        ({"depth": 3}, "'depth'; its keys: keys, recent"),
    ],
)
def test_sizes_out_of_range_are_told(table: dict[str, Any], told: str) -> None:
    from antiphon.models.frames.network import NetworkConfig

    with pytest.raises(DataError, match=told):
        NetworkConfig.of(table)
