"""How much each part plays: no more than the people whom the generator learnt from usually do.

A generator that hears mostly itself gets busier and busier: more is likely where more was. So a part that has
played more than is usual over the last two bars becomes less likely, and nobody strikes more keys at once than
people do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from antiphon.models.generator import TICKS_PER_BEAT, HeldNote
from antiphon.models.parts import Part

#: Notes a beat, counted over the bars that a part plays in: medians of the pieces that the shipped model learnt from
#: (docs/decisions.md, 12).
USUAL: dict[int, float] = {
    Part.LEAD: 1.2, Part.CHORDS: 3.6, Part.BASS: 1.2, Part.DRUMS: 4.2, Part.PAD: 1.0, Part.PIANO: 4.7,
}  # fmt: skip
#: Onsets a beat of a whole band that are usual at most (the third quartile of the same pieces).
USUAL_ONSETS = 2.8
#: Notes of a part struck together, at most.
TOGETHER: dict[int, int] = {
    Part.LEAD: 2, Part.CHORDS: 4, Part.BASS: 1, Part.DRUMS: 3, Part.PAD: 4, Part.PIANO: 6,
}  # fmt: skip
#: Counted over two bars of four; the first notes of all as if over this much, so that they are not "too many".
_SPAN, _LEAST_SPAN = 8 * TICKS_PER_BEAT, 2 * TICKS_PER_BEAT
#: Logits taken where a part has played twice what is usual, and at most.
_TWICE, _MOST = 8.0, 12.0


class Busyness:
    """What the last two bars before a tick hold of some parts.

    Args:
        notes: played and planned, in order of their ticks.
        tick: where the next note may come.
        start_tick: since when the parts play.
        scale: of what is usual: more where a denser accompaniment is asked for.
    """

    def __init__(self, notes: Sequence[HeldNote], tick: int, start_tick: int, scale: float = 1.0) -> None:
        since = max(start_tick, tick - _SPAN)
        self._beats = max(_LEAST_SPAN, tick - since) / TICKS_PER_BEAT
        self._scale = scale
        self._counts: Counter[int] = Counter()
        self._here: Counter[int] = Counter()
        for note in reversed(notes):
            if note.tick < since:
                break
            self._counts[note.part] += 1
            if note.tick == tick:
                self._here[note.part] += 1

    def excess(self, parts: Iterable[int]) -> float:
        """By what share some parts, taken together, have played more than usual; 0: no more."""
        chosen = list(parts)
        usual = self._scale * sum(USUAL[part] for part in chosen)
        return max(0.0, sum(self._counts[part] for part in chosen) / self._beats / usual - 1.0) if usual else 0.0

    def restraint(self, parts: Iterable[int]) -> float:
        """Logits to take from some parts together."""
        return min(_MOST, _TWICE * self.excess(parts))

    def full(self, part: int) -> bool:
        """Whether a part strikes as many keys at the tick as people do."""
        return self._here[part] >= TOGETHER[part]
