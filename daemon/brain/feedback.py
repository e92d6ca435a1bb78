"""Feedback: what Antiphon plays comes back as what it hears, because its output is routed to its input. Pure.

A message that comes back is the very one that went out: pitch and velocity, within milliseconds, after a delay that is
the wire's and so the same each time, note for note. A performer who doubles Antiphon's notes hits neither every
velocity nor every delay. So it takes a few notes in a row, all of them back and all alike, to be sure, and as many in a
row that stay away to be sure of the end.

While it lasts, what comes back is not heard. What it was before it was found was heard as the performer's.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from antiphon.daemon.messages import Kind, Record

#: A note that is not back within this is not coming back: the slowest wires, through a DAW's buffers, take a tenth.
_WITHIN_NS = 120_000_000
#: Its stamp may be a little before the time at which the player had sent it.
_EARLY_NS = 2_000_000
#: So many notes in a row, all back after delays that differ by no more than this, are feedback: fewer where they come
#: on the channel that they went out on, which is seldom a keyboard's. So many that stay away are the end of it.
_SURE, _SURE_BY_CHANNEL, _ALIKE_NS = 5, 4, 8_000_000
#: Notes that may still come back, at most.
_WAITING = 256
_NOTE_OFF, _NOTE_ON = _NOTES = (0x80, 0x90)
_LET_GO = 64  # the velocity of a key let go that tells none


class _Sent(NamedTuple):
    t_ns: int
    channel: int
    pitch: int
    velocity: int
    unchanged: bool


class Feedback:
    """Fed with what was sent and with what came in, in the order in which they are told."""

    def __init__(self) -> None:
        #: Whether what is sent comes back.
        self.found = False
        self._waiting: deque[_Sent] = deque(maxlen=_WAITING)
        self._back: deque[tuple[int, bool]] = deque(maxlen=_SURE)  # the latest, which all came back: delay, by channel
        self._stayed_away = 0  # notes in a row
        self._ignored: set[tuple[int, int, int]] = set()  # port, channel, pitch of notes that are held and not heard
        self._doubtful: set[tuple[int, int, int]] = set()  # likewise, that came back and were heard as the performer's

    def sent(self, channel: int, pitch: int, velocity: int, t_ns: int, *, unchanged: bool = False) -> None:
        """A note went out.

        Args:
            channel: 0-15, as sent.
            pitch: likewise.
            velocity: likewise.
            t_ns: when.
            unchanged: it can only come back on that channel. A DAW may give it another.
        """
        self._pass(t_ns)
        self._waiting.append(_Sent(t_ns, channel, pitch, velocity, unchanged))

    def heard(self, record: Record) -> bool:
        """Take in a message that came in (`messages.Kind.MIDI_IN`). True: it is not to be heard.

        `found` may be another afterwards.
        """
        command = record.a & 0xF0
        if command not in _NOTES:
            return False
        if command == _NOTE_OFF or not record.c:
            if not self._ignored and not self._doubtful:
                return False
            key = (record.id >> 8, record.a & 0x0F, record.b)
            self._doubtful.discard(key)
            ignored = key in self._ignored
            self._ignored.discard(key)
            return ignored
        return bool(self._waiting) and self._came_back(record)

    def _came_back(self, record: Record) -> bool:
        t_ns, channel = record.t_ns, record.a & 0x0F
        self._pass(t_ns)
        for place, sent in enumerate(self._waiting):
            if (sent.pitch, sent.velocity) != (record.b, record.c) or t_ns < sent.t_ns - _EARLY_NS:
                continue
            if sent.unchanged and sent.channel != channel:
                continue
            del self._waiting[place]
            self._back.append((t_ns - sent.t_ns, sent.channel == channel))
            self._stayed_away = 0
            self.found = self.found or self._sure()
            (self._ignored if self.found else self._doubtful).add((record.id >> 8, channel, record.b))
            return self.found
        return False

    def take_back(self, t_ns: int) -> list[Record]:
        """Give the ends of what came back and was heard as the performer's, once it is found that it was none.

        Their own ends may never come: somebody pulls the cable.
        """
        if not self.found or not self._doubtful:
            return []
        taken = sorted(self._doubtful)
        self._doubtful.clear()
        return [
            Record(Kind.MIDI_IN, _NOTE_OFF | channel, pitch, _LET_GO, port << 8 | 3, t_ns)
            for port, channel, pitch in taken
        ]

    def _sure(self) -> bool:
        latest = list(self._back)[-_SURE_BY_CHANNEL:]
        if not all(by_channel for _, by_channel in latest):
            latest = list(self._back)
        least = _SURE_BY_CHANNEL if all(by_channel for _, by_channel in latest) else _SURE
        delays = [delay_ns for delay_ns, _ in latest]
        return len(delays) >= least and max(delays) - min(delays) <= _ALIKE_NS

    def _pass(self, now_ns: int) -> None:
        """Notes whose time is over did not come back."""
        while self._waiting and self._waiting[0].t_ns + _WITHIN_NS < now_ns:
            self._waiting.popleft()
            self._back.clear()
            self._stayed_away += 1
            if self._stayed_away >= _SURE:
                self.found = False
