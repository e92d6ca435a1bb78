"""Ticks of a MIDI clock that nobody heard: its master went on while no player was there."""

from __future__ import annotations

from collections.abc import Sequence


def unheard_ticks(before: Sequence[float], now: float) -> int:
    """Give how many ticks of a steady clock there were between the last that was heard and one that is heard now.

    Args:
        before: when ticks were heard, in order, in any unit.
        now: in the same.

    >>> unheard_ticks([0, 20, 40, 60], 140)
    3
    """
    period = (before[-1] - before[0]) / (len(before) - 1) if len(before) > 1 else 0.0
    return max(0, round((now - before[-1]) / period) - 1) if period > 0 else 0
