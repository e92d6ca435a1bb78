"""A bare rtmidi echo: the least that any Python MIDI program costs. ``python -m tests.bench.echo``."""

from __future__ import annotations

import signal
import sys
from typing import Any

import rtmidi


def main() -> int:
    """Send back whatever comes in, from the callback itself, until told to stop."""
    sys.setswitchinterval(0.0001)
    out: Any = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, "Echo")
    out.open_virtual_port("Echo out")
    back: Any = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, "Echo")
    back.set_callback(lambda event, _data: out.send_message(event[0]))
    back.open_virtual_port("Echo in")
    signal.sigwait([signal.SIGINT, signal.SIGTERM])
    return 0


if __name__ == "__main__":
    sys.exit(main())
