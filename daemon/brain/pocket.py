"""How the performer lies to the beat: early or late, sixteenth by sixteenth. Pure.

A pianist who lays back, pushes the off-beats or swings does so throughout: a mean of the last few onsets at each of a
beat's sixteenths says how. An accompaniment that leans the same way sounds like one band.
"""

from __future__ import annotations

#: Places of a beat that are told apart.
PLACES = 4
#: Onsets at a place that weigh as much as knowing nothing; and that the newest counts against, at most.
_DOUBT, _MEMORY = 2.0, 12.0


class Pocket:
    """A running mean of how far onsets lie from the nearest sixteenth, a place each, in beats."""

    __slots__ = ("_counts", "_means")

    def __init__(self) -> None:
        self._means = [0.0] * PLACES
        self._counts = [0.0] * PLACES

    def hear(self, beat: float) -> None:
        """Take an onset in, by its beat with a fraction."""
        nearest = round(beat * PLACES)
        place, off = nearest % PLACES, beat - nearest / PLACES
        count = self._counts[place] = min(self._counts[place] + 1.0, _MEMORY)
        self._means[place] += (off - self._means[place]) / count

    def lean(self, place: int) -> float:
        """Give how far onsets at a sixteenth of the beat lie behind it, in beats: less, the fewer were heard."""
        count = self._counts[place]
        return self._means[place] * count / (count + _DOUBT)
