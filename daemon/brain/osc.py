"""The control surface on the wire: OSC over UDP, heard by the brain and echoed back.

Threading model: an `OscControl` belongs to the brain's one thread, whose select loop watches its `fileno`. No
method waits: the socket is non-blocking, one call reads a bounded number of datagrams, and a datagram that
cannot be sent is counted and gone. Nothing that arrives raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import TracebackType
from typing import Any

from antiphon.daemon.brain.intent import Intended
from antiphon.daemon.brain.osc_addresses import DEFAULT_HOST, DEFAULT_PORT, PREFIX
from antiphon.daemon.brain.osc_socket import bind_osc, parse_osc_address
from antiphon.daemon.brain.osc_subscribers import Destination, Subscribers
from antiphon.daemon.brain.osc_values import at_port, let_go, nudge_beats, plain, pressed, seed, tell
from antiphon.daemon.brain.osc_wire import MalformedError, Message, bundle, message, read
from antiphon.daemon.brain.tapping import Tapping
from antiphon.daemon.errors import ConfigError, ControlError
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.settings import PARAMETERS, Settings, parameter

#: A flood must not keep the brain from its music: after this many, at most, the loop goes round once.
_MAX_DATAGRAMS = 64
_MAX_BYTES = 65_536
#: What a second Antiphon says; an answer to an answer would never end.
_UNHEARD = ("error", "metrics/")


@dataclass(frozen=True, slots=True)
class OscMetrics:
    """What came in and went out over OSC since the start. Counts."""

    osc_messages: int = 0
    osc_malformed: int = 0  # datagrams that are not OSC, dropped whole
    osc_refused: int = 0  # messages with an unknown address or a value that is not allowed
    osc_unsent: int = 0  # answers that the system did not take
    osc_subscribers: int = 0


def open_osc(
    text: str, settings: Settings, status: Callable[[], Mapping[str, float | int | str]] | None = None, *,
    plan: Callable[[], list[Intended]] | None = None, strict: bool = False,
    report: Callable[[str], None] = lambda _line: None,
) -> OscControl | None:  # fmt: skip
    """Open what ``--osc`` says.

    Args:
        text: as in `parse_osc_address`.
        settings: what holds now.
        status: gives the counters for `/antiphon/status`; None: only OSC's own.
        plan: gives what is about to be played, for `/antiphon/plan`.
        strict: whether an address that cannot be had is an error. A session plays on without OSC.
        report: gets the error's line where it is none.

    Returns:
        None where it is off, or could not be had.

    Raises:
        ConfigError: ``text`` is not allowed.
        ControlError: the address cannot be had, and ``strict``.
    """
    address = parse_osc_address(text)
    if address is None:
        return None
    try:
        return OscControl(address, settings, status, plan)
    except ControlError as error:
        if strict:
            raise
        report(f"{error}; playing without OSC")
        return None


class OscControl:
    """Hears parameters and actions, tells subscribers what changed. `close` is idempotent."""

    def __init__(
        self, address: tuple[str, int] = (DEFAULT_HOST, DEFAULT_PORT), settings: Settings | None = None,
        status: Callable[[], Mapping[str, float | int | str]] | None = None,
        plan: Callable[[], list[Intended]] | None = None,
    ) -> None:  # fmt: skip
        """Bind the port.

        Raises:
            ControlError: the port is in use, or the host is not this machine's.
        """
        self._told = settings or Settings()
        self._wanted = self._told  # what was heard but the engine has not taken yet, on top of it
        self._status, self._plan = status, plan
        self._subscribers = Subscribers()
        self._metrics = OscMetrics()
        self._check_model: Callable[[Any], str] = str
        self._load_model: Callable[[str], None] | None = None
        self._model = ""
        self._asked_by: Destination | None = None
        self._tapping = Tapping()
        self._socket = bind_osc(*address)
        self._do: dict[str, Callable[[tuple[Any, ...], Destination, int], list[Record]]] = {
            "trigger": lambda values, _who, t_ns: pressed(values, Record(Kind.TRIGGER, t_ns=t_ns)),
            "panic": lambda values, _who, t_ns: pressed(values, Record(Kind.PANIC, t_ns=t_ns)),
            "reseed": lambda values, _who, t_ns: [Record(Kind.SEED, id=seed(values), t_ns=t_ns)],
            "tap": self._tap,
            "nudge": lambda values, _who, t_ns: [Record(Kind.NUDGE, t_ns=t_ns, value=nudge_beats(values))],
            "model": self._choose_model,
            "get": self._get,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "status": self._tell_status,
            "plan": self._tell_plan,
        }

    def __enter__(self) -> OscControl:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """Give the socket to watch for reading."""
        return self._socket.fileno()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    @property
    def metrics(self) -> OscMetrics:
        """The counters."""
        return replace(self._metrics, osc_subscribers=len(self._subscribers))

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def offer_models(self, check: Callable[[Any], str], load: Callable[[str], None], plays: str) -> None:
        """Let `/antiphon/model` change the model.

        Args:
            check: gives the name that a value means; raises ConfigError.
            load: begins to load one by name; `publish_model` or `refuse_model` follows.
            plays: the name of the one that plays now.
        """
        self._check_model, self._load_model, self._model = check, load, plays

    def publish_model(self, name: str, t_ns: int) -> None:
        """Tell every subscriber, and who asked, which model plays from now on."""
        self._model = name
        told = message(PREFIX + "model", name)
        subscribers = list(self._subscribers.at(t_ns))
        for who in {*subscribers, *([self._asked_by] if self._asked_by else [])}:
            self._send(told, who)
        self._asked_by = None

    def refuse_model(self, error: str, t_ns: int) -> None:
        """Tell who asked why the model did not change, and everyone which plays on."""
        self._count("osc_refused")
        if self._asked_by is not None:
            self._send(message(PREFIX + "error", error), self._asked_by)
        self.publish_model(self._model, t_ns)

    def receive(self, t_ns: int, most: int = _MAX_DATAGRAMS) -> list[Record]:
        """Read what has come in and give it as the engine's inputs, all at ``t_ns``.

        They are SET, TRIGGER, PANIC, SEED, NUDGE and TAPPED records. Questions are answered here. Never waits, and
        never raises for anything that arrives.
        """
        records: list[Record] = []
        for _ in range(most):
            try:
                data, who = self._socket.recvfrom(_MAX_BYTES)
            except BlockingIOError:
                break
            except OSError:  # Windows tells here that an earlier answer found nobody
                continue
            self._subscribers.renew(who[0], t_ns)
            try:
                messages = read(data)
            except MalformedError:
                self._count("osc_malformed")
                continue
            for heard in messages:
                records += self._handle(heard, who, t_ns)
        return records

    def publish(self, settings: Settings, t_ns: int) -> None:
        """Tell every subscriber what differs from what was told last.

        Call it after each change, whoever made it.
        """
        before, self._told, self._wanted = self._told, settings, settings
        if settings is before:
            return
        changed = [
            tell(entry.name, settings)
            for entry in PARAMETERS
            if getattr(settings, entry.name) != getattr(before, entry.name)
        ]
        for who in self._subscribers.at(t_ns) if changed else ():
            for data in changed:
                self._send(data, who)

    def _handle(self, heard: Message, who: Destination, t_ns: int) -> list[Record]:
        self._count("osc_messages")
        name = heard.address.removeprefix(PREFIX)
        if name == heard.address or name.startswith(_UNHEARD):
            self._count("osc_refused")
            return []
        try:
            if name in self._do:
                return self._do[name](heard.values, who, t_ns)
            return self._set(name, heard.values, who, t_ns)
        except ConfigError as error:
            self._count("osc_refused")
            self._send(message(PREFIX + "error", str(error)), who)
            return []

    def _set(self, name: str, values: tuple[Any, ...], who: Destination, t_ns: int) -> list[Record]:
        entry = parameter(name)
        if not values and entry.kind != "bool":
            self._send(tell(entry.name, self._wanted), who)
            return []
        if entry.kind == "parts" and len(values) > 1:
            value: Any = list(values)
        elif len(values) > 1:
            raise ConfigError(f"{entry.name}: {len(values)} values are not allowed; give {entry.allowed}")
        else:  # a button without a value turns an on/off parameter over
            value = plain(values[0]) if values else not getattr(self._wanted, entry.name)
        checked = entry.check(value)
        self._wanted = replace(self._wanted, **{entry.name: checked})
        return [Record(Kind.SET, id=entry.index, t_ns=t_ns, value=entry.encode(checked))]

    def _tap(self, values: tuple[Any, ...], who: Destination, t_ns: int) -> list[Record]:
        if let_go(values) or (tapped := self._tapping.tap(t_ns)) is None:
            return []
        return [*self._set("tempo", (tapped.bpm,), who, t_ns), Record(Kind.TAPPED, t_ns=t_ns, u_ns=tapped.beat_ns)]

    def _choose_model(self, values: tuple[Any, ...], who: Destination, _t_ns: int) -> list[Record]:
        if not values:
            self._send(message(PREFIX + "model", self._model), who)
            return []
        if len(values) > 1:
            raise ConfigError(f"model: {len(values)} values are not allowed; give one name")
        name = self._check_model(values[0])
        if self._load_model is None:
            raise ConfigError(f"model: {name!r} cannot be loaded here; give --model {name} at the start")
        self._asked_by = who
        self._load_model(name)
        return []

    def _get(self, values: tuple[Any, ...], who: Destination, t_ns: int) -> list[Record]:
        if values == ("model",):
            return self._choose_model((), who, t_ns)
        if values:
            self._send(tell(parameter(str(values[0])).name, self._wanted), who)
        else:
            self._send(bundle(self._everything()), who)
        return []

    def _subscribe(self, values: tuple[Any, ...], who: Destination, t_ns: int) -> list[Record]:
        subscriber = at_port(values, who)
        self._subscribers.add(subscriber, t_ns)
        self._send(bundle(self._everything()), subscriber)
        return []

    def _unsubscribe(self, values: tuple[Any, ...], who: Destination, _t_ns: int) -> list[Record]:
        self._subscribers.remove(at_port(values, who))
        return []

    def _tell_status(self, _values: tuple[Any, ...], who: Destination, _t_ns: int) -> list[Record]:
        counters: dict[str, float | int | str] = dict(self._status()) if self._status else {}
        metrics = self.metrics
        counters.update({entry.name: getattr(metrics, entry.name) for entry in fields(metrics)})
        told = [message(f"{PREFIX}metrics/{name}", value) for name, value in counters.items()]
        self._send(bundle(self._everything() + told), who)
        return []

    def _tell_plan(self, _values: tuple[Any, ...], who: Destination, _t_ns: int) -> list[Record]:
        notes = self._plan() if self._plan else []
        told = [message(PREFIX + "plan/note", *note) for note in notes]
        self._send(bundle([message(PREFIX + "plan/notes", len(notes)), *told]), who)
        return []

    def _everything(self) -> list[bytes]:
        model = [message(PREFIX + "model", self._model)] if self._model else []
        return [tell(entry.name, self._wanted) for entry in PARAMETERS] + model

    def _send(self, data: bytes, who: Destination) -> None:
        try:
            self._socket.sendto(data, who)
        except OSError:
            self._count("osc_unsent")

    def _count(self, name: str) -> None:
        self._metrics = replace(self._metrics, **{name: getattr(self._metrics, name) + 1})
