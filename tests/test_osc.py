"""OSC on real UDP sockets on loopback: loopback delivers before `sendto` returns, so nothing here waits."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from antiphon.daemon.brain.osc import OscControl
from antiphon.daemon.brain.osc_addresses import ACTIONS
from antiphon.daemon.brain.osc_wire import Message, bundle, message
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.settings import PARAMETERS, Settings, parameter

from tests.osc_rig import Controller


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
        ("/antiphon/nudge", (0.25,), Record(Kind.NUDGE, t_ns=7, value=0.25)),
        ("/antiphon/nudge", ("-0.5",), Record(Kind.NUDGE, t_ns=7, value=-0.5)),
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
        ("/antiphon/low", (1e30,), "low: 1e+30 is not allowed; give a whole number from 0 to 127 (MIDI pitch)"),
        ("/antiphon/mode", ("solo",), "mode: 'solo' is not allowed; give one of follow, answer, continue, "
         "accompany"),
        ("/antiphon/mode", (-1,), "mode: -1 is not allowed; give one of follow, answer, continue, accompany"),
        ("/antiphon/low", (1, 2), "low: 2 values are not allowed; give a whole number from 0 to 127 (MIDI pitch)"),
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


def test_closing_twice_is_quiet(control: OscControl) -> None:
    control.close()
    control.close()
    assert control.receive(1) == []


def test_no_action_hides_a_parameter() -> None:
    assert not {action.name for action in ACTIONS} & {entry.name for entry in PARAMETERS}


def test_every_action_is_heard(control: OscControl, controller: Controller) -> None:
    for action in ACTIONS:
        controller.say(action.path, *([0.25] if action.path.endswith("nudge") else []))
    control.receive(1)
    assert control.metrics.osc_refused == 0


def test_the_fourth_tap_sets_the_tempo_and_says_where_the_beat_is(control: OscControl, controller: Controller) -> None:
    half_ns = 500_000_000
    for number in range(3):
        controller.say("/antiphon/tap")
        assert control.receive(number * half_ns) == []
        controller.say("/antiphon/tap", 0)  # the button is let go
        assert control.receive(number * half_ns + 200_000_000) == []
    controller.say("/antiphon/tap", 1.0)
    tapped = Record(Kind.TAPPED, t_ns=3 * half_ns, u_ns=3 * half_ns)
    assert control.receive(3 * half_ns) == [_set("tempo", 120.0, 3 * half_ns), tapped]
    controller.say("/antiphon/tempo")
    assert control.receive(4 * half_ns) == []
    assert controller.hear() == [Message("/antiphon/tempo", (120.0,))]


@pytest.mark.parametrize("values", [(), (0.51,), (-7,), ("left",), (0.1, 0.2), (float("nan"),)])
def test_a_nudge_that_is_none_is_told_what_is_allowed(
    control: OscControl, controller: Controller, values: tuple[Any, ...]
) -> None:
    controller.say("/antiphon/nudge", *values)
    assert control.receive(1) == []
    (told,) = controller.hear()
    assert told.address == "/antiphon/error"
    assert "give -0.5 to 0.5 beats" in told.values[0]
    assert control.metrics.osc_refused == 1
