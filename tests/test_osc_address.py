"""Where OSC listens: as written, as opened, and what cannot be had."""

from __future__ import annotations

import pytest
from antiphon.daemon.brain.osc import OscControl, open_osc
from antiphon.daemon.brain.osc_socket import parse_osc_address
from antiphon.daemon.errors import ConfigError, ControlError
from antiphon.daemon.settings import Settings


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
