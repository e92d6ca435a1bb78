"""A brain's beginning: a session's first, or one after a lost brain, which takes up what the journals tell.

The last beats of MIDI clock, or the internal clock's beat, put it where the lost one was in the song, the last notes
of both players become its window, and keys and pedals that are down stay down. What it starts from is written into
the log, so that `replay --regenerate` starts there too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.daemon.brain.clock_context import clock_context, internal_beat
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.brain.journal_scan import scan
from antiphon.daemon.brain.performer import (
    CONTROL,
    PEDAL_DOWN,
    SILENCERS,
    SOSTENUTO,
    SUSTAIN,
    SYSTEM,
    TRANSPORT_STOP,
    UNMAPPED,
    Performer,
    PlayedNote,
    Released,
    Struck,
)
from antiphon.daemon.brain.told_clock import told_context
from antiphon.daemon.errors import ConfigError
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.replay import channel_parts_of, engine_of, port_parts_of, seed_of, settings_of
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.settings import PARTS, Settings
from antiphon.models.generator import Generator


@dataclass(slots=True)
class _Past:
    """One note that was heard: the performer's, or (with an id) Antiphon's."""

    onset_ns: int
    part: int
    pitch: int
    velocity: int
    end_ns: int = 0
    id: int = 0
    key_up: bool = False  # only a pedal holds it

    def record(self) -> Record:
        kind = Kind.OWN_CONTEXT if self.id else Kind.CONTEXT
        key_up = float(self.key_up and not self.end_ns)
        return Record(kind, self.part, self.pitch, self.velocity, self.id, self.onset_ns, self.end_ns, key_up)


def last_model(folder: SessionFolder) -> int:
    """Give the number of the model that the session's engine was to play with last; 0 where it never changed."""
    return _last_model(scan(folder.path, "engine", (Kind.MODEL,)))


def _last_model(log: Iterable[Record]) -> int:
    return next((record.id for record in reversed(list(log)) if record.kind == Kind.MODEL), 0)


def resume_records(folder: SessionFolder, generator: Generator, model: int = 0) -> tuple[Engine, list[Record]]:
    """Give an engine for a session's folder, and the records that open its part of the log.

    Args:
        folder: the session's.
        generator: what it plays with.
        model: the generator's number; where the log's last is another, the log is told.

    Raises:
        TakeError: session.json is missing or broken.
        ConfigError: session.json holds what this version does not know.
    """
    session = folder.read_session()
    at_start = settings = settings_of(session)
    channel_parts, seed = channel_parts_of(session), seed_of(session)
    log = scan(folder.path, "engine", _OF_THE_LOG, first_clock_after=(Kind.START, Kind.RESTART))
    if not any(record.kind == Kind.START for record in log):
        return engine_of(session, generator, model=model), [Record(Kind.START, t_ns=time.perf_counter_ns(), id=seed)]
    refused: list[Record] = []
    for record in log:
        if record.kind == Kind.SET:
            try:
                settings = settings.with_encoded(record.id, record.value)
            except ConfigError:  # the lost brain counted it as malformed and went on
                refused.append(record)
    log = [record for record in log if record not in refused] if refused else log
    restarts = sum(record.kind == Kind.RESTART for record in log) + 1
    wire = scan(folder.path, "wire", _OF_THE_WIRE)
    next_id = 1 + max((r.id for r in (*log, *wire) if r.kind in _NAMES_A_NOTE), default=0)
    now_ns = time.perf_counter_ns()
    beat = internal_beat(log, at_start, now_ns)
    opening = [
        *([] if model == _last_model(log) else [Record(Kind.MODEL, id=model, t_ns=now_ns)]),
        Record(Kind.RESTART, int(beat is not None), int(_lost_its_player(wire)), id=(seed + restarts) % 2**32,
               t_ns=now_ns, u_ns=next_id, value=beat or 0.0),
        *clock_context(wire),
        *told_context(log),
        *context_records(wire, log, settings, channel_parts, port_parts_of(session)),
        *pedal_context(wire, settings.trigger_cc),
    ]  # fmt: skip
    return engine_of(session, generator, settings, model), opening


