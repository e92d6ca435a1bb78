"""What a player that died left open in its session's journal, and the records that close it.

A note of Antiphon's whose end was never written has been ended by the guard, one that waited for its time is never
sent; of what came from the inputs meanwhile nobody knows, so that every key that was down counts as released.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from antiphon.daemon.journal import read_segment, segment_paths
from antiphon.daemon.messages import RECORD_BYTES, Kind, Record

_NEWS_TOLD = 2  # of a PORT's ``c``: the user knows
_NEVER_SENT = (Kind.DROPPED, Kind.CANCELLED)
_OVER = (Kind.ENDED, Kind.CUT)


def closing_records(session: Path, life: int, died_ns: int, now_ns: int) -> list[Record]:
    """Give what a new player writes first; nothing where it has done so.

    Args:
        session: the session's folder.
        life: how many players there have been, the new one included.
        died_ns: when the one before died.
        now_ns: the time now.
    """
    waiting = {drawn.id: drawn for drawn in _of_kinds(session, "engine", (Kind.SAMPLED,))}
    sounding: dict[int, Record] = {}
    inputs: set[int] = set()
    for record in _of_kinds(session, "wire", (Kind.MIDI_IN, Kind.SENT, *_OVER, *_NEVER_SENT, Kind.PLAYER_BACK)):
        if record.kind == Kind.PLAYER_BACK:
            if record.id == life:  # it has begun before, and found no ports
                return []
            continue
        if record.kind == Kind.MIDI_IN:
            inputs.add(record.id >> 8)
            continue
        waiting.pop(record.id, None)
        if record.kind == Kind.SENT:
            sounding[record.id] = record
        else:
            sounding.pop(record.id, None)
    return [
        *(Record(Kind.CUT, 0x80 | sent.a & 0x0F, sent.b, 0, sent.id, died_ns, died_ns) for sent in sounding.values()),
        *(Record(Kind.CANCELLED, 0x90, drawn.b, drawn.c, drawn.id, died_ns, died_ns) for drawn in waiting.values()),
        *(Record(Kind.PORT, c=_NEWS_TOLD, id=port, t_ns=died_ns) for port in sorted(inputs)),
        Record(Kind.PLAYER_BACK, id=life, t_ns=died_ns, u_ns=now_ns),
    ]


def _of_kinds(session: Path, prefix: str, kinds: Collection[Kind]) -> Iterator[Record]:
    """Read a journal, passing over other records by their first byte: most are others."""
    wanted = bytes(kinds)
    for path in segment_paths(session, prefix):
        data = read_segment(path)
        for place, kind in enumerate(data[::RECORD_BYTES]):
            if kind == Kind.EMPTY:
                break
            if kind in wanted:
                yield Record.unpack(data, place * RECORD_BYTES)
