"""Kneser-Ney against a slow textbook one, and as a probability: it sums to one whatever came before."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from antiphon.models.baselines import ATTRIBUTES, CLASSES, classes_of, uniform_nll
from antiphon.models.kneser_ney import FALLBACK_DISCOUNTS, KneserNey, discounts_of
from antiphon.models.notes import COLUMNS, Column, NoteTable, Piece
from hypothesis import given, settings
from hypothesis import strategies as st

Context = tuple[int, ...]  # nearest first


def _music(seed: int, notes: int) -> NoteTable:
    rng = np.random.default_rng(seed)
    table = np.zeros((notes, COLUMNS), np.int32)
    table[:, Column.ONSET] = np.cumsum(rng.choice([0, 3, 6, 12, 200], notes, p=[0.2, 0.1, 0.4, 0.25, 0.05]))
    walk = np.cumsum(rng.integers(-2, 3, notes))
    table[:, Column.PITCH] = 60 + walk % 9
    table[:, Column.PART] = rng.choice([0, 2, 5], notes, p=[0.5, 0.3, 0.2])
    table[:, Column.VELOCITY] = 60 + 8 * rng.integers(0, 4, notes)
    table[:, Column.DURATION] = rng.choice([3, 6, 12], notes)
    return table


@pytest.fixture(scope="module")
def pieces() -> tuple[Piece, ...]:
    return tuple(Piece(str(seed), "toy", _music(seed, 40 + seed)) for seed in range(6))


class _Textbook:
    """One attribute, one order, dictionaries and recursion: Chen and Goodman 1998, as slowly as it is written."""

    def __init__(self, pieces: tuple[Piece, ...], attribute: int, order: int) -> None:
        self.attribute, self.order, self.size = attribute, order, CLASSES[attribute]
        longest = [gram for piece in pieces for gram in self.grams(piece.notes)]
        self.top = len(longest[0][0])
        self.counts: list[Counter[tuple[Context, int]]] = [Counter() for _ in range(self.top + 1)]
        self.counts[self.top] = Counter(longest)
        for length in range(self.top - 1, -1, -1):
            kinds: dict[tuple[Context, int], set[Context]] = defaultdict(set)
            for context, value in longest:
                kinds[context[:length], value].add(context[: length + 1])
            self.counts[length] = Counter({gram: len(found) for gram, found in kinds.items()})

    def grams(self, notes: NoteTable) -> list[tuple[Context, int]]:
        rows = classes_of(notes).tolist()
        found = []
        for at in range(1, len(rows)):
            past = [rows[at - back][self.attribute] if at >= back else self.size for back in range(1, self.order + 1)]
            part = [] if self.attribute == 0 or self.order == 0 else [rows[at][0]]
            found.append(((*part, *past), rows[at][self.attribute]))
        return found

    def discount(self, length: int, count: int) -> float:
        n = [sum(1 for c in self.counts[length].values() if c == k) for k in range(5)]
        told = list(FALLBACK_DISCOUNTS)
        if all(n[1:]):
            y = n[1] / (n[1] + 2 * n[2])
            estimate = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
            told = estimate if all(0 < d <= k for k, d in enumerate(estimate, 1)) else told
        return 0.0 if count == 0 else told[min(count, 3) - 1]

    def chance(self, context: Context, value: int, length: int) -> float:
        shorter = 1 / self.size if length == 0 else self.chance(context, value, length - 1)
        here = {v: c for (ctx, v), c in self.counts[length].items() if ctx == context[:length]}
        total = sum(here.values())
        if total == 0:
            return shorter
        left = sum(self.discount(length, c) for c in here.values())
        count = here.get(value, 0)
        return (count - self.discount(length, count) + left * shorter) / total


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_it_agrees_with_the_textbook(pieces: tuple[Piece, ...], order: int) -> None:
    unseen = _music(99, 25)
    got = KneserNey(pieces, order).nll(unseen)[order]
    for attribute in range(len(ATTRIBUTES)):
        slow = _Textbook(pieces, attribute, order)
        wanted = [-np.log(slow.chance(context, value, slow.top)) for context, value in slow.grams(unseen)]
        np.testing.assert_allclose(got[:, attribute], wanted, rtol=1e-9, err_msg=ATTRIBUTES[attribute])


def test_lower_orders_of_a_higher_count_are_those_counted_alone(pieces: tuple[Piece, ...]) -> None:
    unseen = _music(98, 30)
    five = KneserNey(pieces, 5).nll(unseen)
    assert five.shape == (6, 29, 5)
    for order in (0, 2, 4):
        np.testing.assert_allclose(KneserNey(pieces, order).nll(unseen)[order], five[order], rtol=1e-12)


@pytest.fixture(scope="module")
def counted(pieces: tuple[Piece, ...]) -> KneserNey:
    return KneserNey(pieces, 5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), length=st.integers(1, 8), attribute=st.sampled_from(range(5)))
def test_chances_sum_to_one_after_any_context(counted: KneserNey, seed: int, length: int, attribute: int) -> None:
    # half the contexts are of the music that was counted, half it has never seen
    context = _music(seed % 12, 40)[:length]
    column = (Column.PART, None, Column.PITCH, Column.VELOCITY, Column.DURATION)[attribute]
    total = np.zeros(6)
    for value in range(CLASSES[attribute]):
        following = context[-1].copy()
        if column is None:
            following[Column.ONSET] += value
        else:
            following[column] = value * 8 if column == Column.VELOCITY else value
        total += np.exp(-counted.nll(np.concatenate([context, following[None]]))[:, -1, attribute])
    np.testing.assert_allclose(total, 1.0, atol=1e-9)


def test_it_learns_what_repeats_and_each_order_more() -> None:
    rng = np.random.default_rng(0)
    table = np.zeros((3000, COLUMNS), np.int32)
    table[:, Column.ONSET] = np.arange(3000) * 6
    table[:, Column.DURATION] = 5
    # which pitch comes is decided by the last two; one in ten is by chance
    pitch = [60, 61]
    for _ in range(2998):
        pitch.append(60 + (pitch[-1] + 2 * pitch[-2]) % 7 if rng.random() < 0.9 else 60 + int(rng.integers(7)))
    table[:, Column.PITCH] = pitch
    losses = KneserNey((Piece("a", "b", table[:2000]),), 3).nll(table[2000:])[:, :, 2].mean(axis=1)
    assert losses[0] == pytest.approx(np.log(7), abs=0.05)
    truth = -(0.9 + 0.1 / 7) * np.log(0.9 + 0.1 / 7) - 6 * 0.1 / 7 * np.log(0.1 / 7)
    assert losses[1] > truth + 0.5
    assert losses[2] == pytest.approx(truth, abs=0.15)
    assert losses[3] == pytest.approx(truth, abs=0.3)


def test_every_piece_begins_anew() -> None:
    a, b = _music(1, 30), _music(2, 30)
    apart = KneserNey((Piece("a", "", a), Piece("b", "", b)), 2)
    joined = KneserNey((Piece("ab", "", np.concatenate([a, b])),), 2)
    short = _music(1, 3)
    assert not np.allclose(apart.nll(short), joined.nll(short))


def test_discounts_are_estimated_or_fall_back() -> None:
    counts = np.array([1] * 100 + [2] * 40 + [3] * 20 + [4] * 10 + [9] * 30, np.int32)
    y = 100 / 180
    assert discounts_of(counts) == pytest.approx((1 - 2 * y * 0.4, 2 - 3 * y * 0.5, 3 - 4 * y * 0.5))
    assert discounts_of(np.array([5, 6], np.int32)) == FALLBACK_DISCOUNTS
    assert discounts_of(np.array([1, 2, 3, 3, 3, 4], np.int32)) == FALLBACK_DISCOUNTS  # D2 below 0


def test_nothing_known_is_the_logarithm_of_the_classes() -> None:
    loss = uniform_nll(_music(0, 5))
    assert loss.shape == (4, 5)
    assert loss.sum(axis=1) == pytest.approx(np.log(6 * 97 * 128 * 16 * 97))


def test_bad_input_is_told(pieces: tuple[Piece, ...]) -> None:
    with pytest.raises(ValueError, match=r"order: 9 is not in 0\.\.7"):
        KneserNey(pieces, 9)
    with pytest.raises(ValueError, match="pieces: none has two notes"):
        KneserNey((Piece("one", "", _music(0, 1)),))
