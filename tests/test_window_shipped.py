"""The window's state is the window's: with the shipped 8-bit graphs, over hops, replies, late ends and take-backs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from antiphon.daemon.brain.window import Window
from antiphon.models.generator import UNIFORMS, Constraints, HeldNote
from antiphon.models.onnx_generator import OnnxGenerator
from antiphon.models.onnx_state import OnnxState

_TOLERANCE = 1e-4


def _distance(generator: OnnxGenerator, one: OnnxState, other: OnnxState) -> float:
    pairs = (
        (one.hidden, other.hidden),
        (one.context, other.context),
        (one.features, other.features),
        *zip(generator.time_logits(one), generator.time_logits(other), strict=True),
    )
    return max(float(np.abs(a - b).max()) for a, b in pairs)


@pytest.mark.parametrize(("size", "hop"), [(128, 128), (48, 16)])
def test_the_state_is_that_of_the_window_over_three_hops(size: int, hop: int) -> None:
    generator = OnnxGenerator.load("antiphon")
    window = Window(generator, size, hop, 32 * 96)
    rng = np.random.default_rng(11)
    tick, worst, held, lengths = 0, 0.0, [], []
    for number in range(size + 5 * hop):
        tick += int(rng.integers(0, 14))
        note = HeldNote(tick, int(rng.integers(0, 6)), int(rng.integers(30, 90)), int(rng.integers(1, 128)), tick % 24)
        window.insert(note)
        held.append(note)
        if number % 3 == 0:  # as `follow` does: the newest note is taken in by the reply's own graph
            window.reply(Constraints(part=5, gap=0, duration=24), rng.random(UNIFORMS), None)
        while len(held) > 4:  # ends arrive late, as they do live
            window.end(held.pop(0), tick)
        if number % 17 == 16:
            window.remove(held.pop())
        window.work(3)
        lengths.append(len(window.notes))
        if number % 24 == 0:
            worst = max(worst, _distance(generator, window.state, generator.prime(window.notes)))
    assert worst < _TOLERANCE
    assert sum(after < before for before, after in itertools.pairwise(lengths)) >= 3  # it did slide
