"""The model that ships: causal, its state the window's, one row alone equal to the row in a batch, forced at will."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from antiphon.models.errors import ModelError
from antiphon.models.generator import MAX_TICKS, UNIFORMS, Constraints, HeldNote
from antiphon.models.model_files import check_model, find_model, shipped_models
from antiphon.models.onnx_generator import OnnxGenerator, OnnxState, place_in_bar
from antiphon.models.onnx_session import open_session
from antiphon.models.parts import Part
from numpy.typing import NDArray


@pytest.fixture(scope="module")
def generator() -> OnnxGenerator:
    return OnnxGenerator.load("antiphon")


def phrase(rng: np.random.Generator, notes: int = 40) -> list[HeldNote]:
    tick, made = 0, []
    for _ in range(notes):
        tick += int(rng.integers(0, 20))
        made.append(
            HeldNote(
                tick, int(rng.integers(0, 6)), int(rng.integers(30, 90)), int(rng.integers(1, 128)),
                tick % 24, tick // 24 % 4, off_tick=tick + int(rng.integers(1, 60)),
            )
        )  # fmt: skip
    return made


def outputs(state: OnnxState) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return [state.hidden, state.context, state.features, state.part_logits, state.gap_logits]


def test_the_future_changes_no_earlier_state(generator: OnnxGenerator) -> None:
    """Notes later than one, and ends after its onset, are changed: every state up to it stays bit-equal."""
    rng = np.random.default_rng(3)
    notes = phrase(rng)
    for place in (5, 20, 39):
        now = notes[place].tick
        other = [replace_end(note, now, rng) for note in notes[: place + 1]] + phrase(rng)
        mine, theirs = generator.initial(), generator.initial()
        for a, b in zip(notes[: place + 1], other, strict=False):
            mine, theirs = generator.step(mine, a), generator.step(theirs, b)
            for x, y in zip(outputs(mine), outputs(theirs), strict=True):
                np.testing.assert_array_equal(x, y)


def replace_end(note: HeldNote, now: int, rng: np.random.Generator) -> HeldNote:
    end = note.off_tick if note.off_tick <= now else now + int(rng.integers(1, 200))
    return replace(note, off_tick=end)


@pytest.mark.parametrize("graph", ["step", "reply"])
def test_a_row_alone_equals_the_row_in_a_batch(graph: str) -> None:
    """With the 8-bit graphs that ship, states carried over many notes: rollback and best-of-N must agree with live."""
    session = open_session(find_model("antiphon").graph(graph), remedy="")
    rng = np.random.default_rng(4)
    size, notes = 5, 150
    takes = {item.name: item.shape for item in session.get_inputs()}
    names = [item.name for item in session.get_outputs()]
    fixed: dict[str, NDArray[Any]] = {
        "place": np.array([[5, 12, 24, 8]] * size), "known": np.array([[12, 8]] * size),
        "ended_keys": np.zeros((size, 128), np.int64), "pitch_bias": np.zeros((size, 128), np.float32),
        "velocity_bias": np.zeros((size, 16), np.float32), "sharpness": np.ones((size, 1), np.float32),
        "top_p": np.ones((size, 1), np.float32),
    }  # fmt: skip
    state = {
        "hidden": np.zeros((size, takes["hidden"][1]), np.float32),
        **{name: np.zeros((size, 0, takes[name][2]), np.float32) for name in ("keys", "values") if name in takes},
    }
    alone = [{name: value[row : row + 1] for name, value in state.items()} for row in range(size)]
    highest = (6, 97, 128, 16, 25, 9, 9, 8, *[97] * 6)
    for _ in range(notes):
        given: dict[str, NDArray[Any]] = {
            "event": np.stack([rng.integers(0, high, size) for high in highest], axis=1),
            "roll": rng.random((size, *takes["roll"][1:]), np.float32),
            "controls": np.zeros((size, takes["controls"][1]), np.int64),
            "phase": rng.integers(0, 1152, (size, 2)), "uniforms": rng.random((size, 3)).astype(np.float32), **fixed,
        }  # fmt: skip
        given = {name: value for name, value in given.items() if name in takes}
        state, whole = _went_on(session.run(None, given | state), names, state)
        for row, own in enumerate(alone):
            one = {name: value[row : row + 1] for name, value in given.items()}
            alone[row], out = _went_on(session.run(None, one | own), names, own)
            for name, value in out.items():
                np.testing.assert_array_equal(whole[name][row], value[0], err_msg=name)


def _went_on(
    out: list[NDArray[np.float32]], names: list[str], before: dict[str, NDArray[np.float32]]
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    """Give the state after a step, and all that came out."""
    told = dict(zip(names, out, strict=True))
    after = {"hidden": told["hidden_out"]}
    for name, row in (("keys", "key"), ("values", "value")):
        if name in before:
            after[name] = np.concatenate([before[name], told[row][:, None]], axis=1)
    return after, told


def test_every_attribute_can_be_forced(generator: OnnxGenerator) -> None:
    state = generator.prime(phrase(np.random.default_rng(5)))
    only_c = np.full(128, -np.inf, np.float32)
    only_c[60] = 0.0
    soft = np.full(16, -np.inf, np.float32)
    soft[2] = 0.0  # 16 to 23
    forced = Constraints(part=Part.BASS, gap=7, pitch_bias=only_c, velocity_bias=soft, duration=9)
    drawn = generator.sample(state, forced, np.full(UNIFORMS, 0.3))
    assert (drawn.part, drawn.gap, drawn.pitch, drawn.duration) == (Part.BASS, 7, 60, 9)
    assert 16 <= drawn.velocity < 24
    assert -4 <= drawn.shift < 4


def test_gaps_stay_within_their_bounds(generator: OnnxGenerator) -> None:
    state = generator.prime(phrase(np.random.default_rng(6)))
    rng = np.random.default_rng(7)
    for low, high in ((0, 0), (5, 9), (30, MAX_TICKS), (96, 96)):
        bounds = Constraints(min_gap=low, max_gap=high, min_duration=3, max_duration=8)
        for _ in range(20):
            drawn = generator.sample(state, bounds, rng.random(UNIFORMS))
            assert low <= drawn.gap <= high
            assert 3 <= drawn.duration <= 8


def test_a_part_that_would_have_come_by_now_becomes_less_likely(generator: OnnxGenerator) -> None:
    """Masking early gaps reweighs the parts by what is left of each: the joint distribution, renormalised."""
    state = generator.prime(phrase(np.random.default_rng(8)))
    joint = np.exp(state.part_logits - state.part_logits.max())
    joint /= joint.sum()
    gaps = np.exp(state.gap_logits - state.gap_logits.max(axis=1, keepdims=True))
    gaps /= gaps.sum(axis=1, keepdims=True)
    wanted = joint * gaps[:, 12:].sum(axis=1)
    wanted /= wanted.sum()
    at_least = Constraints(min_gap=12)
    rng = np.random.default_rng(9)
    count = 3000
    drawn = np.bincount(
        [generator.sample(state, at_least, _first(rng.random())).part for _ in range(count)], minlength=6
    )
    np.testing.assert_allclose(drawn / count, wanted, atol=0.04)


def _first(uniform: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([uniform, *[0.5] * (UNIFORMS - 1)])


def test_what_was_played_changes_the_distribution(generator: OnnxGenerator) -> None:
    """Another pitch, or another context before it, gives another distribution of the reply."""
    notes = phrase(np.random.default_rng(10), 12)
    last = HeldNote(notes[-1].tick + 12, Part.PIANO, 64, 80)
    states = [
        generator.step(generator.prime(notes), last),
        generator.step(generator.prime(notes), replace(last, pitch=67)),
        generator.step(generator.prime(notes[6:]), last),
    ]
    seen = []
    for state in states:
        counts = [
            generator.sample(state, Constraints(part=Part.PIANO, gap=0), np.array([0, 0, u / 200, *[0.5] * 4])).pitch
            for u in range(200)
        ]
        seen.append(np.bincount(counts, minlength=128) / 200)
    for one in range(3):
        for other in range(one):
            assert np.abs(seen[one] - seen[other]).sum() > 0.05


def test_places_in_the_bar() -> None:
    assert place_in_bar(100, None) == (24, 8)
    assert place_in_bar(24 * 5 + 3, (24, 24, 4)) == (3, 0)
    assert place_in_bar(23, (24, 24, 4)) == (23, 3)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(find_model("antiphon").folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_missing_and_truncated_models_are_plain_errors(copied: Path) -> None:
    with pytest.raises(ModelError, match="neither a model that ships"):
        find_model("no-such-model")
    graph = copied / "step.onnx"
    graph.write_bytes(graph.read_bytes()[:1000])
    with pytest.raises(ModelError, match="truncated or changed"):
        find_model(str(copied))
    graph.unlink()
    with pytest.raises(ModelError, match="is missing"):
        find_model(str(copied))
    (copied / "model.json").write_text("{")
    with pytest.raises(ModelError, match="not readable"):
        check_model(copied)


def _rehash(folder: Path) -> None:
    facts = json.loads((folder / "model.json").read_text())
    for file in facts["files"]:
        facts["files"][file] = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(facts))


@pytest.mark.train
def test_wrong_opset_and_wrong_shape_are_plain_errors(copied: Path) -> None:
    path = copied / "step.onnx"
    whole = path.read_bytes()
    model = onnx.ModelProto.FromString(whole)
    model.opset_import[0].version = 9999
    path.write_bytes(model.SerializeToString())
    _rehash(copied)
    with pytest.raises(ModelError, match="does not load"):
        OnnxGenerator.load(str(copied))
    path.write_bytes((copied / "touch.onnx").read_bytes())
    _rehash(copied)
    with pytest.raises(ModelError, match="takes"):
        OnnxGenerator.load(str(copied))


def test_asking_for_a_provider_that_is_not_there_is_told() -> None:
    with pytest.raises(ModelError, match="provider"):
        OnnxGenerator.load("antiphon", "directml")


def test_what_ships_is_named() -> None:
    assert "antiphon" in shipped_models()
