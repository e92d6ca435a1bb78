"""When the machine under this one stood still: the proof that a test of time could not hold, whoever wrote it.

A process a processor, pinned to it, sleeps for a few milliseconds again and again at the highest real-time priority
that there is. Nothing that runs in this machine can delay it, so that when it wakes late, nothing here ran on that
processor meanwhile. `/proc/stat` (`tests.host`) tells only how much time was taken in all: a third of a second in
which every client of JACK missed a hundred periods is a share of half a percent in a minute of test.

Where real-time priority is refused nothing is proved, and nothing is excused.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_SLEEP_S = 0.004
#: Waking this much late is told of. An idle virtual machine's processors are often 2 or 3 ms late.
_TOLD_NS = 5_000_000


@dataclass(frozen=True, slots=True)
class Freeze:
    """One processor stood still: until when (`perf_counter_ns`), and for how long."""

    until_ns: int
    length_ns: int


class FreezeWatch:
    """Watches every processor until it is closed."""

    def __init__(self) -> None:
        self._file = tempfile.NamedTemporaryFile(prefix="freezes-", suffix=".txt")  # noqa: SIM115  closed in `close`
        self._process = subprocess.Popen([sys.executable, "-I", __file__, self._file.name], stdin=subprocess.PIPE)

    @property
    def pid(self) -> int:
        """The process whose children watch, a processor each."""
        return self._process.pid

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()  # the end of the stream is the end of the watch
        self._process.wait(10)
        self._file.close()

    def since(self, begun_ns: int) -> list[Freeze]:
        """Give the freezes that ended after a time."""
        found = []
        for line in Path(self._file.name).read_text(encoding="ascii").splitlines():
            until_ns, length_ns = (int(field) for field in line.split())
            if until_ns >= begun_ns:
                found.append(Freeze(until_ns, length_ns))
        return found

    def worst_ms_since(self, begun_ns: int) -> float:
        """Give the longest of the freezes that ended after a time."""
        return max((freeze.length_ns for freeze in self.since(begun_ns)), default=0) / 1e6


def _watch(processor: int, path: str, parent: int) -> None:
    """Write a line for every freeze, until the parent is gone."""
    os.sched_setaffinity(0, {processor})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_max(os.SCHED_FIFO)))
    except OSError:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    before_ns = time.perf_counter_ns()
    while os.getppid() == parent:
        time.sleep(_SLEEP_S)
        now_ns = time.perf_counter_ns()
        late_ns = now_ns - before_ns - round(_SLEEP_S * 1e9)
        if late_ns >= _TOLD_NS:
            os.write(descriptor, f"{now_ns} {late_ns}\n".encode())
        before_ns = now_ns


def _main(path: str) -> None:
    watchers = []
    for processor in sorted(os.sched_getaffinity(0)):
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            _watch(processor, path, parent)
            os._exit(0)
        watchers.append(child)
    sys.stdin.buffer.read()
    for child in watchers:
        os.kill(child, 9)
        os.waitpid(child, 0)


if __name__ == "__main__":
    _main(sys.argv[1])
