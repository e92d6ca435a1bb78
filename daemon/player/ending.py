"""When a session is over whose performer was a file: some time after its end, but not in the middle of an answer."""

from __future__ import annotations

_NS = 1_000_000_000
#: What has been silent for so long, with nothing due, has said what it had to say.
_QUIET_NS = _NS


class Ending:
    """Tells when to stop. Belongs to the player's thread, but for `begin`."""

    def __init__(self, tail_s: float, longest_tail_s: float) -> None:
        """Nothing is over yet.

        Args:
            tail_s: how long the session goes on after the performance at least.
            longest_tail_s: how long it goes on at most while something sounds or is due.
        """
        self._tail_ns = round(tail_s * _NS)
        self._longest_ns = max(self._tail_ns, round(longest_tail_s * _NS))
        self._over_ns: int | None = None
        self._sounded_ns = 0

    def begin(self, now_ns: int) -> None:
        """The performance is over. From any thread."""
        self._over_ns = now_ns

    def reached(self, now_ns: int, *, busy: bool) -> bool:
        """Say, once, that it is time to stop.

        Args:
            now_ns: the time.
            busy: whether something sounds or is due now.
        """
        if busy:
            self._sounded_ns = now_ns
        if self._over_ns is None or now_ns < self.next_ns():
            return False
        self._over_ns = None
        return True

    def next_ns(self) -> int:
        """When it is to be asked again; only where the performance is over."""
        assert self._over_ns is not None
        earliest = max(self._over_ns + self._tail_ns, self._sounded_ns + _QUIET_NS)
        return min(earliest, self._over_ns + self._longest_ns)

    @property
    def begun(self) -> bool:
        """Whether the performance is over, and the session not yet."""
        return self._over_ns is not None
