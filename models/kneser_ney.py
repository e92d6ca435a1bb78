"""Interpolated Kneser-Ney with modified discounts, for each attribute of a note: the strongest counting baseline.

Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", TR-10-98, Harvard 1998,
section 3: a count c loses D1, D2 or D3+ (by c = 1, 2, 3 and more), what is lost is spread by the next shorter
context's distribution, and shorter contexts count in how many different longer ones a value was seen ("continuation")
instead of how often.

The factorisation is the networks' own: part, onset gap, pitch, velocity, duration of the next note. An attribute of
order n is told by its own last n values and the part just chosen; contexts get shorter from the far end: n values and
part, ..., one value and part, part, nothing. The part itself is told by the last n parts. Earlier durations are context
here although live play would not know all of them yet: an advantage that the networks do not have.

Contexts are whole numbers in base (values + 1), exact, so nothing is hashed and nothing collides. Values before a
piece's beginning are one more symbol. All orders share one set of counts: six million notes take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from antiphon.models.baselines import ATTRIBUTES, CLASSES, Classes, classes_of
from antiphon.models.generator import PARTS
from antiphon.models.notes import NoteTable, Piece
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Small = NDArray[np.int64] | NDArray[np.int16]
Floats = NDArray[np.float64]

HIGHEST_ORDER = 5
#: Begins the name of every order above the unigram.
COUNTED = "kn"
#: Discounts where there is nothing to estimate them from (a value's counts-of-counts have a hole), as in KenLM.
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
_MOST_KEYS = 1 << 62


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts of one level in one manner (how often, or after how many contexts): what smoothing needs of them."""

    counts: NDArray[np.int32]  # of each gram
    discounts: Floats  # [4]: by min(count, 3)
    totals: NDArray[np.int32]  # of each context
    left: Floats  # of each context: share of its mass that the shorter context spreads

    @classmethod
    def of(cls, counts: NDArray[np.int32], starts: Ints) -> _Counts:
        discounts = np.array((0.0, *discounts_of(counts)))
        totals = np.add.reduceat(counts, starts)
        lost = np.add.reduceat(discounts[np.minimum(counts, 3)], starts)
        return cls(counts, discounts, totals, lost / totals)

    def interpolated(self, found: _Found, shorter: Floats) -> Floats:
        """Give probabilities from this level's counts and the shorter context's probabilities."""
        count = np.where(found.gram_known, self.counts[found.gram], 0)
        kept = count - self.discounts[np.minimum(count, 3)]
        chance = kept / self.totals[found.context] + self.left[found.context] * shorter
        return np.where(found.context_known, chance, shorter)  # an unseen context leaves the shorter one's word


@dataclass(frozen=True, slots=True)
class _Found:
    """Where values and contexts that are asked for lie in a level's tables."""

    gram: Ints
    gram_known: NDArray[np.bool_]
    context: Ints
    context_known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Level:
    """Everything counted with contexts of one length."""

    size: int  # values of the attribute
    grams: Ints  # context * size + value, sorted
    contexts: Ints  # sorted
    often: _Counts
    continued: _Counts

    def find(self, contexts: Ints, values: Small) -> _Found:
        gram, gram_known = _place(self.grams, contexts * self.size + values)
        return _Found(gram, gram_known, *_place(self.contexts, contexts))


class KneserNey:
    """Kneser-Ney of every order from 0 (a discounted unigram) up, counted once.

    Args:
        pieces: what to learn from: one piece of two notes at least.
        highest: the longest context, in values.

    Raises:
        ValueError: nothing to count, or an order whose contexts do not fit 62 bits.
    """

    def __init__(self, pieces: Sequence[Piece], highest: int = HIGHEST_ORDER) -> None:
        if not 0 <= highest <= 7:
            raise ValueError(f"order: {highest} is not in 0..7; longer contexts do not fit a 64-bit number")
        tables = [piece.notes for piece in pieces if len(piece.notes)]
        lengths = np.array([len(notes) for notes in tables], np.int64)
        if not len(lengths) or lengths.max() < 2:
            raise ValueError("pieces: none has two notes; give music to count")
        classes = np.concatenate([classes_of(notes).astype(np.int16) for notes in tables])  # a quarter of the memory
        self.highest = highest
        self._chains = [
            _count(_contexts(classes, lengths, attribute, highest), attribute) for attribute in range(len(ATTRIBUTES))
        ]

    def nll(self, notes: NoteTable) -> Floats:
        """Give the negative log-likelihood [orders, notes - 1, 5] in nats of every note after the first."""
        classes = classes_of(notes)
        losses = np.zeros((self.highest + 1, len(notes) - 1, len(ATTRIBUTES)))
        for attribute, levels in enumerate(self._chains):
            digits = _contexts(classes, np.array([len(notes)]), attribute, self.highest)
            shorter = np.full(len(notes) - 1, 1.0 / CLASSES[attribute])
            order = 0
            for length, (level, key) in enumerate(zip(levels, _keys(digits), strict=True)):
                found = level.find(key, digits.values)
                if attribute == 0 or length != 1:  # the context of the part alone is between the orders 0 and 1
                    losses[order, :, attribute] = -np.log(level.often.interpolated(found, shorter))
                    order += 1
                shorter = level.continued.interpolated(found, shorter)
        return losses

    def named_nll(self, notes: NoteTable) -> dict[str, Floats]:
        """Give `nll` by name: ``unigram``, ``kn1``, ``kn2`` and so on, each [notes - 1, 5]."""
        return {f"{COUNTED}{order}" if order else "unigram": loss for order, loss in enumerate(self.nll(notes))}


