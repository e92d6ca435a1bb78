"""A program that is late hears each message once, or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.jack_rig import JackServer, in_environment, jack_installed

#: Hears on Antiphon's ports, and is late at every seventh message: three periods of JACK go by, in which the sender
#: is at its next messages. Gives everything that it heard once its standard input says that all is sent.
_LATE = """\
import json, sys, time
from antiphon.daemon.player.rtmidi_ports import RtMidiPorts
heard = []
def on_message(t_ns, port, message):
    heard.append(list(message))
    if len(heard) % 7 == 0:
        time.sleep(0.004)
with RtMidiPorts(api="jack") as ports:
    ports.open(on_message, lambda: None)
    print("up", flush=True)
    sys.stdin.readline()
print(json.dumps(heard))
"""

#: Chords of five notes, 500 a second, each note another one.
_CHORDS = """\
import time, rtmidi
out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="chords")
out.open_port(next(i for i, port in enumerate(out.get_ports()) if "Antiphon in" in port), "chords")
sent = 0
for chord in range(1500):
    for note in range(5):
        out.send_message([0x90, sent % 128, 1 + sent // 128])
        sent += 1
    time.sleep(0.002)
time.sleep(0.1)
"""


@pytest.fixture
def impatient() -> Iterator[JackServer]:
    """A server that waits for nobody, as servers are started by default."""
    if not jack_installed():
        pytest.skip("there is no jackd")
    server = JackServer(f"antiphon-impatient{os.getpid()}", synchronous=False, realtime=False)
    with server, in_environment(server.environment):
        yield server


@pytest.mark.jack
def test_a_late_program_hears_nothing_twice(impatient: JackServer) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _LATE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as late:
        assert late.stdout is not None
        assert late.stdout.readline() == "up\n"
        subprocess.run([sys.executable, "-c", _CHORDS], check=True, timeout=60)
        told, _ = late.communicate("\n", 30)
    assert late.returncode == 0
    heard = [(velocity - 1) * 128 + pitch for _, pitch, velocity in json.loads(told)]
    twice = len(heard) - len(set(heard))
    print(f"late: {len(heard)} of 7500 heard, {twice} twice")
    assert len(heard) > 1000
    assert set(heard) <= set(range(7500))
    # Where the sender misses a cycle, JACK gives its last chord once more: on a machine that runs, never. That is a
    # hundredth; what a late program made of it was a sixth.
    assert twice < len(heard) / 20
