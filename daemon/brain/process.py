"""The brain process: one loop that carries records between the player, OSC and the engine.

Threading model: one thread. It waits in `select` for the player's socket, the OSC socket and the engine's next wake,
whichever is first. The player must never wait for this process; this process may wait for the player.

An input is in the log (32 bytes into mapped memory) before it is acted on; a reply leaves before anything else is
written, told to the terminal or echoed over OSC.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.brain.model_choice import ModelChoice
from antiphon.daemon.brain.model_start import Load, model_facts, refused_provider, rehearsal, start_model, warm_up
from antiphon.daemon.brain.news import TOLD, log_line, warning
from antiphon.daemon.brain.osc import OscControl, open_osc
from antiphon.daemon.brain.recovery import resume_records
from antiphon.daemon.errors import TakeError
from antiphon.daemon.journal import SegmentWriter, preallocate, segment_paths
from antiphon.daemon.messages import Kind, Record, RecordStream
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.session_models import SessionModels
from antiphon.daemon.settings import Settings
from antiphon.models.errors import AntiphonError
from antiphon.models.model_files import shipped_models

#: What goes to the player; the rest of what the engine gives is for the log.
ORDERS = frozenset((Kind.NOTE, Kind.END, Kind.CANCEL, Kind.PANIC, Kind.SEND, Kind.THRU, Kind.OFFSET))
HOUSEKEEPING_NS = 500_000_000
NICE = -5
#: While the performer plays and each note is to be answered at once, the graph runs between notes too, its result
#: thrown away: after 20 ms of rest its weights are out of the processor's caches, and a call costs 2-3 times as much.
WARM_EVERY_NS = 2_000_000
WARM_FOR_NS = 1_500_000_000
_READ_BYTES = 1 << 16
#: Rarely: a collection in the middle of a phrase costs milliseconds, and what the engine makes is no garbage cycle.
_GC_THRESHOLD = (50_000, 50, 100)


class Screen(Protocol):
    """Where lines for the person at the terminal go."""

    def say(self, line: str, *, wrong: bool = False) -> None:
        """Print one line."""

    def log(self, line: str) -> None:
        """Print one line where there is no status line."""

    def show(self, snapshot: Mapping[str, Any]) -> None:
        """Redraw the status line."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Brain:
    """Carries records between the player, OSC and the engine until the player goes."""

    def __init__(
        self, player: socket.socket, folder: SessionFolder, engine: Engine, osc: OscControl | None, screen: Screen,
        models: SessionModels, choice: ModelChoice, number: int, session: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self._player, self._folder, self._engine, self._osc, self._screen = player, folder, engine, osc, screen
        self._models, self._choice, self._number = models, choice, number
        self._models_refused = 0
        self._ports: Mapping[str, Any] = session.get("ports", {})
        self._t0_ns = int(session.get("t0_ns", 0))
        self._log = SegmentWriter(folder.path, "engine")
        self._stream = RecordStream()
        self._stopping = False
        self._busy_ns = 0
        self._load = 0.0
        self._settings: Settings | None = None
        self._warm = rehearsal(engine.generator)
        self._warm_until_ns = 0

    def run(self, opening: Iterable[Record]) -> None:
        """Take the opening records, say READY, and play until the player closes or says STOP."""
        for record in opening:
            self._take(record)
        self._tidy_up()
        self._player.sendall(Record(Kind.READY, t_ns=time.perf_counter_ns()).pack())
        next_tidy = time.perf_counter_ns() + HOUSEKEEPING_NS
        sockets: list[Any] = [self._player, self._choice, *([] if self._osc is None else [self._osc])]
        engine, clock = self._engine, time.perf_counter_ns
        while not self._stopping:
            wake = engine.next_wake_ns
            until = next_tidy if wake is None or wake > next_tidy else wake
            now = clock()
            warm = engine.settings.mode == "follow" and now < self._warm_until_ns
            if warm:
                until = min(until, now + WARM_EVERY_NS)
            readable, _, _ = select.select(sockets, [], [], max(0, until - now) / 1e9)
            began = clock()
            if warm and not readable:
                self._warm()
            if self._player in readable and not self._receive():
                return
            if self._osc in readable and self._osc is not None:
                for record in self._osc.receive(clock()):
                    self._take(record)
                self._publish(clock())
            if self._choice in readable:
                self._change_model()
            wake = engine.next_wake_ns
            now = clock()
            if wake is not None and now >= wake:
                self._take(Record(Kind.WAKE, t_ns=now))
            self._busy_ns += clock() - began
            if now >= next_tidy:
                next_tidy = now + HOUSEKEEPING_NS
                self._tidy_up()

    def _receive(self) -> bool:
        """Take what the player sent; False at the end of the stream."""
        try:
            data = self._player.recv(_READ_BYTES)
        except ConnectionError:
            return False
        if not data:
            return False
        for record in self._stream.feed(data):
            if record.kind == Kind.MIDI_IN:
                self._warm_until_ns = record.t_ns + WARM_FOR_NS
            elif record.kind == Kind.STOP:
                self._stopping = True
            self._take(record)
        return True

    def _change_model(self) -> None:
        """Let what was loaded take over, or say why it does not: then the one that plays goes on."""
        loaded = self._choice.take()
        if loaded is None:
            return
        now = time.perf_counter_ns()
        try:
            if loaded.error:
                raise AntiphonError(loaded.error)
            facts = model_facts(loaded.generator, loaded.origin)
            number = self._models.number(facts)
        except AntiphonError as error:
            self._models_refused += 1
            self._screen.say(f"{error}; playing on with {self._engine.generator.name}", wrong=True)
            if self._osc is not None:
                self._osc.refuse_model(str(error), now)
            return
        self._engine.models[number], self._number = loaded.generator, number
        if loaded.rehearse is not None:
            self._warm = loaded.rehearse
        self._take(Record(Kind.MODEL, id=number, t_ns=now))
        self._screen.say(_plays_on(facts))
        if refused := refused_provider(facts):
            self._screen.say(refused, wrong=True)
        if self._osc is not None:
            self._osc.publish_model(loaded.name, now)

    def _take(self, record: Record) -> None:
        # the input first: whatever was played, its cause is in the log, also when this process dies in between
        log = self._log
        log.append(record)
        results = self._engine.handle(record)
        if results:
            orders = b"".join([result.pack() for result in results if result.kind in ORDERS])
            if orders and not self._send(orders):
                return
            for result in results:
                if result.kind not in ORDERS:
                    log.append(result)
                if result.kind == Kind.MARK:
                    self._tell(result)
        if record.kind in TOLD:
            self._tell(record)

    def _tell(self, record: Record) -> None:
        if wrong := warning(record, self._ports):
            self._screen.say(wrong, wrong=True)
        elif line := log_line(record, self._t0_ns, self._models.names()):
            self._screen.log(line)

    def _send(self, orders: bytes) -> bool:
        try:
            self._player.sendall(orders)
        except (BrokenPipeError, ConnectionError):
            self._stopping = True
            return False
        return True

    def _tidy_up(self) -> None:
        """What may wait half a second: the next segments, the heartbeat, what people see."""
        now = time.perf_counter_ns()
        try:
            if self._log.needs_next:
                preallocate(self._folder.path, "engine", self._log.index + 1)
                self._log.ready(self._log.index + 1)
            paths = segment_paths(self._folder.path, "wire")
            if paths and (len(paths) == 1 or _begun(paths[-1])):
                following = int(paths[-1].stem.rpartition("-")[2]) + 1
                preallocate(self._folder.path, "wire", following)
                self._send(Record(Kind.SEGMENT, id=following).pack())
        except TakeError as error:
            self._screen.say(str(error), wrong=True)
        self._send(Record(Kind.BEAT, t_ns=now).pack())
        self._publish(now)
        self._load = self._busy_ns / HOUSEKEEPING_NS
        self._busy_ns = 0
        self._screen.show(self.status())

    def _publish(self, now_ns: int) -> None:
        """Echo what changed to who subscribed: a motorised fader shows what is, not what was asked for."""
        settings = self._engine.settings
        if self._osc is not None and settings is not self._settings:
            self._osc.publish(settings, now_ns)
        self._settings = settings

    def status(self) -> dict[str, float | int | str]:
        """Give what `antiphon status`, OSC and the status line tell."""
        told = dict(self._engine.status(time.perf_counter_ns()))
        told["load"] = round(self._load, 3)
        facts = self._models.facts(self._number)
        for name in ("model", "provider"):
            told[name] = str(facts.get(name, ""))
        told["models_refused"] = self._models_refused
        return told

    def close(self) -> None:
        """Give back the OSC port and the log; wait for a model that is being loaded."""
        if self._osc is not None:
            self._osc.close()
        self._choice.close()
        self._log.close()
        self._screen.close()


def _begun(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1) not in (b"", b"\0")


def _plays_on(facts: Mapping[str, Any]) -> str:
    return f"{facts['model']} on {facts['provider']} (asked for {facts['provider_asked']}; {facts['runtime']})"


def run_brain(player: socket.socket, folder: SessionFolder, load: Load, screen: Screen) -> int:
    """Run the brain of a session until the player is gone; give the exit status.

    Args:
        player: the socket to the player.
        folder: the session's folder.
        load: gives the generator by model name and provider.
        screen: where lines go.
    """
    # Ctrl-C reaches the whole process group: the player ends the session, and tells this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):  # where that is granted: before whoever only has much to do
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    session = folder.read_session()
    models = SessionModels(folder)
    generator, number = start_model(folder, models, load, lambda line: screen.say(line, wrong=True))
    facts = models.facts(number)
    if not segment_paths(folder.path, "engine"):
        preallocate(folder.path, "engine", 0)
    engine, opening = resume_records(folder, generator, number)
    choice = ModelChoice(str(session["model"]), shipped_models(), lambda origin: _prepared(load, origin, session))
    brain: Brain | None = None
    osc = open_osc(
        str(session.get("osc", "off")), engine.settings, lambda: brain.status() if brain else {},
        report=lambda line: screen.say(line, wrong=True),
    )  # fmt: skip
    if osc is not None:
        osc.offer_models(choice.check, choice.load, choice.name_of(str(facts["from"])))
    brain = Brain(player, folder, engine, osc, screen, models, choice, number, session)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)
    screen.say(_plays_on(facts) + (f", OSC on {osc.address[0]}:{osc.address[1]}" if osc else ""))
    if refused := refused_provider(facts):
        screen.say(refused, wrong=True)
    try:
        brain.run(opening)
    finally:
        brain.close()
    return 0


def _prepared(load: Load, origin: str, session: Mapping[str, Any]) -> tuple[Any, Callable[[], None]]:
    generator = load(origin, str(session.get("provider", "auto")))
    warm_up(generator)
    return generator, rehearsal(generator)
