"""The graphs of live play: what each takes and gives, with example inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from antiphon.export.graphs import PitchGraph, StepGraph, TimeGraph, TouchGraph
from antiphon.export.next_graph import NextGraph
from antiphon.export.reply_graph import ReplyGraph
from antiphon.models.asking import (
    ASKED,
    AT_ONCE,
    AT_ONCE_KNOWN,
    KNOWN,
    asked_of,
    at_once_asked,
    at_once_known,
    at_once_shares,
    places_of,
    recent_rows,
    shares_of,
)
from antiphon.models.backbones import RECALLED
from antiphon.models.controls import CONTROLS, UNTOLD
from antiphon.models.events import CYCLE
from antiphon.models.generator import TICKS_PER_BEAT, UNIFORMS, Constraints
from antiphon.models.network import AntiphonNetwork
from antiphon.models.recent import Recent
from antiphon.models.roll import KEYS, ROLL_CHANNELS
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """A graph, what it takes and what it gives."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]  # example inputs with a batch of 2
    outputs: tuple[str, ...]
    growing: tuple[str, ...] = ()  # inputs whose second axis is dynamic, too
    fixed: tuple[str, ...] = ()  # inputs whose first axis is not the batch: it is as in the example
    never_alone: bool = False  # it is run by `models.alone.Rows`
    drawn_from: int | None = None  # from this column on its output follows from classes that were drawn


#: Notes recalled in the examples.
_RECALLED_NOTES = 5


def graphs(network: AntiphonNetwork) -> tuple[GraphSpec, ...]:
    """Give the graphs with example inputs of batch 2."""
    config = network.config
    ended = [[0, 5, 96, 1, 12, 24], [96, 1, 2, 3, 4, 5]]
    last = [control.classes - 1 for control in CONTROLS]
    step = {
        "told": torch.tensor(
            [
                [0, 0, 60, 8, 0, 0, 0, 7, *ended[0], *UNTOLD, 24],
                [5, 96, 127, 15, 24, 8, 8, 0, *ended[1], *last, CYCLE - 1],
            ]
        ),
        "given": torch.cat(
            [torch.rand(2, 1, ROLL_CHANNELS * KEYS), torch.randn(2, 1, sum(network.backbone.states)) * 0.3], 2
        ),
    }
    memory: dict[str, Tensor] = {}
    growing: tuple[str, ...] = ()
    if network.backbone.recalls:
        memory = {
            "keys": torch.randn(2, _RECALLED_NOTES, RECALLED),
            "values": functional.pad(torch.randn(2, _RECALLED_NOTES, RECALLED), (0, 0, 1, 0)),
        }
        growing = ("keys", "values")
    whole = StepGraph(network).eval()
    place = torch.tensor([[1, 12, 0, 2], [3, 96, 24, 8]])
    reply, following = (
        {"told": torch.cat([step["told"], known], 1), "given": torch.cat([step["given"], asked[:, None]], 2), **memory}
        for known, asked in _known_and_asked()
    )
    with torch.no_grad():
        width = whole(*step.values(), *memory.values()).shape[2]
    return (
        GraphSpec("step", whole, {**step, **memory}, ("state",), growing, never_alone=True),
        GraphSpec(
            "time", TimeGraph(network), {"context": torch.randn(2, config.hidden)}, ("part_logits", "gap_logits"),
            never_alone=True,
        ),
        GraphSpec(
            "pitch", PitchGraph(network),
            {
                "context": torch.randn(2, config.hidden),
                "features": torch.rand(2, config.features, KEYS),
                "place": place,
            },
            ("pitch_logits", "code"), never_alone=True,
        ),
        GraphSpec(
            "touch", TouchGraph(network),
            {
                "code": torch.rand(2, config.head), "pitch": torch.tensor([60, 127]),
                "recent": torch.tensor([[0, 96, 16], [5, 12, 8]]),
            },
            ("velocity_logits", "duration_logits", "fine_logits", "shift_logits"), never_alone=True,
        ),
        GraphSpec("reply", ReplyGraph(network), reply, ("drawn",), growing, never_alone=True, drawn_from=width),
        GraphSpec("next", NextGraph(network), following, ("drawn",), growing, never_alone=True, drawn_from=width),
    )  # fmt: skip


def _known_and_asked() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Give what `models.asking` gives for one draw that is free and one that is not, of `reply` and of `next`."""
    rng, recent = np.random.default_rng(0), Recent.nothing()
    free, bound = Constraints(), Constraints(part=1, min_gap=7, max_gap=40, max_duration=9, temperature=0.8, top_p=0.9)
    asked, soon = np.empty((2, sum(ASKED)), np.float32), np.empty((2, sum(AT_ONCE)), np.float32)
    known, of_it = np.empty((2, sum(KNOWN)), np.int64), np.empty((2, sum(AT_ONCE_KNOWN)), np.int64)
    for row, (constraints, grid) in enumerate(((free, None), (bound, (4, TICKS_PER_BEAT, 4)))):
        uniforms = rng.random(UNIFORMS)
        asked[row], soon[row] = asked_of(constraints), at_once_asked(constraints, row)
        asked[row, -UNIFORMS:] = shares_of(uniforms, constraints.top_p)
        soon[row, -2:] = at_once_shares(uniforms, constraints.top_p)
        known[row, : KNOWN[0]] = places_of(100, grid, constraints)
        recent_rows(recent, known[row, KNOWN[0] :])
        at_once_known((row, 12, 3, row), recent, of_it[row])
    reply, following = (of_it, soon), (known, asked)
    return tuple(tuple(map(torch.from_numpy, arrays)) for arrays in (reply, following))  # type: ignore[return-value]
