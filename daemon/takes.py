"""From a session's journal to its take. `take_from_records` is pure; `close_session` reads and writes files.

The wire's records say what really went through the ports; the engine's log adds which part a note of
Antiphon's belongs to, and the marks. A journal that ends in the middle of a note, after a crash, is as good
as any other: what was still sounding ends with it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from antiphon.daemon.errors import ConfigError, TakeError
from antiphon.daemon.journal import read_journal
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.part_offsets import NO_OFFSETS, ChannelOffsets, channel_offsets_of
from antiphon.daemon.session import TAKE_FACTS, TAKE_MIDI, SessionFolder, replace_whole, write_json
from antiphon.daemon.session_models import names_of
from antiphon.daemon.take_notes import NoteCollector
from antiphon.daemon.take_tempo import ClockLog, tempo_map
from antiphon.daemon.take_told import told_runs
from antiphon.models.parts import Part
from antiphon.models.take import Marker, Take, TakeFacts, in_order
from antiphon.models.tempo_map import NOMINAL_BPM

#: Gives a take as a MIDI file's bytes: `antiphon.export.take_midi.midi_bytes`, from the composition root.
TakeEncoder = Callable[[Take], bytes]

_MARK_TEXT = {
    Mark.PHRASE_END: "phrase end",
    Mark.ANSWER: "answer",
    Mark.YIELD: "yield",
    Mark.TAKE_OVER: "take over",
    Mark.PANIC: "panic",
    Mark.CLOCK_START: "clock start",
    Mark.CLOCK_STOP: "clock stop",
    Mark.LOCATE: "locate",
}


def take_from_records(
    wire: Iterable[Record],
    engine: Iterable[Record],
    session: Mapping[str, Any],
    model: Mapping[str, Any],
) -> Take:
    """Make a take of a session's records.

    Args:
        wire: what the player wrote, in its order.
        engine: what the brain wrote, in its order.
        session: session.json; ``t0_ns`` is the take's time 0, else the first record is.
        model: model.json.
    """
    wire, engine = list(wire), list(engine)
    t0_ns = _start_ns(wire, session)
    notes = NoteCollector(t0_ns, _drawn_parts(engine), _offsets(session))
    clock = ClockLog()
    markers = []
    for record in wire:
        t_s = notes.seconds(record.t_ns)
        if record.kind == Kind.MIDI_IN and record.a >= 0xF0:
            clock.take_in(t_s, bytes((record.a, record.b, record.c))[: record.id & 0xFF], record.id >> 8)
        if record.kind == Kind.BRAIN_LOST:
            markers.append(Marker(t_s, "brain lost"))
        elif record.kind == Kind.BRAIN_UP and record.id > 1:
            markers.append(Marker(t_s, "brain back"))
        elif record.kind == Kind.PLAYER_BACK:
            clock.not_heard()
            markers += [Marker(t_s, "player lost"), Marker(notes.seconds(record.u_ns), "player back")]
        notes.take_in(record)
    markers += _engine_markers(engine, notes, names_of(model))
    marks = _tempo_marks(engine, notes, session)
    told = told_runs(engine, notes.seconds)
    return Take(
        notes=in_order(notes.finish()),
        events=tuple(sorted(notes.events, key=lambda event: event.t_s)),
        markers=tuple(sorted(markers, key=lambda marker: marker.t_s)),
        tempo=tempo_map(clock, marks, told.beats_per_bar or _beats_per_bar(session), told.runs()),
        facts=TakeFacts(dict(session), dict(model), notes.counters()),
    )


def close_session(folder: Path, encode: TakeEncoder) -> Path:
    """Make the take of a session that has ended: take.json, then take.mid (which says that it is done).

    A session.json or model.json that cannot be read costs only what it says; the take is made all the same.

    Args:
        folder: the session's.
        encode: `antiphon.export.take_midi.midi_bytes`.

    Returns:
        The path of take.mid.

    Raises:
        TakeError: the folder cannot be read or written.
    """
    session_folder = SessionFolder(folder)
    trouble: dict[str, str] = {}
    session = _or_trouble(session_folder.read_session, "session_error", trouble)
    model = _or_trouble(session_folder.read_model, "model_error", trouble)
    try:
        wire, engine = list(read_journal(folder, "wire")), list(read_journal(folder, "engine"))
    except OSError as error:
        raise TakeError(f"cannot read the journal in {folder}: {error.strerror or error}") from error
    take = take_from_records(wire, engine, session, model)
    write_json(folder / TAKE_FACTS, {**describe(take), **trouble})
    replace_whole(folder / TAKE_MIDI, encode(take))
    return folder / TAKE_MIDI


def describe(take: Take) -> dict[str, Any]:
    """Give a take's facts as take.json holds them."""
    return {
        "length_s": round(take.length_s, 6),
        "notes": {
            "performer": len(take.notes_of("performer")),
            **{part: sum(note.part == part for note in take.notes_of("antiphon")) for part in take.parts()},
        },
        "counters": dataclasses.asdict(take.facts.counters),
        "tempo": [dataclasses.asdict(change) for change in take.tempo.changes],
        "beats_per_bar": take.tempo.beats_per_bar,
        "clocked": take.tempo.clocked,
        "markers": [dataclasses.asdict(marker) for marker in take.markers],
        "session": dict(take.facts.session),
        "model": dict(take.facts.model),
    }


