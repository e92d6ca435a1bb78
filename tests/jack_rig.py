"""A private JACK server, and a client at the player's ports that keeps everything it hears.

rtmidi holds the GIL while it makes and deletes clients, and then JACK waits for our callbacks, which wait for
the GIL (see `antiphon.daemon.player.rtmidi_ports`). So a `Recorder` makes all its clients first, lets them
collect in rtmidi's own queue while others are made, and is closed with its callback off.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import rtmidi
from antiphon.daemon.player.midi_system import new_output
from antiphon.daemon.player.ports import NoMidiSystem

DEADLINE_S = 10.0
_API = rtmidi.API_UNIX_JACK
_JACKD = "jackd"
#: How often something is looked at that offers no event to wait for (another process's port).
_LOOK_S = 0.01


def jack_installed() -> bool:
    """Whether a private server can be started here."""
    return shutil.which(_JACKD) is not None


def realtime_allowed() -> bool:
    """Whether this user may give JACK real-time priority."""
    try:
        return subprocess.run(["chrt", "-f", "10", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Wait until ``condition`` gives something true, and give that."""
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {deadline_s:g} s")
        pause.wait(_LOOK_S)
    return found


class JackServer:
    """A JACK server of its own name on the dummy driver. A context manager.

    Free running, it passes over a client that is not done within a period, and what that client was to hear
    is lost: right for a benchmark, where the machine is quiet. ``synchronous``, it waits for its clients:
    right where every message counts on a busy machine.

    Attributes:
        environment: what a client's environment needs so that it finds this server and no other.
    """

    def __init__(
        self, name: str, *, synchronous: bool = False, realtime: bool = False, period: int = 64,
        rate: int = 48000,
    ) -> None:  # fmt: skip
        self.environment = {
            "JACK_DEFAULT_SERVER": name,
            "JACK_NO_START_SERVER": "1",
            "JACK_NO_AUDIO_RESERVATION": "1",
        }
        self.period_ns = period * 1_000_000_000 // rate
        driver = ["-d", "dummy", "-r", str(rate), "-p", str(period)]
        priority = ["--realtime", "--realtime-priority", "60"] if realtime else ["--no-realtime"]
        self._command = [_JACKD, "-n", name, *priority, *(["-S"] if synchronous else []), *driver]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C ends the tests first, and they end the server
        )
        try:
            with in_environment(self.environment):
                wait_until(self._answers, f"{' '.join(self._command)} answers")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{' '.join(self._command)} left with {self._process.returncode}")
        try:
            new_output("jack", "answer").delete()
        except NoMidiSystem:
            return False
        return True


@contextlib.contextmanager
def in_environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Recorder:
    """A client that plays into ports and hears ports, with the time of everything heard.

    Attributes:
        heard: (arrival in perf_counter_ns, message), in order.
    """

    def __init__(self, name: str = "recorder") -> None:
        self.heard: list[tuple[int, bytes]] = []
        self._arrived = threading.Condition()
        self._out: Any = rtmidi.MidiOut(_API, name=f"{name} out")
        self._in: Any = rtmidi.MidiIn(_API, name=f"{name} in")
        self._in.ignore_types(sysex=False, timing=False, active_sense=False)
        self._name = name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def own_ports(self) -> Self:
        """Make virtual ports, for others to join: ``NAME out`` and ``NAME in``."""
        self._out.open_virtual_port(f"{self._name} out")
        self._in.open_virtual_port(f"{self._name} in")
        self._in.set_callback(self._on_event)
        return self

    def join(self, to: str | None = "Antiphon in", back: str | None = "Antiphon out") -> Self:
        """Join another's ports as soon as they are there; None: leave that side open."""
        if to is not None:
            self._open(self._out, to)
        if back is not None:
            self._open(self._in, back)
            self._in.set_callback(self._on_event)
        return self

    def play(self, *message: int) -> int:
        """Send one message, and give when."""
        now = time.perf_counter_ns()
        self._out.send_message(list(message))
        return now

    def wait_for(self, predicate: Callable[[list[bytes]], Any], what: str = "", deadline_s: float = DEADLINE_S) -> int:
        """Wait until everything heard satisfies ``predicate``, and give when the last of it arrived."""
        end = time.monotonic() + deadline_s
        with self._arrived:
            while not predicate([message for _, message in self.heard]):
                left = end - time.monotonic()
                if left <= 0 or not self._arrived.wait(left):
                    told = [message.hex(" ") for _, message in self.heard]
                    raise TimeoutError(f"not heard within {deadline_s:g} s: {what}; heard {told}")
            return self.heard[-1][0] if self.heard else 0

    def wait_count(self, message: bytes, count: int = 1, deadline_s: float = DEADLINE_S) -> int:
        """Wait until ``message`` was heard ``count`` times, and give when it was for the last of these."""
        wanted = f"{count} times {message.hex(' ')}"
        self.wait_for(lambda heard: heard.count(message) >= count, wanted, deadline_s)
        return [stamp for stamp, heard in self.heard if heard == message][count - 1]

    def messages(self) -> list[bytes]:
        """Everything heard so far."""
        with self._arrived:
            return [message for _, message in self.heard]

    def close(self) -> None:
        """Delete both clients. Idempotent."""
        if self._in is not None:
            self._in.cancel_callback()
            threading.Event().wait(_LOOK_S)  # a callback that is under way ends
            self._in.delete()
            self._out.delete()
            self._in = self._out = None

    def _open(self, client: Any, wanted: str) -> None:
        def found() -> int | None:
            matching = [index for index, port in enumerate(client.get_ports()) if wanted in port]
            return matching[0] + 1 if matching else None

        index = wait_until(found, f"a port with {wanted!r}")
        client.open_port(index - 1, f"{self._name} end")

    def _on_event(self, event: tuple[list[int], float], _data: object) -> None:
        stamp = time.perf_counter_ns()
        with self._arrived:
            self.heard.append((stamp, bytes(event[0])))
            self._arrived.notify_all()


def sounding(messages: list[bytes]) -> set[tuple[int, int]]:
    """Say which (channel, pitch) are left sounding after ``messages``."""
    left: set[tuple[int, int]] = set()
    for message in messages:
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind == 0x90 and message[2]:
            left.add((channel, message[1]))
        elif kind in (0x80, 0x90):
            left.discard((channel, message[1]))
    return left
