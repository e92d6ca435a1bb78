"""Everything that happens at the ports, kept together: what goes out, what sounds, what is told of it.

Threading model: `on_message` runs in the driver's thread, everything else in the main thread. One lock guards
the ledger and the outputs, so that messages leave in the order that the ledger has them; it is held for a
few messages at most. The journal and the link to the brain have locks of their own. Nothing here blocks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from antiphon.daemon.journal import SegmentWriter
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.player.ledger import Ledger
from antiphon.daemon.player.link import BrainLink
from antiphon.daemon.player.ports import Ports
from antiphon.daemon.player.sounding_table import SoundingTable

_clock = time.perf_counter_ns


@dataclass(frozen=True, slots=True)
class WireCounts:
    """How much happened at the ports."""

    received: int
    sent: int
    ended: int
    cut: int
    dropped: int
    cancelled: int
    others: int  # messages out that are no start or end of a note of Antiphon's: thru, controllers, ends at once
    latest_ns: int  # of all notes sent, how late the latest was


class Wire:
    """The ports with their ledger, reporting to the journal and the brain.

    Thread-safe: `on_message`. Realtime-safe: `on_message`, `start`, `end`, `send`.
    """

    def __init__(
        self, ports: Ports, journal: SegmentWriter, end_of: Callable[[int], int], table: SoundingTable | None = None
    ) -> None:
        """Start with nothing sounding.

        Args:
            ports: open, or about to be.
            journal: where everything is written.
            end_of: asked once for each note that ends, when that was meant to be (0: not known).
            table: where every message is marked, for the guard.
        """
        self._ports = ports
        self._table = table
        self._journal = journal
        self._end_of = end_of
        self._link: BrainLink | None = None
        self._ledger = Ledger()
        self._lock = threading.Lock()
        self._thru: int | None = None  # the channel, 0-15
        self._received: dict[int, int] = {}  # by port: each has a thread of its own
        self._counts = dict.fromkeys((Kind.SENT, Kind.ENDED, Kind.CUT, Kind.DROPPED, Kind.CANCELLED), 0)
        self._others = 0
        self._latest_ns = 0

    @property
    def counts(self) -> WireCounts:
        """What has happened so far."""
        counts = self._counts
        return WireCounts(
            sum(self._received.values()), counts[Kind.SENT], counts[Kind.ENDED], counts[Kind.CUT], counts[Kind.DROPPED],
            counts[Kind.CANCELLED], self._others, self._latest_ns,
        )  # fmt: skip

    @property
    def sounding(self) -> tuple[int, ...]:
        """The ids of Antiphon's sounding notes."""
        return self._ledger.sounding

    def channel_of(self, note_id: int) -> int | None:
        """Give the channel (0-15) of a sounding note of Antiphon's."""
        key = self._ledger.key_of(note_id)
        return None if key is None else key[0]

    def attach(self, link: BrainLink | None) -> None:
        """Report to this brain from now on."""
        self._link = link

    def report(self, record: Record) -> None:
        """Tell the journal and the brain."""
        packed = record.pack()
        self._journal.append_packed(packed)
        if (link := self._link) is not None:
            link.send(packed)

    def note(self, record: Record) -> None:
        """Tell the journal only."""
        self._journal.append(record)

    # ---- in the driver's thread ------------------------------------------------------------------------

    def on_message(self, t_ns: int, port: int, message: bytes) -> None:
        """Take a message from an input: journal, thru, brain. Runs in the driver's thread."""
        self._received[port] = self._received.get(port, 0) + 1
        size = len(message)
        status = message[0]
        b = message[1] if size > 1 else 0
        c = message[2] if size > 2 else 0
        self.report(Record(Kind.MIDI_IN, status, b, c, port << 8 | size, t_ns))
        if self._thru is not None and status < 0xF0:
            self._pass_on(port, status, b, c, size)

    def _pass_on(self, port: int, status: int, b: int, c: int, size: int) -> None:
        kind, channel = status & 0xF0, status & 0x0F
        with self._lock:
            out = self._thru
            if out is None:
                return
            if kind == 0x90 and c:
                messages = self._ledger.start_thru((port, channel, b), out, c)
            elif kind in (0x80, 0x90):
                messages = self._ledger.end_thru((port, channel, b))
            else:
                messages = [bytes((kind | out, b, c)[:size])]
                if kind == 0xB0:
                    self._ledger.control(out, b, c)
            self._emit(messages, thru=True)

    # ---- in the main thread ----------------------------------------------------------------------------

    def start(self, note: Record) -> int:
        """Send a NOTE, ending first what sounds on its pitch, and report both. Gives the time it went."""
        channel, pitch, velocity = note.a, note.b, note.c
        with self._lock:
            messages, cut = self._ledger.start(note.id, channel, pitch, velocity)
            for message in messages[:-1]:
                self._put(message)
            now = _clock()
            self._put(messages[-1])
        self._latest_ns = max(self._latest_ns, now - note.t_ns)
        if cut is not None:
            self._tell(Kind.CUT, 0x80 | channel, pitch, cut, self._end_of(cut) or now, now)
        self._tell(Kind.SENT, 0x90 | channel, pitch, note.id, note.t_ns, now, velocity)
        return now

    def end(self, note_id: int, *, cut: bool = False) -> None:
        """End a note, if it sounds, and report it as ENDED, or as CUT before its time."""
        with self._lock:
            key = self._ledger.key_of(note_id)
            if key is None:
                return
            now = _clock()
            for message in self._ledger.end(note_id):
                self._put(message)
        meant = self._end_of(note_id) or now
        self._tell(Kind.CUT if cut else Kind.ENDED, 0x80 | key[0], key[1], note_id, meant, now)

    def never(self, kind: Kind, note: Record) -> None:
        """Report a note as DROPPED or CANCELLED."""
        self._tell(kind, 0x90 | note.a, note.b, note.id, note.t_ns, _clock(), note.c)

    def send(self, message: bytes) -> None:
        """Send another message of the brain's: controller, program, bend."""
        with self._lock:
            if message[0] & 0xF0 == 0xB0:
                self._ledger.control(message[0] & 0x0F, message[1], message[2])
            self._emit([message], thru=False)

    def send_kept(self) -> None:
        """Send what found no room at once."""
        with self._lock:
            self._ports.send_kept()

    def set_thru(self, channel: int | None) -> None:
        """Pass what is played on, out on ``channel``; None: no more. What sounds of it ends."""
        with self._lock:
            if channel != self._thru:
                self._emit(self._ledger.release_thru() + self._ledger.release_pedals(self._thru), thru=True)
                self._thru = channel

    def input_lost(self, port: int) -> None:
        """End what is passed on from an input whose cable is gone."""
        with self._lock:
            self._emit(self._ledger.release_thru(port), thru=True)

    def end_own(self) -> None:
        """End Antiphon's own notes and pedals at once; what is passed on from the performer stays."""
        for note_id in self._ledger.sounding:
            self.end(note_id, cut=True)
        with self._lock:
            self._emit(self._ledger.release_pedals(keep=self._thru), thru=False)

    def silence(self, *, panic: bool, missed: bool = False) -> None:
        """End everything at once, of both parties.

        Args:
            panic: also what a receiver may have kept, by the messages that silence a channel.
            missed: a receiver missed the ends of what has sounded: they are sent again.
        """
        with self._lock:
            now = _clock()
            cut = [(note_id, self._ledger.key_of(note_id)) for note_id in self._ledger.sounding]
            messages = self._ledger.panic() if panic else self._ledger.release()
            if missed and self._table is not None:
                messages = self._table.ends() + messages
            self._emit(messages, thru=False)
        for note_id, key in cut:
            if key is not None:
                self._tell(Kind.CUT, 0x80 | key[0], key[1], note_id, self._end_of(note_id) or now, now)

    def _emit(self, messages: list[bytes], *, thru: bool) -> None:
        """Send and journal as OUT. Called with the lock held."""
        for message in messages:
            now = _clock()
            self._put(message)
            b = message[1] if len(message) > 1 else 0
            c = message[2] if len(message) > 2 else 0
            self._others += 1
            self._journal.append(Record(Kind.OUT, message[0], b, c, int(thru), now, now))

    def _put(self, message: bytes) -> None:
        """Send one message, marked before: whatever happens in between, it is ended. Called with the lock held."""
        if self._table is not None:
            self._table.mark(message)
        self._ports.send(message)

    def _tell(self, kind: Kind, status: int, pitch: int, note_id: int, meant: int, now: int, c: int = 0) -> None:
        self._counts[kind] += 1
        self.report(Record(kind, status, pitch, c, note_id, meant, now))
