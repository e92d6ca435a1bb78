"""Who is told when a parameter changes. Pure: time is a parameter."""

from __future__ import annotations

from collections.abc import Iterator

#: Where a datagram goes: what `socket.recvfrom` gave, (host, port) and more for IPv6.
Destination = tuple[str, int] | tuple[str, int, int, int]

#: A stage has a few faders and phones. Overflow rule: the one that was longest silent gives way.
MAX_SUBSCRIBERS = 16
#: A page that was closed without a goodbye is told for this long after its host's last datagram.
LEASE_NS = 300 * 10**9


class Subscribers:
    """A bounded set of destinations, each until its lease ends."""

    __slots__ = ("_until_ns",)

    def __init__(self) -> None:
        self._until_ns: dict[Destination, int] = {}

    def __len__(self) -> int:
        return len(self._until_ns)

    def add(self, who: Destination, t_ns: int) -> None:
        """Tell ``who`` from now on, or for longer."""
        self._until_ns.pop(who, None)
        if len(self._until_ns) >= MAX_SUBSCRIBERS:
            self.remove(min(self._until_ns, key=self._until_ns.__getitem__))
        self._until_ns[who] = t_ns + LEASE_NS

    def remove(self, who: Destination) -> None:
        """Tell ``who`` no more; no matter whether it was told."""
        self._until_ns.pop(who, None)

    def renew(self, host: str, t_ns: int) -> None:
        """A datagram came from ``host``: whoever is told there is still alive."""
        for who in self._until_ns:
            if who[0] == host:
                self._until_ns[who] = t_ns + LEASE_NS

    def at(self, t_ns: int) -> Iterator[Destination]:
        """Give everyone whose lease has not ended at ``t_ns``, and forget the others."""
        for who in [who for who, until_ns in self._until_ns.items() if until_ns <= t_ns]:
            self.remove(who)
        yield from self._until_ns
