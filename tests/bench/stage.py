"""What every benchmark here stands on: a private JACK, and a place on it for real sessions."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from antiphon.daemon.bench.host import HostWatch, told
from antiphon.daemon.bench.place import Place

from tests.jack_rig import JackServer, in_environment, realtime_allowed


@contextlib.contextmanager
def jack(*, synchronous: bool = False, seconds: float = 15.0) -> Iterator[Place]:
    """A private JACK server (dummy, 48 kHz, 64 frames), this process set to use it, and a place on it.

    Real-time where that is granted, as musicians run it: without, a free-running server passes over whoever the
    scheduler let wait, and what they had to say is lost. Told at the end: how much of the time the host gave to
    others, which nothing on this machine can help.
    """
    realtime = realtime_allowed()
    server = JackServer(f"antiphon-bench{os.getpid()}", realtime=realtime, synchronous=synchronous)
    with HostWatch() as host, server, in_environment(server.environment), tempfile.TemporaryDirectory() as folder:
        yield Place(Path(folder), "jack", seconds=seconds)
    how = f"{'real-time' if realtime else 'no real-time'}{', synchronous' if synchronous else ''}"
    print(f"JACK dummy, 48 kHz, 64 frames, {how}; {told(host.stolen)}")
