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
    at_once,
    at_once_asked,
    at_once_known,
    known_of,
    with_uniforms,
)
from antiphon.models.backbones import RECALLED
from antiphon.models.controls import CONTROLS, UNTOLD
from antiphon.models.events import CYCLE
from antiphon.models.generator import PITCHES, TICKS_PER_BEAT, UNIFORMS, Constraints
from antiphon.models.network import KEYS, AntiphonNetwork
from antiphon.models.recent import Recent
from antiphon.models.roll import ROLL_CHANNELS
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """A graph, what it takes and what it gives."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]  # example inputs with a batch of 2
    outputs: tuple[str, ...]
    growing: tuple[str, ...] = ()  # inputs whose second axis is dynamic, too
    fixed: tuple[str, ...] = ()  # inputs whose first axis is not the batch: it is as in the example
    padded: bool = False  # no product of it ever has a single row (`lean.never_alone`)


#: The output of what was drawn.
DRAWS = "drawn"
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
                [0, 0, 60, 8, 0, 0, 0, 7, *ended[0], *UNTOLD, 24, 0],
                [5, 96, 127, 15, 24, 8, 8, 0, *ended[1], *last, CYCLE - 1, CYCLE - 7],
            ]
        ),
        "roll": torch.rand(2, ROLL_CHANNELS, PITCHES),
        "hidden": torch.randn(2, sum(network.backbone.states)) * 0.3,
    }
    memory: dict[str, Tensor] = {}
    growing: tuple[str, ...] = ()
    if network.backbone.recalls:
        memory = {
            "keys": torch.randn(2, _RECALLED_NOTES, RECALLED),
            "values": torch.randn(2, _RECALLED_NOTES, RECALLED),
        }
        growing = ("keys", "values")
    place = torch.tensor([[1, 12, 0, 2], [3, 96, 24, 8]])
    asked, known, soon, of_it = _asked_and_known()
    return (
        GraphSpec("step", StepGraph(network), {**step, **memory}, ("state",), growing, padded=True),
        GraphSpec(
            "time", TimeGraph(network), {"context": torch.randn(2, config.hidden)}, ("part_logits", "gap_logits"),
            padded=True,
        ),
        GraphSpec(
            "pitch", PitchGraph(network),
            {
                "context": torch.randn(2, config.hidden),
                "features": torch.rand(2, config.features, KEYS),
                "place": place,
            },
            ("pitch_logits", "code"), padded=True,
        ),
        GraphSpec(
            "touch", TouchGraph(network),
            {
                "code": torch.rand(2, config.head), "pitch": torch.tensor([60, 127]),
                "recent": torch.tensor([[0, 96, 16], [5, 12, 8]]),
            },
            ("velocity_logits", "duration_logits", "fine_logits", "shift_logits"), padded=True,
        ),
        GraphSpec(
            "reply", ReplyGraph(network), {**step, "asked": soon, "known": of_it, **memory}, ("state", DRAWS),
            growing, padded=True,
        ),
        GraphSpec(
            "next", NextGraph(network), {**step, "asked": asked, "known": known, **memory}, ("state", DRAWS), growing,
            padded=True,
        ),
    )  # fmt: skip


def _asked_and_known() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Give what `models.asking` gives for one draw that is free and one that is not, of `next` and of `reply`."""
    rng, recent = np.random.default_rng(0), Recent.nothing()
    free, bound = Constraints(), Constraints(part=1, min_gap=7, max_gap=40, max_duration=9, temperature=0.8, top_p=0.9)
    asked, soon = np.empty((2, 1, sum(ASKED)), np.float32), np.empty((2, 1, sum(AT_ONCE)), np.float32)
    known, of_it = np.empty((2, 1, sum(KNOWN)), np.int64), np.empty((2, 1, sum(AT_ONCE_KNOWN)), np.int64)
    for row, (constraints, grid) in enumerate(((free, None), (bound, (4, TICKS_PER_BEAT, 4)))):
        uniforms = rng.random(UNIFORMS)
        with_uniforms(asked_of(constraints), uniforms, asked[row])
        known_of(100, grid, constraints, recent, known[row])
        at_once(at_once_asked(constraints, row), uniforms, soon[row])
        at_once_known((row, 12, 3, row), recent, of_it[row])
    return tuple(torch.from_numpy(array[:, 0]) for array in (asked, known, soon, of_it))  # type: ignore[return-value]
