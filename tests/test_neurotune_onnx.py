"""Neurotune's exported graphs: parity, batches, masks, the live generator and its critic."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from antiphon.models.errors import ModelError
from antiphon.models.generator import Constraints, HeldNote, NothingAllowedError
from antiphon.models.neurotune.biases import Biases
from antiphon.models.neurotune.live import NeurotuneGenerator
from antiphon.models.neurotune.player import Player
from antiphon.models.neurotune.sequences import SIZES, Field, Rows, notes_of
from antiphon.models.parts import Part

from tests.made_once import made_once

pytestmark = pytest.mark.train

_GRID = [6, 8]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path, dict[str, Any]]:
    import torch
    from antiphon.export.neurotune_onnx import export_network
    from antiphon.models.neurotune.discriminator import Discriminator, DiscriminatorConfig
    from antiphon.models.neurotune.layers import GeneratorConfig
    from antiphon.models.neurotune.network import Generator

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = GeneratorConfig(hidden=32, code=24, features=4, image_code=12, noise=6, head=24)
    generator, discriminator = Generator(config).eval(), Discriminator(DiscriminatorConfig(code=16, hidden=8)).eval()
    with torch.no_grad():
        for weight in generator.heads.parameters():
            weight.mul_(4.0)  # away from the flat middle, as training leaves it

    def export(folder: Path) -> None:
        export_network(generator, discriminator, folder / "tiny", {"grid": _GRID})

    out = made_once(tmp_path_factory, "exported neurotune", export) / "tiny"
    return generator, discriminator, out, json.loads((out / "model.json").read_text())


@pytest.fixture(scope="module")
def player(exported: tuple[Any, Any, Path, dict[str, Any]]) -> Player:
    return Player(exported[2])


@pytest.fixture
def live(exported: tuple[Any, Any, Path, dict[str, Any]]) -> NeurotuneGenerator:
    return NeurotuneGenerator(exported[2])


def random_rows(rng: np.random.Generator, *shape: int) -> Rows:
    return np.stack([rng.integers(0, size, shape) for size in SIZES], axis=-1)


def played(count: int, seed: int = 0) -> list[HeldNote]:
    rng = np.random.default_rng(seed)
    ticks = np.cumsum(rng.integers(0, 20, count))
    return [
        HeldNote(int(tick), int(rng.integers(6)), int(rng.integers(30, 90)), int(rng.integers(1, 128)), int(tick) % 24)
        for tick in ticks
    ]


def test_every_graph_is_the_torch_network(exported: tuple[Any, Any, Path, dict[str, Any]], player: Player) -> None:
    import torch
    from antiphon.export.neurotune_onnx import TOLERANCE
    from antiphon.models.neurotune.layers import one_hots

    generator, discriminator, _, written = exported
    assert max(worst for graph in written["off_torch_by"].values() for worst in graph.values()) <= TOLERANCE
    # a whole sequence, step after step, and a batch and a length that the export never saw
    rng = np.random.default_rng(0)
    rows, noise = random_rows(rng, 5, 40), rng.standard_normal((5, 40, 6)).astype(np.float32)
    with torch.no_grad():
        context, _, _ = generator.read(torch.from_numpy(rows), torch.from_numpy(noise))
        scores, _ = discriminator(torch.cat(one_hots(torch.from_numpy(rows)), dim=2))
    state = None
    for at in range(40):
        state = player.step(rows[:, at], noise[:, at], state)
        assert np.abs(state.context - context.view(5, 40, -1)[:, at].numpy()).max() < TOLERANCE
    assert np.abs(player.scores(rows) - scores.numpy()).max() < TOLERANCE


def test_a_row_alone_is_the_row_in_a_batch(player: Player) -> None:
    rng = np.random.default_rng(1)
    rows, noise = random_rows(rng, 7, 5), rng.standard_normal((7, 5, 6)).astype(np.float32)
    uniforms = rng.random((7, 5))
    together, alone = None, None
    for at in range(5):
        together = player.step(rows[:, at], noise[:, at], together)
        alone = player.step(rows[3:4, at], noise[3:4, at], alone)
    assert together is not None
    assert alone is not None
    for name in ("hidden", "window", "image", "context", "features", "part_logits", "gap_logits"):
        assert np.abs(getattr(together, name)[3] - getattr(alone, name)[0]).max() < 1e-5, name
    choices, log_probs = player.draw(together, Biases.none(7), uniforms, 1.0, 1.0)
    choice, log_prob = player.draw(alone, Biases.none(1), uniforms[3:4], 1.0, 1.0)
    assert choices[3].tolist() == choice[0].tolist()
    assert np.abs(log_probs[3] - log_prob[0]).max() < 1e-4
    assert np.abs(player.scores(rows)[3] - player.scores(rows[3:4])[0]).max() < 1e-5


def test_forced_draws_tell_the_likelihood_of_what_came(
    exported: tuple[Any, Any, Path, dict[str, Any]], live: NeurotuneGenerator
) -> None:
    import torch

    generator = exported[0]
    rng = np.random.default_rng(2)
    rows = random_rows(rng, 30)
    rows[:, Field.GAP] = rng.choice([0, 6, 8, 12], 30)  # on the grid, so that nothing is moved
    rows[:, Field.TICK], rows[0, Field.GAP] = 24, 0
    rows[:, Field.DURATION] = np.maximum(1, rows[:, Field.DURATION])
    found = live.score_pieces([notes_of(rows)], window=64, hop=64)[0]
    with torch.no_grad():
        wanted = generator(torch.from_numpy(rows)[None], torch.from_numpy(live._stream[:29])[None])[0].numpy()
    assert np.abs(found - wanted).max() < 1e-3
    assert (found > 0).all()


def test_draws_follow_the_distribution(player: Player) -> None:
    rng = np.random.default_rng(3)
    state = player.step(random_rows(rng, 1), np.zeros((1, 6), np.float32), None).repeated(4000)
    choices, log_probs = player.draw(state, Biases.none(4000), rng.random((4000, 5)), 1.0, 1.0)
    logits = state.part_logits[0].astype(np.float64)
    chances = np.exp(logits - logits.max())
    chances /= chances.sum()
    shares = np.bincount(choices[:, 0], minlength=6) / 4000
    assert np.abs(shares - chances).max() < 0.03
    assert np.allclose(np.exp(log_probs[:, 0]), chances[choices[:, 0]], atol=1e-4)


def test_constraints_hold_for_every_draw(live: NeurotuneGenerator) -> None:
    rng = np.random.default_rng(4)
    state = live.prime(played(10))
    scale = np.where(np.isin(np.arange(128) % 12, (0, 4, 7)), 0.0, -np.inf).astype(np.float32)
    free = Constraints(pitch_bias=scale, min_gap=9, max_gap=30, min_duration=6, max_duration=12)
    forced = Constraints(part=Part.BASS, gap=200, duration=150, part_pitch_bias={2: scale})
    for _ in range(60):
        draw = live.sample(state, free, rng.random(5))
        assert 9 <= draw.gap <= 30
        assert 6 <= draw.duration <= 12
        assert draw.part == Part.DRUMS or draw.pitch % 12 in (0, 4, 7)
        assert draw.log_prob < 0
        fixed = live.sample(state, forced, rng.random(5))
        assert (fixed.part, fixed.gap, fixed.duration, fixed.pitch % 12 in (0, 4, 7)) == (2, 200, 150, True)
    cold = Constraints(temperature=0.0)
    assert len({live.sample(state, cold, rng.random(5)) for _ in range(8)}) == 1
    with pytest.raises(NothingAllowedError, match="every choice is forbidden"):
        live.sample(state, Constraints(pitch_bias=np.full(128, -np.inf, np.float32), part=0), rng.random(5))
    late = played(10)[-1]
    after, draw = live.reply(state, HeldNote(late.tick + 5, 0, 60, 80), forced, rng.random(5))
    assert draw.part == Part.BASS
    assert live.last_tick(after) == late.tick + 5


def test_a_state_is_its_window_and_never_changes(live: NeurotuneGenerator) -> None:
    notes = played(40)
    state = live.prime(notes[:30])
    assert state.rolling is not None
    kept = state.rolling.hidden.copy()
    on = state
    for note in notes[30:]:
        on = live.step(on, note)
    again = live.prime(notes)
    assert on.rolling is not None
    assert again.rolling is not None
    assert np.array_equal(on.rolling.hidden, again.rolling.hidden)
    assert np.array_equal(kept, state.rolling.hidden)
    uniforms = np.random.default_rng(0).random(5)
    before = live.sample(on, Constraints(), uniforms)
    for note in notes:
        note.off_tick = note.tick + 1.0  # an end that becomes known changes nothing
    assert live.sample(live.prime(notes), Constraints(), uniforms) == before
    assert live.last_tick(live.initial()) is None
    assert live.sample(live.initial(), Constraints(part=1), uniforms).part == 1


def test_candidates_are_ranked_by_the_critic_and_replay(live: NeurotuneGenerator) -> None:
    state = live.prime(played(20))
    limits = Constraints(min_gap=11)
    ranked = live.ranked(state, limits, candidates=6, notes=9, rng=np.random.default_rng(7))
    scores = [candidate.score for candidate in ranked]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 6
    assert all(len(candidate.draws) == 9 for candidate in ranked)
    assert all(candidate.draws[0].gap >= 11 for candidate in ranked)
    assert any(draw.gap < 11 for candidate in ranked for draw in candidate.draws[1:])
    assert ranked == live.ranked(state, limits, candidates=6, notes=9, rng=np.random.default_rng(7))
    with pytest.raises(ValueError, match="ranked"):
        live.ranked(live.initial(), limits, 2, 2, np.random.default_rng(0))


@pytest.mark.parametrize("graph", ["step", "draw", "critic"])
def test_a_broken_folder_is_told(exported: tuple[Any, Any, Path, dict[str, Any]], tmp_path: Path, graph: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exported[2], folder)
    path = folder / f"{graph}.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match=f"{graph}.onnx is truncated or changed"):
        Player(folder)
    path.unlink()
    with pytest.raises(ModelError, match=f"{graph}.onnx is missing"):
        Player(folder)
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(facts | {"kind": "lstm"}))
    with pytest.raises(ModelError, match="is of kind 'lstm', wanted is 'neurotune'"):
        Player(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(ModelError, match="not readable"):
        Player(folder)
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        Player(tmp_path)


def test_an_export_that_differs_is_refused(
    exported: tuple[Any, Any, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx
    from antiphon.export import neurotune_onnx

    generator, discriminator, folder, _ = exported
    other = onnx.load(folder / "step.onnx")
    for weights in other.graph.initializer:
        if weights.name.endswith("norm.bias"):
            values = onnx.numpy_helper.to_array(weights) + 0.5
            weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    monkeypatch.setattr(neurotune_onnx, "exported", lambda spec: other)
    with pytest.raises(ModelError, match=r"step\.\w+ differs from torch"):
        neurotune_onnx.export_network(generator, discriminator, tmp_path / "out", {})


def test_a_graph_of_something_else_is_told(exported: tuple[Any, Any, Path, dict[str, Any]], tmp_path: Path) -> None:
    for graph, other in (("step", "draw"), ("draw", "step"), ("critic", "step")):
        folder = tmp_path / graph
        shutil.copytree(exported[2], folder)
        shutil.copy(folder / f"{other}.onnx", folder / f"{graph}.onnx")
        facts = json.loads((folder / "model.json").read_text())
        digest = hashlib.sha256((folder / f"{graph}.onnx").read_bytes()).hexdigest()
        facts["files"][f"{graph}.onnx"] = digest
        (folder / "model.json").write_text(json.dumps(facts))
        with pytest.raises(ModelError, match=rf"{graph}\.onnx takes .*, this Antiphon feeds .*export it again"):
            Player(folder)


def test_eight_bits_are_near_and_hold_nobodys_folders(
    exported: tuple[Any, Any, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx
    from antiphon.export import neurotune_onnx

    generator, discriminator, out, _ = exported
    # what was traced of it is on the disk: tracing takes seconds
    monkeypatch.setattr(neurotune_onnx, "exported", lambda spec: onnx.load(out / f"{spec.name}.onnx"))
    files, facts = neurotune_onnx.graphs_of(generator, discriminator, eight_bits=True)
    assert facts["eight_bits_off_by"]["draw"]["log_probs"] < 0.2
    for data in (*files.values(), *(path.read_bytes() for path in out.glob("*.onnx"))):
        assert __file__.encode() not in data
        assert b"neurotune_onnx.py" not in data
    assert len(files["step.onnx"]) < (out / "step.onnx").stat().st_size


def test_what_is_no_grid_is_told(exported: tuple[Any, Any, Path, dict[str, Any]], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exported[2], folder)
    facts = json.loads((folder / "model.json").read_text())
    for grid in ([], [0], ["6"], 6, None):
        (folder / "model.json").write_text(json.dumps(facts | {"grid": grid}))
        with pytest.raises(ModelError, match="grid must be ticks of 1 or more"):
            NeurotuneGenerator.load(folder)
