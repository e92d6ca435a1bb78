"""Where OSC listens: what ``--osc`` says, and the socket. Imports no OSC: the command line checks with it."""

from __future__ import annotations

import socket

from antiphon.daemon.brain.osc_addresses import DEFAULT_HOST, DEFAULT_PORT
from antiphon.daemon.errors import ConfigError, ControlError


def parse_osc_address(text: str) -> tuple[str, int] | None:
    """Read ``--osc``: HOST:PORT, PORT alone (on loopback), or off (None). Port 0: any free one.

    Raises:
        ConfigError: anything else.
    """
    folded = text.strip().lower()
    if folded == "off":
        return None
    host, colon, port = folded.rpartition(":")
    host = host.strip("[]") if colon else DEFAULT_HOST
    if not host or not port.isascii() or not port.isdigit() or not 0 <= int(port) <= 65_535:
        raise ConfigError(f"osc: {text!r} is not allowed; give HOST:PORT, a port from 0 to 65535, or off")
    return host, int(port)


def bind_osc(host: str, port: int) -> socket.socket:
    """Bind a UDP port, non-blocking.

    Raises:
        ControlError: the port is in use, or the host is not this machine's.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        bound = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise ControlError(
            f"osc: there is no host {host!r} ({error.strerror}); give --osc {DEFAULT_HOST}:{port} or --osc off"
        ) from None
    try:
        bound.bind(where)  # no SO_REUSEADDR: two would share the port and each hear half
    except OSError as error:
        bound.close()
        other = port + 1 if port < 65_535 else DEFAULT_PORT
        raise ControlError(
            f"osc: UDP port {port} on {host} cannot be had ({error.strerror}; is another Antiphon running?); "
            f"give --osc {host}:{other} or --osc off"
        ) from None
    bound.setblocking(False)
    return bound
