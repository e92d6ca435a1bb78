"""A real DAW for a test: a private JACK, Ardour without its window, the installed Antiphon, a keyboard.

Threading model: none of its own. The keyboard's rtmidi output runs no Python in JACK's thread.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import rtmidi
from antiphon.bridges.ardour import ArdourShell
from antiphon.bridges.ardour.session import run_action
from antiphon.daemon.journal import read_journal
from antiphon.daemon.messages import Kind, Record

SAMPLE_RATE, PERIOD = 48_000, 64
_DEADLINE_S = 20.0
_NEVER = threading.Event()
_UI = "ARDOUR.TransportRequestSource.TRS_UI"


def wait_for(what: str, ready: Callable[[], bool], timeout_s: float = _DEADLINE_S) -> None:
    """Look until something is so.

    Raises:
        AssertionError: it was not in time.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        _NEVER.wait(0.01)


def missing_programs() -> list[str]:
    """Give what this machine lacks for the rig."""
    return [name for name in ("jackd", "jack_wait", "ardour7-lua") if shutil.which(name) is None]


class _Context:
    """A context manager by its `close`."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class PrivateJack(_Context):
    """A JACK server of the test's own: dummy, synchronous. `environment` leads programs to it.

    Where the machine lets us, it runs with real-time priority: a busy machine then costs no periods.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.environment = {
            **os.environ,
            "JACK_DEFAULT_SERVER": name,
            "JACK_NO_START_SERVER": "1",
            "JACK_NO_AUDIO_RESERVATION": "1",
        }
        may_hurry = subprocess.run(["chrt", "-f", "10", "true"], capture_output=True, check=False).returncode == 0
        scheduling = ["--realtime", "--realtime-priority", "60"] if may_hurry else ["--no-realtime"]
        driver = ["-S", "-d", "dummy", "-r", str(SAMPLE_RATE), "-p", str(PERIOD)]
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            ["jackd", "-n", name, *scheduling, *driver],
            env=self.environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        done = subprocess.run(
            ["jack_wait", "--server", name, "--wait", "--timeout", str(round(_DEADLINE_S))],
            env=self.environment, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            self.close()
            raise AssertionError(f"jackd did not start: {log.read_text()}")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()


class Antiphon(_Context):
    """``antiphon jam`` as a musician starts it, and its log while it plays."""

    def __init__(self, takes: Path, environment: dict[str, str], *flags: str) -> None:
        self._takes = takes
        command = [str(Path(sys.executable).with_name("antiphon")), "jam", "--takes", str(takes), *flags]
        self.said = takes.with_suffix(".log")
        with self.said.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._wait("Antiphon is ready", lambda: self.folders() and self.count(Kind.BRAIN_UP) > 0)
        except BaseException:
            self.close()
            raise

    def _wait(self, what: str, ready: Callable[[], Any]) -> None:
        def alive_and_ready() -> bool:
            assert self._process.poll() is None, f"antiphon jam left: {self.said.read_text()}"
            return bool(ready())

        wait_for(what, alive_and_ready)

    def folders(self) -> list[Path]:
        return [path.parent for path in self._takes.glob("*/session.json")]

    def records(self) -> list[Record]:
        """Everything at its ports so far."""
        (folder,) = self.folders()
        return list(read_journal(folder, "wire"))

    def count(self, kind: Kind) -> int:
        return sum(record.kind == kind for record in self.records())

    def wait_silent(self) -> None:
        """Until every note that it sent has ended."""
        self._wait(
            "every note has ended", lambda: self.count(Kind.SENT) == self.count(Kind.ENDED) + self.count(Kind.CUT)
        )

    def stop(self) -> int:
        """End it as Ctrl-C does, and give its exit status."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(_DEADLINE_S)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Keyboard(_Context):
    """A keyboard's port, on the JACK that this process' environment names."""

    NAME = "Keys"

    def __init__(self) -> None:
        self._out: Any = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=self.NAME)
        self._out.open_virtual_port(self.NAME)
        self.port = f"{self.NAME}:{self.NAME}"

    def note_on(self, pitch: int, velocity: int) -> None:
        self._out.send_message([0x90, pitch, velocity])

    def note_off(self, pitch: int) -> None:
        self._out.send_message([0x80, pitch, 0])

    def close(self) -> None:
        if self._out is not None:
            self._out.delete()
            self._out = None


class Daw(_Context):
    """Ardour with the bridge's session open, its clock on, both tracks routed."""

    def __init__(self, session_file: Path, environment: dict[str, str], keyboard: str) -> None:
        self.file = session_file
        self._shell = ArdourShell(environment)
        try:
            self._shell.start_engine("JACK")
            folder, name = session_file.parent, session_file.stem
            (opened,) = self._shell.tell(f'session = load_session("{folder}", "{name}") say(session)')
            assert opened != "nil", self._shell.chatter
            run_action(self._shell)  # fails where a port of Antiphon's is not there
            for track in ("Player", "Antiphon"):
                self._shell.tell(f'{track.lower()} = session:route_by_name("{track}")')
            self._tell_one(f'say(player:input():nth(0):connect("{keyboard}"))', "0")
        except BaseException:
            self.close()
            raise

    def arm(self, track: str, *, on: bool = True) -> None:
        """Press a track's record button."""
        group = "PBD.GroupControlDisposition.NoGroup"
        self._shell.tell(f"{track.lower()}:rec_enable_control():set_value({int(on)}, {group})")

    def record(self) -> None:
        """Press the session's record button (every stop lets it go)."""
        self._shell.tell("session:maybe_enable_record(true)")

    def roll(self) -> None:
        self._shell.tell(f"session:request_roll({_UI})")
        self._until("session:transport_rolling()")

    def loop(self) -> None:
        """Roll in the loop, from its start."""
        self._shell.tell("session:request_play_loop(true, true)")
        self._until("session:get_play_loop() and session:transport_rolling()")

    def stop(self) -> None:
        """Stop, and wait until what was recorded is a region."""
        regions = self._number("antiphon:to_track():playlist():n_regions()")
        self._shell.tell(f"session:request_stop(false, false, {_UI})")
        self._until("session:transport_stopped()")
        self._until(f"antiphon:to_track():playlist():n_regions() > {regions}")
        self._until("session:record_status() == 0")

    def end_loop(self) -> None:
        self._shell.tell("session:request_play_loop(false, false)")
        self._until("not session:get_play_loop()")

    def locate(self, second: float) -> None:
        sample = round(second * SAMPLE_RATE)
        where = f"{sample}, false, ARDOUR.LocateTransportDisposition.MustStop, {_UI}"
        self._shell.tell(f"session:request_locate({where})")
        self._until(f"session:transport_sample() == {sample}")

    def wait_past(self, second: float) -> None:
        """Until the transport is there."""
        self._until(f"session:transport_sample() >= {round(second * SAMPLE_RATE)}")

    def wait_wrap(self) -> None:
        """Until a loop has gone back to its start."""
        self._until("session:transport_sample() < (last_seen or 0)", "last_seen = session:transport_sample()")
        self._shell.tell("last_seen = nil")

    def save(self) -> None:
        self._shell.tell('session:save_state("", false, false, false, false, false)')

    @property
    def xruns(self) -> int:
        return self._number("session:get_xrun_count()")

    def close(self) -> None:
        self._shell.close()

    def _number(self, expression: str) -> int:
        (answer,) = self._shell.tell(f"say({expression})")
        return int(float(answer))

    def _tell_one(self, line: str, expected: str) -> None:
        answers = self._shell.tell(line)
        assert answers == [expected], (line, answers, self._shell.chatter)

    def _until(self, condition: str, each_time: str = "") -> None:
        """Have Ardour look until a condition of its own holds."""
        looks = round(_DEADLINE_S / 0.004)
        self._tell_one(
            f"local looks = 0 while not ({condition}) and looks < {looks} do {each_time} "
            f"ARDOUR.LuaAPI.usleep(4000) looks = looks + 1 end say({condition})", "true"
        )  # fmt: skip
