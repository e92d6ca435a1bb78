"""``antiphon status``: asks a running Antiphon over OSC."""

from __future__ import annotations

import socket
import time
from typing import Any

from antiphon.daemon.commands.flags import add_options, read_config
from antiphon.daemon.commands.parser import Parser
from antiphon.daemon.errors import ControlError

_PATIENCE_S = 2.0


def main(argv: list[str]) -> int:
    """Print the counters and parameters of the Antiphon that listens where ``--osc`` says."""
    parser = Parser("status", "Ask a running Antiphon how it goes.")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    add_options(parser, ("osc",))
    args = parser.parse_args(argv)
    told = ask(read_config(args).options["osc"])
    if args.json:
        import json  # noqa: PLC0415

        print(json.dumps(told, indent=2))
        return 0
    for title, values in told.items():
        print(title)
        width = max(map(len, values), default=0)
        for name, value in values.items():
            print(f"  {name:<{width}}  {f'{value:g}' if isinstance(value, float) else value}")
    return 0


def ask(osc: str) -> dict[str, dict[str, Any]]:
    """Ask for the status.

    Args:
        osc: HOST:PORT.

    Returns:
        ``counters`` and ``parameters``, by name.

    Raises:
        ControlError: nobody answers there within 2 s.
        ConfigError: ``osc`` is no address.
    """
    from antiphon.daemon.brain.osc_addresses import PREFIX  # noqa: PLC0415  python-osc takes 20 ms
    from antiphon.daemon.brain.osc_socket import parse_osc_address  # noqa: PLC0415
    from antiphon.daemon.brain.osc_wire import message  # noqa: PLC0415

    address = parse_osc_address(osc)
    if address is None:
        raise ControlError("osc: it is off, and status goes over OSC; give --osc HOST:PORT of the one to ask")
    try:
        family, _, _, _, where = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect(where)  # so that the system tells when nobody listens there
            asking.send(message(PREFIX + "status"))
            return _sorted_out(_answer(asking), PREFIX)
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror
        raise ControlError(
            f"status: no Antiphon answers on {address[0]} UDP port {address[1]} ({reason}); "
            "start `antiphon jam`, or give --osc HOST:PORT of the one to ask"
        ) from None


def _answer(asking: socket.socket) -> list[tuple[str, tuple[Any, ...]]]:
    from antiphon.daemon.brain.osc_wire import MalformedError, read  # noqa: PLC0415

    until = time.monotonic() + _PATIENCE_S
    while (left := until - time.monotonic()) > 0:
        asking.settimeout(left)
        try:
            return [(told.address, told.values) for told in read(asking.recv(65_536))]
        except MalformedError:
            continue
    raise TimeoutError


def _sorted_out(told: list[tuple[str, tuple[Any, ...]]], prefix: str) -> dict[str, dict[str, Any]]:
    counters: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    for address, values in told:
        name = address.removeprefix(prefix)
        value = round(values[0], 6) if isinstance(values[0], float) else values[0]
        if name.startswith("metrics/"):
            counters[name.removeprefix("metrics/")] = value
        else:
            parameters[name] = value
    return {"counters": counters, "parameters": parameters}
