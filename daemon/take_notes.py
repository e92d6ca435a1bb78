"""Collects notes, events and counts from the wire's records, one after the other. Pure.

The performer's bytes are read with the same manners as live: velocity 0 is a note-off, a second note-on of a
sounding pitch ends the first, "all notes off" and "all sound off" end what is held.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.part_offsets import NO_OFFSETS, ChannelOffsets, of_status
from antiphon.models.parts import OUTPUT_CHANNEL, Part
from antiphon.models.take import Counters, TakeEvent, TakeNote

#: Controllers that end every held note of their channel; 121 resets controllers and ends nothing.
_NOTES_OFF = {120, 123, 124, 125, 126, 127}
_PART_OF_CHANNEL = {channel: part for part, channel in OUTPUT_CHANNEL.items()}


_COUNTED = (Kind.SENT, Kind.DROPPED, Kind.CANCELLED, Kind.CUT, Kind.BRAIN_LOST, Kind.PLAYER_BACK)


class NoteCollector:
    """Takes a session's records in and gives the notes they make.

    Args:
        t0_ns: the take's time 0.
        drawn: note id -> what the engine drew under it, as (pitch, part name); an id may have been used again
            by a brain that came back.
        offsets: what each channel's notes were moved by for the device behind its port; a take is without that.
    """

    def __init__(
        self, t0_ns: int, drawn: Mapping[int, Sequence[tuple[int, str]]], offsets: ChannelOffsets = NO_OFFSETS
    ) -> None:
        self.events: list[TakeEvent] = []
        self._t0_ns = t0_ns
        self._drawn = drawn
        self._offsets = offsets
        self._notes: list[TakeNote] = []
        self._channels: dict[tuple[int, int], int] = {}  # (port, channel) -> channel in the take
        self._held: dict[tuple[int, int, int], int] = {}  # (port, channel, pitch) -> place in _notes
        self._sounding: dict[int, int] = {}  # note id -> place in _notes
        self._lateness_ms: list[float] = []
        self._counts = dict.fromkeys(_COUNTED, 0)
        self._heard = 0
        self._unfinished = 0
        self._last_s = 0.0

    def seconds(self, t_ns: int) -> float:
        """Give a record's time in seconds of the take; nothing is before its start."""
        return max(0.0, (t_ns - self._t0_ns) / 1e9)

    def take_in(self, record: Record) -> None:
        """Take the wire's next record."""
        kind = record.kind
        if kind in self._counts:
            self._counts[Kind(kind)] += 1
        if kind == Kind.MIDI_IN:
            self._moved_on(record.t_ns)
            self._hear(record)
        elif kind == Kind.SENT:
            self._start(record)
        elif kind in (Kind.ENDED, Kind.CUT):
            self._end_own(record)
        elif kind == Kind.OUT:
            self._moved_on(record.u_ns)
            self._send(record)
        elif kind in (Kind.STOP, Kind.BRAIN_LOST, Kind.BRAIN_UP, Kind.PORT, Kind.PLAYER_BACK):
            t_s = self._moved_on(record.t_ns)
            if kind == Kind.PORT and not record.a and not record.b:  # nobody hears any more when its keys go up
                for key in [key for key in self._held if key[0] == record.id]:
                    self._release(key, t_s)

    def finish(self) -> list[TakeNote]:
        """End what still sounds with the last thing that happened, and give every note."""
        for held in [*self._held.values(), *self._sounding.values()]:
            self._end(held, self._last_s)
        self._unfinished += len(self._sounding)
        # panic sweeps every channel; what it said on those that never sounded is no part of the take
        used = {note.channel for note in self._notes if note.player == "antiphon"}
        self.events = [e for e in self.events if e.player == "performer" or e.channel in used]
        self._held.clear()
        self._sounding.clear()
        return self._notes

    def counters(self) -> Counters:
        """Give the counts; call after `finish`."""
        late = sorted(self._lateness_ms)
        return Counters(
            heard=self._heard,
            sent=self._counts[Kind.SENT],
            dropped=self._counts[Kind.DROPPED],
            cancelled=self._counts[Kind.CANCELLED],
            cut=self._counts[Kind.CUT],
            unfinished=self._unfinished,
            brain_restarts=self._counts[Kind.BRAIN_LOST],
            player_restarts=self._counts[Kind.PLAYER_BACK],
            lateness_p50_ms=_percentile(late, 0.5),
            lateness_p99_ms=_percentile(late, 0.99),
            lateness_max_ms=late[-1] if late else 0.0,
        )

    def _moved_on(self, t_ns: int) -> float:
        t_s = self.seconds(t_ns)
        self._last_s = max(self._last_s, t_s)
        return t_s

    # ---- the performer -----------------------------------------------------------------------------------
    def _hear(self, record: Record) -> None:
        t_s, port = self.seconds(record.t_ns), record.id >> 8
        kind, channel = record.a & 0xF0, record.a & 0x0F
        if kind == 0x90 and record.c > 0:
            self._release((port, channel, record.b), t_s)
            self._held[port, channel, record.b] = len(self._notes)
            self._notes.append(TakeNote(t_s, t_s, record.b, record.c, self._channel(port, channel)))
            self._heard += 1
        elif kind in (0x80, 0x90):
            self._release((port, channel, record.b), t_s)
        elif kind in (0xA0, 0xB0, 0xC0, 0xD0, 0xE0):
            size = 2 if kind in (0xC0, 0xD0) else 3
            status = kind | self._channel(port, channel)
            self.events.append(TakeEvent(t_s, bytes((status, record.b, record.c))[:size]))
            if kind == 0xB0 and record.b in _NOTES_OFF:
                for key in [key for key in self._held if key[:2] == (port, channel)]:
                    self._release(key, t_s)

    def _channel(self, port: int, channel: int) -> int:
        """Give the channel in the take: another where an earlier port has it, so that two keyboards stay apart."""
        if (port, channel) not in self._channels:
            used = set(self._channels.values())
            others = (at for at in range(15, -1, -1) if at not in used and at not in _PART_OF_CHANNEL)
            self._channels[port, channel] = next(others, channel) if channel in used else channel
        return self._channels[port, channel]

    def _release(self, key: tuple[int, int, int], t_s: float) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._end(held, t_s)

    # ---- Antiphon ----------------------------------------------------------------------------------------
    def _start(self, record: Record) -> None:
        t_s = self._moved_on((record.u_ns or record.t_ns) - of_status(self._offsets, record.a))
        self._lateness_ms.append(max(0.0, ((record.u_ns or record.t_ns) - record.t_ns) / 1e6))
        earlier = self._sounding.pop(record.id, None)
        if earlier is not None:  # an id used again by a brain that came back, its first note never ended
            self._end(earlier, t_s)
            self._unfinished += 1
        channel = record.a & 0x0F
        self._sounding[record.id] = len(self._notes)
        self._notes.append(
            TakeNote(t_s, t_s, record.b, max(1, record.c), channel, self._part(record), "antiphon", record.id)
        )

    def _part(self, record: Record) -> str:
        drawn = [part for pitch, part in self._drawn.get(record.id, ()) if pitch == record.b]
        return drawn[-1] if drawn else _PART_OF_CHANNEL.get(record.a & 0x0F, Part.PIANO).name.lower()

    def _end_own(self, record: Record) -> None:
        t_s = self._moved_on((record.u_ns or record.t_ns) - of_status(self._offsets, record.a))
        held = self._sounding.pop(record.id, None)
        if held is not None:
            self._end(held, t_s)

    def _send(self, record: Record) -> None:
        """Keep what else Antiphon sent; thru would double the performer, panic's sweep is no music."""
        kind = record.a & 0xF0
        if record.id == 1 or kind not in (0xA0, 0xB0, 0xC0, 0xD0, 0xE0):
            return
        if kind == 0xB0 and record.b >= 120:
            return
        size = 2 if kind in (0xC0, 0xD0) else 3
        data = bytes((record.a, record.b, record.c))[:size]
        self.events.append(TakeEvent(self.seconds(record.u_ns - of_status(self._offsets, record.a)), data, "antiphon"))

    def _end(self, index: int, t_s: float) -> None:
        note = self._notes[index]
        self._notes[index] = replace(note, end_s=max(note.onset_s, t_s))


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Give the smallest value that at least ``share`` of all are not above (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
