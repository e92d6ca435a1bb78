"""A MIDI clock as a DAW on a busy machine sends it: every tick a little off its time.

Threading model: a thread of its own sends; `start` and `stop` belong to the soak's main thread.
"""

from __future__ import annotations

import random
import threading
import time
from types import TracebackType
from typing import Self

from tests.soak.keys import Keys

TICK, START, CONTINUE, STOP, POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2
_TICKS_A_BEAT = 24


class Clockwork:
    """Sends ticks between `start` and `stop`. A context manager."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(told=False)

    def start(self, bpm: float, jitter_ms: float, seed: int) -> None:
        """Send start, and ticks from now on.

        Args:
            bpm: beats a minute.
            jitter_ms: how far off its time each tick may be, uniformly, either way.
            seed: of the jitter.
        """
        self.stop(told=False)
        self._ended.clear()
        self._keys.send(START)
        arguments = (60e9 / bpm / _TICKS_A_BEAT, round(jitter_ms * 1e6), random.Random(seed))
        self._thread = threading.Thread(target=self._run, args=arguments, name="clockwork")
        self._thread.start()

    def stop(self, *, told: bool = True) -> int:
        """Send no tick any more, and stop where it is to be told; give when. Idempotent."""
        running, self._thread = self._thread, None
        if running is None:
            return time.perf_counter_ns()
        self._ended.set()
        running.join()
        return self._keys.send(STOP) if told else time.perf_counter_ns()

    def _run(self, tick_ns: float, jitter_ns: int, rng: random.Random) -> None:
        began_ns, count = time.perf_counter_ns(), 0
        while True:
            due_ns = began_ns + count * tick_ns + rng.uniform(-jitter_ns, jitter_ns)
            if self._ended.wait(max(0.0, (due_ns - time.perf_counter_ns()) / 1e9)):
                return
            self._keys.send(TICK)
            count += 1
