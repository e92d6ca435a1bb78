"""How much memory a session's processes hold over time, and whether it grows.

Counted is anonymous memory: what is no file's. Of files there are libraries, which are shared with whoever else has
them mapped, and the journal's segments, at most two of 1 MiB a process.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.soak.session import Session

_EVERY_S = 1.0
#: What a process does in its first seconds it does once: its arenas, its first of everything.
WARM_UP_S = 12.0
#: A trend over less than this says nothing.
LEAST_S = 20.0
_PARTS = 8


class MemoryWatch:
    """Looks at a session's player and brain until left. A context manager.

    Attributes:
        samples: (time in perf_counter seconds, MiB) by process id; each brain has its own.
        players: the players' process ids, in the order they came.
    """

    def __init__(self, session: Session) -> None:
        self.samples: dict[int, list[tuple[float, float]]] = {}
        self.players = [session.player_pid]
        self._session = session
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def brains(self) -> list[int]:
        """The brains' process ids, in the order they came."""
        return [pid for pid in self.samples if pid not in self.players]

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            player, brain = self._session.player_pid, self._session.brain_pid
            if player != self._session.process.pid and player not in self.players:
                self.players.append(player)
            for pid in (self.players[-1], brain):
                if pid is not None and (held := held_mb(pid)):
                    self.samples.setdefault(pid, []).append((time.perf_counter(), held))


def held_mb(pid: int) -> float:
    """Give a process' anonymous memory, in MiB; 0 where it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    return anonymous_kb(text) / 1024


def anonymous_kb(smaps: str) -> int:
    """Add up what a process holds that is no file's, in KiB.

    Not its proportional set size: of a library's pages that is a share, which grows when somebody else who has them
    mapped ends (by 5 MiB, for onnxruntime's). The journal's segments are files, too.

    >>> anonymous_kb('''55d0-55e0 r--p 00000000 fe:00 1 /usr/lib/libonnxruntime.so
    ... Pss:                9000 kB
    ... Anonymous:            40 kB
    ... 7f20-7f30 rw-p 00000000 00:00 0
    ... Pss:                   8 kB
    ... Anonymous:             8 kB
    ... AnonHugePages:         0 kB''')
    48
    """
    return sum(int(line.split()[1]) for line in smaps.splitlines() if line.startswith("Anonymous:"))


def growth(samples: list[tuple[float, float]], since_s: float = 0.0) -> float | None:
    """Give how much the least-squares line through a process' memory rises, as a share of where it begins.

    The line goes through the lowest of each eighth of the time: what lies above it is garbage that the brain's
    collector leaves for later by design (a collection in the middle of a phrase costs milliseconds), and is no growth.

    Args:
        samples: (time in s, MiB) of one process.
        since_s: what is earlier is left out; so is a warm-up after it, and after the first sample.

    Returns:
        None: too short to say.

    >>> growth([(float(t), 80.0 + 9 * (t % 5)) for t in range(60)])
    0.0
    >>> round(growth([(float(t), 80.0 + t) for t in range(113)]), 2)
    1.09
    >>> growth([(float(t), 80.0) for t in range(25)]) is None
    True
    """
    if not samples:
        return None
    begins = max(since_s, samples[0][0]) + WARM_UP_S
    span = samples[-1][0] - begins
    eighths: dict[int, list[float]] = {}
    for t_s, held in samples:
        if t_s >= begins:
            eighths.setdefault(min(_PARTS - 1, int((t_s - begins) / span * _PARTS)) if span else 0, []).append(held)
    if span < LEAST_S or len(eighths) < _PARTS:
        return None
    floors = [min(eighths[part]) for part in range(_PARTS)]
    middle, mean = (_PARTS - 1) / 2, sum(floors) / _PARTS
    slope = sum((part - middle) * (floor - mean) for part, floor in enumerate(floors)) / sum(
        (part - middle) ** 2 for part in range(_PARTS)
    )
    return slope * _PARTS / (mean - slope * middle)