def _offsets(session: Mapping[str, Any]) -> ChannelOffsets:
    try:
        return channel_offsets_of(session)
    except ConfigError:  # what session.json does not tell costs no take
        return NO_OFFSETS


def _start_ns(wire: list[Record], session: Mapping[str, Any]) -> int:
    t0_ns = session.get("t0_ns")
    if isinstance(t0_ns, int):
        return t0_ns
    return min((record.t_ns or record.u_ns for record in wire if record.t_ns or record.u_ns), default=0)


def _drawn_parts(engine: list[Record]) -> dict[int, list[tuple[int, str]]]:
    """Give for each note id what was drawn under it, as (pitch, part name)."""
    drawn: dict[int, list[tuple[int, str]]] = {}
    known = {int(part): part.name.lower() for part in Part}
    for record in engine:
        if record.kind == Kind.SAMPLED and record.a in known:
            drawn.setdefault(record.id, []).append((record.b, known[record.a]))
    return drawn


def _engine_markers(engine: list[Record], notes: NoteCollector, models: Mapping[int, str]) -> list[Marker]:
    """Give the engine's marks; of the brain's own losses the player knows better, tempo has its map."""
    markers = []
    for record in engine:
        if record.kind != Kind.MARK:
            continue
        if record.a == Mark.MODEL:
            text = f"model {models.get(round(record.value), '')}".rstrip()
        elif record.a in _MARK_TEXT:
            text = _MARK_TEXT[Mark(record.a)]
        else:
            continue
        markers.append(Marker(notes.seconds(record.t_ns), text))
    return markers


def _tempo_marks(
    engine: list[Record], notes: NoteCollector, session: Mapping[str, Any]
) -> list[tuple[float, float, bool]]:
    marks = []
    bpm = _positive(_setting(session, "tempo"), NOMINAL_BPM)
    is_new = False  # a new engine's own clock starts on a downbeat
    for record in engine:
        if record.kind in (Kind.START, Kind.RESTART):
            is_new = True
        if record.kind != Kind.MARK or record.a not in (Mark.TEMPO, Mark.CLOCK_START):
            continue
        if record.a == Mark.TEMPO:
            bpm = _positive(record.value, bpm)
        marks.append((notes.seconds(record.t_ns), bpm, is_new or record.a == Mark.CLOCK_START))
        is_new = False
    return sorted(marks, key=lambda mark: mark[0])


def _beats_per_bar(session: Mapping[str, Any]) -> int:
    return max(1, int(_positive(_setting(session, "beats_per_bar"), 4)))


def _setting(session: Mapping[str, Any], name: str) -> Any:
    settings = session.get("settings")
    return settings.get(name) if isinstance(settings, Mapping) else None


def _positive(value: Any, otherwise: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return otherwise
    return number if 0 < number < math.inf else otherwise


def _or_trouble(read: Callable[[], dict[str, Any]], name: str, trouble: dict[str, str]) -> dict[str, Any]:
    try:
        return read()
    except TakeError as error:
        trouble[name] = str(error)
        return {}
