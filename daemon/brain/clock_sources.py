"""The clocks outside, at the brain's edge: the one that `clock` asks for is opened and read aside.

Threading model: a `ClockSources` belongs to the brain's one thread, whose select loop watches its `fileno`. Each source
is opened, read every `READ_EVERY_S` and closed by a thread of its own, which shares with the brain two bounded queues
(of each the oldest gives way: a later record tells the whole of it too), a socket pair to wake it, and the immutable
snapshot of settings. Neither waits for the other, but for `close`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from antiphon.daemon.brain.told_clock import Teller, Told
from antiphon.daemon.errors import ControlError
from antiphon.daemon.messages import Record
from antiphon.daemon.settings import Settings

_Read = TypeVar("_Read")
#: A stop is heard no later than this; and a reading costs some microseconds.
READ_EVERY_S = 0.01
#: A server that is not there is looked for so often.
LOOK_EVERY_S = 2.0
_MOST_RECORDS, _MOST_LINES = 64, 8
#: A reading between two looks at the time that lie further apart was interrupted, and is tried again so often.
_UNDISTURBED_NS, _TRIES = 100_000, 5


class MissingError(ControlError):
    """What a source needs is not installed: it is no use to look again."""


def read_at(read: Callable[[], _Read]) -> tuple[int, _Read]:
    """Give what is read, and the time when it was: where this thread is interrupted in between, it reads again."""
    best: tuple[int, int, _Read] | None = None
    for _ in range(_TRIES):
        before_ns = time.perf_counter_ns()
        found = read()
        took_ns = time.perf_counter_ns() - before_ns
        if best is None or took_ns < best[0]:
            best = (took_ns, before_ns + took_ns // 2, found)
        if took_ns < _UNDISTURBED_NS:
            break
    assert best is not None
    return best[1:]


class BeatSource(Protocol):
    """Something outside that has a beat. Used by one thread."""

    @property
    def about(self) -> str:
        """What was found, in words; while it is open."""

    def open(self, settings: Settings) -> None:
        """Join it.

        Raises:
            MissingError: what it needs is not installed.
            ControlError: it is not there now.
        """

    def read(self, settings: Settings) -> Told | None:
        """Say where it is; None while it does not know.

        Raises:
            ControlError: it is gone.
        """

    def close(self) -> None:
        """Leave it. Idempotent."""


def _link() -> BeatSource:
    from antiphon.daemon.brain.link_source import LinkSource  # noqa: PLC0415  only where it is asked for

    return LinkSource()


def _jack() -> BeatSource:
    from antiphon.daemon.brain.jack_source import JackSource  # noqa: PLC0415  only where it is asked for

    return JackSource()


#: By the name in the setting `clock`.
SOURCES: Mapping[str, Callable[[], BeatSource]] = {"link": _link, "jack": _jack}


class ClockSources:
    """Opens and closes sources as the settings ask. `close` is idempotent.

    Args:
        report: gets a line for the person who plays, and whether something is wrong; in the brain's thread.
        sources: makes each, by the name in the setting `clock`.
    """

    def __init__(
        self, report: Callable[[str, bool], None], sources: Mapping[str, Callable[[], BeatSource]] = SOURCES
    ) -> None:
        self._report, self._sources = report, sources
        self._heard, self._said = socket.socketpair()
        self._heard.setblocking(False)
        self._said.setblocking(False)
        self._records: deque[Record] = deque(maxlen=_MOST_RECORDS)
        self._lines: deque[tuple[str, bool]] = deque(maxlen=_MOST_LINES)
        self._name = ""
        self._reader: _Reader | None = None
        self._leaving: list[_Reader] = []

    def fileno(self) -> int:
        """Give the socket to watch for reading."""
        return self._heard.fileno()

    def follow(self, settings: Settings) -> None:
        """Open what these settings ask for, and let go of what they do not."""
        if self._reader is not None:
            self._reader.settings = settings
        if settings.clock == self._name:
            return
        self._name = settings.clock
        if self._reader is not None:
            self._reader.leave()
            self._leaving = [reader for reader in (*self._leaving, self._reader) if reader.is_alive()]
            self._reader = None
        if make := self._sources.get(self._name):
            self._reader = _Reader(self._name, make, settings, self._records, self._lines, self._wake)
            self._reader.start()

    def take(self) -> list[Record]:
        """Give what the sources said since this was asked last, and report what there is to say of them."""
        with contextlib.suppress(BlockingIOError):
            self._heard.recv(4096)
        while self._lines:
            self._report(*self._lines.popleft())
        records = []
        while self._records:
            records.append(self._records.popleft())
        return records

    def close(self) -> None:
        """Leave every source; wait for those that are being opened or closed."""
        if self._reader is not None:
            self._reader.leave()
            self._leaving.append(self._reader)
        for reader in self._leaving:
            reader.join()
        self._reader, self._leaving, self._name = None, [], ""
        self._heard.close()
        self._said.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: then it is being woken; closed: nobody listens
            self._said.send(b"\0")


class _Reader(threading.Thread):
    """One source's thread."""

    def __init__(
        self, name: str, make: Callable[[], BeatSource], settings: Settings, records: deque[Record],
        lines: deque[tuple[str, bool]], wake: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(name=f"clock {name}", daemon=True)
        self.settings = settings  # replaced whole by the brain's thread
        self._make, self._records, self._lines, self._wake = make, records, lines, wake
        self._done = threading.Event()
        self._last: Told | None = None

    def leave(self) -> None:
        """Ask it to end. Thread-safe: yes."""
        self._done.set()

    def run(self) -> None:
        try:
            source, complained = self._make(), False
            while not self._done.is_set():
                try:
                    source.open(self.settings)
                    self._say(f"clock {self.settings.clock}: {source.about}")
                    complained = False
                    self._read(source)
                except MissingError:
                    raise
                except ControlError as error:  # once, not every time that it is looked for
                    if not complained:
                        self._say(str(error), wrong=True)
                    complained = True
                    self._done.wait(LOOK_EVERY_S)
                finally:
                    source.close()
                    self._stop()
        except MissingError as error:
            self._say(str(error), wrong=True)
        except Exception as error:  # the brain plays on, whatever a library leads to
            self._say(f"{self.name}: {error!r}; choose another clock", wrong=True)

    def _read(self, source: BeatSource) -> None:
        teller = Teller()
        while not self._done.wait(READ_EVERY_S):
            told = source.read(self.settings)
            if told is not None and teller.worth(told):
                self._tell(told)

    def _stop(self) -> None:
        """What is left stands still from here on."""
        if self._last is not None and self._last.running:
            now_ns = time.perf_counter_ns()
            self._tell(self._last._replace(t_ns=now_ns, beat=self._last.beat_at(now_ns), running=False))

    def _tell(self, told: Told) -> None:
        self._last = told
        self._records.append(told.record())
        self._wake()

    def _say(self, line: str, *, wrong: bool = False) -> None:
        self._lines.append((line, wrong))
        self._wake()
