"""OSC on real UDP sockets on loopback: loopback delivers before `sendto` returns, so nothing here waits."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from antiphon.daemon.brain.osc import OscControl, open_osc
from antiphon.daemon.brain.osc_addresses import ACTIONS
from antiphon.daemon.brain.osc_socket import parse_osc_address
from antiphon.daemon.brain.osc_subscribers import LEASE_NS, MAX_SUBSCRIBERS, Subscribers
from antiphon.daemon.brain.osc_wire import Message, bundle, message, read
from antiphon.daemon.errors import ConfigError, ControlError
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.settings import PARAMETERS, Settings, parameter
from hypothesis import given
from hypothesis import strategies as st


class Controller:
    """A fader bank: one UDP socket that says and hears."""

    def __init__(self, control: OscControl) -> None:
        self._to = control.address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)

    def say(self, address: str, *values: float | int | str) -> None:
        self.socket.sendto(message(address, *values), self._to)

    def say_raw(self, data: bytes) -> None:
        self.socket.sendto(data, self._to)

    def hear(self) -> list[Message]:
        """Give the next datagram's messages."""
        return read(self.socket.recv(65_536))

    def hears_nothing(self) -> bool:
        self.socket.setblocking(False)
        try:
            self.socket.recv(65_536)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(5)
        return False


@pytest.fixture
def control() -> Iterator[OscControl]:
    with OscControl(("127.0.0.1", 0), Settings()) as opened:
        yield opened


@pytest.fixture
def controller(control: OscControl) -> Iterator[Controller]:
    fader_bank = Controller(control)
    yield fader_bank
    fader_bank.socket.close()


def _set(name: str, value: Any, t_ns: int = 7) -> Record:
    entry = parameter(name)
    return Record(Kind.SET, id=entry.index, t_ns=t_ns, value=entry.encode(entry.check(value)))


@pytest.mark.parametrize(
    ("address", "values", "expected"),
    [
        ("/antiphon/mode", ("follow",), _set("mode", "follow")),
        ("/antiphon/mode", (3,), _set("mode", "accompany")),
        ("/antiphon/mode", (3.0,), _set("mode", "accompany")),
        ("/antiphon/parts", ("bass+drums",), _set("parts", ("bass", "drums"))),
        ("/antiphon/parts", ("bass", "drums"), _set("parts", ("bass", "drums"))),
        ("/antiphon/top_p", (0.7,), _set("top_p", 0.7)),
        ("/antiphon/top-p", (0.05,), _set("top_p", 0.05)),
        ("/antiphon/temperature", (1,), _set("temperature", 1.0)),
        ("/antiphon/temperature", ("1.5",), _set("temperature", 1.5)),
        ("/antiphon/tempo", (97.3,), _set("tempo", 97.3)),
        ("/antiphon/low", (40.0,), _set("low", 40)),
        ("/antiphon/key", ("c#",), _set("key", "C#")),
        ("/antiphon/thru", (1,), _set("thru", True)),
        ("/antiphon/thru", (0.0,), _set("thru", False)),
        ("/antiphon/mute", (), _set("mute", True)),
        ("/antiphon/trigger", (), Record(Kind.TRIGGER, t_ns=7)),
        ("/antiphon/trigger", (1.0,), Record(Kind.TRIGGER, t_ns=7)),
        ("/antiphon/panic", (), Record(Kind.PANIC, t_ns=7)),
        ("/antiphon/reseed", (42,), Record(Kind.SEED, id=42, t_ns=7)),
        ("/antiphon/reseed", (4294967295,), Record(Kind.SEED, id=4294967295, t_ns=7)),
    ],
)  # fmt: skip
def test_a_message_becomes_one_engine_input(
    control: OscControl, controller: Controller, address: str, values: tuple[Any, ...], expected: Record
) -> None:
    controller.say(address, *values)
    assert control.receive(7) == [expected]
    assert control.receive(8) == []
    assert controller.hears_nothing()


def test_every_parameter_can_be_set_to_what_it_is_told_as(control: OscControl, controller: Controller) -> None:
    controller.say("/antiphon/get")
    assert control.receive(1) == []
    state = controller.hear()
    assert [told.address for told in state] == [f"/antiphon/{entry.name}" for entry in PARAMETERS]
    for told in state:
        controller.say(told.address, *told.values)
    records = control.receive(2)
    assert [record.id for record in records] == list(range(len(PARAMETERS)))
    settings = Settings()
    for record in records:
        settings = settings.with_encoded(record.id, record.value)
    assert settings == Settings()


