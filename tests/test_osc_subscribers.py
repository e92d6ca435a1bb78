"""Who is told of changes by OSC, and for how long."""

from __future__ import annotations

from antiphon.daemon.brain.osc import OscControl
from antiphon.daemon.brain.osc_subscribers import LEASE_NS, MAX_SUBSCRIBERS, Subscribers
from antiphon.daemon.brain.osc_wire import Message
from antiphon.daemon.settings import PARAMETERS, Settings
from hypothesis import given
from hypothesis import strategies as st

from tests.osc_rig import Controller


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
