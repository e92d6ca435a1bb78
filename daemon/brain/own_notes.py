"""Antiphon's own notes: from being handed to the player until their end, and what the window holds of them.

Pure: orders go to the list given, times come from records. What the player reports corrects the window, so that the
generator goes on from what was heard.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from antiphon.daemon.brain.metrics import Counts
from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.window import Window
from antiphon.daemon.messages import ALL_NOTES, Kind, Record
from antiphon.daemon.settings import Settings
from antiphon.models.generator import HeldNote

#: Takes an order to the player.
SendFirst = Callable[[Record], None]
#: Notes it can still tell about after a brain was lost: more than any window holds.
_REMEMBERED = 2048


class Fate(IntEnum):
    """How far a note of Antiphon's has come."""

    PLANNED = 0
    COMMITTED = 1  # with the player
    SENT = 2
    GONE = 3  # ended, dropped or cancelled


@dataclass(slots=True, eq=False)
class OwnNote:
    """A note of Antiphon's. ``held`` is its form in the window; None for a click."""

    channel: int
    pitch: int
    velocity: int
    held: HeldNote | None = None
    duration: int = 0  # ticks, as drawn
    log_prob: float = 0.0
    imagined: bool = False  # the performer's part: never played
    remembered: bool = True  # whether the window holds it
    fate: Fate = Fate.PLANNED
    id: int = 0
    onset_ns: int = 0
    end_ns: int = 0  # 0: not known
    loudness: int = 0  # velocity as handed over


class Known(NamedTuple):
    """What a note was, for a brain that comes after a lost one."""

    part: int
    pitch: int
    velocity: int


class OwnNotes:
    """What was handed over and is not over yet, by id; and what became of it.

    Args:
        out: where orders to the player and records for the log go.
        counts: what is counted.
        window: what the generator remembers.
        time: where in the song a time is.
        before: those of before a new beginning: ids, and what is known of them, go on.
    """

    def __init__(
        self, out: list[Record], counts: Counts, window: Window, time: MusicalTime, before: OwnNotes | None = None
    ) -> None:
        self._out, self._counts, self._window, self._time = out, counts, window, time
        self._by_id: dict[int, OwnNote] = {}
        #: the next note's id
        self.next_id: int = 1 if before is None else before.next_id
        self._known: OrderedDict[int, Known] = OrderedDict() if before is None else before._known

    def __bool__(self) -> bool:
        """Whether anything is due or sounds."""
        return bool(self._by_id)

    def get(self, id_: int) -> OwnNote | None:
        """Give the note of that id, where it is not over."""
        return self._by_id.get(id_)

    def known(self, id_: int) -> Known | None:
        """Give what the note of that id was, over or not."""
        return self._known.get(id_)

    def play(
        self, own: OwnNote, onset_ns: int, end_ns: int, settings: Settings, first: SendFirst | None = None
    ) -> None:
        """Hand a note to the player, by ``first`` before all else. ``end_ns`` 0: it sounds until `end`."""
        own.id, self.next_id = self.next_id, self.next_id + 1
        own.loudness = velocity = min(127, max(1, round(own.velocity * settings.velocity)))
        tolerance_ns = settings.tolerance * 1e6
        order = Record(Kind.NOTE, own.channel, own.pitch, velocity, own.id, onset_ns, end_ns, tolerance_ns)
        (first or self._out.append)(order)
        own.onset_ns, own.end_ns, own.fate = onset_ns, end_ns, Fate.COMMITTED
        self._by_id[own.id] = own
        held = own.held
        if held is None:
            return
        self._out.append(
            Record(Kind.SAMPLED, held.part, own.pitch, own.velocity, own.id, held.tick, own.duration, own.log_prob)
        )
        self._counts.generated += 1
        self._known[own.id] = Known(held.part, own.pitch, velocity)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def end(self, own: OwnNote, t_ns: int) -> None:
        """End a note at a time, in the player and in the window."""
        if own.fate is Fate.GONE:
            return
        own.end_ns = t_ns
        self._out.append(Record(Kind.END, id=own.id, t_ns=t_ns))
        self._shorten(own, t_ns)

    def take_back(self, own: OwnNote, now_ns: int) -> None:
        """Cancel a note that has not been sent, or cut it if it just went; in the window it never was."""
        if own.fate is Fate.COMMITTED:
            self._out.append(Record(Kind.CANCEL, 1, id=own.id, t_ns=now_ns))
        self.forget(own)

    def silence(self, now_ns: int) -> None:
        """Cancel everything that is due and cut everything that sounds."""
        self._out.append(Record(Kind.CANCEL, 1, id=ALL_NOTES, t_ns=now_ns))
        for own in self._by_id.values():
            if own.fate is Fate.COMMITTED and own.onset_ns > now_ns:
                self.forget(own)
            else:
                self._shorten(own, now_ns)

    def forget(self, own: OwnNote) -> None:
        """Take a note out of the window, as if it had never been."""
        if own.remembered and own.held is not None:
            self._window.remove(own.held)
        own.remembered = False

    def report(self, record: Record) -> OwnNote | None:
        """Take in what became of a note. Gives the note where the window had to be corrected."""
        own = self._by_id.get(record.id)
        if own is None:
            return None
        kind, counts = record.kind, self._counts
        if kind == Kind.SENT:
            counts.sent += 1
            counts.note_lateness(record.u_ns - record.t_ns)
            own.fate = Fate.SENT
            if not own.remembered and own.held is not None:  # cancelled too late: it was heard
                own.remembered = True
                self._window.insert(own.held)
                return own
            return None
        del self._by_id[record.id]
        own.fate = Fate.GONE
        if kind == Kind.ENDED:
            counts.ended += 1
            self._shorten(own, record.u_ns)
        elif kind == Kind.CUT:
            counts.cut += 1
            self._shorten(own, record.u_ns)
        else:
            if kind == Kind.DROPPED:
                counts.dropped += 1
            else:
                counts.cancelled += 1
            if own.remembered and own.held is not None:
                self.forget(own)
                return own
        return None

    def _shorten(self, own: OwnNote, t_ns: int) -> None:
        if own.held is not None and own.remembered:
            off_tick = max(self._time.tick_at(t_ns), own.held.tick + 1)
            if off_tick < own.held.off_tick:
                self._window.end(own.held, off_tick)
