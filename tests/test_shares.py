"""Shares hold every test once, and a share that there is not is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shares import share_of


@given(st.integers(0, 40), st.integers(1, 6))
def test_every_test_is_in_one_share(tests: int, shares: int) -> None:
    items = list(range(tests))
    split = [share_of(items, f"{which}/{shares}") for which in range(1, shares + 1)]
    assert sorted(item for own, _ in split for item in own) == items
    assert all(sorted([*own, *others]) == items for own, others in split)
    sizes = [len(own) for own, _ in split]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("asked", ["0/2", "3/2", "1", "1/0", "first/2", "-1/2", ""])
def test_a_share_that_there_is_not_is_told(asked: str) -> None:
    with pytest.raises(pytest.UsageError, match="--share: must be K/N"):
        share_of([], asked)
