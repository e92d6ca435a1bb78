"""What every benchmark stands on: a private JACK, the installed daemon as a child, and one client at its ports."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rtmidi
from antiphon.daemon.journal import read_journal
from antiphon.daemon.messages import Record

from tests.host import HostWatch, told
from tests.jack_rig import JackServer, in_environment, realtime_allowed

_API = rtmidi.API_UNIX_JACK


@contextlib.contextmanager
def jack(*, synchronous: bool = False) -> Iterator[None]:
    """A private JACK server (dummy, 48 kHz, 64 frames), and this process set to use it.

    Real-time where that is granted, as musicians run it: without, a free-running server passes over whoever the
    scheduler let wait, and what they had to say is lost. Told at the end: how much of the time the host gave to
    others, which nothing on this machine can help.
    """
    realtime = realtime_allowed()
    name = f"bench{os.getpid()}"
    server = JackServer(name, realtime=realtime, synchronous=synchronous)
    with HostWatch() as host, server, in_environment(server.environment):
        yield
    how = f"{'real-time' if realtime else 'no real-time'}{', synchronous' if synchronous else ''}"
    print(f"JACK dummy, 48 kHz, 64 frames, {how}; {told(host.stolen)}")


class Client:
    """One rtmidi client joined to a running echo or daemon: sends, and stamps what comes back."""

    def __init__(self, name: str, to: str, back: str) -> None:
        self.received: list[tuple[int, list[int]]] = []
        self.arrived = threading.Condition()
        self._sending = threading.Lock()
        self.out = rtmidi.MidiOut(_API, name + " out")
        self.input = rtmidi.MidiIn(_API, name + " in")
        self.input.ignore_types(sysex=True, timing=True, active_sense=True)
        self.input.set_callback(self._on_message)
        self._join(self.out, to, "Out")
        self._join(self.input, back, "In")

    @staticmethod
    def _join(end: Any, wanted: str, name: str) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for index, port in enumerate(end.get_ports()):
                if wanted in port:
                    end.open_port(index, name)
                    return
            time.sleep(0.05)
        raise TimeoutError(f"no port with {wanted!r}; there are {end.get_ports()}")

    def _on_message(self, event: tuple[list[int], float], _data: object) -> None:
        stamp = time.perf_counter_ns()
        with self.arrived:
            self.received.append((stamp, event[0]))
            self.arrived.notify_all()

    def send(self, *message: int) -> int:
        """Send, and give when. Thread-safe: yes, which rtmidi's own is not (two threads at once crash it)."""
        with self._sending:
            stamp = time.perf_counter_ns()
            self.out.send_message(list(message))
        return stamp

    def wait(self, wanted: Callable[[list[int]], bool], since: int, timeout_s: float) -> int | None:
        """Give when the first wanted message came, of those after index ``since``."""
        deadline = time.monotonic() + timeout_s
        with self.arrived:
            while True:
                for stamp, message in self.received[since:]:
                    if wanted(message):
                        return stamp
                left = deadline - time.monotonic()
                if left <= 0 or not self.arrived.wait(left):
                    return None

    def close(self) -> None:
        """Leave JACK."""
        self.input.delete()
        self.out.delete()


class Daemon:
    """``antiphon jam`` as a child, with its takes in a folder."""

    def __init__(self, takes: Path, *flags: str, osc: str = "off") -> None:
        command = [sys.executable, "-m", "antiphon.daemon.cli", "jam", "--api", "jack", "--takes", str(takes)]
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [*command, "--osc", osc, "--no-render", *flags], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._takes = takes
        self._before = set(takes.iterdir()) if takes.is_dir() else set()
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())
            if "Provider" in line:  # the brain tells its model and provider when it is ready
                self._ready.set()

    def wait_ready(self, timeout_s: float = 30) -> None:
        """Wait until the brain plays."""
        if not self._ready.wait(timeout_s):
            raise TimeoutError("\n".join(self.lines))

    @property
    def folder(self) -> Path:
        """The session's folder."""
        return next(path for path in self._takes.iterdir() if path not in self._before)

    @property
    def brain_pid(self) -> int | None:
        """The brain's process id, or None while there is none."""
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout
        for line in listed.splitlines():
            if "antiphon.daemon.brain" in line:
                return int(line.split()[0])
        return None

    def wire(self) -> list[Record]:
        """What happened at the ports."""
        return list(read_journal(self.folder, "wire"))

    def log(self) -> list[Record]:
        """What the engine took in, and drew."""
        return list(read_journal(self.folder, "engine"))

    def stop(self) -> int:
        """Ctrl-C; give the exit status."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        self._reader.join(5)
        return self.process.returncode


def interval(statistic: Callable[[Any], float], *samples: Any, rounds: int = 1000) -> tuple[float, float]:
    """Give a 95% bootstrap interval of the difference of a statistic between the first sample and the second."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(rounds):
        values = [statistic(rng.choice(sample, len(sample))) for sample in samples]
        found.append(values[0] - (values[1] if len(values) > 1 else 0.0))
    return float(np.percentile(found, 2.5)), float(np.percentile(found, 97.5))
