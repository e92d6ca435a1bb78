"""Where the player's outputs are connected, as the guard sees it from outside: JACK's library, ALSA's ``/proc``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from antiphon.daemon.player.jack_library import JackClient

#: One output port of our own: its client's name and its own.
Source = tuple[str, str]
#: For each source the ports that it plays to: on JACK by full name, on ALSA by address (``128:0``).
Connections = dict[Source, tuple[str, ...]]

_CLIENTS = Path("/proc/asound/seq/clients")
_CLIENT = re.compile(r'Client +\d+ : "(.*)" \[')
_PORT = re.compile(r'  Port +\d+ : "(.*)" \(')
_TARGETS = "    Connecting To: "


def alsa_connections(listed: str, sources: Sequence[Source]) -> Connections:
    r"""Read the connections of ``sources`` from ALSA's own list of its sequencer's clients. Pure.

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
            if (client, port) in sources:
                found[client, port] = ()
        elif line.startswith(_TARGETS) and (client, port) in found:
            targets = line.removeprefix(_TARGETS).split(", ")
            found[client, port] = tuple(target.partition("[")[0] for target in targets)
    return found


class ConnectionWatch:
    """Remembers where the sources were connected, through whatever happens to them. Belongs to one thread."""

    def __init__(self, api: str, sources: Sequence[Source]) -> None:
        """Prepare.

        Args:
            api: ``alsa`` or ``jack``.
            sources: the ports to watch.

        Raises:
            OSError: JACK's library is not to be found.
        """
        self._sources = tuple(sources)
        self._jack = JackClient() if api == "jack" else None
        self._last: Connections = {}
        self._before: Connections = {}

    def look(self) -> None:
        """Remember what is connected now."""
        now = self._now()
        # A source that is not there has lost its connections with the player: what it had is what counts.
        self._before, self._last = self._last, {**self._last, **now}

    def known(self) -> Connections:
        """Give the connections at the last two looks: the last may have seen a dying player's half taken down."""
        both: Connections = {}
        for source in self._sources:
            names = (*self._last.get(source, ()), *self._before.get(source, ()))
            if names:
                both[source] = tuple(dict.fromkeys(names))
        return both

    def close(self) -> None:
        """Leave the server. Idempotent."""
        if self._jack is not None:
            self._jack.close()

    def _now(self) -> Connections:
        if self._jack is None:
            try:
                return alsa_connections(_CLIENTS.read_text(errors="replace"), self._sources)
            except OSError:
                return {}
        if self._jack.gone:
            self._jack.forget()
        if not self._jack.is_open and not self._jack.open("Antiphon guard"):
            return {}
        full = {f"{client}:{port}": (client, port) for client, port in self._sources}
        return {full[name]: targets for name, targets in self._jack.connections(full).items()}
