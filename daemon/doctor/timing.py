"""Checks of timing: how late a timed sleep wakes, whether real-time priority is granted, and is it below JACK's."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from antiphon.daemon.doctor.finding import Lacking

#: How long it is measured, and how long each sleep is: the player's own are about as long.
_MEASURED_S, _SLEEP_S = 2.0, 0.002
_NS_PER_MS = 1_000_000
#: Later than this, one time in a hundred, is heard beside a tight drummer.
_LATE_MS = 2.0
#: Where the kernel keeps the governor of each processor.
_GOVERNORS = Path("/sys/devices/system/cpu")
_SLOW_GOVERNORS = frozenset({"powersave", "conservative"})
#: Audio servers, by the names of their processes.
_SERVERS = frozenset({"jackd", "jackdmp", "jackdbus", "pipewire"})
_GRANT = (
    "run: sudo apt-get install jackd2 && sudo dpkg-reconfigure -p high jackd2 (answer yes) && "
    "sudo usermod -aG audio $USER, then log in again"
)


@dataclass(frozen=True, slots=True)
class Lateness:
    """How much later than asked sleeps woke, ms: half of them, 99 of a hundred, all."""

    median_ms: float
    p99_ms: float
    max_ms: float
    count: int


def summarise(late_ns: Sequence[int]) -> Lateness:
    """Summarise how late each sleep woke.

    Args:
        late_ns: one at least.

    >>> summarise([50_000, 60_000, 1_000_000])
    Lateness(median_ms=0.06, p99_ms=1.0, max_ms=1.0, count=3)
    """
    ordered = sorted(late_ns)
    last = len(ordered) - 1
    median, p99 = ordered[last // 2], ordered[min(last, -(-99 * len(ordered) // 100) - 1)]
    return Lateness(median / _NS_PER_MS, p99 / _NS_PER_MS, ordered[-1] / _NS_PER_MS, len(ordered))


def measure_lateness(seconds: float = _MEASURED_S) -> tuple[Lateness, bool]:
    """Sleep again and again, in a thread of its own that is as prompt as the player's; and say whether it was."""
    late: list[int] = []
    real_time = []

    def sleep() -> None:
        from antiphon.daemon.player.priority import take_fifo  # noqa: PLC0415  may be refused: asked here alone

        real_time.append(take_fifo())
        end_ns = time.perf_counter_ns() + round(seconds * 1e9)
        while not late or time.perf_counter_ns() < end_ns:
            due_ns = time.perf_counter_ns() + round(_SLEEP_S * 1e9)
            time.sleep(_SLEEP_S)
            late.append(max(0, time.perf_counter_ns() - due_ns))

    thread = threading.Thread(target=sleep)
    thread.start()
    thread.join()
    return summarise(late), real_time[0]


def jitter() -> str:
    """Measure for 2 s how late a timed sleep wakes. Raises: Lacking: too late to play tight."""
    found, real_time = measure_lateness()
    told = (
        f"a timed sleep wakes {found.median_ms:.2f} ms late (median; p99 {found.p99_ms:.2f}, max {found.max_ms:.2f}; "
        f"n = {found.count}, {'real-time' if real_time else 'ordinary'} priority)"
    )
    if found.p99_ms > _LATE_MS:
        busiest = "see what is busy with: top -o %CPU" if sys.platform == "linux" else "end what is busy beside"
        raise Lacking(f"{told}: notes will be heard late", busiest)
    return told


def scheduling() -> str:
    """Tell whether real-time priority is granted, and where it is against JACK's. Raises: Lacking."""
    from antiphon.daemon.player.priority import FIFO_PRIORITY, fifo_granted  # noqa: PLC0415

    if not fifo_granted():
        remedy = _GRANT
        if sys.platform != "linux":
            remedy = "only Linux's is used, so it plays at the usual priority here"
        raise Lacking("no real-time scheduling: under load notes may leave some ms late", remedy)
    told = f"real-time scheduling is granted (FIFO {FIFO_PRIORITY}"
    servers = server_priorities()
    low = {name: priority for name, priority in servers.items() if 0 < priority <= FIFO_PRIORITY}
    for name, priority in low.items():
        raise Lacking(
            f"{told}, not below the {priority} of {name}, which it may keep waiting)",
            f"start it with a higher one: {name} -P 60"
            if name.startswith("jack")
            else "set rt.prio = 88 of libpipewire-module-rt in ~/.config/pipewire/pipewire.conf.d/",
        )
    beside = ", ".join(
        f"below the {priority} of {name}" if priority else f"{name} runs without any"
        for name, priority in servers.items()
    )
    return f"{told}{f', {beside}' if beside else ''})"


def server_priorities(processes: Path = Path("/proc")) -> dict[str, int]:
    """Give the highest real-time priority of any thread of each audio server that runs; 0: it has none."""
    found: dict[str, int] = {}
    for process in processes.glob("[0-9]*") if hasattr(os, "sched_getscheduler") else ():
        try:
            name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
            if name not in _SERVERS:
                continue
            threads = [int(task.name) for task in (process / "task").iterdir()]
            highest = max((_real_time_priority(thread) for thread in threads), default=0)
        except OSError:  # it ended meanwhile
            continue
        found[name] = max(found.get(name, 0), highest)
    return found


def governor(folder: Path = _GOVERNORS) -> str:
    """Tell how the processors choose their pace. Raises: Lacking: they save power first."""
    found = set()
    for path in folder.glob("cpu[0-9]*/cpufreq/scaling_governor"):
        try:
            found.add(path.read_text(encoding="ascii").strip())
        except OSError:  # a processor that was switched off
            continue
    if not found:
        return "the system does not tell how its processors choose their pace (a virtual machine, or not Linux)"
    told = f"the processors' pace is governed by {' and '.join(sorted(found))}"
    if found & _SLOW_GOVERNORS:
        raise Lacking(f"{told}: they wake up slowly", "for the stage run: sudo cpupower frequency-set -g performance")
    return told


def _real_time_priority(thread: int) -> int:
    """Give a thread's real-time priority; 0: it has none. Raises: OSError: it is gone."""
    policy = os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK
    return os.sched_getparam(thread).sched_priority if policy in (os.SCHED_FIFO, os.SCHED_RR) else 0
