"""A private JACK server, and a client at the player's ports that keeps everything it hears.

rtmidi holds the GIL while it makes, joins and deletes clients, and then JACK waits for our callbacks, which wait for
the GIL, perhaps for ever (see `antiphon.daemon.player.rtmidi_clients`). So while a `Recorder` does any of that, no
recorder of this process has a callback: what comes meanwhile waits in rtmidi's own queue.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from antiphon.daemon.bench.jack_registry import free_places
from antiphon.daemon.player.midi_system import new_input, new_output
from antiphon.daemon.player.ports import NoMidiSystem
from antiphon.daemon.player.rtmidi_clients import delete

DEADLINE_S = 10.0
_JACKD = "jackd"
#: How often something is looked at that offers no event to wait for (another process's port).
_LOOK_S = 0.01
_SILENT = re.compile(r"^Antiphon( \d+)? watch:silence$")
#: Longer than a cycle of the servers here, also on a busy machine.
_CYCLE_S = 0.03


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
        self.period_ns = round(period * 1_000_000_000 / rate)
        driver = ["-d", "dummy", "-r", str(rate), "-p", str(period)]
        priority = ["--realtime", "--realtime-priority", "60"] if realtime else ["--no-realtime"]
        self._command = [_JACKD, "-n", name, *priority, *(["-S"] if synchronous else []), *driver]
        self._process: subprocess.Popen[bytes] | None = None
        self._told = Path(os.devnull)

    def __enter__(self) -> Self:
        free_places()  # of servers that were killed, here or in a run before: JACK has eight in all
        with tempfile.NamedTemporaryFile(prefix="antiphon-jackd-", delete=False) as told:
            self._told = Path(told.name)
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
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
        self._told.unlink()

    def xruns(self) -> int:
        """How many cycles it told of in which a client was not done: that one may have lost what it was to hear."""
        return self._told.read_text(errors="replace").count("XRun")

    def kill(self, number: int = signal.SIGKILL) -> int:
        """End it by a signal, and give when."""
        process, self._process = self._process, None
        assert process is not None
        now = time.perf_counter_ns()
        process.send_signal(number)
        process.wait()
        self._told.unlink()
        return now

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            told = self._told.read_text(errors="replace")
            raise RuntimeError(f"{' '.join(self._command)} left with {self._process.returncode}: {told}")
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

    _listening: ClassVar[list[Recorder]] = []

    def __init__(self, name: str = "recorder") -> None:
        self.heard: list[tuple[int, bytes]] = []
        self._arrived = threading.Condition()
        self._name = name
        self._kept: list[Any] = []
        self._in: Any = None
        with _no_callbacks():
            self._out: Any = new_output("jack", f"{name} out")
            self._in = new_input("jack", f"{name} in")
        self._in.ignore_types(sysex=False, timing=False, active_sense=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def own_ports(self) -> Self:
        """Make virtual ports, for others to join: ``NAME out`` and ``NAME in``."""
        with _no_callbacks():
            self._out.open_virtual_port(f"{self._name} out")
            self._in.open_virtual_port(f"{self._name} in")
            self._listening.append(self)
        return self

    def join(self, to: str | None = "Antiphon in", back: str | None = "Antiphon out") -> Self:
        """Join another's ports as soon as they are there; None: leave that side open."""
        with _no_callbacks():
            if to is not None:
                self._open(self._out, to)
            if back is not None:
                self._open(self._in, back)
                self._keep_apart()
                self._listening.append(self)
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
        if self._in is None:
            return
        with _no_callbacks():
            if self in self._listening:
                self._listening.remove(self)
            delete((self._in, self._out), _CYCLE_S)
            self._in = self._out = None

    def abandon(self) -> None:
        """Leave both clients alone for good: their server is about to go, and nobody may touch them then."""
        if self in self._listening:
            self.hush()
            self._listening.remove(self)
        for client in (self._in, self._out):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))
        self._in = self._out = None

    def hush(self) -> None:
        """Take the callback off; what is under way may take a moment to end."""
        # rtmidi's pair of callback and argument, which it frees below while a call may hold it
        self._kept = [held for held in gc.get_referents(self._in) if isinstance(held, tuple)]
        self._in.cancel_callback()

    def listen(self) -> None:
        """Take what waited, and from now on what comes."""
        while (event := self._in.get_message()) is not None:
            self._on_event(event, None)
        self._in.set_callback(self._on_event)

    def _open(self, client: Any, wanted: str) -> None:
        def found() -> int | None:
            matching = [index for index, port in enumerate(client.get_ports()) if wanted in port]
            return matching[0] + 1 if matching else None

        index = wait_until(found, f"a port with {wanted!r}")
        client.open_port(index - 1, f"{self._name} end")

    def _keep_apart(self) -> None:
        """Hear Antiphon's silent port as well, where it is there: without it a late reader crashes.

        See `antiphon.daemon.player.jack_library.JackClient.keep_apart`. By a program of JACK's, as a client of this
        process's own would be one of another server's, too.
        """
        silent = next((port for port in self._in.get_ports() if _SILENT.search(port)), None)
        if silent is not None:
            own = f"{self._name} in:{self._name} end"
            connect = ["jack_connect", silent, own]

            def done() -> bool:
                """It is there before its client is active, and may have gone since, and Antiphon with it."""
                tried = subprocess.run(connect, capture_output=True, timeout=DEADLINE_S, check=False)
                return tried.returncode == 0 or silent not in self._in.get_ports()

            wait_until(done, " ".join(connect))

    def _on_event(self, event: tuple[list[int], float], _data: object) -> None:
        stamp = time.perf_counter_ns()
        with self._arrived:
            self.heard.append((stamp, bytes(event[0])))
            self._arrived.notify_all()


@contextlib.contextmanager
def _no_callbacks() -> Iterator[None]:
    """Take every recorder's callback off for a while; whoever listens at the end has one afterwards."""
    for recorder in Recorder._listening:
        recorder.hush()
    if Recorder._listening:
        threading.Event().wait(_LOOK_S)  # a callback that is under way ends
    try:
        yield
    finally:
        for recorder in Recorder._listening:
            recorder.listen()


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
