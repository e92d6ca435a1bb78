"""The guard: a small process that falls silent for a player that cannot any more.

``python -m antiphon.daemon.commands.session_guard FD TABLE_FD FACTS``: FD is the read end of a pipe whose other end
only the player holds; TABLE_FD a `sounding_table.SoundingTable`; FACTS a JSON object: ``api``, ``sources`` (our output
ports, each [client, port]), ``sinks`` (our input ports, likewise) and ``session``. A byte on the pipe is the player's
good-bye, and the guard leaves; the end of the stream without one is the player's death. Then it opens outputs of the
same names, joined to what the player's were connected to, ends what sounds, sees that the brain leaves, and says so in
one line. A session whose player is started again (`lives`) gets its cables back; of another it makes the take.

It has a session of its own, so that neither Ctrl-C nor a terminal that closes reaches it. Of the standard streams it
has only standard error, for that one line.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import rtmidi
from antiphon.daemon.player.connections import Connections, ConnectionWatch, Port
from antiphon.daemon.player.jack_library import hush_jack
from antiphon.daemon.player.part_ports import carried
from antiphon.daemon.player.sounding_table import Guarding, SoundingTable

#: How often the connections are looked at: one made less long before the end is not known.
_LOOK_S = 0.25
#: JACK carries nothing over a connection before its graph has turned; so the ends go out at once and after this again.
_AGAIN_S = 0.1
#: The brain leaves by itself at the end of its stream; one that does not in this time hangs. A new player waits for it.
_BRAIN_LEAVES_S, _BRAIN_LEAVES_SOON_S = 3.0, 0.5
#: A new player's ports are there within a second or two, but where it has to wait for what took them away.
_SOON_S, _NEW_PORTS_S, _LOOK_FOR_NEW_S = 5.0, 600.0, 0.02
_API = {"alsa": rtmidi.API_LINUX_ALSA, "jack": rtmidi.API_UNIX_JACK}


def main(argv: list[str], goes_on: Callable[[Path], bool], recover: Callable[[Path], str]) -> int:
    """Watch, and act if need be.

    Args:
        argv: FD, TABLE_FD and FACTS, see above.
        goes_on: whether somebody starts the player of this session again.
        recover: makes the take of a session that has ended, and says in a few words how that went.
    """
    pipe, facts = int(argv[0]), json.loads(argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hush_jack()
    table = SoundingTable(int(argv[1]))
    session = Path(facts["session"])
    sources, sinks = (_ports(facts[name]) for name in ("sources", "sinks"))
    watch = ConnectionWatch(facts["api"], (*sources, *sinks))
    brain = _Brain()
    brain.is_now(table.brain)
    watch.look()
    while True:
        readable, _, _ = select.select([pipe], (), (), _LOOK_S)
        if readable:
            break
        watch.look()
        brain.is_now(table.brain)
    if os.read(pipe, 1):
        watch.close()
        return 0
    known = watch.known()
    told = _silence(facts["api"], {port: known[port] for port in sources if port in known}, table.ends())
    line = f"antiphon: the player died; notes that it left sounding: {table.sounding}, {told}"
    if goes_on(session):
        brain.leave(_BRAIN_LEAVES_SOON_S)
        _say(line)
        table.guard = Guarding.SILENT  # last: what comes after is told by another process
        began = time.monotonic()
        # each port once: a cable that somebody takes out afterwards stays out
        while (known := watch.restore(known)) and goes_on(session) and time.monotonic() - began < _NEW_PORTS_S:
            time.sleep(_LOOK_FOR_NEW_S if time.monotonic() - began < _SOON_S else _LOOK_S)
        watch.close()
        return 0
    watch.close()
    brain.leave(_BRAIN_LEAVES_S)
    _say(f"{line}; {recover(session)}")
    return 0


def _ports(listed: list[list[str]]) -> list[Port]:
    return [(client, port) for client, port in listed]


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # whoever read it is gone too
        print(line, file=sys.stderr, flush=True)


def _silence(api: str, connections: Connections, ends: list[bytes]) -> str:
    """Send the ends to everyone who was connected, to each what its port carries, and say how that went."""
    outputs = []
    try:
        for (client, port), targets in connections.items():
            for target in targets:
                output = rtmidi.MidiOut(_API[api], name=client)
                names = output.get_ports()
                at = next((n for n, name in enumerate(names) if name == target or name.endswith(f" {target}")), None)
                if at is None:  # it left with the player: a synth of our own
                    output.delete()
                    continue
                output.open_port(at, port)
                own = carried(ends, port)
                outputs.append((output, own))
                _send(output, own)
    except (rtmidi.RtMidiError, SystemError) as error:
        return f"not ended ({error})"
    if not outputs:
        return "which nobody was connected to hear"
    time.sleep(_AGAIN_S)
    for output, own in outputs:
        _send(output, own)
    time.sleep(_AGAIN_S)
    for output, _own in outputs:
        output.close_port()
        output.delete()  # a new player's ports are to have these names
    return "all ended"


def _send(output: rtmidi.MidiOut, messages: list[bytes]) -> None:
    for message in messages:
        output.send_message(message)


class _Brain:
    """The player's brain, held by a descriptor, since its number may be another process's one day."""

    def __init__(self) -> None:
        self._process = 0
        self._handle: int | None = None

    def is_now(self, process: int) -> None:
        """Take hold of the brain of this process id, while the player still keeps that from being given away."""
        if process == self._process:
            return
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self._process = process
        if process:
            with contextlib.suppress(OSError):
                self._handle = os.pidfd_open(process)

    def leave(self, within_s: float) -> None:
        """Wait so long until it has left, and end it if it does not."""
        if self._handle is None:
            return
        gone, _, _ = select.select([self._handle], (), (), within_s)
        if not gone:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            select.select([self._handle], (), (), _BRAIN_LEAVES_S)
