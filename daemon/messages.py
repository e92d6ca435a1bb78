"""The one record that everything between the ports is made of.

Player and brain exchange it over a local socket, the journal stores it, and the engine takes it in and
gives it out. It has a fixed size (32 bytes), so that the journal can be read after any crash and a reader
of a byte stream never has to guess where the next record starts. This module imports nothing but the
standard library: the player uses it.

All times are nanoseconds of ``time.perf_counter_ns`` (offline: of a simulated clock that starts at 0).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

_LAYOUT = struct.Struct("<BBBBIqqd")
RECORD_BYTES = _LAYOUT.size

#: Note ids count from 1; 0 in `Kind.CANCEL` means every note.
ALL_NOTES = 0


class Kind(IntEnum):
    """What a record says. In brackets: the fields that carry something, beside ``kind`` and ``t_ns``."""

    EMPTY = 0  # an unwritten slot of a preallocated segment: a journal ends at the first one
    # ---- from the player: what happened at the ports --------------------------------------------------
    MIDI_IN = 1  # (a b c: the message's bytes; id: port << 8 | number of bytes) stamped on arrival
    SENT = 2  # note-on went out (a b c: bytes; id; t_ns intended; u_ns actual)
    ENDED = 3  # its note-off went out, at its time (same fields)
    CUT = 4  # its note-off went out before its time: cancelled, panic, stop (same fields)
    DROPPED = 5  # never sent: later than its tolerance (id; t_ns intended; u_ns when noticed)
    CANCELLED = 6  # never sent: cancelled in time (id; t_ns intended; u_ns when cancelled)
    OUT = 7  # another message went out: CC, program, thru (a b c: bytes; u_ns actual; id: 1 when thru)
    BRAIN_UP = 8  # a brain said READY (id: how many brains this player has had)
    BRAIN_LOST = 9  # (id: how many brains this player has had)
    PORT = 10  # (a: 0 lost, 1 back; b: 0 input, 1 output; c: 1 with the whole MIDI system, 2 likewise, or with the
    #            player, and told already; id: port)
    STOP = 11  # the performer ends the session: the brain finishes and leaves
    # ---- from the brain to the player ------------------------------------------------------------------
    READY = 20  # model loaded; send me what is played
    NOTE = 21  # play (a: channel 0-15, b: pitch, c: velocity, id, t_ns onset, u_ns end or 0 = until END,
    #            value: tolerance in ns, after which it is dropped)
    END = 22  # end note `id` at t_ns
    CANCEL = 23  # forget unsent note `id` (ALL_NOTES: every one); a=1: also cut what sounds of it
    PANIC = 24  # every note off, CC64 0, 120, 123, bend centre, on every channel (a: 1 as the engine's order, 0 as
    #             its input)
    SEND = 25  # another message at t_ns (a b c: bytes; id: number of bytes)
    THRU = 26  # (a: 0 off, 1 on; b: channel that what is played goes out on)
    OFFSET = 27  # (t_ns: added to the time of every note that follows; may be negative)
    SEGMENT = 28  # journal segment `id` is preallocated
    BEAT = 29  # heartbeat
    # ---- into the engine, beside MIDI_IN and the player's reports ---------------------------------------
    SET = 40  # a parameter (id: its index in Settings.fields; value)
    TRIGGER = 41  # the performer's trigger, from OSC or the terminal
    WAKE = 42  # time went on to t_ns: the engine asked for this
    SEED = 43  # a fresh random stream (id: seed)
    START = 44  # a session's first engine (id: seed)
    RESTART = 45  # a new engine after a lost brain (id: seed; u_ns: the next note's id; a: 1 where the internal clock
    #               ran, value: its beat at t_ns; b: 1 where the player was lost with it)
    CONTEXT = 46  # after RESTART, a performer's note that it starts from (a: part, b: pitch, c: velocity,
    #               t_ns onset, u_ns end or 0 = held, value: 1 where only a pedal holds it)
    OWN_CONTEXT = 47  # after RESTART, a note of Antiphon's own (id; t_ns onset sent, u_ns end or 0)
    MODEL = 48  # another model from here on (id: its number among the session's, see `session_models`)
    TOLD_BEAT = 49  # a clock outside said where it is (a: which, see `told_clock.Source`; b: 1 where it runs; c: beats
    #                 a bar, 0 unknown; value: the beat at t_ns; u_ns: length of a beat)
    NUDGE = 50  # the internal clock's beat is moved (value: by so many beats)
    TAPPED = 51  # the performer tapped the internal clock's beat (u_ns: a beat is then)
    # ---- written beside the engine's inputs, never read by it -------------------------------------------
    SAMPLED = 60  # a note as the model drew it (a: part, b: pitch, c: velocity, id, t_ns: tick,
    #               u_ns: duration in ticks, value: log-probability in nats)
    MARK = 61  # for the take's marker track (a: which, see `Mark`; value)
    TROUBLE = 62  # something went wrong, or right again (a: which, see `Trouble`; b: so many in a row; id: of the
    #               generator's calls that the input led to, the one that failed; value: when it is tried again, s)
    # ---- from the player, beside those above --------------------------------------------------------------
    SLEPT = 70  # the machine was suspended (u_ns: for so long); everything has been ended and cancelled
    PERIOD = 72  # inputs come at the start of cycles (u_ns: so long; 0: at any time); never written down
    PLAYER_BACK = 73  # (id: how many players there have been; t_ns: when the one before died; u_ns: when it began)
    # ---- into the engine, beside those above --------------------------------------------------------------
    LATE = 71  # what follows waited: it is t_ns already


class Mark(IntEnum):
    """Places worth a marker in a take."""

    PHRASE_END = 1
    ANSWER = 2
    YIELD = 3
    TAKE_OVER = 4
    PANIC = 5
    CLOCK_START = 6
    CLOCK_STOP = 7
    LOCATE = 8
    TEMPO = 9  # value: beats a minute from here on
    BRAIN_LOST = 10
    BRAIN_BACK = 11
    MODEL = 12  # value: number of the model that has taken over


class Trouble(IntEnum):
    """What went wrong while it played, and what came right."""

    GENERATOR = 1  # it raised, or drew what is no note: it rests, and is tried again
    COMING_MODEL = 2  # the model that was to take over failed: the one before plays on
    CRITIC = 3  # who ranks candidates failed: there is one candidate from here on
    GENERATOR_BACK = 4  # it works again
    MODEL_BACK = 5  # it failed too often: the model before plays on
    FEEDBACK = 6  # what Antiphon plays comes back as what it hears: that is not heard from here on
    FEEDBACK_OVER = 7


class Record(NamedTuple):
    """One record; which fields mean what is told at each `Kind`."""

    kind: int
    a: int = 0
    b: int = 0
    c: int = 0
    id: int = 0
    t_ns: int = 0
    u_ns: int = 0
    value: float = 0.0

    def pack(self) -> bytes:
        """Give the 32 bytes of this record."""
        return _LAYOUT.pack(*self)

    @classmethod
    def unpack(cls, data: bytes | memoryview, offset: int = 0) -> Record:
        """Read the record at ``offset``."""
        return cls._make(_LAYOUT.unpack_from(data, offset))


def pack_into(buffer: memoryview, offset: int, record: Record) -> None:
    """Write ``record`` into ``buffer`` without allocating. Realtime-safe: yes."""
    _LAYOUT.pack_into(buffer, offset, *record)


class RecordStream:
    """Cuts a byte stream into records, whatever pieces the socket hands over.

    >>> stream = RecordStream()
    >>> data = Record(Kind.WAKE, t_ns=5).pack()
    >>> list(stream.feed(data[:7]))
    []
    >>> [record.t_ns for record in stream.feed(data[7:] + data)]
    [5, 5]
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Record]:
        """Yield every record that ``data`` completes."""
        data = self._rest + data if self._rest else data
        whole = len(data) - len(data) % RECORD_BYTES
        self._rest = data[whole:]
        for offset in range(0, whole, RECORD_BYTES):
            yield Record.unpack(data, offset)
