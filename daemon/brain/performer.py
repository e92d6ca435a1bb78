"""What the performer does, from raw MIDI: notes struck, notes ended, controllers, transport.

A note ends when its key is up *and* no pedal holds it. All channels and ports are one performer (so that MPE works
and one pedal serves every channel), unless a channel or a port is mapped to a part of its own; a port's part goes
before a channel's. The same key held on two ports is two notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from antiphon.daemon.messages import Record
from antiphon.models.generator import HeldNote

NOTE_OFF, NOTE_ON, POLY_PRESSURE, CONTROL = 0x80, 0x90, 0xA0, 0xB0
PROGRAM, PRESSURE, BEND, SYSTEM = 0xC0, 0xD0, 0xE0, 0xF0
SYSEX, SONG_POSITION, CLOCK, START, CONTINUE, TRANSPORT_STOP = 0xF0, 0xF2, 0xF8, 0xFA, 0xFB, 0xFC
SUSTAIN, SOSTENUTO = 64, 66
#: All sound off, reset all controllers, all notes off.
SILENCERS = frozenset((120, 121, 123))
PEDAL_DOWN = 64
#: Key of a note that was held when a lost brain came back: where it came in is not known any more.
_ADOPTED = -1
#: `PlayedNote.part` where neither port nor channel is mapped: whatever the performer's part is.
UNMAPPED = -1
#: Port, channel, pitch.
Key = tuple[int, int, int]
_TRANSPORT = frozenset((SONG_POSITION, CLOCK, START, CONTINUE, TRANSPORT_STOP))


@dataclass(slots=True, eq=False)
class PlayedNote:
    """A note of the performer's. ``held`` is its form in the window, set by who puts it there."""

    key: Key
    part: int
    velocity: int
    t_ns: int
    key_down: bool = True
    sostenuto: bool = False
    held: HeldNote | None = None

    @property
    def pitch(self) -> int:
        """MIDI pitch."""
        return self.key[2]


class Struck(NamedTuple):
    """A note began."""

    note: PlayedNote
    t_ns: int


class Released(NamedTuple):
    """A note ended. ``silenced``: by a stop, a reset or a lost port, which is no phrasing."""

    note: PlayedNote
    t_ns: int
    silenced: bool = False


class Controller(NamedTuple):
    """A controller moved (pedals too, after they did their work)."""

    number: int
    value: int
    t_ns: int


class Transport(NamedTuple):
    """Clock and transport: status byte and data bytes."""

    status: int
    data_1: int
    data_2: int
    port: int
    t_ns: int


class Malformed(NamedTuple):
    """Bytes that are no MIDI message."""

    t_ns: int


Event = Struck | Released | Controller | Transport | Malformed


@dataclass(slots=True)
class _Hands:
    """What one performer (all that is unmapped, or the channels and ports of one part) holds."""

    notes: dict[Key, PlayedNote] = field(default_factory=dict)
    sustain: set[tuple[int, int]] = field(default_factory=set)  # (port, channel) with the pedal down
    sostenuto: set[tuple[int, int]] = field(default_factory=set)

    def holds(self, note: PlayedNote) -> bool:
        return note.key_down or bool(self.sustain) or (note.sostenuto and bool(self.sostenuto))

    def let_go(self, t_ns: int) -> list[Event]:
        """End what nothing holds any more."""
        ended = [note for note in self.notes.values() if not self.holds(note)]
        for note in ended:
            del self.notes[note.key]
        return [Released(note, t_ns) for note in ended]