_OF_THE_LOG = (
    Kind.START, Kind.RESTART, Kind.SET, Kind.MODEL, Kind.SAMPLED, Kind.TOLD_BEAT, Kind.NUDGE, Kind.TAPPED,
)  # fmt: skip
_NAMES_A_NOTE = (Kind.SAMPLED, Kind.SENT, Kind.ENDED, Kind.CUT, Kind.DROPPED, Kind.CANCELLED)
_OF_THE_WIRE = (Kind.MIDI_IN, *_NAMES_A_NOTE[1:], Kind.PORT, Kind.BRAIN_UP, Kind.PLAYER_BACK)


def _lost_its_player(wire: Iterable[Record]) -> bool:
    """Whether the brain before went with its player."""
    last = (record.kind for record in reversed(list(wire)) if record.kind in (Kind.BRAIN_UP, Kind.PLAYER_BACK))
    return next(last, None) == Kind.PLAYER_BACK


def pedal_context(wire: Iterable[Record], trigger_cc: int = -1) -> list[Record]:
    """Give the pedals that are down as they were pressed; they belong after the context's notes."""
    down: dict[tuple[int, int, int], Record] = {}  # by port, channel, controller
    for record in wire:
        if _is_lost_input(record):
            down = {pedal: pressed for pedal, pressed in down.items() if pedal[0] != record.id}
        if record.kind != Kind.MIDI_IN:
            continue
        if record.a == TRANSPORT_STOP:
            down.clear()
        if not CONTROL <= record.a < CONTROL + 16 or record.b == trigger_cc:
            continue
        where = (record.id >> 8, record.a)
        if record.b in SILENCERS:  # of its own port
            down = {pedal: pressed for pedal, pressed in down.items() if pedal[0] != where[0]}
        elif record.b in (SUSTAIN, SOSTENUTO):
            down.pop((*where, record.b), None)
            if record.c >= PEDAL_DOWN:
                down[*where, record.b] = record
    return list(down.values())


def context_records(
    wire: Iterable[Record], log: Iterable[Record], settings: Settings,
    channel_parts: Mapping[int, int] | None = None, port_parts: Mapping[int, int] | None = None,
) -> list[Record]:  # fmt: skip
    """Give the notes that a new engine starts from, oldest first: as many as a window may hold.

    A note of the performer's that is still held has no end yet; the new engine hears it.
    """
    performer = Performer(channel_parts, settings.trigger_cc, port_parts)
    role = settings.performer
    own_part = PARTS.index(("lead" if settings.mode == "accompany" else "piano") if role == "auto" else role)
    parts = {record.id: record.a for record in log if record.kind == Kind.SAMPLED}
    heard: dict[PlayedNote, _Past] = {}
    own: dict[int, _Past] = {}
    past: list[_Past] = []
    for record in wire:
        if record.kind == Kind.MIDI_IN:
            if record.a >= SYSTEM and record.a != TRANSPORT_STOP:
                continue
            _hear(performer.feed(record), heard, past, own_part)
        elif _is_lost_input(record):
            _hear(performer.silence(record.t_ns, record.id), heard, past, own_part)
        elif record.kind == Kind.SENT and record.id in parts:
            note = _Past(record.u_ns, parts[record.id], record.b, record.c, id=record.id)
            own[record.id] = note
            past.append(note)
        elif record.kind in (Kind.ENDED, Kind.CUT) and record.id in own:
            own.pop(record.id).end_ns = record.u_ns
    for held, note in heard.items():
        note.key_up = not held.key_down
    past.sort(key=lambda note: note.onset_ns)
    return [note.record() for note in past[-(settings.window + settings.hop) :]]


def _is_lost_input(record: Record) -> bool:
    return record.kind == Kind.PORT and not record.a and not record.b


def _hear(events: Iterable[Any], heard: dict[PlayedNote, _Past], past: list[_Past], part: int) -> None:
    for event in events:
        if isinstance(event, Struck):
            note = event.note
            role = part if note.part == UNMAPPED else note.part
            heard[note] = _Past(event.t_ns, role, note.pitch, note.velocity)
            past.append(heard[note])
        elif isinstance(event, Released) and event.note in heard:
            heard.pop(event.note).end_ns = event.t_ns
