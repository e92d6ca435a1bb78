"""Whether JACK's server turns: one that stands still takes nothing, and rtmidi would wait for it for ever.

Threading model: `look` belongs to the main thread, `may_send` to whoever sends, one at a time.
"""

from __future__ import annotations

from typing import Protocol

#: rtmidi's queue has room for 2,340 messages of three bytes, and waits where it is full. After a stall a flood comes in
#: by the thousand within one cycle, and is passed on in that cycle: so nearly all of the room may be used.
_MOST_UNSEEN = 2200
#: After so many messages it is looked whether JACK has turned since: by so many the count may be wrong.
_LOOK_EVERY = 100
#: JACK stands still when so many looks in a row, half a second and more apart, find it at the same frame.
_STANDS = 3


class Frames(Protocol):
    """A `jack_library.JackClient`, as far as it is asked here."""

    @property
    def frames(self) -> int:
        """The frame that the present cycle began at."""


class JackCycle:
    """Counts the looks and the messages since the last cycle that was seen.

    Attributes:
        stands: no cycle was seen for too long.
    """

    __slots__ = ("_frames", "_looks", "_unseen", "stands")

    def __init__(self) -> None:
        self.stands = False
        self._frames = 0
        self._looks = 0
        self._unseen = 0

    def look(self, jack: Frames) -> bool:
        """Look whether it turned, and say whether it stands still. About twice a second."""
        self._looks += 1
        self._see(jack)
        self.stands = self._looks >= _STANDS or self._unseen >= _MOST_UNSEEN
        return self.stands

    def may_send(self, jack: Frames) -> bool:
        """Count one message more, and say whether there is room for it. Realtime-safe: yes."""
        self._unseen += 1
        if self.stands or self._unseen % _LOOK_EVERY == 0:
            self._see(jack)
            self.stands = self._unseen > 0 and (self.stands or self._unseen >= _MOST_UNSEEN)
        return not self.stands

    def _see(self, jack: Frames) -> None:
        frames = jack.frames
        if frames != self._frames:
            self._frames, self._looks, self._unseen = frames, 0, 0
