"""Windows to learn from, recipes, and making elements the paper's way and ours, without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from antiphon.models.errors import DataError
from antiphon.models.lstm.experiments import baselines, run_times, seed_row
from antiphon.models.lstm.generation import ARGMAX, Choice, GenerationError, Tokens, by_state, by_window
from antiphon.models.lstm.music import read_music
from antiphon.models.lstm.papers import table
from antiphon.models.lstm.recipe import Recipe
from antiphon.models.lstm.windows import IGNORED, batches, cut_every, cut_last
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.midi_making import Row, midi_bytes, scale

_WORDS = 9


def _tune(number: int, notes: int) -> list[Row]:
    """Give a motif again and again, another for each number."""
    motif = np.random.default_rng(number).integers(50, 80, 9).tolist()
    return [(place * 240, 200, motif[place % 9], 70) for place in range(notes)]


class Counting:
    """An `ElementModel` whose next element is the sum of all it has seen; counts what it is asked."""

    words = _WORDS

    def __init__(self, name: str = "counting") -> None:
        self.name = name
        self.windows: list[list[int]] = []
        self.steps: list[int] = []

    @staticmethod
    def _logits(total: int) -> NDArray[np.float32]:
        logits = np.zeros((1, _WORDS), np.float32)
        logits[0, 0] = 100.0  # the unknown, likeliest always
        logits[0, 1 + total % (_WORDS - 1)] = 50.0
        return logits

    def window(self, tokens: Tokens) -> NDArray[np.float32]:
        self.windows.append(tokens[0].tolist())
        return self._logits(int(tokens.sum()))

    def start(self, rows: int) -> int:
        assert rows == 1
        return 0

    def step(self, tokens: Tokens, state: int) -> tuple[NDArray[np.float32], int]:
        self.steps.append(int(tokens[0]))
        return self._logits(state + int(tokens[0])), state + int(tokens[0])


def test_the_papers_way_feeds_the_window_again_for_each_and_ours_a_step() -> None:
    paper, ours = Counting(), Counting()
    seed = np.array([1, 2, 3])
    made = by_window(paper, seed, np.zeros(4), ARGMAX)
    assert made == [7, 5, 8, 5]
    assert paper.windows == [[1, 2, 3], [2, 3, 7], [3, 7, 5], [7, 5, 8]]
    assert by_state(ours, seed, np.zeros(4), ARGMAX) == [7, 6, 4, 8]  # nothing is forgotten
    assert ours.steps == [1, 2, 3, 7, 6, 4]


@given(st.integers(0, 2**32), st.floats(0.0, 3.0), st.floats(0.01, 1.0))
def test_the_unknown_is_never_drawn(random: int, temperature: float, top_p: float) -> None:
    rng = np.random.default_rng(random)
    made = by_state(Counting(), np.array([3]), rng.random(20), Choice(temperature, top_p))
    assert min(made) >= 1


def test_a_draw_follows_the_distribution() -> None:
    logits = np.log(np.array([0.5, 0.25, 0.2, 0.05], np.float32))
    drawn = [Choice(1.0, 1.0)(logits, uniform) for uniform in np.linspace(0, 0.9999, 1000)]
    assert np.bincount(drawn, minlength=4) / 1000 == pytest.approx([0, 0.5, 0.4, 0.1], abs=0.002)
    assert {Choice(1.0, 0.8)(logits, uniform) for uniform in np.linspace(0, 0.9999, 100)} == {1, 2}


@pytest.mark.parametrize(("temperature", "top_p"), [(-1.0, 1.0), (11.0, 1.0), (float("nan"), 1.0), (1.0, 0.0), (1, 2)])
def test_a_choice_out_of_range_is_told(temperature: float, top_p: float) -> None:
    with pytest.raises(GenerationError, match="must be"):
        Choice(temperature, top_p)


@pytest.mark.parametrize("seed", [[], [[1, 2]], [-1], [_WORDS]])
def test_a_seed_that_is_none_is_told(seed: list[int]) -> None:
    for method in (by_window, by_state):
        with pytest.raises(GenerationError, match="seed"):
            method(Counting(), np.array(seed, np.int64), np.zeros(1), ARGMAX)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(2, 12), st.integers(0, 9))
def test_every_element_but_a_pieces_first_is_learnt_once_an_epoch(lengths: list[int], window: int, seed: int) -> None:
    pieces = [np.arange(length) + 100 * place for place, length in enumerate(lengths)]
    rng = np.random.default_rng(seed)
    cut = cut_every(pieces, window, rng)
    counts = cut.targets != IGNORED
    assert (cut.targets[counts] == cut.tokens[counts] + 1).all()
    wanted = sorted(int(number) for piece in pieces for number in piece[1:])
    assert sorted(cut.targets[counts].tolist()) == wanted
    shuffled = batches(cut, 3, rng)
    assert sorted(int(n) for batch in shuffled for n in batch.targets[batch.targets != IGNORED]) == wanted
    assert all(len(batch.tokens) <= 3 for batch in shuffled)


def test_the_papers_windows_have_one_target_each() -> None:
    cut = cut_last([np.arange(7), np.arange(3)], 4)
    assert cut.tokens.tolist() == [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]
    assert cut.targets[:, -1].tolist() == [4, 5, 6]
    assert (cut.targets[:, :-1] == IGNORED).all()


def test_the_shipped_recipe_is_the_papers_network() -> None:
    recipe = Recipe.load()
    assert recipe.network["hidden"] == 512
    assert (recipe.network["dropout"], recipe.network["dense"], recipe.window) == (0.3, 256, 100)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[training]\nwindow = 1", "window must be 2 to 4096, got 1"),
        ("[training]\nwindow = 2.5", "window must be a whole number, got 2.5"),
        ("[training]\nrate = 'fast'", "rate must be a number, got 'fast'"),
        ("[training]\ntargets = 'some'", "targets must be one of every, last"),
        ("[training]\nspelling = 'klingon'", "spelling must be one of normal_order, pitches"),
        ("[training]\nspeed = 1", "keys of .training.: window, targets"),
        ("[tuning]\nx = 1", "unknown table .tuning."),
        ("[training", "recipe x"),
    ],
)
def test_a_recipe_that_is_wrong_is_told(text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        Recipe.parse(text, "x")


def test_a_recipe_that_is_not_there_is_told(tmp_path: Path) -> None:
    for name in ("nothing", str(tmp_path / "none.toml")):
        with pytest.raises(DataError, match=r"give lstm or a \.toml file"):
            Recipe.load(name)


def test_music_is_read_and_some_held_out(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.mid").write_bytes(midi_bytes({"": _tune(number, 40)}))
    music = read_music([tmp_path])
    assert music.facts()["pieces"] + music.facts()["held_out_pieces"] == 3
    assert music.facts()["held_out_pieces"] >= 1
    assert all(len(piece) == 40 for piece in (*music.train, *music.valid))
    assert len(read_music([tmp_path], pieces=1).train) == 1
    with pytest.raises(DataError, match="pieces: must be 0"):
        read_music([tmp_path], pieces=-1)


def test_a_single_piece_holds_out_its_own_end(tmp_path: Path) -> None:
    (tmp_path / "one.mid").write_bytes(midi_bytes({"": scale(50, 40)}))
    music = read_music([tmp_path])
    assert (len(music.train[0]), len(music.valid[0])) == (36, 4)


def test_music_without_pitches_is_told(tmp_path: Path) -> None:
    (tmp_path / "drums.mid").write_bytes(midi_bytes({"drums": scale(36, 40)}, {"drums": 9}))
    with pytest.raises(DataError):
        read_music([tmp_path])
    with pytest.raises(DataError):
        read_music([tmp_path / "none"])


def test_run_times_compare_each_with_the_papers() -> None:
    told = run_times([Counting("a"), Counting("b")], [Counting("a"), Counting("b"), Counting("c")], np.array([1, 2]), 5)
    assert [(row["method"], row["on"]) for row in told["rows"]] == [
        ("paper's", "a"), ("paper's", "b"), ("ours", "a"), ("ours", "b"), ("ours", "c"),
    ]  # fmt: skip
    assert told["rows"][0]["ratio"] == 1.0
    assert told["headline"] == told["rows"][-1]["ratio"]


def test_seeds_and_baselines() -> None:
    pieces = [np.array([1, 2, 1]), np.array([1, 1])]
    assert seed_row(pieces, 4).tolist() == [1, 2, 1, 1]
    with pytest.raises(DataError, match="sequence length 9 needs as many elements to begin with, there are 5"):
        seed_row(pieces, 9)
    told = baselines(pieces, [np.array([2, 1, 2])], 3)
    assert told["uniform"] == pytest.approx(np.log(3), abs=1e-4)
    assert told["unigram"] == pytest.approx((np.log(8 / 5) + np.log(8 / 2)) / 2, abs=1e-4)


def test_a_table_is_markdown() -> None:
    assert table(("a",), [(1000,), (2.50,), ("…",)])[2:] == ["| 1,000 |", "| 2.5 |", "| … |"]
