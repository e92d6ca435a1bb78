"""What is still to be sent, in the order of its time. Pure: time is a parameter.

A note is in one of three places: here as an unsent note, here as the end of a sounding note, or nowhere. Its
end is only entered when it has been sent, so a dropped note never leaves a stray note-off behind.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

from antiphon.daemon.messages import Kind, Record

#: At the same time: ends first (a retrigger is clean), then pedals and other messages, then notes.
_RANK = {Kind.END: 0, Kind.SEND: 1, Kind.NOTE: 2}
#: Unsent entries at most. A brain hands over what is due within a beat or two: never near this.
MAX_UNSENT = 4096
#: A late note sounds at least this long (or its own length), else it would be an inaudible blip.
SHORTEST_NS = 20_000_000


class _Entry(NamedTuple):
    t_ns: int
    rank: int
    nth: int  # entries of the same time and rank leave in the order they came
    record: Record


def too_late(note: Record, now_ns: int) -> bool:
    """Whether a note is past its tolerance, so that it must be dropped and not squeezed in."""
    return now_ns - note.t_ns > note.value


def moved(record: Record, offset_ns: int) -> Record:
    """Give a NOTE, END or SEND moved by the output offset.

    An offset into the past cannot be obeyed by a note that is due now; its tolerance grows by as much, so
    that the user's offset does not drop it.
    """
    if not offset_ns:
        return record
    end = record.u_ns + offset_ns if record.u_ns else 0
    return record._replace(t_ns=record.t_ns + offset_ns, u_ns=end, value=record.value + max(0, -offset_ns))


class DueQueue:
    """Unsent notes, ends of sounding notes and other messages, by time. Not thread-safe: the main thread's."""

    __slots__ = ("_count", "_ends", "_heap", "_messages", "_unsent")

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._count = 0
        self._unsent: dict[int, Record] = {}
        self._ends: dict[int, int] = {}  # id -> when; only the newest end of an id counts
        self._messages = 0

    @property
    def unsent(self) -> int:
        """Notes that wait for their time."""
        return len(self._unsent)

    def add_note(self, note: Record) -> bool:
        """Take a NOTE. False: refused, because its id waits already or the queue is full."""
        if note.id in self._unsent or len(self._unsent) >= MAX_UNSENT:
            return False
        self._unsent[note.id] = note
        self._push(note.t_ns, Kind.NOTE, note)
        return True

    def add_message(self, message: Record) -> bool:
        """Take a SEND. False: refused, the queue is full."""
        if self._messages >= MAX_UNSENT:
            return False
        self._messages += 1
        self._push(message.t_ns, Kind.SEND, message)
        return True

    def sounds(self, note: Record, now_ns: int) -> None:
        """Enter the end of a note that has just been sent (none yet if it sounds until END)."""
        if note.u_ns:
            self.end_at(note.id, max(note.u_ns, now_ns + min(note.u_ns - note.t_ns, SHORTEST_NS)))

    def end_at(self, note_id: int, t_ns: int) -> None:
        """Enter or move the end of a sounding note."""
        self._ends[note_id] = t_ns
        self._push(t_ns, Kind.END, Record(Kind.END, id=note_id, t_ns=t_ns))

    def end_unsent(self, note_id: int, t_ns: int) -> Record | None:
        """Apply an END to a note that waits: its new end, or, before its onset, its cancellation.

        Returns:
            The note, when it was cancelled.
        """
        note = self._unsent.get(note_id)
        if note is None:
            return None
        if t_ns <= note.t_ns:
            return self.cancel(note_id)
        shorter = note._replace(u_ns=t_ns)
        self._unsent[note_id] = shorter
        self._push(shorter.t_ns, Kind.NOTE, shorter)
        return None

    def waits(self, note_id: int) -> bool:
        """Whether the note is here and unsent."""
        return note_id in self._unsent

    def channel_of(self, note_id: int) -> int | None:
        """Give the channel (0-15) of a note that is here and unsent."""
        note = self._unsent.get(note_id)
        return None if note is None else note.a

    def cancel(self, note_id: int) -> Record | None:
        """Forget one unsent note, and give it."""
        return self._unsent.pop(note_id, None)

    def cancel_all(self) -> list[Record]:
        """Forget every unsent note, and give them in the order of their time. Messages stay."""
        notes = sorted(self._unsent.values(), key=lambda note: note.t_ns)
        self._unsent.clear()
        return notes

    def clear(self) -> list[Record]:
        """Forget everything but the ends of sounding notes, and give the unsent notes."""
        notes = self.cancel_all()
        self._heap = [entry for entry in self._heap if entry.record.kind == Kind.END]
        heapq.heapify(self._heap)
        self._messages = 0
        return notes

    def end_of(self, note_id: int) -> int:
        """Forget the end of a sounding note, and give its time (0: not known)."""
        return self._ends.pop(note_id, 0)

    def next_ns(self) -> int | None:
        """When the next entry is due."""
        heap = self._heap
        while heap and self._stale(heap[0].record):
            heapq.heappop(heap)
        return heap[0].t_ns if heap else None

    def pop(self, now_ns: int) -> Record | None:
        """Give the next entry that is due at ``now_ns``, as NOTE, END or SEND."""
        due = self.next_ns()
        if due is None or due > now_ns:
            return None
        record = heapq.heappop(self._heap).record
        if record.kind == Kind.NOTE:
            del self._unsent[record.id]
        elif record.kind == Kind.SEND:
            self._messages -= 1
        return record

    def _push(self, t_ns: int, kind: Kind, record: Record) -> None:
        self._count += 1
        heapq.heappush(self._heap, _Entry(t_ns, _RANK[kind], self._count, record))

    def _stale(self, record: Record) -> bool:
        """Whether an entry was cancelled or replaced after it was pushed."""
        if record.kind == Kind.NOTE:
            return self._unsent.get(record.id) is not record
        return record.kind == Kind.END and self._ends.get(record.id) != record.t_ns
