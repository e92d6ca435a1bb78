"""The last bar of an accompaniment, to be played again where the generator fails and nothing new comes. Pure.

A band whose arranger has left the room goes on with what it was playing. Not for ever: after some bars of the same it
is better to stop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from antiphon.daemon.brain.own_notes import OwnNote
from antiphon.models.generator import TICKS_PER_BEAT, Draw, HeldNote

#: Bars in a row that are repeats, at most.
MOST_BARS = 4
#: How much is remembered: more than the longest bar.
_KEPT_TICKS = 16 * TICKS_PER_BEAT


class Again(NamedTuple):
    """A note to play again: as it was drawn, and where it goes now."""

    draw: Draw
    tick: int
    off_tick: int


class Figure:
    """Remembers what was handed over, and says what of it comes again."""

    def __init__(self) -> None:
        self._notes: deque[OwnNote] = deque()
        self._repeated_ticks = 0
        #: Whether it has come so often that nothing comes again until something new was drawn.
        self.over = False

    def add(self, own: OwnNote) -> None:
        """A note was handed over."""
        if own.held is None:
            return
        self._notes.append(own)
        while self._notes[0].held is not None and self._notes[0].held.tick < own.held.tick - _KEPT_TICKS:
            self._notes.popleft()

    def forget(self) -> None:
        """The music is elsewhere now."""
        self._notes.clear()
        self.moved_on()

    def moved_on(self) -> None:
        """Something new was drawn: the next repeat may be as long again."""
        self._repeated_ticks, self.over = 0, False

    def again(self, start: int, stop: int, bar: int, planned: Iterable[OwnNote] = ()) -> list[Again]:
        """Give what was played a bar before ``start`` to ``stop`` (ticks, at most a bar), moved there.

        Args:
            start: first tick.
            stop: the tick after the last.
            bar: ticks in a bar.
            planned: what is about to be handed over, which counts as played.
        """
        left = MOST_BARS * bar - self._repeated_ticks
        stop = min(stop, start + bar, start + left)
        if stop <= start:
            return []
        self._repeated_ticks += stop - start
        self.over = left <= stop - start
        found = [
            _moved(own, own.held, bar)
            for own in (*self._notes, *planned)
            if own.held is not None and own.remembered and not own.imagined and start <= own.held.tick + bar < stop
        ]
        return sorted(found, key=lambda note: note.tick)


def _moved(own: OwnNote, held: HeldNote, bar: int) -> Again:
    # what was held for longer than a bar would sound together with its own repeat
    length = max(1, min(own.duration, bar))
    draw = Draw(held.part, 0, own.pitch, own.velocity, length, own.log_prob)
    return Again(draw, held.tick + bar, held.tick + bar + length)
