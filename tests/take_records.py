"""Records as the player and the brain would write them, for tests of takes."""

from __future__ import annotations

from antiphon.daemon.messages import Kind, Record

MS = 1_000_000


def midi_in(t_ms: float, *data: int, port: int = 0) -> Record:
    a, b, c = (*data, 0, 0)[:3]
    return Record(Kind.MIDI_IN, a, b, c, port << 8 | len(data), round(t_ms * MS))


def sent(number: int, t_ms: float, channel: int, pitch: int, velocity: int = 80, late_ms: float = 0.0) -> Record:
    t_ns = round(t_ms * MS)
    return Record(Kind.SENT, 0x90 | channel, pitch, velocity, number, t_ns, t_ns + round(late_ms * MS))


def ended(number: int, t_ms: float, channel: int, pitch: int, *, cut: bool = False) -> Record:
    t_ns = round(t_ms * MS)
    return Record(Kind.CUT if cut else Kind.ENDED, 0x80 | channel, pitch, 64, number, t_ns, t_ns)


def sampled(number: int, part: int, pitch: int) -> Record:
    return Record(Kind.SAMPLED, part, pitch, 80, number, 0, 24, -2.0)


def mark(which: int, t_ms: float, value: float = 0.0) -> Record:
    return Record(Kind.MARK, which, t_ns=round(t_ms * MS), value=value)
