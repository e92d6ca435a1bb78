"""A real DAW for a test: a private JACK, Ardour without its window, the installed Antiphon, a keyboard.

Threading model: none of its own. The keyboard's rtmidi output runs no Python in JACK's thread.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import rtmidi
from antiphon.bridges.ardour import ArdourError, ArdourShell
from antiphon.bridges.ardour.session import run_action
from antiphon.bridges.ardour.shell import LostJackError
from antiphon.daemon.journal import read_journal
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.player.rtmidi_clients import delete

from tests.jack_rig import JackServer, wait_until

SAMPLE_RATE, PERIOD = 48_000, 64
_DEADLINE_S = 20.0
_TRIES = 3
_UI = "ARDOUR.TransportRequestSource.TRS_UI"


def missing_programs() -> list[str]:
    """Give what this machine lacks for the rig."""
    return [name for name in ("jackd", "ardour7-lua") if shutil.which(name) is None]


def with_jack_transport(environment: dict[str, str]) -> None:
    """Write Ardour's preferences, in its own folder, so that what it syncs to when asked is JACK's transport."""
    config = Path(environment["XDG_CONFIG_HOME"]) / "ardour7" / "config"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        '<?xml version="1.0"?><Ardour><Config/><TransportMasters current="JACK Transport">'
        '<TransportMaster type="Engine" name="JACK Transport" removeable="0"/></TransportMasters></Ardour>',
        encoding="utf-8",
    )


class _Context(ABC):
    """A context manager by its `close`."""

    @abstractmethod
    def close(self) -> None:
        """End it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HurriedJack(JackServer):
    """A synchronous JACK server, with real-time priority where the machine lets us.

    Tried beside a training run on both cores: without, every run had 700 xruns, with it 1 to 20.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, synchronous=True, period=PERIOD, rate=SAMPLE_RATE)
        allowed = shutil.which("chrt") and subprocess.run(
            ["chrt", "-f", "10", "true"], capture_output=True, check=False
        )
        if allowed and allowed.returncode == 0:
            at = self._command.index("--no-realtime")
            self._command[at : at + 1] = ["--realtime", "--realtime-priority", "60"]


class Antiphon(_Context):
    """``antiphon jam`` as a musician starts it, and its log while it plays."""

    def __init__(self, takes: Path, *flags: str) -> None:
        self._takes = takes
        command = [str(Path(sys.executable).with_name("antiphon")), "jam", "--takes", str(takes), *flags]
        self.said = takes.with_suffix(".log")
        with self.said.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._wait("Antiphon is ready", lambda: self.folders() and self.count(Kind.BRAIN_UP) > 0)
        except BaseException:
            self.close()
            raise

    def _wait(self, what: str, ready: Callable[[], Any]) -> None:
        def alive_and_ready() -> bool:
            assert self._process.poll() is None, f"antiphon jam left: {self.said.read_text()}"
            return bool(ready())

        wait_until(alive_and_ready, what, _DEADLINE_S)

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
            delete((self._out,))
            self._out = None


class Daw(_Context):
    """Ardour with the bridge's session open, its clock on, both tracks routed."""

    def __init__(self, session_file: Path, environment: dict[str, str], keyboard: str) -> None:
        self.file = session_file
        self._shell = self._open(environment)
        try:
            for track in ("Player", "Antiphon"):
                self._shell.tell(f'{track.lower()} = session:route_by_name("{track}")')
            self._tell_one(f'say(player:input():nth(0):connect("{keyboard}"))', "0")
        except BaseException:
            self.close()
            raise

    def _open(self, environment: dict[str, str]) -> ArdourShell:
        """Open the session and route it.

        A JACK notification that comes in while it opens makes Ardour (7.3) ask things of JACK in two threads at once:
        JACK refuses that, and Ardour leaves ("Cannot callback the server in notification thread!"), or the server
        reads nonsense ("Unknown request 2048") and drops it. Once in 12 to 22 times, measured.
        """
        failures: list[str] = []
        for _ in range(_TRIES):
            shell = ArdourShell(environment)
            try:
                if not self._load(shell, failures):
                    shell.close()
                    continue
                run_action(shell, within_s=_DEADLINE_S)
                return shell
            except LostJackError as error:
                failures.append(f"{error}; it said {shell.chatter}")
                shell.close()
            except BaseException:
                shell.close()
                raise
        raise AssertionError(f"Ardour does not open its session: {failures}")

    def _load(self, shell: ArdourShell, failures: list[str]) -> bool:
        try:
            shell.start_engine("JACK")
            (opened,) = shell.tell(f'session = load_session("{self.file.parent}", "{self.file.stem}") say(session)')
        except ArdourError as error:
            failures.append(str(error))
            return False
        assert opened != "nil", shell.chatter
        return True

    def lead_jack(self) -> None:
        """Have Ardour roll with JACK's transport, and be its timebase master (see `with_jack_transport`)."""
        self._shell.tell("session:cfg():set_jack_time_master(true) session:cfg():set_external_sync(true)")
        self._until("session:cfg():get_external_sync()")

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

    def halt(self) -> None:
        """Stop where nothing was recorded."""
        self._shell.tell(f"session:request_stop(false, false, {_UI})")
        self._until("session:transport_stopped()")

    def jump(self, second: float) -> None:
        """Locate without stopping."""
        sample = round(second * SAMPLE_RATE)
        where = f"{sample}, false, ARDOUR.LocateTransportDisposition.MustRoll, {_UI}"
        self._shell.tell(f"last_seen = session:transport_sample() session:request_locate({where})")
        self._until("session:transport_sample() < last_seen")

    def end_loop(self) -> None:
        self._shell.tell("session:request_play_loop(false, false)")
        self._until("not session:get_play_loop()")

    def locate(self, second: float) -> None:
        sample = round(second * SAMPLE_RATE)
        where = f"{sample}, false, ARDOUR.LocateTransportDisposition.MustStop, {_UI}"
        self._shell.tell(f"session:request_locate({where})")
        # with JACK's transport it is ahead by its own latency
        self._until(f"math.abs(session:transport_sample() - {sample}) < {round(0.005 * SAMPLE_RATE)}")

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