def test_a_button_let_go_neither_triggers_nor_panics(control: OscControl, controller: Controller) -> None:
    controller.say("/antiphon/trigger", 0.0)
    controller.say("/antiphon/panic", 0)
    assert control.receive(1) == []
    assert control.metrics.osc_messages == 2


def test_mute_without_a_value_turns_over_each_time(control: OscControl, controller: Controller) -> None:
    controller.say("/antiphon/mute")
    controller.say("/antiphon/mute")
    assert control.receive(7) == [_set("mute", True), _set("mute", False)]


def test_reseed_without_a_seed_draws_a_new_one(control: OscControl, controller: Controller) -> None:
    controller.say("/antiphon/reseed")
    controller.say("/antiphon/reseed")
    first, second = control.receive(7)
    assert first.kind == second.kind == Kind.SEED
    assert first.id != second.id
    assert Record.unpack(first.pack()) == first


@pytest.mark.parametrize(
    ("address", "values", "line"),
    [
        ("/antiphon/top_p", (3.0,), "top_p: 3.0 is not allowed; give 0.05 to 1"),
        ("/antiphon/tempo", (float("nan"),), "tempo: nan is not allowed; give 30 to 300 bpm"),
        ("/antiphon/low", (1e30,), "low: 1e+30 is not allowed; give 0 to 127 MIDI pitch"),
        ("/antiphon/mode", ("solo",), "mode: 'solo' is not allowed; give one of follow, answer, continue, "
         "accompany"),
        ("/antiphon/mode", (-1,), "mode: -1 is not allowed; give one of follow, answer, continue, accompany"),
        ("/antiphon/low", (1, 2), "low: 2 values are not allowed; give 0 to 127 MIDI pitch"),
        ("/antiphon/tempoo", (1,), "there is no parameter 'tempoo'; did you mean tempo?"),
        ("/antiphon/reseed", (-1,), "reseed: -1 is not allowed; give 0 to 4294967295"),
        ("/antiphon/reseed", (1.5,), "reseed: 1.5 is not allowed; give 0 to 4294967295"),
        ("/antiphon/subscribe", (0,), "subscribe: 0 is not allowed; give 1 to 65535"),
        ("/antiphon/get", ("densty",), "there is no parameter 'densty'; did you mean density?"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_counted_and_told_to_the_sender(
    control: OscControl, controller: Controller, address: str, values: tuple[Any, ...], line: str
) -> None:
    controller.say(address, *values)
    assert control.receive(1) == []
    assert controller.hear() == [Message("/antiphon/error", (line,))]
    assert control.metrics.osc_refused == 1


def test_two_antiphons_that_talk_to_each_other_stop(control: OscControl, controller: Controller) -> None:
    controller.say("/antiphon/error", "top_p: 3.0 is not allowed; give 0.05 to 1")
    controller.say("/antiphon/metrics/dropped", 3)
    controller.say("/another/app", 3)
    assert control.receive(1) == []
    assert controller.hears_nothing()
    assert control.metrics.osc_refused == 3


def test_get_tells_one_parameter_with_what_was_just_heard(control: OscControl, controller: Controller) -> None:
    controller.say("/antiphon/tempo", 90)
    controller.say("/antiphon/get", "tempo")
    controller.say("/antiphon/key")
    assert control.receive(1) == [_set("tempo", 90, t_ns=1)]
    assert controller.hear() == [Message("/antiphon/tempo", (90.0,))]
    assert controller.hear() == [Message("/antiphon/key", ("auto",))]


def test_a_subscriber_gets_the_state_and_then_each_change_once(control: OscControl, controller: Controller) -> None:
    controller.say("/antiphon/subscribe")
    assert control.receive(1) == []
    assert [told.address for told in controller.hear()] == [f"/antiphon/{entry.name}" for entry in PARAMETERS]
    settings = Settings().with_value("tempo", 90).with_value("parts", "bass+drums").with_value("mute", "on")
    control.publish(settings, 2)
    control.publish(settings, 3)
    assert [controller.hear() for _ in range(3)] == [
        [Message("/antiphon/parts", ("bass+drums",))],
        [Message("/antiphon/tempo", (90.0,))],
        [Message("/antiphon/mute", (1,))],
    ]
    assert controller.hears_nothing()


def test_a_subscriber_may_listen_on_another_port_and_leave(control: OscControl, controller: Controller) -> None:
    page = Controller(control)
    port = page.socket.getsockname()[1]
    controller.say("/antiphon/subscribe", port)
    control.receive(1)
    assert len(page.hear()) == len(PARAMETERS)
    controller.say("/antiphon/unsubscribe", port)
    control.receive(2)
    control.publish(Settings().with_value("tempo", 90), 3)
    assert page.hears_nothing()
    assert controller.hears_nothing()
    page.socket.close()


def test_a_subscription_ends_by_itself_unless_its_host_is_heard(control: OscControl, controller: Controller) -> None:
    controller.say("/antiphon/subscribe")
    control.receive(0)
    controller.hear()
    controller.say("/antiphon/trigger")
    control.receive(LEASE_NS - 1)
    control.publish(Settings().with_value("tempo", 90), LEASE_NS)
    assert controller.hear() == [Message("/antiphon/tempo", (90.0,))]
    control.publish(Settings().with_value("tempo", 91), 2 * LEASE_NS)
    assert controller.hears_nothing()
    assert control.metrics.osc_subscribers == 0


@given(st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 40))))
def test_subscribers_are_bounded_and_the_longest_silent_gives_way(steps: list[tuple[str, int]]) -> None:
    subscribers = Subscribers()
    expected: list[tuple[str, int]] = []  # longest silent first
    for t_ns, (what, port) in enumerate(steps):
        who = ("10.0.0.1", port)
        if who in expected:
            expected.remove(who)
        if what == "add":
            subscribers.add(who, t_ns)
            expected = [*expected, who][-MAX_SUBSCRIBERS:]
        else:
            subscribers.remove(who)
        assert list(subscribers.at(t_ns)) == expected


