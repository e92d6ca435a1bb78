"""What is heard at Antiphon's output and every xrun of JACK, with times: a process of its own, so nothing delays it.

It writes records of 16 bytes to its standard output, and reads lines from its standard input: ``connect PORT PORT``,
``disconnect PORT PORT``, where each PORT is a pattern of a JACK port's name. It leaves at the end of its input.

Threading model: JACK's threads stamp, pack and write into a pipe that never blocks, under a lock that is held for one
write (what finds pipe and buffer full is counted, and told at the end); the main thread carries commands out.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import struct
import sys
import threading
import time
from typing import Any

RECORD = struct.Struct("<qBBBBi")
#: What a record says; a message's bytes follow (of a longer one the first three), or a count.
HEARD, XRUN, DONE, FAILED, LOST = range(1, 6)
_PIPE_BYTES = 1 << 20
_OUT = 1


class Listener:
    """A JACK client with one input."""

    def __init__(self, source: str) -> None:
        jack: Any = importlib.import_module("jack")  # here: whoever only reads records may have no JACK
        self._refusals = (jack.JackError, ValueError, LookupError)
        self._client: Any = jack.Client("Soak ear", no_start_server=True)
        self._port: Any = self._client.midi_inports.register("in")
        self._lost = 0
        self._writing = threading.Lock()
        self._waiting = bytearray()
        self._client.set_process_callback(self._on_period)
        self._client.set_xrun_callback(self._on_xrun)
        self._client.activate()
        self._client.connect(self._find(source, output=True), self._port)

    def obey(self, line: str) -> None:
        """Carry one command out, and say so."""
        try:
            verb, source, target = line.rstrip("\n").split("\t")
            ends = self._find(source, output=True), self._find(target, output=False)
            if verb == "connect":
                self._client.connect(*ends)
            else:
                self._client.disconnect(*ends)
        except self._refusals:
            self._write(RECORD.pack(time.perf_counter_ns(), FAILED, 0, 0, 0, 0))
        else:
            self._write(RECORD.pack(time.perf_counter_ns(), DONE, 0, 0, 0, 0))

    def close(self) -> None:
        """Leave JACK, and tell what was lost."""
        self._client.deactivate()
        self._client.close()
        os.set_blocking(_OUT, True)
        self._write(RECORD.pack(time.perf_counter_ns(), LOST, 0, 0, 0, self._lost))

    def _find(self, pattern: str, *, output: bool) -> Any:
        found = self._client.get_ports(pattern, is_midi=True, is_output=output, is_input=not output)
        if not found:
            raise LookupError(pattern)
        return found[0]

    def _on_period(self, _frames: int) -> None:
        now_ns = time.perf_counter_ns()
        records = b""
        for _, data in self._port.incoming_midi_events():
            a, b, c = (*bytes(data[:3]), 0, 0)[:3]
            records += RECORD.pack(now_ns, HEARD, a, b, c, len(data))
        if records:
            self._write(records)

    def _on_xrun(self, delayed_us: float) -> None:
        self._write(RECORD.pack(time.perf_counter_ns(), XRUN, 0, 0, 0, round(delayed_us)))

    def _write(self, data: bytes) -> None:
        """Write whole records; what the pipe does not take waits for the next call, up to as much again."""
        with self._writing:
            if len(self._waiting) + len(data) > _PIPE_BYTES:
                self._lost += len(data) // RECORD.size
            else:
                self._waiting += data
            with contextlib.suppress(BlockingIOError):
                del self._waiting[: os.write(_OUT, self._waiting)]


def _main(source: str) -> None:
    fcntl.fcntl(_OUT, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    os.set_blocking(_OUT, False)
    listener = Listener(source)
    listener._write(RECORD.pack(time.perf_counter_ns(), DONE, 0, 0, 0, 0))
    for line in sys.stdin:
        listener.obey(line)
    listener.close()


if __name__ == "__main__":
    _main(sys.argv[1])