def discounts_of(counts: NDArray[np.int32]) -> tuple[float, ...]:
    """Estimate D1, D2 and D3+ from how many grams were counted once, twice, three and four times.

    Chen and Goodman 1998, equation 26. Where a count of counts is nothing, or a discount is not between nothing and
    the count itself, `FALLBACK_DISCOUNTS`.
    """
    n1, n2, n3, n4 = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].tolist()
    if min(n1, n2, n3, n4) == 0:
        return FALLBACK_DISCOUNTS
    y = n1 / (n1 + 2 * n2)
    told = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    sound = all(0.0 < discount <= count for count, discount in enumerate(told, 1))
    return told if sound else FALLBACK_DISCOUNTS


@dataclass(frozen=True, slots=True)
class _Contexts:
    """Values of every note after a piece's first, and what came before each, nearest first."""

    values: Small  # [notes]
    digits: list[Small]  # of each [notes]
    bases: list[int]  # how many values a digit has


def _contexts(classes: Classes | Small, lengths: Ints, attribute: int, order: int) -> _Contexts:
    value, size = classes[:, attribute], CLASSES[attribute]
    place = np.arange(len(value)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    scored = place > 0
    digits, bases = [], []
    if attribute:
        digits, bases = [classes[scored, 0]], [PARTS]
    for back in range(1, order + 1):
        before = np.full(len(value), size, value.dtype)  # `size` stands for "before the beginning"
        before[back:] = np.where(place[back:] >= back, value[:-back], size)
        digits.append(before[scored])
        bases.append(size + 1)
    return _Contexts(value[scored], digits, bases)


def _keys(contexts: _Contexts) -> Iterator[Ints]:
    """Give context numbers, from no context to the longest."""
    key = np.zeros(len(contexts.values), np.int64)
    yield key
    for digit, base in zip(contexts.digits, contexts.bases, strict=True):
        key = key * base + digit
        yield key


def _count(contexts: _Contexts, attribute: int) -> list[_Level]:
    """Count one attribute with contexts of every length, shortest first."""
    size = CLASSES[attribute]
    spans = [1]  # how many contexts of each length there could be
    for base in contexts.bases:
        spans.append(spans[-1] * base)
    if spans[-1] * size > _MOST_KEYS:
        raise ValueError(f"order: {len(contexts.bases)} values of {size} do not fit a 62-bit number; give a lower one")
    # the value first, then the nearest before it: then a shorter context's gram is a prefix, and one sort does for all
    keys = contexts.values.astype(np.int64)
    for digit, base in zip(contexts.digits, contexts.bases, strict=True):
        keys *= base
        keys += digit
    keys.sort()
    starts = _starts(keys)
    grams, often = keys[starts], np.diff(np.append(starts, len(keys))).astype(np.int32)
    continued = often  # nothing is longer than the longest
    levels: list[_Level] = []
    for length in range(len(contexts.bases), -1, -1):
        levels.append(_level(grams, often, continued, spans[length], size))
        if length:
            grams = grams // contexts.bases[length - 1]
            starts = _starts(grams)
            continued = np.diff(np.append(starts, len(grams))).astype(np.int32)
            grams, often = grams[starts], np.add.reduceat(often, starts)
    return levels[::-1]


def _level(
    grams: Ints, often: NDArray[np.int32], continued: NDArray[np.int32], span: int, size: int,
) -> _Level:  # fmt: skip
    keys = grams % span * size + grams // span
    order = np.argsort(keys)
    keys = keys[order]
    contexts = keys // size
    starts = _starts(contexts)
    return _Level(size, keys, contexts[starts], _Counts.of(often[order], starts), _Counts.of(continued[order], starts))


def _starts(keys: Ints) -> Ints:
    """Give where each run of equal keys begins in sorted ``keys``."""
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))


def _place(table: Ints, keys: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    place = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return place, table[place] == keys
