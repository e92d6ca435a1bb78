"""The engine without real time: a performance in, the whole log out, as fast as the generator is.

A simulated player stands in for the real one: it sends every note exactly at its time. The same engine, inputs
and seed give the same records.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mido
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.messages import ALL_NOTES, Kind, Record
from antiphon.daemon.part_offsets import NO_OFFSETS, ChannelOffsets, of_status
from antiphon.daemon.performance_file import open_performance
from antiphon.daemon.player.due import moved, too_late

#: What the player writes down of a session ("wire"), and what the brain does ("engine").
WIRE_KINDS = frozenset(
    (Kind.MIDI_IN, Kind.SENT, Kind.ENDED, Kind.CUT, Kind.DROPPED, Kind.CANCELLED, Kind.OUT, Kind.STOP)
)
ORDER_KINDS = frozenset((Kind.NOTE, Kind.END, Kind.CANCEL, Kind.PANIC, Kind.SEND, Kind.THRU, Kind.OFFSET))
_FED_BACK = frozenset((Kind.SENT, Kind.ENDED, Kind.CUT, Kind.DROPPED, Kind.CANCELLED))
_RELEASE_VELOCITY = 64
#: An engine that asks to be woken this often at one moment is in a loop, and the run would never end.
_MOST_WAKES = 5_000


@dataclass(slots=True)
class _Note:
    order: Record  # moved by the output offset
    end_ns: int  # 0: not known
    sounding: bool = False


class SimulatedPlayer:
    """Carries out orders at exactly their time, and reports as the real player does.

    Args:
        channels_ns: what each channel's notes are moved by, beside the output offset.
    """

    def __init__(self, channels_ns: ChannelOffsets = NO_OFFSETS) -> None:
        self._channels_ns = channels_ns
        self._notes: dict[int, _Note] = {}
        self._offset_ns = 0
        self._due: list[tuple[int, int, int, Record]] = []  # (when, order of the asking, what, record)
        self._asked = 0

    @property
    def next_ns(self) -> int | None:
        """When something is due."""
        return self._due[0][0] if self._due else None

    def order(self, record: Record, now_ns: int) -> list[Record]:
        """Take an order. Gives the reports that it leads to at once."""
        kind = record.kind
        if kind == Kind.NOTE:
            note = moved(record, self._offset_ns + self._channels_ns[record.a])
            self._notes[note.id] = _Note(note, note.u_ns)
            self._later(max(now_ns, note.t_ns), note)
        elif kind == Kind.END:
            if (known := self._notes.get(record.id)) is not None:
                end = moved(record, self._offset_ns + self._channels_ns[known.order.a])
                if not known.sounding and end.t_ns <= known.order.t_ns:
                    return self._take_back(record.id, False, now_ns)
                known.end_ns = end.t_ns
                self._later(max(now_ns, end.t_ns), end)
        elif kind in (Kind.CANCEL, Kind.PANIC):
            everything = kind == Kind.PANIC or record.id == ALL_NOTES
            cut = kind == Kind.PANIC or record.a == 1
            ids = list(self._notes) if everything else [record.id]
            return [report for id_ in ids for report in self._take_back(id_, cut, now_ns)]
        elif kind == Kind.SEND:
            offset_ns = self._offset_ns + of_status(self._channels_ns, record.a)
            self._later(max(now_ns, record.t_ns + offset_ns), record)
        elif kind == Kind.OFFSET:
            self._offset_ns = record.t_ns
        return []

    def advance(self, now_ns: int) -> list[Record]:
        """Do what is due; gives the reports."""
        reports: list[Record] = []
        while self._due and self._due[0][0] <= now_ns:
            when_ns, _, _, record = heapq.heappop(self._due)
            if record.kind == Kind.SEND:
                reports.append(Record(Kind.OUT, record.a, record.b, record.c, 0, record.t_ns, when_ns))
                continue
            note = self._notes.get(record.id)
            if note is None or (record.kind == Kind.NOTE and note.sounding):
                continue
            if record.kind == Kind.NOTE:
                reports += self._start(note, when_ns)
            elif note.sounding and 0 < note.end_ns <= when_ns:
                reports.append(self._finish(Kind.ENDED, note, when_ns))
        return reports

    def close(self, now_ns: int) -> list[Record]:
        """End of the session: nothing sounds on."""
        return [report for id_ in list(self._notes) for report in self._take_back(id_, True, now_ns)]

    def _start(self, note: _Note, now_ns: int) -> list[Record]:
        order = note.order
        if too_late(order, now_ns):
            del self._notes[order.id]
            return [Record(Kind.DROPPED, id=order.id, t_ns=order.t_ns, u_ns=now_ns)]
        reports = [
            self._finish(Kind.CUT, other, now_ns)
            for other in list(self._notes.values())
            if other.sounding and (other.order.a, other.order.b) == (order.a, order.b)
        ]
        note.sounding = True
        status = 0x90 | order.a
        reports.append(Record(Kind.SENT, status, order.b, order.c, order.id, order.t_ns, now_ns))
        if note.end_ns:
            self._later(max(now_ns, note.end_ns), Record(Kind.END, id=order.id, t_ns=note.end_ns))
        return reports

    def _finish(self, kind: Kind, note: _Note, now_ns: int) -> Record:
        order = note.order
        del self._notes[order.id]
        intended_ns = note.end_ns or now_ns
        return Record(kind, 0x80 | order.a, order.b, _RELEASE_VELOCITY, order.id, intended_ns, now_ns)

    def _take_back(self, id_: int, cut: bool, now_ns: int) -> list[Record]:
        note = self._notes.get(id_)
        if note is None:
            return []
        if not note.sounding:
            del self._notes[id_]
            return [Record(Kind.CANCELLED, id=id_, t_ns=note.order.t_ns, u_ns=now_ns)]
        return [self._finish(Kind.CUT, note, now_ns)] if cut else []

    def _later(self, when_ns: int, record: Record) -> None:
        self._asked += 1
        # what ends goes before what begins at the same moment
        heapq.heappush(self._due, (when_ns, int(record.kind == Kind.NOTE), self._asked, record))


def run_offline(
    engine: Engine, inputs: Iterable[Record], end_ns: int, on_record: Callable[[Record], None] | None = None
) -> list[Record]:
    """Run a session faster than real time.

    Args:
        engine: a fresh one.
        inputs: `Kind.MIDI_IN`, `Kind.SET`, `Kind.TRIGGER` ... in order of time; `Kind.START` is put before them
            where they do not begin with one.
        end_ns: when the session ends; everything of Antiphon's is ended then.
        on_record: is told each record as it comes.

    Returns:
        Every record in the order taken: each input (the simulated player's reports and `Kind.OUT` among them),
        followed by the orders and log records that it led to. `wire_log` and `engine_log` pick what the two
        journals hold.
    """
    session = _Session(engine, on_record)
    for record in _started(inputs, engine.seed):
        if record.t_ns > end_ns:
            break
        session.go_on(record.t_ns)
        session.take(record)
    session.go_on(end_ns)
    session.take(Record(Kind.STOP, t_ns=end_ns))
    for report in session.player.close(end_ns):
        session.take(report)
    return session.log


def wire_log(log: Iterable[Record]) -> list[Record]:
    """What a player would have written down."""
    return [record for record in log if record.kind in WIRE_KINDS]


def engine_log(log: Iterable[Record]) -> list[Record]:
    """What a brain would have written down: its inputs, SAMPLED and MARK."""
    return [record for record in log if not is_order(record) and record.kind != Kind.OUT]


def is_order(record: Record) -> bool:
    """Whether a record of a log is what the engine ordered; a panic may be asked of it too."""
    return record.kind in ORDER_KINDS and (record.kind != Kind.PANIC or record.a == 1)


class _Session:
    def __init__(self, engine: Engine, on_record: Callable[[Record], None] | None) -> None:
        self.player = SimulatedPlayer(engine.part_offsets_ns)
        self.log: list[Record] = []
        self._engine, self._on_record = engine, on_record
        self._now_ns = 0

    def take(self, record: Record) -> None:
        """Give the engine one input, and its orders to the player."""
        self._now_ns = max(self._now_ns, record.t_ns if record.kind not in _FED_BACK else record.u_ns)
        pending = [record]
        while pending:
            following = pending.pop(0)
            self._write(following)
            if following.kind == Kind.OUT:
                continue
            for result in self._engine.handle(following):
                self._write(result)
                if is_order(result):
                    pending += self.player.order(result, self._now_ns)

    def go_on(self, until_ns: int) -> None:
        """Let time pass up to ``until_ns``: what is due before or then happens."""
        wakes, moment_ns = 0, -1
        while True:
            due_ns, wake_ns = self.player.next_ns, self._engine.next_wake_ns
            wishes = [at_ns for at_ns in (due_ns, wake_ns) if at_ns is not None]
            if not wishes or min(wishes) > until_ns:
                return
            now_ns = max(self._now_ns, min(wishes))
            if due_ns is not None and due_ns <= now_ns:
                for report in self.player.advance(now_ns):
                    self.take(report)
                self._now_ns = now_ns
                continue
            wakes, moment_ns = (wakes + 1, moment_ns) if now_ns == moment_ns else (0, now_ns)
            if wakes > _MOST_WAKES:
                raise RuntimeError(f"the engine wants to be woken at {now_ns} ns for ever")
            self.take(Record(Kind.WAKE, t_ns=now_ns))

    def _write(self, record: Record) -> None:
        self.log.append(record)
        if self._on_record is not None:
            self._on_record(record)


def _started(inputs: Iterable[Record], seed: int) -> Iterator[Record]:
    first = True
    for record in inputs:
        if first and record.kind not in (Kind.START, Kind.RESTART):
            yield Record(Kind.START, t_ns=min(0, record.t_ns), id=seed)
        first = False
        yield record
    if first:
        yield Record(Kind.START, id=seed)


def performance_records(path: Path, *, clock: bool = False) -> list[Record]:
    """Read a MIDI file as a performance at the input port, from time 0.

    Args:
        path: the file; all its tracks and channels play into one port.
        clock: also give the MIDI clock that a DAW playing the file would send: start, 24 ticks a beat, stop.

    Raises:
        MidiFileError: see `open_performance`.
    """
    file = open_performance(path)
    return _records(list(_absolute(file)), file.ticks_per_beat, clock)


def _absolute(file: mido.MidiFile) -> Iterator[tuple[int, mido.Message]]:
    tick = 0
    for message in mido.merge_tracks(file.tracks):
        tick += message.time
        yield tick, message


def _records(messages: list[tuple[int, mido.Message]], ticks_per_beat: int, clock: bool) -> list[Record]:
    end_tick = max(tick for tick, message in messages if not message.is_meta)
    events: list[tuple[float, int, mido.Message | int]] = [(tick, 1, message) for tick, message in messages]
    if clock:
        events.append((0, -1, 0xFA))
        pulses = round(end_tick / ticks_per_beat * 24) + 1
        events += [(pulse * ticks_per_beat / 24, 0, 0xF8) for pulse in range(pulses)]
        events.append((end_tick + 1, 2, 0xFC))
    events.sort(key=lambda event: event[:2])
    records: list[Record] = []
    now_ns, last_tick, ns_per_tick = 0.0, 0.0, 500_000_000 / ticks_per_beat
    for tick, _, event in events:
        now_ns += (tick - last_tick) * ns_per_tick
        last_tick = tick
        if isinstance(event, int):
            records.append(Record(Kind.MIDI_IN, event, id=1, t_ns=round(now_ns)))
        elif event.type == "set_tempo":
            ns_per_tick = event.tempo * 1000 / ticks_per_beat
        elif not event.is_meta and event.type != "sysex":
            data = [*event.bytes(), 0, 0]
            records.append(Record(Kind.MIDI_IN, data[0], data[1], data[2], len(event.bytes()), round(now_ns)))
    return records
