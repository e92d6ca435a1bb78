"""A bare rtmidi echo: the least that any Python MIDI program costs.

``python -m antiphon.daemon.bench.echo API NAME`` runs one until it is told to end.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from antiphon.daemon.player.midi_system import new_input, new_output

_SWITCH_S = 0.0001
_END_S = 5.0


@contextlib.contextmanager
def running(api: str, name: str) -> Iterator[None]:
    """Run one in a process of its own, with the ports ``NAME in`` and ``NAME out``; end it afterwards."""
    with subprocess.Popen([sys.executable, "-m", "antiphon.daemon.bench.echo", api, name]) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()


def main(argv: list[str]) -> int:
    """Send back whatever comes in, from the callback itself, until told to stop."""
    api, name = argv
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    sys.setswitchinterval(_SWITCH_S)
    out: Any = new_output(api, f"{name} out")
    out.open_virtual_port(f"{name} out")
    back: Any = new_input(api, f"{name} in")
    back.open_virtual_port(f"{name} in")
    back.set_callback(lambda event, _data: out.send_message(event[0]))
    signal.sigwait((signal.SIGINT, signal.SIGTERM))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
