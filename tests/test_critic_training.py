"""The critic's training tells an obvious fault, keeps its best, and ships as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from antiphon.models.critic.pairs import Pairs
from antiphon.models.errors import DataError, ModelError
from antiphon.models.notes import Column

from tests.test_critic import table

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.train


def pairs(count: int = 40) -> Pairs:
    """Real music steps by tones; the made continuation never moves."""
    whole = np.stack([table(34, seed, parts=(0,)) for seed in range(count)])
    whole[..., Column.PITCH] = 50 + 2 * (np.arange(34) % 8)
    made = whole[:, None, 24:].copy()
    made[..., Column.PITCH] = 58
    return Pairs(whole[:, :24], whole[:, 24:], made)


@pytest.fixture(scope="module")
def trained() -> Any:
    from antiphon.models.critic.training import Plan, train_critic
    from antiphon.models.neurotune.discriminator import DiscriminatorConfig

    torch.set_num_threads(1)
    sizes = DiscriminatorConfig(code=16, hidden=8, dropout=0.1)
    return train_critic(pairs(), sizes, Plan(steps=90, batch=8, every=30, rate=5e-3))


def test_it_tells_an_obvious_fault(trained: Any) -> None:
    assert trained.accuracy > 0.9
    assert trained.preferred > 0.95
    assert trained.loss < 0.6
    assert trained.step in [step for step, *_ in trained.curve]
    assert trained.loss == pytest.approx(min(loss for _, loss, *_ in trained.curve), abs=1e-3)


def test_it_stops_where_it_gets_no_better() -> None:
    from antiphon.models.critic.training import Plan, train_critic
    from antiphon.models.neurotune.discriminator import DiscriminatorConfig

    same = pairs(12)
    alike = Pairs(same.prompts, same.real, same.real[:, None])  # nothing to tell
    stopped = train_critic(alike, DiscriminatorConfig(code=8, hidden=4), Plan(steps=400, batch=4, every=2, patience=3))
    assert stopped.steps < 400
    assert stopped.steps - stopped.step == 6


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("smooth", 0.2), ("held_out", 1.0), ("transpose", 20)])
def test_a_plan_out_of_range_is_told(name: str, value: Any) -> None:
    from antiphon.models.critic.training import Plan

    with pytest.raises(DataError, match=f"critic: {name}: .* not {value}"):
        Plan(**{name: value})


def test_too_little_is_told() -> None:
    from antiphon.models.critic.training import Plan, train_critic
    from antiphon.models.neurotune.discriminator import DiscriminatorConfig

    few = pairs(2)
    with pytest.raises(DataError, match=r"2 prompts .* are too few"):
        train_critic(few, DiscriminatorConfig(), Plan())


def test_what_ships_is_what_was_trained(trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from antiphon.export import critic_ship
    from antiphon.models.critic.judge import Critic
    from antiphon.models.critic.rows import table_rows

    facts = {"judges": {"name": "fake", "sha256": "0" * 64}}
    written = critic_ship.ship_critic(trained, tmp_path, facts, ["groove"], "antiphon train critic")
    critic, music = Critic(tmp_path), pairs(3)
    assert critic.sha256 == written["files"]["critic.onnx"]
    for prompt, real, made in zip(music.prompts, music.real, music.made, strict=True):
        scores = critic.score_tables(prompt, [real, made[0]])
        rows = np.stack([table_rows(prompt, line) for line in (real, made[0])])
        with torch.no_grad():
            wanted = trained.network.eval().scores(rows).numpy()
        assert np.abs(scores - wanted).max() < 2e-4
        assert scores[0] > scores[1]
        alone = critic.score_tables(prompt, [made[0]])
        assert alone[0] == pytest.approx(scores[1], abs=1e-5)
    card = (tmp_path / "CARD.md").read_text()
    assert "# critic" in card
    assert "antiphon train critic" in card
    monkeypatch.setattr(critic_ship, "_off_torch", lambda network, data: 0.1)
    with pytest.raises(ModelError, match=r"differs from torch by 0\.1"):
        critic_ship.ship_critic(trained, tmp_path, facts, [], "")


def test_a_second_round_learns_from_what_the_first_chose() -> None:
    from antiphon.models.critic.second_round import with_chosen

    music = pairs(5)
    made = np.repeat(music.made, 4, axis=1)
    made[..., Column.PITCH] = 40 + np.arange(4)[None, :, None]  # candidate n repeats pitch 40 + n

    class Likes:
        def score_tables(self, heard: Any, lines: Any) -> Any:
            return -np.abs(lines[:, 0, Column.PITCH] - heard[0, Column.PITCH] + 8.0)  # 42 is 8 below 50

    second = with_chosen(Pairs(music.prompts, music.real, made), Likes(), 1)  # type: ignore[arg-type]
    assert second.made[:, :, 0, Column.PITCH].tolist() == [[40, 42]] * 5
    assert np.array_equal(second.real, music.real)
    for singles, told in ((0, "1 to 3 with 4 candidates, not 0"), (4, "1 to 3 with 4 candidates, not 4")):
        with pytest.raises(DataError, match=f"--singles: {told}"):
            with_chosen(Pairs(music.prompts, music.real, made), Likes(), singles)  # type: ignore[arg-type]


def test_what_the_critic_before_says_still_counts(trained: Any, tmp_path: Path) -> None:
    from antiphon.export import critic_ship
    from antiphon.models.critic.judge import Critic

    facts = {"judges": {"name": "fake", "sha256": "0" * 64}}
    critic_ship.ship_critic(trained, tmp_path / "first", facts, ["groove"], "one")
    first = Critic(tmp_path / "first")
    written = critic_ship.ship_critic(trained, tmp_path / "second", facts, ["groove"], "two", first, 0.5)
    assert "half of these the choice of the critic before" in next(iter(written["scores"]))
    second, music = Critic(tmp_path / "second"), pairs(2)
    for prompt, real in zip(music.prompts, music.real, strict=True):
        alone = first.score_tables(prompt, [real, real + 1])
        assert second.score_tables(prompt, [real, real + 1]) == pytest.approx(1.5 * alone, abs=1e-5)


def test_bad_flags_are_told() -> None:
    from antiphon.export.critic_train import main

    with pytest.raises(DataError, match="--prompts: 8 or more, not 2"):
        main(["--run", "nowhere", "--out", "out", "--prompts", "2"])
    with pytest.raises(DataError, match="--candidates: 2 or more with --before, not 1"):
        main(["--run", "nowhere", "--out", "out", "--candidates", "1", "--before", "nobody"])
    with pytest.raises(DataError, match="--weight: 0 to 10, not -1"):
        main(["--run", "nowhere", "--out", "out", "--before", "nobody", "--weight", "-1"])
