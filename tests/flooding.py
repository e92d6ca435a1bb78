"""More MIDI than any performer plays: notes and their ends, 20,000 messages a second, into Antiphon's input."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

MESSAGES = 40_000
#: Pitches from here, so many.
LOWEST, PITCHES = 36, 48

_FLOODER = f"""\
import rtmidi, time
out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="flood")
ports = out.get_ports()
out.open_port(next(i for i, port in enumerate(ports) if "Antiphon in" in port), "flood")
first, sent = time.perf_counter(), 0
while sent < {MESSAGES}:
    due = min({MESSAGES}, int((time.perf_counter() - first) * 20000))
    while sent < due:
        out.send_message([0x80 if sent % 2 else 0x90, {LOWEST} + sent // 2 % {PITCHES}, 90])
        sent += 1
    time.sleep(0.0005)
print(sent / (time.perf_counter() - first), flush=True)
input()
"""


@contextlib.contextmanager
def flood() -> Iterator[float]:
    """Flood, and give the rate that it had; the flooder's client stays for as long as the context."""
    with subprocess.Popen(
        [sys.executable, "-c", _FLOODER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as flooder:
        assert flooder.stdout is not None
        try:
            yield float(flooder.stdout.readline())
        finally:
            flooder.communicate("\n", 10)
