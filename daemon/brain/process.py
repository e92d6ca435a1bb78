"""The brain process: one loop that carries records between the player, OSC and the engine.

Threading model: one thread. It waits in `select` for the player's socket, the OSC socket and the engine's next wake,
whichever is first. The player must never wait for this process; this process may wait for the player.

An input is in the log (32 bytes into mapped memory) before it is acted on; a reply leaves before anything else is
written, told to the terminal or echoed over OSC.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from antiphon.daemon.brain.arrivals import Arrivals
from antiphon.daemon.brain.clock_sources import ClockSources
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.brain.intent import Intended
from antiphon.daemon.brain.model_choice import ModelChoice
from antiphon.daemon.brain.model_start import model_facts, plays_on, refused_provider, rehearse
from antiphon.daemon.brain.news import TOLD, Hints, log_line, trouble_line, warning
from antiphon.daemon.brain.osc import OscControl
from antiphon.daemon.brain.spare_segments import SpareSegments
from antiphon.daemon.brain.warming import Warming
from antiphon.daemon.errors import TakeError
from antiphon.daemon.journal import SegmentWriter, preallocate
from antiphon.daemon.messages import Kind, Record, RecordStream
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.session_models import SessionModels
from antiphon.daemon.settings import Settings
from antiphon.models.errors import AntiphonError

#: What goes to the player; the rest of what the engine gives is for the log.
ORDERS = frozenset((Kind.NOTE, Kind.END, Kind.CANCEL, Kind.PANIC, Kind.SEND, Kind.THRU, Kind.OFFSET))
HOUSEKEEPING_NS = 500_000_000
#: OSC datagrams heard before the player's socket is looked at again: half a millisecond of a flood.
OSC_AT_ONCE = 8
#: An input that waited for longer is preceded by the time that it is.
LATE_NS = 20_000_000
_READ_BYTES = 1 << 16
_BEAT = Record(Kind.BEAT).pack()
#: Status bytes from here on are clock ticks and the like: a running clock is nobody playing.
_REALTIME = 0xF8


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
        self._clocks = ClockSources(lambda line, wrong: screen.say(line, wrong=wrong))
        self._log = SegmentWriter(folder.path, "engine")
        self._spares = SpareSegments(folder.path, "wire")
        self._stream = RecordStream()
        self._stopping = False
        self._busy_ns = 0
        self._load = 0.0
        self._settings: Settings | None = None
        self._warming = Warming(self._rehearse)
        self._next_tidy_ns = 0
        self._no_room = ""
        self._hints = Hints()  # for the journal, as it was said
        engine.send_first(self._send_first)

    def run(self, opening: Iterable[Record]) -> None:
        """Take the opening records, say READY, and play until the player closes or says STOP."""
        for record in opening:
            self._take(record)
        self._hear_all()
        self._tidy_up()
        self._player.sendall(Record(Kind.READY, t_ns=time.perf_counter_ns()).pack())
        self._next_tidy_ns = time.perf_counter_ns() + HOUSEKEEPING_NS
        sockets: list[Any] = [self._player, self._choice, self._clocks, *([] if self._osc is None else [self._osc])]
        engine, clock = self._engine, time.perf_counter_ns
        while not self._stopping:
            wake = engine.next_wake_ns
            until = self._next_tidy_ns if wake is None or wake > self._next_tidy_ns else wake
            now = clock()
            warm = self._warming.next_ns(now) if engine.settings.mode == "follow" else None
            if warm is not None and warm < until:
                until = warm
            readable, _, _ = select.select(sockets, [], [], max(0, until - now) / 1e9)
            began = clock()
            if warm is not None and not readable:
                self._warming.run()
                self._warming.ran(began, clock())
            if self._player in readable and not self._receive():
                return
            if self._osc in readable and self._osc is not None:
                for record in self._osc.receive(clock(), OSC_AT_ONCE):
                    self._take(record)
                self._publish(clock())
            if self._clocks in readable:
                for record in self._clocks.take():
                    self._take(record)
            if self._choice in readable:
                self._change_model()
            wake = engine.next_wake_ns
            now = clock()
            if wake is not None and now >= wake:
                self._take(Record(Kind.WAKE, t_ns=now))
            self._busy_ns += clock() - began
            if now >= self._next_tidy_ns:
                self._tidy_up()

    def _rehearse(self) -> None:
        """Run what the next reply runs, on what it will begin with: that leaves the caches, too.

        So does what the player runs of it. A beat wakes that: what it hears and obeys then does nothing.
        """
        self._send(_BEAT)
        window = self._engine.window
        rehearse(window.generator, window.newest, self._engine.at_once)

    def _hear_all(self) -> None:
        """Make the states of what was played before a lost brain: a first reply that had to would come too late."""
        window, before = self._engine.window, 0
        while self._engine.settings.mode == "follow" and window.behind not in (0, before):
            before = window.behind
            self._take(Record(Kind.WAKE, t_ns=time.perf_counter_ns()))
            window = self._engine.window

    def _receive(self) -> bool:
        """Take what the player sent; False at the end of the stream."""
        try:
            data = self._player.recv(_READ_BYTES)
        except ConnectionError:
            return False
        if not data:
            return False
        heard: list[Record] = []
        for record in self._stream.feed(data):
            if record.kind == Kind.PERIOD:
                self._warming.arrivals = Arrivals(record.u_ns)
                continue
            if record.kind == Kind.MIDI_IN:
                heard.append(record)
                now = time.perf_counter_ns()
                if now - record.t_ns > LATE_NS:  # the generator is slow, or there is too much to hear
                    self._take(Record(Kind.LATE, t_ns=now))
                    if now >= self._next_tidy_ns:  # the heart beats on
                        self._tidy_up()
            elif record.kind == Kind.STOP:
                self._stopping = True
            self._take(record)
        for record in heard:  # now that nobody waits: cold, it takes a twentieth of a reply
            self._warming.heard(record.t_ns, played=record.a < _REALTIME)
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
        self._take(Record(Kind.MODEL, id=number, t_ns=now))
        self._screen.say(plays_on(facts))
        if refused := refused_provider(facts):
            self._screen.say(refused, wrong=True)
        if self._osc is not None:
            self._osc.publish_model(loaded.name, now)

    def _take(self, record: Record) -> None:
        # the input first: whatever was played, its cause is in the log, also when this process dies in between
        log, engine, models = self._log, self._engine, self._models
        log.append(record)
        results = engine.handle(record)
        if results:
            orders = b"".join([result.pack() for result in results if result.kind in ORDERS])
            if orders and not self._send(orders):
                return
            for result in results:
                if result.kind not in ORDERS:
                    log.append(result)
                if result.kind == Kind.MARK:
                    self._tell(result)
                    self._hints.hear(result, engine.settings)
                elif result.kind == Kind.TROUBLE and (line := trouble_line(result, engine.trouble, models.names())):
                    self._screen.say(line, wrong=True)
        if record.kind in TOLD:
            self._tell(record)
        if hint := self._hints.hear(record, engine.settings):
            self._screen.say(hint)
        if engine.model != self._number:  # it went back: written down, so that the next brain begins with that one
            self._number = engine.model
            self._take(Record(Kind.MODEL, id=self._number, t_ns=record.t_ns))
            if self._osc is not None:
                self._osc.publish_model(str(models.facts(self._number).get("model", "")), time.perf_counter_ns())

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

    def _send_first(self, order: Record) -> None:
        """Send a reply before whatever it leads to besides."""
        self._send(order.pack())

    def _tidy_up(self) -> None:
        """What may wait half a second: the next segments, the heartbeat, what people see."""
        now = time.perf_counter_ns()
        self._next_tidy_ns = now + HOUSEKEEPING_NS
        try:
            if self._log.needs_next:
                preallocate(self._folder.path, "engine", self._log.index + 1)
                self._log.ready(self._log.index + 1)
            if (spare := self._spares.look()) is not None:
                self._send(Record(Kind.SEGMENT, id=spare).pack())
        except TakeError as error:
            self._room("" if str(error) == self._no_room else str(error), str(error))
        else:
            self._room("there is room for the journal again" if self._no_room else "", "")
        self._send(Record(Kind.BEAT, t_ns=now).pack())
        self._publish(now)
        self._load = self._busy_ns / HOUSEKEEPING_NS
        self._busy_ns = 0
        self._screen.show(self.status())

    def _room(self, line: str, no_room: str) -> None:
        """Say once that the journal finds no room, and once that it does again."""
        if line:
            self._screen.say(line, wrong=True)
        self._no_room = no_room

    def _publish(self, now_ns: int) -> None:
        """Echo what changed to who subscribed (a motorised fader shows what is), and follow the clock asked for."""
        settings = self._engine.settings
        if self._osc is not None and settings is not self._settings:
            self._osc.publish(settings, now_ns)
        if settings is not self._settings:
            self._clocks.follow(settings)
        self._settings = settings

    def intended(self) -> list[Intended]:
        """Give what is about to be played."""
        return self._engine.intended(time.perf_counter_ns())

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
        """Give back the OSC port and the log; leave the clocks; wait for a model that is being loaded."""
        if self._osc is not None:
            self._osc.close()
        self._choice.close()
        self._clocks.close()
        self._log.close()
        self._screen.close()
