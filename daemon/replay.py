"""Make a take's notes again: the engine's logged inputs, without anything that Antiphon itself played."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.brain.generator_watch import with_troubles
from antiphon.daemon.errors import ConfigError, TakeError
from antiphon.daemon.journal import read_journal
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.options import option
from antiphon.daemon.part_offsets import channel_offsets_of
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.session_models import models_of
from antiphon.daemon.settings import Settings
from antiphon.models.generator import Generator
from antiphon.models.load import load_generator
from antiphon.models.parts import Part

#: What the log holds of Antiphon's own notes: told for people, never fed back.
_OUTPUTS = (Kind.SAMPLED, Kind.MARK)
#: Reports carry the bytes that were sent; the engine knows its notes by id alone.
_REPORTS = (Kind.SENT, Kind.ENDED, Kind.CUT, Kind.OWN_CONTEXT)


@dataclass(frozen=True, slots=True)
class Note:
    """A note as handed to the player: what must come out the same."""

    channel: int
    pitch: int
    velocity: int
    onset_ns: int


@dataclass(frozen=True, slots=True)
class Regenerated:
    """The notes made again, beside those that were sent."""

    records: tuple[Record, ...]  # inputs and outputs in order, as a log
    made: dict[int, Note]
    sent: dict[int, Note]
    model_sha256: str

    @property
    def differing(self) -> list[int]:
        """Ids of sent notes that were not made again equal."""
        return [number for number, note in self.sent.items() if self.made.get(number) != note]

    @property
    def equal(self) -> bool:
        """Every note that was sent was made again."""
        return not self.differing


def stripped(log: Iterable[Record]) -> list[Record]:
    """Give the engine's inputs alone, with nothing in them of what it played."""
    return [
        record._replace(a=0, b=0, c=0) if record.kind in _REPORTS else record
        for record in log
        if record.kind not in _OUTPUTS
    ]


def regenerate(
    folder: SessionFolder, generator: Generator, load: Callable[[str], Generator] = load_generator
) -> Regenerated:
    """Run a session's inputs through a fresh engine.

    Args:
        folder: the session's.
        generator: what it started with.
        load: gives what it changed to while it played, by name or folder.

    Raises:
        TakeError: the session has no engine log, or was played with another model.
        ModelError: one that it changed to does not load.
    """
    session, models = folder.read_session(), models_of(folder.read_model())
    _check_same(folder, models[0], generator)
    inputs = stripped(read_journal(folder.path, "engine"))
    if not any(record.kind == Kind.START for record in inputs):
        raise TakeError(f"{folder.path} holds no engine log; only `antiphon replay` without --regenerate is possible")
    engine = engine_of(session, generator)
    for number in sorted({record.id for record in inputs if record.kind == Kind.MODEL} - {0}):
        if number >= len(models):
            raise TakeError(f"{folder.path}: its model.json does not tell which model number {number} was")
        engine.models[number] = load(str(models[number]["from"]))
        _check_same(folder, models[number], engine.models[number])
    records: list[Record] = []
    made: dict[int, Note] = {}
    offset_ns: dict[int, int] = {}
    for record, troubles in with_troubles(inputs):
        records.append(record)
        for result in engine.handle(record, troubles):
            records.append(result)
            if result.kind == Kind.NOTE:
                made[result.id] = Note(result.a, result.b, result.c, result.t_ns)
                offset_ns[result.id] = round(engine.settings.offset * 1e6) + engine.part_offsets_ns[result.a]
    sent = {
        record.id: Note(record.a & 0x0F, record.b, record.c, record.t_ns - offset_ns.get(record.id, 0))
        for record in read_journal(folder.path, "wire")
        if record.kind == Kind.SENT
    }
    return Regenerated(tuple(records), made, sent, generator.sha256)


def _check_same(folder: SessionFolder, played: Mapping[str, Any], generator: Generator) -> None:
    recorded = str(played.get("sha256", ""))
    if recorded and recorded != generator.sha256:
        raise TakeError(
            f"{folder.path}: played with model {played.get('model')!r} (sha256 {recorded[:12]}…), but "
            f"{generator.name!r} here is {generator.sha256[:12]}…; give --model with the one that it was played with"
        )


def engine_of(
    session: Mapping[str, Any], generator: Generator, settings: Settings | None = None, model: int = 0
) -> Engine:
    """Make the engine that a session's session.json asks for: live, offline and to regenerate alike.

    Args:
        session: what session.json holds.
        generator: what it plays with.
        settings: other than those that the session started with.
        model: the generator's number among the session's.

    Raises:
        ConfigError: session.json holds what this version does not know.
    """
    settings = settings_of(session) if settings is None else settings
    return Engine(
        generator, settings, seed_of(session), channel_parts_of(session), model, port_parts_of(session),
        channel_offsets_of(session),
    )  # fmt: skip


def seed_of(session: Mapping[str, Any]) -> int:
    """Give the seed of everything random.

    Raises:
        ConfigError: session.json holds none.
    """
    seed: int = option("seed").check(session.get("seed"))
    return seed


def channel_parts_of(session: Mapping[str, Any]) -> dict[int, int]:
    """Give the performer's parts by input channel (0-15).

    Raises:
        ConfigError: session.json holds what this version does not know.
    """
    names = option("channel_parts").check(session.get("channel_parts", {}))
    return {channel - 1: int(Part[name.upper()]) for channel, name in names.items()}


def port_parts_of(session: Mapping[str, Any]) -> dict[int, int]:
    """Give the performer's parts by input port, for those of `also_in` that have one.

    The player numbers its inputs so that this can be told before any is open: a performer's file, where there is one,
    the main input, then those of `also_in` in their order.

    Raises:
        ConfigError: session.json holds what this version does not know.
    """
    names = option("also_in").check(session.get("also_in", {}))
    first = 1 if session.get("performer") is None else 2
    return {port: int(Part[name.upper()]) for port, name in enumerate(names.values(), first) if name}


def settings_of(session: Mapping[str, Any]) -> Settings:
    """Give the settings that a session started with.

    Raises:
        ConfigError: session.json holds what this version does not know.
    """
    settings, started = Settings(), session.get("settings")
    if not isinstance(started, Mapping):
        raise ConfigError(f"settings: {started!r} in session.json is not allowed; give a value for each name")
    for name, value in started.items():
        settings = settings.with_value(name, value)
    return settings