def test_status_tells_the_callers_counters_and_its_own_in_one_datagram() -> None:
    with OscControl(
        ("127.0.0.1", 0),
        Settings(),
        lambda: {"model": "lstm", "dropped": 3, "p99_ms": 0.5, "t_ns": 2**40},
    ) as control:
        controller = Controller(control)
        controller.say_raw(b"nonsense")
        controller.say("/antiphon/status")
        assert control.receive(1) == []
        told = dict(controller.hear())
        controller.socket.close()
    assert told["/antiphon/mode"] == ("answer",)
    assert told["/antiphon/metrics/model"] == ("lstm",)
    assert told["/antiphon/metrics/dropped"] == (3,)
    assert told["/antiphon/metrics/p99_ms"] == (0.5,)
    assert told["/antiphon/metrics/t_ns"] == (2**40,)
    assert told["/antiphon/metrics/osc_malformed"] == (1,)


_DEEP = message("/antiphon/panic")
for _ in range(3000):
    _DEEP = bundle([_DEEP])
_MALFORMED = {
    "empty": b"",
    "text": b"mode=follow\n",
    "address without an end": b"/antiphon/panic1",
    "cut in its float": message("/antiphon/tempo", 100.0)[:-1],
    "without its float": message("/antiphon/tempo", 100.0)[:-4],
    "unknown type tag": b"/antiphon/tempo\x00,Q\x00\x00\x00\x00\x00\x00",
    "type tags without a comma": b"/antiphon/tempo\x00f\x00\x00\x00\x00\x00\x00\x00",
    "not utf-8": b"/antiphon/mode\x00\x00,s\x00\x00\xff\xfe\xfd\x00",
    "bracket that is never closed": b"/antiphon/mode\x00\x00,[\x00\x00",
    "bundle cut in its time": b"#bundle\x00\x00\x00\x00\x00",
    "element of negative size": b"#bundle\x00" + bytes(8) + struct.pack(">i", -4),
    "element of no size": b"#bundle\x00" + bytes(8) + struct.pack(">i", 0) + bytes(4),
    "element longer than the datagram": b"#bundle\x00" + bytes(8) + struct.pack(">i", 400) + b"/a\x00\x00",
    "one good element and one bad": bundle([message("/antiphon/panic"), b"oops"]),
    "bundles in bundles in bundles": _DEEP,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("data", _MALFORMED.values(), ids=_MALFORMED.keys())
def test_a_malformed_datagram_is_counted_and_dropped_whole(
    control: OscControl, controller: Controller, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    controller.say_raw(data)
    controller.say("/antiphon/trigger")
    assert control.receive(7) == [Record(Kind.TRIGGER, t_ns=7)]
    assert control.metrics.osc_malformed == 1
    assert controller.hears_nothing()
    assert not caplog.records


def test_a_bundle_gives_its_messages_in_order(control: OscControl, controller: Controller) -> None:
    inner = bundle([message("/antiphon/trigger"), message("/antiphon/tempo", 90.0)])
    controller.say_raw(bundle([message("/antiphon/mode", "follow"), inner, message("/antiphon/panic")]))
    assert control.receive(7) == [
        _set("mode", "follow"), Record(Kind.TRIGGER, t_ns=7), _set("tempo", 90), Record(Kind.PANIC, t_ns=7),
    ]  # fmt: skip


def test_an_old_sender_without_type_tags_is_understood(control: OscControl, controller: Controller) -> None:
    controller.say_raw(b"/antiphon/panic\x00")
    assert control.receive(7) == [Record(Kind.PANIC, t_ns=7)]


def test_a_flood_neither_raises_nor_holds_the_brain(control: OscControl, controller: Controller) -> None:
    rng = random.Random(1)
    for _ in range(100):
        controller.say_raw(rng.randbytes(rng.randrange(64)))
    controller.say("/antiphon/trigger")
    assert control.receive(1) == []  # one call reads 64 datagrams, then the loop goes round
    assert control.metrics.osc_malformed == 64
    assert control.receive(2) == [Record(Kind.TRIGGER, t_ns=2)]
    assert control.metrics.osc_malformed == 100


def test_an_answer_that_cannot_be_sent_is_counted(control: OscControl, controller: Controller) -> None:
    controller.say("/antiphon/subscribe")
    control.receive(1)
    control.close()
    control.publish(Settings().with_value("tempo", 90), 2)
    assert control.metrics.osc_unsent == 1


def test_a_port_in_use_is_one_plain_error_or_a_session_without_osc(control: OscControl) -> None:
    host, port = control.address
    spec = f"{host}:{port}"
    with pytest.raises(ControlError) as caught:
        open_osc(spec, Settings(), strict=True)
    assert str(caught.value).startswith(f"osc: UDP port {port} on 127.0.0.1 cannot be had (")
    assert str(caught.value).endswith(f"; give --osc 127.0.0.1:{port + 1} or --osc off")
    lines: list[str] = []
    assert open_osc(spec, Settings(), report=lines.append) is None
    assert lines == [f"{caught.value}; playing without OSC"]


def test_osc_off_opens_nothing() -> None:
    assert open_osc("off", Settings(), strict=True) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("off", None),
        ("OFF", None),
        ("9011", ("127.0.0.1", 9011)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("[::1]:9010", ("::1", 9010)),
        ("stage.local:9000", ("stage.local", 9000)),
    ],
)
def test_osc_addresses_as_written(text: str, expected: tuple[str, int] | None) -> None:
    assert parse_osc_address(text) == expected


@pytest.mark.parametrize("text", ["", "on", "127.0.0.1", "127.0.0.1:", ":9010", "127.0.0.1:70000", "a:-1", "a:²"])
def test_an_osc_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^osc: .* is not allowed; give HOST:PORT"):
        parse_osc_address(text)


def test_a_host_that_is_not_this_machine_is_one_plain_error() -> None:
    with pytest.raises(ControlError, match=r"^osc: UDP port 9010 on 192\.0\.2\.1 cannot be had"):
        OscControl(("192.0.2.1", 9010))


def test_it_listens_on_loopback_unless_told_otherwise() -> None:
    with OscControl(("127.0.0.1", 0)) as control:
        assert control.address[0] == "127.0.0.1"
    assert parse_osc_address("9010") == ("127.0.0.1", 9010)


def test_closing_twice_is_quiet(control: OscControl) -> None:
    control.close()
    control.close()
    assert control.receive(1) == []


def test_no_action_hides_a_parameter() -> None:
    assert not {action.name for action in ACTIONS} & {entry.name for entry in PARAMETERS}


def test_every_action_is_heard(control: OscControl, controller: Controller) -> None:
    for action in ACTIONS:
        controller.say(action.path)
    control.receive(1)
    assert control.metrics.osc_refused == 0
