"""Where the player's ports are connected, as the guard sees it from outside: JACK's library, ALSA's ``/proc``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from antiphon.daemon.player.jack_library import JackClient

#: One port of our own: its client's name and its own.
Port = tuple[str, str]
#: For each of our ports those at the other ends of its cables: on JACK by full name; on ALSA by address (``128:0``), of
#: outputs only.
Connections = dict[Port, tuple[str, ...]]

_CLIENTS = Path("/proc/asound/seq/clients")
_CLIENT = re.compile(r'Client +\d+ : "(.*)" \[')
_PORT = re.compile(r'  Port +\d+ : "(.*)" \(')
_TARGETS = "    Connecting To: "


def alsa_connections(listed: str, ports: Sequence[Port]) -> Connections:
    r"""Read the connections of ``ports`` from ALSA's own list of its sequencer's clients. Pure.

    >>> listed = 'Client 128 : "Antiphon" [User]\n  Port   0 : "Antiphon out" (R-e-)\n'
    >>> listed += '    Connecting To: 14:0, 20:1[ex]\n'
    >>> alsa_connections(listed, [("Antiphon", "Antiphon out")])
    {('Antiphon', 'Antiphon out'): ('14:0', '20:1')}
    """
    found: Connections = {}
    client = port = ""
    for line in listed.splitlines():
        if match := _CLIENT.match(line):
            client, port = match[1], ""
        elif match := _PORT.match(line):
            port = match[1]
            if (client, port) in ports:
                found[client, port] = ()
        elif line.startswith(_TARGETS) and (client, port) in found:
            targets = line.removeprefix(_TARGETS).split(", ")
            found[client, port] = tuple(target.partition("[")[0] for target in targets)
    return found


class ConnectionWatch:
    """Remembers where ports were connected, through whatever happens to them. Belongs to one thread."""

    def __init__(self, api: str, ports: Sequence[Port]) -> None:
        """Prepare.

        Args:
            api: ``alsa`` or ``jack``.
            ports: those to watch.

        Raises:
            OSError: JACK's library is not to be found.
        """
        self._ports = tuple(ports)
        self._jack = JackClient() if api == "jack" else None
        self._last: Connections = {}
        self._before: Connections = {}

    def look(self) -> None:
        """Remember what is connected now."""
        now = self._now()
        # A port that is not there has lost its connections with the player: what it had is what counts.
        self._before, self._last = self._last, {**self._last, **now}

    def known(self) -> Connections:
        """Give the connections at the last two looks: the last may have seen a dying player's half taken down."""
        both: Connections = {}
        for port in self._ports:
            names = (*self._last.get(port, ()), *self._before.get(port, ()))
            if names:
                both[port] = tuple(dict.fromkeys(names))
        return both

    def restore(self, wanted: Connections) -> Connections:
        """Connect what is there of this, once, and give what is still to be waited for.

        Our own ports are waited for; whoever is gone of the others has taken its cables with it. ALSA lets nobody
        connect what is another's: there, ports that were named are joined by the new player itself.
        """
        if self._jack is None:
            return {}
        if not self._answers(self._jack):
            return wanted
        found = self._jack.connections(f"{client}:{port}" for client, port in wanted)
        missing = {}
        for (client, port), others in wanted.items():
            name = f"{client}:{port}"
            if name not in found:
                missing[client, port] = others
                continue
            for other in set(others) - set(found[name]):
                self._jack.connect(name, other)
        return missing

    def close(self) -> None:
        """Leave the server. Idempotent."""
        if self._jack is not None:
            self._jack.close()

    def _now(self) -> Connections:
        if self._jack is None:
            try:
                return alsa_connections(_CLIENTS.read_text(errors="replace"), self._ports)
            except OSError:
                return {}
        if not self._answers(self._jack):
            return {}
        full = {f"{client}:{port}": (client, port) for client, port in self._ports}
        return {full[name]: targets for name, targets in self._jack.connections(full).items()}

    def _answers(self, jack: JackClient) -> bool:
        """Whether there is a server, again perhaps."""
        if jack.gone:
            jack.forget()
        return jack.is_open or jack.open("Antiphon guard")
