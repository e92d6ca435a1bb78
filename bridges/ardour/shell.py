"""Ardour without its window: a Lua shell, told one line at a time.

``ardour7-lua`` reads a pipe to its end before it runs any of it, so a small script of our own reads the lines.
It answers on a pipe of its own: Ardour's own threads write on standard output and error, in the middle of lines.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

#: 7.3 is the one that the tests drive.
PROGRAMS = ("ardour7-lua", "ardour8-lua")
#: Ardour makes a session in 2 s on a slow machine, and scans its plugins the first time.
_ANSWER_S = 60.0
#: It leaves in 1 s when all is well.
_LEAVE_S = 15.0
_SAID, _FAILED, _DONE = "=", "!", "@@"
_LOOP = """
local answers = io.open("/dev/fd/%d", "w")
local function answer(...) answers:write(...) answers:write("\\n") answers:flush() end
function say(...)
  local words = {}
  for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
  answer("=", table.concat(words, " "))
end
while true do
  local line = io.stdin:read("*l")
  if not line then break end
  local chunk, problem = load(line)
  if chunk then
    local ok, failure = pcall(chunk)
    if not ok then problem = failure end
  end
  if problem then answer("!", tostring(problem)) end
  answer("@@")
end
"""


class ArdourError(Exception):
    """Ardour is not there, or did not do what it was told."""


class LostJackError(ArdourError):
    """Ardour's engine was connected to JACK, and is not any more."""


def find_ardour() -> str:
    """Give the program's path.

    Raises:
        ArdourError: it is not installed.
    """
    for name in PROGRAMS:
        found = shutil.which(name)
        if found:
            return found
    raise ArdourError(f"found none of {', '.join(PROGRAMS)}; install Ardour (Debian: apt-get install ardour)")


class ArdourShell:
    """One running Ardour. A context manager; `close` is idempotent."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it.

        Args:
            environment: variables for it instead of our own.

        Raises:
            ArdourError: it is not installed.
        """
        program = find_ardour()
        self._rest = b""
        self._chatter = tempfile.TemporaryFile()  # noqa: SIM115  as long as the shell
        self._answers, theirs = os.pipe()
        handle, name = tempfile.mkstemp(suffix=".lua")
        self._script = Path(name)
        os.write(handle, (_LOOP % theirs).encode())
        os.close(handle)
        try:
            self._process = subprocess.Popen(
                [program, name], stdin=subprocess.PIPE, stdout=self._chatter, stderr=self._chatter, pass_fds=(theirs,),
                env=dict(environment) if environment is not None else None,
            )  # fmt: skip
        finally:
            os.close(theirs)

    @property
    def chatter(self) -> list[str]:
        """The last lines that Ardour wrote beside the answers."""
        self._chatter.seek(0)
        return self._chatter.read().decode(errors="replace").splitlines()[-5:]

    def tell(self, line: str, timeout_s: float = _ANSWER_S) -> list[str]:
        """Run one line of Lua; what it gives to ``say(...)`` comes back, a string for each call.

        Raises:
            ArdourError: the line failed, Ardour ended, or it did not answer in time.
        """
        assert self._process.stdin is not None
        if "\n" in line:
            raise ArdourError(f"one line at a time, not {line!r}")
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended(line) from None
        said: list[str] = []
        failures: list[str] = []
        deadline = time.monotonic() + timeout_s
        while (answer := self._read_line(line, deadline)) != _DONE:
            if answer.startswith(_SAID):
                said.append(answer[1:])
            elif answer.startswith(_FAILED):
                failures.append(answer[1:])
        if failures:
            raise ArdourError(f"Ardour refused {line!r}: {'; '.join(failures)}")
        return said

    def start_engine(self, backend: str, device: str = "") -> None:
        """Start its audio and MIDI engine, under the client name ``ardour``.

        Raises:
            ArdourError: the engine does not start (JACK is not running, for one).
        """
        # An empty device leaves JACK its default; the dummy's devices are its speeds.
        choose = f'AudioEngine:set_backend("{backend}", "ardour", "") '
        device_too = f'AudioEngine:set_device_name("{device}") ' if device else ""
        (answer,) = self.tell(f"{choose}{device_too}say(AudioEngine:start())")
        if answer != "0":
            raise ArdourError(f"Ardour's engine on {backend} does not start ({answer}); is JACK running?")

    def engine_runs(self) -> bool:
        """Whether its engine is connected still: JACK drops clients, and headless Ardour says nothing then."""
        return self.tell("say(AudioEngine:running())") == ["true"]

    def close(self) -> None:
        """Let it leave by itself; end it when it does not."""
        if self._chatter.closed:
            return
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)
        self._chatter.close()
        self._script.unlink(missing_ok=True)

    def __enter__(self) -> ArdourShell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_line(self, told: str, deadline: float) -> str:
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ArdourError(f"Ardour did not answer {told!r} in time; it said {self.chatter}")
            data = os.read(self._answers, 65536)
            if not data:
                raise self._ended(told)
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace").strip()

    def _ended(self, told: str) -> ArdourError:
        return ArdourError(f"Ardour ended at {told!r}; it said {self.chatter}")
