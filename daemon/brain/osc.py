"""The control surface on the wire: OSC over UDP, heard by the brain and echoed back.

Threading model: an `OscControl` belongs to the brain's one thread, whose select loop watches its `fileno`. No
method waits: the socket is non-blocking, one call reads a bounded number of datagrams, and a datagram that
cannot be sent is counted and gone. Nothing that arrives raises.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import TracebackType
from typing import Any

from antiphon.daemon.brain.osc_addresses import DEFAULT_HOST, DEFAULT_PORT, PREFIX
from antiphon.daemon.brain.osc_socket import bind_osc, parse_osc_address
from antiphon.daemon.brain.osc_subscribers import Destination, Subscribers
from antiphon.daemon.brain.osc_wire import MalformedError, Message, bundle, message, read
from antiphon.daemon.errors import ConfigError, ControlError
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.settings import PARAMETERS, Settings, parameter

#: A flood must not keep the brain from its music: after this many the loop goes round once.
_MAX_DATAGRAMS = 64
_MAX_BYTES = 65_536
_MAX_SEED = 2**32 - 1
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
    strict: bool = False, report: Callable[[str], None] = lambda _line: None,
) -> OscControl | None:  # fmt: skip
    """Open what ``--osc`` says.

    Args:
        text: as in `parse_osc_address`.
        settings: what holds now.
        status: gives the counters for `/antiphon/status`; None: only OSC's own.
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
        return OscControl(address, settings, status)
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
    ) -> None:  # fmt: skip
        """Bind the port.

        Raises:
            ControlError: the port is in use, or the host is not this machine's.
        """
        self._told = settings or Settings()
        self._wanted = self._told  # what was heard but the engine has not taken yet, on top of it
        self._status = status
        self._subscribers = Subscribers()
        self._metrics = OscMetrics()
        self._check_model: Callable[[Any], str] = str
        self._load_model: Callable[[str], None] | None = None
        self._model = ""
        self._asked_by: Destination | None = None
        self._socket = bind_osc(*address)
        self._do: dict[str, Callable[[tuple[Any, ...], Destination, int], list[Record]]] = {
            "trigger": lambda values, _who, t_ns: _pressed(values, Record(Kind.TRIGGER, t_ns=t_ns)),
            "panic": lambda values, _who, t_ns: _pressed(values, Record(Kind.PANIC, t_ns=t_ns)),
            "reseed": lambda values, _who, t_ns: [Record(Kind.SEED, id=_seed(values), t_ns=t_ns)],
            "model": self._choose_model,
            "get": self._get,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "status": self._tell_status,
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

    def receive(self, t_ns: int) -> list[Record]:
        """Read what has come in and give it as the engine's inputs, all at ``t_ns``.

        They are SET, TRIGGER, PANIC and SEED records. Questions are answered here. Never waits, and
        never raises for anything that arrives.
        """
        records: list[Record] = []
        for _ in range(_MAX_DATAGRAMS):
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
            _tell(entry.name, settings)
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
            self._send(_tell(entry.name, self._wanted), who)
            return []
        if entry.kind == "parts" and len(values) > 1:
            value: Any = list(values)
        elif len(values) > 1:
            raise ConfigError(f"{entry.name}: {len(values)} values are not allowed; give {entry.allowed}")
        else:  # a button without a value turns an on/off parameter over
            value = _plain(values[0]) if values else not getattr(self._wanted, entry.name)
        checked = entry.check(value)
        self._wanted = replace(self._wanted, **{entry.name: checked})
        return [Record(Kind.SET, id=entry.index, t_ns=t_ns, value=entry.encode(checked))]

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
            self._send(_tell(parameter(str(values[0])).name, self._wanted), who)
        else:
            self._send(bundle(self._everything()), who)
        return []

    def _subscribe(self, values: tuple[Any, ...], who: Destination, t_ns: int) -> list[Record]:
        subscriber = _at_port(values, who)
        self._subscribers.add(subscriber, t_ns)
        self._send(bundle(self._everything()), subscriber)
        return []

    def _unsubscribe(self, values: tuple[Any, ...], who: Destination, _t_ns: int) -> list[Record]:
        self._subscribers.remove(_at_port(values, who))
        return []

    def _tell_status(self, _values: tuple[Any, ...], who: Destination, _t_ns: int) -> list[Record]:
        counters: dict[str, float | int | str] = dict(self._status()) if self._status else {}
        metrics = self.metrics
        counters.update({entry.name: getattr(metrics, entry.name) for entry in fields(metrics)})
        told = [message(f"{PREFIX}metrics/{name}", value) for name, value in counters.items()]
        self._send(bundle(self._everything() + told), who)
        return []

    def _everything(self) -> list[bytes]:
        model = [message(PREFIX + "model", self._model)] if self._model else []
        return [_tell(entry.name, self._wanted) for entry in PARAMETERS] + model

    def _send(self, data: bytes, who: Destination) -> None:
        try:
            self._socket.sendto(data, who)
        except OSError:
            self._count("osc_unsent")

    def _count(self, name: str) -> None:
        self._metrics = replace(self._metrics, **{name: getattr(self._metrics, name) + 1})


def _tell(name: str, settings: Settings) -> bytes:
    value = getattr(settings, name)
    return message(PREFIX + name, "+".join(value) if isinstance(value, tuple) else value)


def _plain(value: Any) -> Any:
    # A 32-bit float says 0.95 as 0.949999988; seven digits are what it holds.
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _pressed(values: tuple[Any, ...], record: Record) -> list[Record]:
    let_go = bool(values) and isinstance(values[0], (bool, int, float)) and not values[0]
    return [] if let_go else [record]


def _seed(values: tuple[Any, ...]) -> int:
    if not values:
        return int.from_bytes(os.urandom(4), "little")
    return _whole(values[0], "reseed", 0, _MAX_SEED)


def _at_port(values: tuple[Any, ...], who: Destination) -> Destination:
    if not values:
        return who
    return (who[0], _whole(values[0], "subscribe", 1, 65_535), *who[2:])


def _whole(value: Any, name: str, low: int, high: int) -> int:
    try:
        number = float(value)
        if not number.is_integer() or not low <= number <= high:
            raise ValueError
    except (TypeError, ValueError):
        raise ConfigError(f"{name}: {value!r} is not allowed; give {low} to {high}") from None
    return int(number)
