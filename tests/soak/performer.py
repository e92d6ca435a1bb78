"""A performer who never tires.

Threading model: `Performer` has a thread of its own that plays on the keys; `play`, `pause` and leaving it belong to
the soak's main thread. While it is paused it holds no key, and the keys are free for whoever wants them.
"""

from __future__ import annotations

import random
import threading
import time
from types import TracebackType
from typing import Self

from tests.soak.keys import Keys
from tests.soak.music import NOTE_ON, Library

_REST_S = (0.2, 1.2)


class Performer:
    """Plays piece after piece between `play` and `pause`. A context manager."""

    def __init__(self, keys: Keys, library: Library) -> None:
        self._keys = keys
        self._library = library
        self._change = threading.Condition()
        self._rng: random.Random | None = None
        self._playing, self._ended = False, False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="performer")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._change:
            self._ended, self._rng = True, None
            self._stop.set()
            self._change.notify_all()
        self._thread.join()

    def play(self, seed: int) -> None:
        """Begin; what is played follows from the seed alone."""
        with self._change:
            self._stop.clear()
            self._rng = random.Random(seed)
            self._change.notify_all()

    def pause(self) -> None:
        """Stop; returns when every key is up."""
        with self._change:
            self._rng = None
            self._stop.set()
            self._change.wait_for(lambda: not self._playing)

    def _run(self) -> None:
        while True:
            with self._change:
                self._playing = False
                self._change.notify_all()
                self._change.wait_for(lambda: self._rng is not None or self._ended)
                if self._ended:
                    return
                rng = self._rng
                self._playing = True
            assert rng is not None
            while not self._stop.is_set():
                self._play(rng)
                self._stop.wait(rng.uniform(*_REST_S))
            self._keys.release_all()

    def _play(self, rng: random.Random) -> None:
        began_ns = time.perf_counter_ns()
        for event in self._library.piece(rng):
            if self._stop.wait(max(0.0, (began_ns + event.after_ns - time.perf_counter_ns()) / 1e9)):
                return
            status, pitch, velocity = event.message
            if status & 0xF0 == NOTE_ON and velocity:
                self._keys.strike(pitch, velocity)
            else:
                self._keys.release(pitch)
        self._keys.release_all()
