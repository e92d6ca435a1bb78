"""Records by hand, for tests of the engine: times in seconds, pitches in MIDI numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.offline import run_offline
from antiphon.daemon.settings import Settings, parameter

from tests.fake_generator import FakeGenerator

S = 1_000_000_000
MS = 1_000_000


def ns(seconds: float) -> int:
    return round(seconds * S)


def midi(t_s: float, *data: int, port: int = 0) -> Record:
    a, b, c = (*data, 0, 0)[:3]
    return Record(Kind.MIDI_IN, a, b, c, port << 8 | len(data), ns(t_s))


def on(t_s: float, pitch: int, velocity: int = 80, channel: int = 0) -> Record:
    return midi(t_s, 0x90 | channel, pitch, velocity)


def off(t_s: float, pitch: int, channel: int = 0) -> Record:
    return midi(t_s, 0x80 | channel, pitch, 64)


def cc(t_s: float, number: int, value: int, channel: int = 0) -> Record:
    return midi(t_s, 0xB0 | channel, number, value)


def change(t_s: float, name: str, value: Any) -> Record:
    chosen = parameter(name)
    return Record(Kind.SET, id=chosen.index, t_ns=ns(t_s), value=chosen.encode(chosen.check(value)))


def in_order(*groups: Iterable[Record]) -> list[Record]:
    return sorted((record for group in groups for record in group), key=lambda record: record.t_ns)


def phrase(start_s: float, pitches: Iterable[int], gap_s: float = 0.25, length_s: float = 0.2) -> list[Record]:
    onsets = [(start_s + index * gap_s, pitch) for index, pitch in enumerate(pitches)]
    return in_order([on(t, p) for t, p in onsets], [off(t + length_s, p) for t, p in onsets])


def clock_ticks(start_s: float, beats: float, bpm: float = 120.0) -> list[Record]:
    return [midi(start_s + tick * 60 / bpm / 24, 0xF8) for tick in range(round(beats * 24))]


def engine(mode: str, generator: FakeGenerator | None = None, seed: int = 1, **settings: Any) -> Engine:
    chosen = Settings().with_value("mode", mode)
    for name, value in settings.items():
        chosen = chosen.with_value(name, value)
    return Engine(generator or FakeGenerator(), chosen, seed)


def run(engine: Engine, inputs: Iterable[Record], end_s: float) -> list[Record]:
    return run_offline(engine, inputs, ns(end_s))


def of(log: Iterable[Record], *kinds: Kind) -> list[Record]:
    return [record for record in log if record.kind in kinds]


def marks(log: Iterable[Record]) -> list[Mark]:
    return [Mark(record.a) for record in log if record.kind == Kind.MARK]


def onsets_s(log: Iterable[Record]) -> list[float]:
    """Times of Antiphon's notes as ordered, in seconds."""
    return [record.t_ns / S for record in log if record.kind == Kind.NOTE]
