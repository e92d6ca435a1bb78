"""A player as a child process, with a small brain that the test writes for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from antiphon.daemon.journal import read_journal
from antiphon.daemon.messages import Kind, Record

from tests.jack_rig import DEADLINE_S, wait_until

#: What every small brain starts with; the test's own lines follow.
BRAIN_HEAD = """\
import os, signal, socket, sys, time
from antiphon.daemon.messages import ALL_NOTES, Kind, Record, RecordStream
sock = socket.socket(fileno=int(sys.argv[1]))
folder = sys.argv[2]
clock = time.perf_counter_ns
MS = 1_000_000
with open(os.path.join(folder, "brains"), "a") as told:
    told.write(f"{os.getpid()}\\n")
def send(kind, **fields):
    sock.sendall(Record(kind, **fields).pack())
def records():
    stream = RecordStream()
    while data := sock.recv(4096):
        yield from stream.feed(data)
"""

#: Answers each note-on with the note a fifth above on channel 2, at once, ended by the performer's note-off.
#: Controller 1 is the test's remote control: each value makes the brain do something of its own.
ECHO_BRAIN = """\
send(Kind.READY, t_ns=clock())
ids, last = {}, 0
for record in records():
    now = clock()
    if record.kind == Kind.STOP:
        break
    if record.kind != Kind.MIDI_IN:
        continue
    status, b, c = record.a & 0xF0, record.b, record.c
    if status == 0x90 and c:
        last += 1
        ids[b] = last
        send(Kind.NOTE, a=1, b=b + 7, c=c, id=last, t_ns=now, value=50.0 * MS)
    elif status in (0x80, 0x90) and b in ids:
        send(Kind.END, id=ids.pop(b), t_ns=now)
    elif status == 0xB0 and b == 1 and c == 1:  # fifty notes, 10 ms apart, 5 ms long, from 20 ms on
        for step in range(50):
            last += 1
            at = now + (20 + 10 * step) * MS
            send(Kind.NOTE, a=0, b=40 + step, c=90, id=last, t_ns=at, u_ns=at + 5 * MS, value=50.0 * MS)
    elif status == 0xB0 and b == 1 and c == 2:  # one too late, one right
        send(Kind.NOTE, a=0, b=30, c=90, id=9001, t_ns=now - 200 * MS, u_ns=now, value=100.0 * MS)
        send(Kind.NOTE, a=0, b=31, c=90, id=9002, t_ns=now, u_ns=now + 5 * MS, value=100.0 * MS)
    elif status == 0xB0 and b == 1 and c == 3:
        send(Kind.PANIC, t_ns=now)
    elif status == 0xB0 and b == 1 and c == 4:  # the same pitch twice, without an end of its own
        send(Kind.NOTE, a=0, b=50, c=90, id=9003, t_ns=now, value=50.0 * MS)
        send(Kind.NOTE, a=0, b=50, c=91, id=9004, t_ns=now, value=50.0 * MS)
    elif status == 0xB0 and b == 1 and c == 5:  # a long note now, and one an hour from now
        send(Kind.NOTE, a=0, b=51, c=90, id=9005, t_ns=now, value=50.0 * MS)
        send(Kind.NOTE, a=0, b=52, c=90, id=9006, t_ns=now + 3_600_000 * MS, value=50.0 * MS)
        send(Kind.SEND, a=0xB0, b=64, c=127, id=3, t_ns=now)
    elif status == 0xB0 and b == 1 and c == 6:  # nonsense
        send(Kind.NOTE, a=99, b=51, c=90, id=1, t_ns=now)
        send(Kind.NOTE, a=0, b=51, c=90, id=1, t_ns=2**63 - 1, value=50.0 * MS)
        send(Kind.NOTE, a=0, b=51, c=90, id=1, t_ns=now, value=float("nan"))
        send(Kind.SEND, a=0xB0, b=7, c=90, id=3, t_ns=2**63 - 1)
        send(Kind.SEND, a=0x90, b=51, c=90, id=3, t_ns=now)
        send(77)
        sock.sendall(bytes(range(200, 232)))
    elif status == 0xB0 and b == 1 and c == 7:  # beats once, then hangs
        send(Kind.BEAT, t_ns=now)
        send(Kind.NOTE, a=0, b=53, c=90, id=9007, t_ns=now, value=50.0 * MS)
        time.sleep(3600)
"""

_MAIN = """\
import dataclasses, json, sys
from pathlib import Path
from antiphon.daemon.player.process import PlayerConfig, run_player
values = json.loads(sys.argv[1])
values["session"] = Path(values["session"])
values["brain"] = tuple(values["brain"])
if values.get("performer"):
    values["performer"] = Path(values["performer"])
def tell(line):
    print(line, flush=True)
result = run_player(PlayerConfig(**values, tell=tell))
print(json.dumps(dataclasses.asdict(result)), flush=True)
sys.exit(result.exit_code)
"""


class PlayerProcess:
    """The real player as a child, on whatever JACK server the environment names."""

    def __init__(self, session: Path, brain: str = ECHO_BRAIN, **config: Any) -> None:

        script = session / "small_brain.py"
        script.write_text(BRAIN_HEAD + brain)
        values = {"session": str(session), "api": "jack", "brain": [sys.executable, str(script)], **config}
        self.session = session
        self.lines: list[str] = []
        self._told = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, json.dumps(values)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_lines), threading.Thread(target=self._read_errors)
        ]  # fmt: skip
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stderr(self) -> str:
        return "".join(self._errors)

    def brains(self) -> list[int]:
        """The process ids of every brain so far."""
        told = self.session / "brains"
        return [int(line) for line in told.read_text().split()] if told.exists() else []

    def journal(self) -> list[Record]:
        return list(read_journal(self.session, "wire"))

    def wait_journal(self, kind: Kind, count: int = 1, deadline_s: float = DEADLINE_S) -> list[Record]:
        """Wait until the journal holds so many records of a kind, and give them."""

        def found() -> list[Record]:
            records = [record for record in self.journal() if record.kind == kind]
            return records if len(records) >= count else []

        result: list[Record] = wait_until(found, f"{count} {kind.name} in the journal", deadline_s)
        return result

    def ready(self, brains: int = 1) -> Self:
        """Wait for the so-manieth brain's READY."""
        self.wait_journal(Kind.BRAIN_UP, brains)
        return self

    def kill_brain(self) -> int:
        """Kill the newest brain, and give when."""
        victim = self.brains()[-1]
        now = time.perf_counter_ns()
        os.kill(victim, signal.SIGKILL)
        return now

    def stop(self, number: int = signal.SIGINT) -> dict[str, Any]:
        """Signal the whole process group, as a terminal's Ctrl-C does, and give the result."""
        os.killpg(self._process.pid, number)
        return self.result()

    def result(self, deadline_s: float = DEADLINE_S) -> dict[str, Any]:
        """Wait for the end, and give the player's result, with its exit status as ``status``."""

        status = self._process.wait(deadline_s)
        for reader in self._readers:
            reader.join(deadline_s)
        assert self.lines, self.stderr
        assert self.lines[-1].startswith("{"), self.stderr + "".join(self.lines)
        return {**json.loads(self.lines[-1]), "status": status}

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line)


def whole_books(records: list[Record]) -> None:
    """Check that each note sent was ended exactly once, and none ended that was not sent."""
    sent = [record.id for record in records if record.kind == Kind.SENT]
    ended = [record.id for record in records if record.kind in (Kind.ENDED, Kind.CUT)]
    assert sorted(sent) == sorted(ended)
