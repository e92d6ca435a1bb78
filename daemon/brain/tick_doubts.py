"""Ticks that a clock's line counted and never heard, for as long as another tempo may explain them.

A slower tempo falls behind the line until a tick seems to be lost, a faster one runs ahead until one seems to be too
many; through jitter neither can be told at once. The gaps tell it some ticks later: a tick that was lost left a gap of
its own size, and where every gap since is one of the pace that there is now, nothing was lost.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

#: Two ticks in a row that each jitter by 3 ms are no further off than this, nor by more than half of a period.
_JITTER_NS, _HALF = 6.25e6, 0.5
#: So many gaps tell a pace; it is another one if it differs by more than this.
_PACE_GAPS, _SAME_PACE = 6, 0.04
#: A wire that stumbled loses a tick with the gaps around it: so many before are looked at.
_BEFORE = 3
#: What was counted is beyond doubt after a beat.
_MEMORY_GAPS = 24
#: A gap that is neither of the pace of so many before it, nor of so many after it, is a wire's that stumbled.
_AROUND = 5


class _Counted(NamedTuple):
    nth: int  # at which heard tick
    since: int  # the first of those that led to it
    ticks: int  # below 0: taken back
    period_ns: float  # as it was thought to be


class TickDoubts:
    """Knows the latest gaps between ticks, and what was counted among them."""

    def __init__(self) -> None:
        self._gaps_ns: deque[int] = deque(maxlen=_MEMORY_GAPS)
        self._came_ns, self._nth = 0, 0
        self._counted: list[_Counted] = []
        #: Whether a tick was lost or late, by the gaps alone, since this was set to False.
        self.stumbled = False

    def heard(self, t_ns: int) -> None:
        """A tick has come."""
        self._gaps_ns.append(t_ns - self._came_ns)
        self._came_ns = t_ns
        self._nth += 1
        self.stumbled = self.stumbled or self._odd()
        if self._counted and self._nth - self._counted[0].since >= _MEMORY_GAPS:
            self._counted = [one for one in self._counted if self._nth - one.since < _MEMORY_GAPS]

    def counted(self, ticks: int, period_ns: float, because_of: int = 1) -> None:
        """The line was put so many ticks further at the latest tick.

        Args:
            ticks: below 0: back.
            period_ns: between two ticks, as the line has it.
            because_of: the latest so many ticks.
        """
        self._counted.append(_Counted(self._nth, self._nth - because_of + 1, ticks, period_ns))

    def forget(self) -> None:
        """What was counted is beyond doubt."""
        self._counted.clear()

    def explained(self, settled_ns: float) -> tuple[int, float, int] | None:
        """Give what another tempo explains, and forget it; None while it explains nothing.

        Args:
            settled_ns: the period of the tempo that there was before any doubt.

        Returns:
            How many ticks too many were counted, the period of that tempo (ns), and the gaps that tell it.
        """
        if not self._counted:
            return None
        undoubted = self._undoubted_ns()[: max(_PACE_GAPS, self._nth - self._counted[-1].nth)]
        told = len(undoubted)
        if told < _PACE_GAPS:
            return None
        pace_ns = sum(undoubted) / told
        even = self._even(pace_ns)
        if even < told or (self.stumbled and not _is_another(pace_ns, settled_ns, told)):
            return None
        wrong = [one for one in self._counted if self._is_explained(one, even, pace_ns, told)]
        if not wrong:
            return None
        self._counted = [one for one in self._counted if one not in wrong]
        return sum(one.ticks for one in wrong), pace_ns, told

    def _undoubted_ns(self) -> list[int]:
        """The latest gaps that no tick is said to have been lost in, the latest first."""
        doubted = {nth for one in self._counted for nth in (one.since, one.nth)}
        return [gap_ns for ago, gap_ns in enumerate(reversed(self._gaps_ns)) if self._nth - ago not in doubted]

    def _is_explained(self, one: _Counted, even: int, pace_ns: float, told: int) -> bool:
        """Whether every gap since what led to it is one of the pace, and the wire had not stumbled just before."""
        gaps = self._nth - one.since + 1
        if gaps > even or not _is_another(pace_ns, one.period_ns, told):
            return False
        before = list(self._gaps_ns)[-gaps - _BEFORE : -gaps]
        return all(_is_of(gap_ns, pace_ns) or _is_of(gap_ns, one.period_ns) for gap_ns in before)

    def _even(self, pace_ns: float) -> int:
        """How many of the latest gaps, in a row, are of a pace but for jitter."""
        gaps_ns = reversed(self._gaps_ns)
        return next((n for n, gap_ns in enumerate(gaps_ns) if not _is_of(gap_ns, pace_ns)), len(self._gaps_ns))

    def _odd(self) -> bool:
        """Whether the latest gap that has enough after it is neither of the pace before nor of the one after."""
        gaps_ns = list(self._gaps_ns)[-2 * _AROUND - 1 :]
        if len(gaps_ns) <= 2 * _AROUND:
            return False
        gap_ns, before, after = gaps_ns[_AROUND], sorted(gaps_ns[:_AROUND]), sorted(gaps_ns[_AROUND + 1 :])
        paces_ns = before[_AROUND // 2], after[_AROUND // 2]
        return all(abs(gap_ns - pace_ns) > _HALF * pace_ns for pace_ns in paces_ns)


def _is_another(pace_ns: float, period_ns: float, gaps: int) -> bool:
    """Whether a pace that so many gaps tell through jitter is another than a period."""
    return abs(pace_ns - period_ns) > max(_SAME_PACE * period_ns, _JITTER_NS / gaps)


def _is_of(gap_ns: float, pace_ns: float) -> bool:
    return abs(gap_ns - pace_ns) <= min(_JITTER_NS, _HALF * pace_ns)
