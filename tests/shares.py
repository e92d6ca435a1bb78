"""One run's share of the tests: every Nth of those chosen, so that long and short ones are spread over all runs."""

from __future__ import annotations

import re
from typing import TypeVar

import pytest

_Item = TypeVar("_Item")


def share_of(items: list[_Item], asked: str) -> tuple[list[_Item], list[_Item]]:
    """Give what is this run's, and what is the others'.

    Args:
        items: the tests chosen, in order.
        asked: ``K/N``, the Kth of N shares.

    Raises:
        UsageError: there is no such share.
    """
    told = re.fullmatch(r"(\d+)/(\d+)", asked)
    which, shares = map(int, told.groups()) if told else (0, 0)
    if not 1 <= which <= shares:
        raise pytest.UsageError(f"--share: must be K/N with K from 1 to N, got {asked!r}; give 1/2, then 2/2")
    others = [item for place, item in enumerate(items) if place % shares != which - 1]
    return items[which - 1 :: shares], others
