"""The player's end of the socket to the brain.

Threading model: the driver's callback thread and the main thread both `send`; only the main thread
receives, flushes and closes. The socket never blocks. Bytes that it does not take go to a bounded backlog,
one producer side under a short lock and one consumer (`flush`); when that is full the newest record is
dropped and counted, because the journal has it anyway and what is older must not be torn out of its order.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable

from antiphon.daemon.messages import Record, RecordStream

#: Records kept for a brain that is starting or slow: minutes of play.
BACKLOG_RECORDS = 65536
_READ_BYTES = 1 << 16
_FLUSH_RECORDS = 512


class BrainLink:
    """Non-blocking, framed, counted.

    Thread-safe: `send`. Realtime-safe: `send`.

    Attributes:
        dropped: records that found the backlog full.
    """

    def __init__(self, sock: socket.socket, on_backlog: Callable[[], None], *, backlog: int = BACKLOG_RECORDS) -> None:
        """Take over ``sock``.

        Args:
            sock: the player's end; becomes non-blocking.
            on_backlog: called (on the sending thread) when something begins to wait, so that the main loop
                watches for the socket to take bytes again.
            backlog: how many records may wait.
        """
        sock.setblocking(False)
        self.dropped = 0
        self._sock = sock
        self._on_backlog = on_backlog
        self._limit = backlog
        self._lock = threading.Lock()
        self._backlog: deque[bytes] = deque()
        self._open = True
        self._stream = RecordStream()

    def fileno(self) -> int:
        """Give the socket's number, for `select`."""
        return self._sock.fileno()

    @property
    def waiting(self) -> int:
        """Pieces in the backlog."""
        return len(self._backlog)

    def send(self, packed: bytes) -> None:
        """Send one packed record, or keep it, or drop and count it. Thread-safe. Realtime-safe."""
        first = False
        with self._lock:
            if not self._open:
                return
            if not self._backlog:
                rest = self._offer(packed)
                if not rest:
                    return
                self._backlog.append(rest)
                first = True
            elif len(self._backlog) < self._limit:
                self._backlog.append(packed)
            else:
                self.dropped += 1
        if first:
            self._on_backlog()

    def flush(self) -> None:
        """Send what waits, as much as the socket takes."""
        with self._lock:
            while self._backlog and self._open:
                count = min(len(self._backlog), _FLUSH_RECORDS)
                rest = self._offer(b"".join(self._backlog.popleft() for _ in range(count)))
                if rest:
                    self._backlog.appendleft(rest)
                    return

    def receive(self) -> list[Record] | None:
        """Give the records that have come in; None at the end of the stream (the brain is gone)."""
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:  # reset by a peer that died with unread bytes
            return None
        return list(self._stream.feed(data)) if data else None

    def close(self) -> None:
        """Close the socket; what waits is dropped. Idempotent."""
        with self._lock:
            self._open = False
            self._backlog.clear()
            self._sock.close()

    def _offer(self, data: bytes) -> bytes:
        """Hand bytes to the socket, and give what it did not take."""
        try:
            return data[self._sock.send(data) :]
        except BlockingIOError:
            return data
        except OSError:  # the brain is gone: `receive` says so to the main loop
            return b""
