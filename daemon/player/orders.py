"""What the brain may order, and how each order is obeyed.

Belongs to the main thread. An order that makes no sense is counted and passed over: whatever the brain does,
the player plays on. Every NOTE is answered exactly once by SENT, DROPPED or CANCELLED, and a SENT one later
by ENDED or CUT.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from antiphon.daemon.journal import SegmentWriter
from antiphon.daemon.messages import ALL_NOTES, Kind, Record
from antiphon.daemon.part_offsets import NO_OFFSETS, ChannelOffsets, of_status
from antiphon.daemon.player.due import DueQueue, moved, too_late
from antiphon.daemon.player.ledger import CHANNELS
from antiphon.daemon.player.midi_bytes import MidiInput
from antiphon.daemon.player.wire import Wire

_clock = time.perf_counter_ns

#: A century and a half after the machine started: a record holds twice that.
_LATEST_NS = 1 << 62


class Orders:
    """Applies the brain's records to due queue and wire.

    Attributes:
        malformed: orders that made no sense.
        stopping: no note is taken any more; it is answered with CANCELLED.
        offset_ns: added to the time of every note, with its channel's own offset.
    """

    def __init__(
        self, due: DueQueue, wire: Wire, journal: SegmentWriter, offset_ns: int = 0,
        channels_ns: ChannelOffsets = NO_OFFSETS,
    ) -> None:  # fmt: skip
        self.malformed = 0
        self.stopping = False
        self.offset_ns = offset_ns
        self._channels_ns = channels_ns
        self._due = due
        self._wire = wire
        self._journal = journal
        self._obey: dict[int, Callable[[Record], bool]] = {
            Kind.NOTE: self._note,
            Kind.END: self._end,
            Kind.CANCEL: self._cancel,
            Kind.PANIC: self._panic,
            Kind.SEND: self._send,
            Kind.THRU: self._thru,
            Kind.OFFSET: self._offset,
            Kind.SEGMENT: self._segment,
            Kind.BEAT: self._nothing,
        }

    def take(self, record: Record) -> None:
        """Obey one order."""
        obey = self._obey.get(record.kind)
        if obey is None or not obey(record):
            self.malformed += 1

    def send_due(self, now_ns: int) -> None:
        """Send everything whose time has come."""
        while (record := self._due.pop(now_ns)) is not None:
            if record.kind == Kind.NOTE:
                self._play(record)
            elif record.kind == Kind.END:
                self._wire.end(record.id)
            else:
                self._wire.send(bytes((record.a, record.b, record.c)[: record.id]))

    def cancel_all(self) -> None:
        """Forget everything that is unsent, and report the notes of it."""
        for note in self._due.clear():
            self._wire.never(Kind.CANCELLED, note)

    def _play(self, note: Record) -> None:
        if too_late(note, _clock()):
            self._wire.never(Kind.DROPPED, note)
            return
        self._due.sounds(note, self._wire.start(note))

    def _note(self, record: Record) -> bool:
        right = record.a < CHANNELS and record.b < 128 and 0 < record.c < 128 and record.id > 0
        right = right and _in_time(record) and math.isfinite(record.value)
        if not right or record.id in self._wire.sounding or self._due.waits(record.id):
            return False
        note = moved(record, self.offset_ns + self._channels_ns[record.a])
        now = _clock()
        if self.stopping:
            self._wire.never(Kind.CANCELLED, note)
        elif note.t_ns <= now:
            self.send_due(now)  # what was meant to happen before it
            self._play(note)
        elif not self._due.add_note(note):
            self._wire.never(Kind.DROPPED, note)
            return False
        return True

    def _end(self, record: Record) -> bool:
        channel = self._due.channel_of(record.id)
        if channel is None:
            channel = self._wire.channel_of(record.id)
        if not _in_time(record):
            return False
        if channel is None:
            return True  # one that has ended already crossed its END on the way
        end = moved(record, self.offset_ns + self._channels_ns[channel])
        if self._due.waits(record.id):
            cancelled = self._due.end_unsent(record.id, end.t_ns)
            if cancelled is not None:
                self._wire.never(Kind.CANCELLED, cancelled)
        else:
            self._due.end_at(record.id, end.t_ns)
            self.send_due(_clock())
        return True

    def _cancel(self, record: Record) -> bool:
        if record.id == ALL_NOTES:
            unsent = self._due.cancel_all()
        else:
            note = self._due.cancel(record.id)
            unsent = [] if note is None else [note]
        for note in unsent:
            self._wire.never(Kind.CANCELLED, note)
        if record.a:
            for note_id in self._wire.sounding:
                if record.id in (ALL_NOTES, note_id):
                    self._wire.end(note_id, cut=True)
        return True

    def _panic(self, _record: Record) -> bool:
        self.cancel_all()
        self._wire.silence(panic=True)
        return True

    def _send(self, record: Record) -> bool:
        message = MidiInput().take(bytes((record.a, record.b, record.c)[: record.id]))
        if message is None or len(message) != record.id or message[0] >> 4 in (0x8, 0x9) or not _in_time(record):
            return False  # notes go by NOTE, else the ledger would lose count
        send = moved(record, self.offset_ns + of_status(self._channels_ns, record.a))
        now = _clock()
        if send.t_ns > now:
            return self._due.add_message(send)
        self.send_due(now)
        self._wire.send(message)
        return True

    def _thru(self, record: Record) -> bool:
        if record.b >= CHANNELS:
            return False
        self._wire.set_thru(record.b if record.a else None)
        return True

    def _offset(self, record: Record) -> bool:
        self.offset_ns = record.t_ns
        return True

    def _segment(self, record: Record) -> bool:
        self._journal.ready(record.id)
        return True

    def _nothing(self, _record: Record) -> bool:
        return True


def _in_time(record: Record) -> bool:
    """Whether an order's times are times: an offset on top of them has to fit into a record, too."""
    return 0 <= record.t_ns < _LATEST_NS and 0 <= record.u_ns < _LATEST_NS
