"""Neurotune's networks and training: causal, the same whole and step by step, learning, resuming, comparing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from antiphon.models.corpus import save_pieces
from antiphon.models.errors import DataError
from antiphon.models.neurotune.recipe import Recipe
from antiphon.models.neurotune.sequences import Field, SequenceConfig, Sequences
from antiphon.models.notes import COLUMNS, Column, NoteTable, Piece

pytestmark = pytest.mark.train

_SMALL = """
[sequences]
length = 24
fewest_notes = 24
[generator]
hidden = 32
code = 24
features = 4
image_code = 12
noise = 6
head = 24
dropout = 0.0
[discriminator]
code = 16
hidden = 8
dropout = 0.0
[training]
steps = 60
batch = 8
adversarial_batch = 6
free_from = 4
free_to = 8
rate = 1e-2
seed = 3
"""


def tune(first: int, notes: int = 100) -> NoteTable:
    table = np.zeros((notes, COLUMNS), np.int32)
    table[:, Column.ONSET] = np.arange(notes) * 12
    table[:, Column.DURATION] = 12
    table[:, Column.PITCH] = first + np.array([0, 4, 7, 12])[np.arange(notes) % 4]
    table[:, Column.VELOCITY] = 80
    table[:, Column.PART] = 5
    table[:, Column.BAR_POSITION] = table[:, Column.ONSET] % 96
    return table


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    import torch

    torch.set_num_threads(1)
    return Recipe.parse(_SMALL, "small")


@pytest.fixture(scope="module")
def music(recipe: Recipe) -> Sequences:
    pieces = tuple(Piece(str(first), "test", tune(first)) for first in range(50, 62))
    return Sequences(pieces, recipe.sequences, {})


def random_rows(batch: int, notes: int) -> Any:
    import torch
    from antiphon.models.neurotune.sequences import SIZES

    drawn = torch.Generator().manual_seed(5)
    return torch.stack([torch.randint(size, (batch, notes), generator=drawn) for size in SIZES], dim=-1)


def test_step_by_step_is_the_whole_sequence(recipe: Recipe) -> None:
    import torch
    from antiphon.models.neurotune.layers import one_hots, taken_in
    from antiphon.models.neurotune.training import Run

    generator = Run(recipe).generator.eval()
    rows = random_rows(3, 12)
    noise = generator.noise(3, 12)
    with torch.no_grad():
        context, features, last = generator.read(rows, noise)
        state = generator.initial(3)
        for at in range(12):
            taken = taken_in(one_hots(rows[:, at]))
            stepped, seen, state = generator.step(taken, rows[:, at], noise[:, at], state)
            assert torch.allclose(stepped, context.view(3, 12, -1)[:, at], atol=1e-5)
            assert torch.allclose(seen, features.view(3, 12, *seen.shape[1:])[:, at], atol=1e-5)
    for ours, theirs in zip(state, last, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_neither_the_future_nor_any_duration_is_an_input(recipe: Recipe) -> None:
    import torch
    from antiphon.models.neurotune.training import Run

    generator = Run(recipe).generator.eval()
    rows, changed = random_rows(2, 12), random_rows(2, 12)
    noise = generator.noise(2, 12)
    changed[:, 6:] = (changed[:, 6:] + 1) % torch.tensor([6, 97, 128, 16, 97, 25])
    changed[:, :, Field.DURATION] = 96 - rows[:, :, Field.DURATION]
    with torch.no_grad():
        before, _, _ = generator.read(rows, noise)
        after, _, _ = generator.read(changed, noise)
        louder, _, _ = generator.read(rows, noise + 1.0)
    before, after = before.view(2, 12, -1), after.view(2, 12, -1)
    assert torch.equal(before[:, :6], after[:, :6])
    assert not torch.allclose(before[:, 6:], after[:, 6:])
    assert not torch.allclose(before, louder.view(2, 12, -1))  # noise is one


def test_the_verdict_reaches_the_generator_through_its_draws(recipe: Recipe) -> None:
    import torch
    from antiphon.models.neurotune.training import Run

    run = Run(recipe)
    rows = random_rows(4, 8)
    hots = run.generator.play_on(rows, 6, 1.0)
    assert hots.shape == (4, 6, sum((6, 97, 128, 16, 97, 25)))
    values = hots.detach()
    assert torch.allclose(values.sum(dim=2), torch.full((4, 6), 6.0), atol=1e-4)
    assert torch.allclose(values, values.round(), atol=1e-5)
    run.discriminator(hots)[0].sum().backward()
    moved = {name for name, weight in run.generator.named_parameters() if weight.grad is not None and weight.grad.any()}
    heads = {"heads.part_logits.weight", "heads.gap_logits.weight", "heads.absolute.weight",
             "heads.velocity_logits.weight", "heads.duration_logits.weight"}  # fmt: skip
    assert heads | {"encoder.note.weight", "recurrence.weight_hh_l0"} <= moved


def test_the_precision_of_training_is_the_precision_that_plays(recipe: Recipe) -> None:
    import torch
    from antiphon.models.neurotune.layers import GeneratorConfig
    from antiphon.models.neurotune.network import Generator

    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(dropout=0.0)).eval()
    rows, noise = random_rows(2, 20), torch.randn(2, 19, 32)
    with torch.no_grad():
        full = generator(rows, noise)
        with torch.autocast("cpu", torch.bfloat16):
            half = generator(rows, noise)
    assert (full - half).abs().max() < 0.1
    assert (full - half).abs().mean() < 0.01


def test_likelihood_falls_and_the_critic_learns_to_tell(recipe: Recipe, music: Sequences) -> None:
    import torch
    from antiphon.models.neurotune.training import Run, train

    run = Run(recipe)
    train(run, "likelihood", music, 0.5)
    losses = [value for _, value in run.curves.series["likelihood"]]
    assert losses[0] > 15
    assert losses[-1] < losses[0] - 8
    # the critic against an untrained generator
    naive = Run(recipe)
    rng = np.random.default_rng(0)
    told = [naive.adversarial_step(torch.from_numpy(music.draw(rng, 6)), False) for _ in range(40)]
    assert np.mean([step["critic_accuracy"] for step in told[-8:]]) > 0.9
    before = {name: value.clone() for name, value in naive.generator.state_dict().items()}
    assert all(torch.equal(value, naive.generator.state_dict()[name]) for name, value in before.items())
    naive.adversarial_step(torch.from_numpy(music.draw(rng, 6)), True)
    assert any(not torch.equal(value, naive.generator.state_dict()[name]) for name, value in before.items())


def test_the_critic_learns_on_alone_and_the_generator_stays(recipe: Recipe, music: Sequences) -> None:
    import torch
    from antiphon.models.neurotune.training import Run, finish_critic

    run = Run(replace(recipe, training=replace(recipe.training, finish_critic=0.7)))
    before = [weight.clone() for weight in run.average.parameters()]
    finish_critic(run, music)
    told = [value for _, value in run.curves.series["finishing_accuracy"]]
    assert len(told) == 42
    assert np.mean(told[-8:]) > 0.9
    assert all(torch.equal(old, new) for old, new in zip(before, run.average.parameters(), strict=True))


def test_a_run_resumes_where_it_was(recipe: Recipe, music: Sequences, tmp_path: Path) -> None:
    import torch
    from antiphon.models.neurotune.checkpoint import load_trained, resume, save
    from antiphon.models.neurotune.training import Run, train

    plan = replace(recipe.training, steps=24, warm_critic=0.1)
    short = replace(recipe, training=plan)
    run = Run(short)
    train(run, "adversarial", music, 0.75)
    path = tmp_path / "run.pt"
    save(run, path)
    again = Run(short)
    assert resume(again, path)
    assert again.step == run.step == 18
    train(run, "adversarial", music, 1.0)
    train(again, "adversarial", music, 1.0)
    for name, value in run.generator.state_dict().items():
        assert torch.equal(value, again.generator.state_dict()[name])
    assert {"critic", "adversarial", "matching", "likelihood"} <= set(run.curves.series)
    generator, _ = load_trained(path)
    assert not generator.training
    other = replace(recipe, generator={**recipe.generator, "hidden": 16})
    with pytest.raises(DataError, match="the recipe asks for"):
        resume(Run(other), path)
    path.write_bytes(path.read_bytes()[:500])
    for broken in (lambda: resume(Run(short), path), lambda: load_trained(path)):
        with pytest.raises(DataError, match="not a readable checkpoint"):
            broken()
    assert not resume(Run(short), tmp_path / "none.pt")
    with pytest.raises(DataError, match="does not exist"):
        load_trained(tmp_path / "none.pt")
    with pytest.raises(DataError, match="hiden"):
        Run(replace(recipe, generator={"hiden": 3}))


def test_the_paper_prints_its_table_and_writes_its_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from antiphon.export import neurotune_experiment as experiment
    from antiphon.export.neurotune_papers import main

    monkeypatch.setattr(experiment, "QUICK", experiment.Size(12, 50, 4))
    pieces = tuple(Piece(str(first), "test", tune(first)) for first in range(50, 60))
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir()
    save_pieces(run / "train.npz", pieces[:8])
    save_pieces(run / "valid.npz", pieces[8:])
    (tmp_path / "small.toml").write_text(_SMALL.replace("steps = 60", "steps = 12"))
    argv = ["--run", str(run), "--out", str(out), "--recipe", str(tmp_path / "small.toml"), "--quick"]
    assert main(argv) == 0
    printed = capsys.readouterr().out
    assert "adversarial - likelihood, paired: nll " in printed
    for row in ("| likelihood |", "| adversarial |", "best of 8", "real music, other excerpts"):
        assert row in printed
    report = json.loads((out / "neurotune.json").read_text())
    assert report["facts"]["steps"] == {"likelihood": 12, "adversarial": 12}
    for row in report["rows"]:
        for name, found in row["distances"].items():
            assert found["value"] >= 0, name
    for name in ("curves.png", "adversarial-100.png", "likelihood-100-1.mid", "adversarial.pt"):
        assert (out / name).stat().st_size > 0
    with pytest.raises(DataError, match=r"train\.npz"):
        main(["--run", str(tmp_path), "--out", str(tmp_path / "other")])
    assert not (tmp_path / "other").exists()


def test_real_music_is_nearer_to_itself_than_a_generator_that_learnt_nothing(recipe: Recipe, music: Sequences) -> None:
    from antiphon.models.neurotune.comparison import differences, row_of, verdict
    from antiphon.models.neurotune.metrics import Counted
    from antiphon.models.neurotune.rollout import best_of, continued
    from antiphon.models.neurotune.training import Run

    rng = np.random.default_rng(0)
    rows, others = music.draw(rng, 30, changed=False), music.draw(rng, 30, changed=False)
    run = Run(recipe)
    played = continued(run.average, rows[:, :12], 12, seed=0)
    assert np.array_equal(played, continued(run.average, rows[:, :12], 12, seed=0))
    real = Counted.of(rows[:, 12:])
    naive, counted = row_of("naive", played, real, 50, None)
    near, near_counted = row_of("real", others[:, 12:], real, 50, None)
    # not pitch classes: tunes in every key fill the twelve as evenly as chance does
    for name in ("interval", "gap", "repetition"):
        assert near.distances[name].value < naive.distances[name].value, name
    found = differences(near_counted, counted, real, 50)
    assert found["interval"].high < 0
    assert "nearer: " in verdict("real", "naive", found)
    run.discriminator.eval()
    assert best_of(run.average, run.discriminator, rows[:, :12], 12, 3, 0).shape == (30, 12, 6)


def test_sequences_shorter_than_the_free_run_are_refused() -> None:
    with pytest.raises(DataError, match="length"):
        SequenceConfig(length=4)
