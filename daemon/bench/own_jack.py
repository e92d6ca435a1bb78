"""A JACK server of the benchmark's own, where none runs: nothing of the user's is joined or disturbed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

from antiphon.daemon.bench.jack_registry import free_places
from antiphon.daemon.errors import PortError
from antiphon.daemon.player.midi_system import new_output
from antiphon.daemon.player.ports import NoMidiSystem
from antiphon.daemon.player.priority import fifo_granted

_JACKD = "jackd"
RATE, PERIOD = 48_000, 64
_PRIORITY = "60"
_START_S, _END_S, _LOOK_S = 10.0, 10.0, 0.02


def can_start() -> bool:
    """Whether jackd is installed."""
    return shutil.which(_JACKD) is not None


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run one without a sound card, and set this process and its children to use it; end it afterwards.

    Yields:
        What it is, in words.

    Raises:
        PortError: it does not start.
    """
    name, real_time = f"antiphon-bench-{os.getpid()}", fifo_granted()
    priority = ["--realtime", "--realtime-priority", _PRIORITY] if real_time else ["--no-realtime"]
    command = [_JACKD, "-n", name, *priority, "-d", "dummy", "-r", str(RATE), "-p", str(PERIOD)]
    own = {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1", "JACK_NO_AUDIO_RESERVATION": "1"}
    before = {variable: os.environ.get(variable) for variable in own}
    os.environ.update(own)
    free_places()
    quiet = subprocess.DEVNULL
    # a group of its own: Ctrl-C ends what is measured first, then the server
    server = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        _await_answer(server, " ".join(command))
        how = "real-time" if real_time else "not real-time"
        yield f"JACK of its own (dummy driver, {RATE} Hz, {PERIOD} frames, {how})"
    finally:
        _end(server)
        for variable, value in before.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value


def _await_answer(server: subprocess.Popen[bytes], command: str) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and server.poll() is None:
        try:
            new_output("jack", "Antiphon look").delete()
        except NoMidiSystem:
            time.sleep(_LOOK_S)
        else:
            return
    how = f"left with status {server.returncode}" if server.poll() is not None else f"does not answer in {_START_S:g} s"
    raise PortError(f"a JACK server for the measurement {how}; try it by hand: {command}")


def _end(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(_END_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
