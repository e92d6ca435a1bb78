"""Candidates side by side: a candidate alone is the candidate among others, and constraints hold for all of them."""

from __future__ import annotations

import numpy as np
import pytest
from antiphon.models.alone import Rows
from antiphon.models.generator import MAX_TICKS, UNIFORMS, Constraints, HeldNote
from antiphon.models.load import load_generator
from antiphon.models.onnx_generator import OnnxGenerator
from antiphon.models.onnx_rollout import note_of, run_together

from tests.fake_generator import FakeGenerator

_GRID = (0, 24, 4)


@pytest.fixture(scope="module")
def shipped() -> OnnxGenerator:
    return OnnxGenerator.load("antiphon")


def _played(count: int) -> list[HeldNote]:
    pitches = (60, 64, 67, 72, 48)
    notes = []
    for number in range(count):
        tick = 6 * number
        notes.append(HeldNote(tick, number % 2 * 5, pitches[number % 5], 70 + number % 9, tick % 24, tick // 24 % 4,
                              tick + 9.0))  # fmt: skip
    return notes


def test_a_candidate_alone_is_the_candidate_among_others(shipped: OnnxGenerator) -> None:
    state = shipped.prime(_played(20))
    uniforms = np.random.default_rng(3).random((19, 6, UNIFORMS))  # more than go into one call
    free = Constraints(min_gap=7, temperature=0.9, top_p=0.9)
    together = shipped.rollout(state, free, uniforms, _GRID)
    assert len(set(together)) == 19
    for number in (0, 7, 16, 18):
        assert shipped.rollout(state, free, uniforms[number : number + 1], _GRID) == [together[number]]
    assert all(line[0].gap >= 7 for line in together)
    assert any(draw.gap < 7 for line in together for draw in line[1:])


def test_a_rollout_is_sample_and_step_again_and_again(shipped: OnnxGenerator) -> None:
    state = shipped.prime(_played(12))
    uniforms = np.random.default_rng(4).random((3, 5, UNIFORMS))
    before = shipped.sample(state, Constraints(), uniforms[0, 0], _GRID)
    lines = shipped.rollout(state, Constraints(), uniforms, _GRID)
    for line, row in zip(lines, uniforms, strict=True):
        now, tick = state, shipped.last_tick(state)
        assert tick is not None
        for drawn, uniform in zip(line, row, strict=True):
            assert shipped.sample(now, Constraints(), uniform, _GRID) == drawn
            tick += drawn.gap
            now = shipped.step(now, note_of(drawn, tick, _GRID))
    assert shipped.sample(state, Constraints(), uniforms[0, 0], _GRID) == before  # the state is as it was


def test_states_of_different_lengths_step_together(shipped: OnnxGenerator) -> None:
    notes = _played(9)
    states = [shipped.prime(notes[:count]) for count in (0, 3, 8, 3)]
    note = HeldNote(60, 0, 65, 90)
    uniforms = np.random.default_rng(5).random(UNIFORMS)
    for alone, together in zip(states, shipped.step_together(states, [note] * 4), strict=True):
        mine = shipped.step(alone, note)
        assert np.array_equal(mine.hidden, together.hidden)
        assert shipped.sample(mine, Constraints(), uniforms) == shipped.sample(together, Constraints(), uniforms)


def test_constraints_hold_for_every_candidate(shipped: OnnxGenerator) -> None:
    only_c = np.full(128, -np.inf, np.float32)
    only_c[[48, 60, 72]] = 0.0
    asked = Constraints(part=2, gap=12, duration=5, part_pitch_bias={2: only_c}, max_gap=MAX_TICKS)
    lines = shipped.rollout(shipped.prime(_played(8)), asked, np.random.default_rng(6).random((4, 4, UNIFORMS)))
    for line in lines:
        assert [(draw.part, draw.gap, draw.duration) for draw in line] == [(2, 12, 5)] * 4
        assert {draw.pitch for draw in line} <= {48, 60, 72}
    nothing = Constraints(part=0, part_pitch_bias={0: np.full(128, -np.inf, np.float32)})
    with pytest.raises(ValueError, match="every choice is forbidden"):
        shipped.rollout(shipped.initial(), nothing, np.zeros((1, 1, UNIFORMS)))


@pytest.mark.parametrize("name", ["lstm", "neurotune"])
def test_the_other_generators_roll_out_alike(name: str) -> None:
    other = load_generator(name)
    state = other.prime(_played(10))
    uniforms = np.random.default_rng(8).random((3, 4, UNIFORMS))
    lines = other.rollout(state, Constraints(), uniforms, _GRID)
    assert [len(line) for line in lines] == [4, 4, 4]
    assert len(set(lines)) == 3
    alone = other.rollout(state, Constraints(), uniforms[1:2], _GRID)[0]
    assert [(draw.part, draw.gap, draw.pitch) for draw in alone] == [
        (draw.part, draw.gap, draw.pitch) for draw in lines[1]
    ]
    assert len(other.rollout(other.initial(), Constraints(part=0), uniforms)) == 3


@pytest.mark.parametrize("shape", [(4, UNIFORMS), (0, 3, UNIFORMS), (2, 0, UNIFORMS), (2, 3, UNIFORMS - 1)])
def test_uniforms_of_another_shape_are_told(shape: tuple[int, ...]) -> None:
    fake = FakeGenerator()
    with pytest.raises(ValueError, match=r"uniforms must be \[candidates, notes, 7\]"):
        fake.rollout(fake.initial(), Constraints(), np.zeros(shape))


def test_rows_share_a_call_where_their_shapes_agree() -> None:
    class Doubled:
        def __init__(self) -> None:
            self.rows: list[int] = []

        def run(self, _: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            self.rows.append(len(feed["a"]))
            return [feed["a"] * 2]

    session = Doubled()
    feeds = [{"a": np.full((1, 3 if number % 2 else 5), number)} for number in range(40)]
    given = run_together(Rows(session), feeds)
    assert [int(out[0][0, 0]) for out in given] == [2 * number for number in range(40)]
    assert [out[0].shape[1] for out in given] == [feed["a"].shape[1] for feed in feeds]
    assert session.rows == [16, 4, 16, 4]