class Performer:
    """Turns `messages.Kind.MIDI_IN` records into events, in order.

    Args:
        channel_parts: channel (0-15) -> part, for channels with a part of their own.
        trigger_cc: this controller is a trigger and no pedal, whatever its number.
        port_parts: port -> part, for ports with a part of their own.
    """

    def __init__(
        self, channel_parts: Mapping[int, int] | None = None, trigger_cc: int = -1,
        port_parts: Mapping[int, int] | None = None,
    ) -> None:  # fmt: skip
        self.trigger_cc = trigger_cc
        self._parts = dict(channel_parts or {})
        self._port_parts = dict(port_parts or {})
        self._hands = {part: _Hands() for part in (UNMAPPED, *self._parts.values(), *self._port_parts.values())}
        self._running_status: dict[int, int] = {}

    @property
    def silent(self) -> bool:
        """Nothing held: no key, no note on a pedal, no sustain pedal."""
        return not any(hands.notes or hands.sustain for hands in self._hands.values())

    def held(self) -> Iterator[PlayedNote]:
        """Every note that has not ended."""
        for hands in self._hands.values():
            yield from hands.notes.values()

    def feed(self, record: Record) -> list[Event]:
        """Take one message in."""
        status, data_1, data_2 = record.a, record.b, record.c
        port, length = record.id >> 8, record.id & 0xFF
        if status >= SYSTEM:
            return self._system(record, port)
        if status < NOTE_OFF:  # running status, which some drivers leave in
            if port not in self._running_status:
                return [Malformed(record.t_ns)]
            data_1, data_2, length = status, data_1, length + 1
            status = self._running_status[port]
        else:
            self._running_status[port] = status
        command = status & 0xF0
        if length != (2 if command in (PROGRAM, PRESSURE) else 3) or data_1 > 127 or data_2 > 127:
            return [Malformed(record.t_ns)]
        channel = status & 0x0F
        if command == NOTE_ON and data_2:
            return self._strike((port, channel, data_1), data_2, record.t_ns)
        if command in (NOTE_ON, NOTE_OFF):
            return self._lift((port, channel, data_1), record.t_ns)
        if command == CONTROL:
            return self._control(port, channel, data_1, data_2, record.t_ns)
        return []

    def silence(self, t_ns: int, port: int | None = None) -> list[Event]:
        """End every held note (of one port), pedals up: a stop, or a lost port."""
        return [event for hands in self._hands.values() for event in _silence(hands, t_ns, port)]

    def adopt(self, held: HeldNote, t_ns: int, *, key_down: bool = True) -> None:
        """Take over a note that was held already, by its key or a pedal, from before this performer was known."""
        part = held.part if held.part in self._hands else UNMAPPED
        notes = self._hands[part].notes
        # two keyboards may hold one pitch
        key = next(key for nth in count() if (key := (_ADOPTED, nth, held.pitch)) not in notes)
        notes[key] = PlayedNote(key, held.part, held.velocity, t_ns, key_down, held=held)

    def _part(self, port: int, channel: int) -> int:
        return self._port_parts.get(port, self._parts.get(channel, UNMAPPED))

    def _strike(self, key: Key, velocity: int, t_ns: int) -> list[Event]:
        part = self._part(key[0], key[1])
        notes = self._hands[part].notes
        struck = PlayedNote(key, part, velocity, t_ns)
        before = notes.pop(key, None) or notes.pop(_adopted(notes, key[2]), None)
        notes[key] = struck
        return [Struck(struck, t_ns)] if before is None else [Released(before, t_ns), Struck(struck, t_ns)]

    def _lift(self, key: Key, t_ns: int) -> list[Event]:
        hands = self._hands[self._part(key[0], key[1])]
        note = hands.notes.get(key) or hands.notes.get(_adopted(hands.notes, key[2]))
        if note is None:
            return []
        note.key_down = False
        if hands.holds(note):
            return []
        del hands.notes[note.key]
        return [Released(note, t_ns)]

    def _control(self, port: int, channel: int, number: int, value: int, t_ns: int) -> list[Event]:
        hands = self._hands[self._part(port, channel)]
        events: list[Event] = []
        if number == self.trigger_cc:
            pass
        elif number in SILENCERS:
            events = _silence(hands, t_ns, port)  # whoever sends it speaks for what came over its own wire
        elif number in (SUSTAIN, SOSTENUTO):
            pedal = hands.sustain if number == SUSTAIN else hands.sostenuto
            if value >= PEDAL_DOWN:
                if number == SOSTENUTO and (port, channel) not in pedal:
                    for note in hands.notes.values():
                        note.sostenuto = True
                pedal.add((port, channel))
            else:
                pedal.discard((port, channel))
                if number == SOSTENUTO and not pedal:
                    for note in hands.notes.values():
                        note.sostenuto = False
                events = hands.let_go(t_ns)
        events.append(Controller(number, value, t_ns))
        return events

    def _system(self, record: Record, port: int) -> list[Event]:
        status, t_ns = record.a, record.t_ns
        if status < CLOCK:
            self._running_status.pop(port, None)  # system common messages end running status
        if status not in _TRANSPORT:
            return []  # sysex, active sensing, tune request: not for us
        if status == SONG_POSITION and (record.id & 0xFF != 3 or record.b > 127 or record.c > 127):
            return [Malformed(t_ns)]
        events: list[Event] = self.silence(t_ns) if status == TRANSPORT_STOP else []
        events.append(Transport(status, record.b, record.c, port, t_ns))
        return events


def _adopted(notes: Mapping[Key, PlayedNote], pitch: int) -> Key:
    """Give the key of an adopted note of a pitch, of one whose key is down before any other."""
    found = [note for key, note in notes.items() if key[0] == _ADOPTED and key[2] == pitch]
    return min(found, key=lambda note: not note.key_down).key if found else (_ADOPTED, 0, pitch)


def _silence(hands: _Hands, t_ns: int, port: int | None) -> list[Event]:
    """End what is held of a port, or of all, and what is held from before: nobody knows where that came in."""
    for pedal in (hands.sustain, hands.sostenuto):
        pedal.difference_update([where for where in pedal if port is None or where[0] == port])
    ended = [note for note in hands.notes.values() if port is None or note.key[0] in (port, _ADOPTED)]
    for note in ended:
        del hands.notes[note.key]
    silenced: list[Event] = [Released(note, t_ns, silenced=True) for note in ended]
    return silenced + hands.let_go(t_ns)
