"""Another model while playing: which may be asked for, and loading one aside.

Threading model: a `ModelChoice` belongs to the brain's one thread, whose select loop watches its `fileno`. Each load
runs in a thread of its own, one at a time, and touches nothing of the brain's: it leaves what it made in a queue of one
place and writes a byte to a socket pair. onnxruntime lets go of the interpreter while it reads a graph, so the brain
plays on meanwhile. Who asks again before a load is done is loaded next; of several, the last.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.daemon.errors import ConfigError
from antiphon.models.errors import AntiphonError
from antiphon.models.model_files import shipped_name

#: What a load makes ready: the generator, warm.
Prepare = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How a load went. ``error`` is empty where it went well."""

    name: str
    origin: str  # the name or folder that it was loaded by
    generator: Any = None
    error: str = ""


class ModelChoice:
    """Loads models by name, aside. `close` is idempotent.

    Args:
        start: the name or folder that the session started with.
        shipped: names of the models that ship.
        prepare: loads by name or folder. Called in another thread; raises AntiphonError.
    """

    def __init__(self, start: str, shipped: Sequence[str], prepare: Prepare) -> None:
        #: name -> the name or folder to load by. A network address may not name folders: only what ships, and what the
        #: session was started with.
        self.known = {name: name for name in shipped}
        if start not in self.known:
            self.known[Path(start).name] = start
        self._prepare = prepare
        self._done: queue.SimpleQueue[Loaded] = queue.SimpleQueue()
        self._heard, self._said = socket.socketpair()
        self._thread: threading.Thread | None = None
        self._next: str | None = None

    def fileno(self) -> int:
        """Give the socket to watch for reading."""
        return self._heard.fileno()

    @property
    def loading(self) -> bool:
        """Whether a load is under way."""
        return self._thread is not None

    def check(self, value: Any) -> str:
        """Give the name that a value means: one that is known, or its place among them, from 0.

        Raises:
            ConfigError: it is none of them.
        """
        names = list(self.known)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if value in range(len(names)):
                return names[int(value)]
        elif (name := str(value).strip()) in self.known or (name := shipped_name(name)) in self.known:
            return name
        raise ConfigError(f"model: {value!r} is not allowed; give one of {', '.join(names)}")

    def name_of(self, origin: str) -> str:
        """Give the name under which a model's name or folder is known."""
        return next((name for name, known in self.known.items() if known == origin), origin)

    def load(self, name: str) -> None:
        """Load one of the known aside; `take` gives it when the socket is readable."""
        if self._thread is not None:
            self._next = name
            return
        self._thread = threading.Thread(target=self._work, args=(name,), name="model", daemon=True)
        self._thread.start()

    def take(self) -> Loaded | None:
        """Give what a load made; None where a later wish has taken its place, and is being loaded."""
        self._heard.recv(1)
        loaded = self._done.get()
        if self._thread is not None:
            self._thread.join()
        self._thread, following = None, self._next
        self._next = None
        if following is None or following == loaded.name:
            return loaded
        self.load(following)
        return None

    def close(self) -> None:
        """Wait for a load that is under way, and let it go."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._heard.close()
        self._said.close()

    def _work(self, name: str) -> None:
        origin = self.known[name]
        try:
            loaded = Loaded(name, origin, self._prepare(origin))
        except AntiphonError as error:
            loaded = Loaded(name, origin, error=str(error))
        except Exception as error:  # the one that plays must go on, whatever a model's files lead to
            loaded = Loaded(name, origin, error=f"model: {origin} does not load ({error!r}); take one that ships")
        self._done.put(loaded)
        with contextlib.suppress(OSError):
            self._said.send(b"\0")
