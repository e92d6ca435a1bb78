"""Which MIDI system is there, and what is plugged into it.

`rtmidi` is imported here, in `rtmidi_ports`, `rtmidi_clients` and `guard` only. Client libraries complain on standard
error when their server is missing; Antiphon says it in one line of its own, so theirs are kept off the terminal.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rtmidi
from antiphon.daemon.errors import PortError
from antiphon.daemon.player.loopbacks import is_loopback, without_numbers
from antiphon.daemon.player.part_ports import PORT_CHANNELS
from antiphon.daemon.player.ports import NoMidiSystem

#: The choices of ``--api``.
APIS = ("auto", "alsa", "jack", "coremidi", "windows")

_RTMIDI_API: dict[str, int] = {
    "alsa": rtmidi.API_LINUX_ALSA,
    "jack": rtmidi.API_UNIX_JACK,
    "coremidi": rtmidi.API_MACOSX_CORE,
    "windows": rtmidi.API_WINDOWS_MM,
}
_TITLES = {"alsa": "ALSA", "jack": "JACK", "coremidi": "CoreMIDI", "windows": "Windows MIDI"}
_ALSA_SEQUENCER = Path("/dev/snd/seq")
_REMEDIES = {
    "alsa": "load ALSA's sequencer (sudo modprobe snd-seq)",
    "jack": "start JACK (jackd -d dummy, or your desktop's), and look at JACK_DEFAULT_SERVER",
    "coremidi": "CoreMIDI is macOS's only: leave --api out",
    "windows": "it is Windows' only: leave --api out",
}
_AGAIN_S = 0.05
_NO_PORTS = "or give a file for a performer: antiphon jam --performer FILE.mid"

#: Antiphon's own clients, and what is no instrument: never offered, never wired by --connect.
_OWN = re.compile(rf"Antiphon( \d+)? (in|out|keyboard|synth|look|watch|{'|'.join(PORT_CHANNELS)})\b")
#: On it nothing is ever sent: see `jack_library.JackClient.keep_apart`.
_WATCH = re.compile(r"Antiphon( \d+)? watch:")
_NO_INSTRUMENT = re.compile(
    r"midi through|announce|ardour|mixbus|reaper|bitwig|qtractor|rosegarden|carla|puredata|pure data"
    r"|pipewire|pulse|RtMidi|Midi-Bridge:Midi Through|\bclock\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SeenPorts:
    """Other programs' and devices' ports, and Antiphon's own.

    Attributes:
        inputs: what can be heard: keyboards, DAW outputs.
        outputs: what can be played to: synths, DAW inputs.
        own: ports of sessions that run now.
    """

    api: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    own: tuple[str, ...] = ()

    @property
    def keyboards(self) -> tuple[str, ...]:
        """The inputs that look like instruments."""
        return tuple(name for name in self.inputs if _is_instrument(name))

    @property
    def synths(self) -> tuple[str, ...]:
        """The outputs that look like instruments."""
        return tuple(name for name in self.outputs if _is_instrument(name))


def title(api: str) -> str:
    """Give an API's name as people write it."""
    return _TITLES[api]


def choose_api(wanted: str = "auto") -> str:
    """Find a MIDI system that answers.

    Args:
        wanted: one of `APIS`; ``auto`` takes the first that is there of CoreMIDI, ALSA, JACK, Windows'.

    Raises:
        PortError: ``wanted`` is none of `APIS`.
        NoMidiSystem: it, or any at all, is not there; with the remedy.
    """
    if wanted not in APIS:
        raise PortError(f"--api {wanted!r} is not allowed; give one of {', '.join(APIS)}")
    compiled = set(rtmidi.get_compiled_api())
    if wanted != "auto":
        if _RTMIDI_API[wanted] in compiled and _answers(wanted):
            return wanted
        raise NoMidiSystem(f"{title(wanted)} does not answer; {_REMEDIES[wanted]}, {_NO_PORTS}")
    for api in ("coremidi", "alsa", "jack", "windows"):
        if _RTMIDI_API[api] in compiled and _answers(api):
            return api
    if sys.platform == "darwin":
        raise NoMidiSystem(f"there is no MIDI system: CoreMIDI does not answer; log in again, {_NO_PORTS}")
    raise NoMidiSystem(
        f"there is no MIDI system: no ALSA sequencer ({_ALSA_SEQUENCER}) and no JACK server; "
        f"{_REMEDIES['alsa']}, or {_REMEDIES['jack']}, {_NO_PORTS}"
    )


def new_input(api: str, client: str) -> Any:
    """Make an rtmidi input client. Its callback must not run while others are made: see `rtmidi_clients`."""
    return _make(rtmidi.MidiIn, api, client)


def new_output(api: str, client: str) -> Any:
    """Make an rtmidi output client."""
    return _make(rtmidi.MidiOut, api, client)


def list_ports(api: str = "auto") -> SeenPorts:
    """List the ports of other programs and devices.

    Raises:
        PortError: see `choose_api`.
    """
    api = choose_api(api)
    seen_in, seen_out = all_ports(api)
    return SeenPorts(
        api,
        tuple(name for name in seen_in if not _is_own(name, api)),
        tuple(name for name in seen_out if not _is_own(name, api)),
        tuple(name for name in (*seen_out, *seen_in) if _is_own(name, api) and not _WATCH.search(name)),
    )


def all_ports(api: str) -> tuple[list[str], list[str]]:
    """Give the names of every port: those that can be heard, and those that can be played to."""
    look_in, look_out = new_input(api, "Antiphon look"), new_output(api, "Antiphon look out")
    try:
        return port_names(look_in, api), port_names(look_out, api)
    finally:
        look_in.delete()
        look_out.delete()


def port_names(client: Any, api: str) -> list[str]:
    """Give the names of the ports that an rtmidi client could be joined to, in the order of their numbers."""
    names = list(client.get_ports())
    return without_numbers(names) if api == "windows" else names


def match_port(wanted: str, candidates: Sequence[str], flag: str) -> int:
    """Find the one port whose name contains ``wanted``, whatever its case; a whole name wins over parts.

    Raises:
        PortError: none or several match; with the candidates.
    """
    folded = wanted.casefold()
    exact = [index for index, name in enumerate(candidates) if name.casefold() == folded]
    found = exact or [index for index, name in enumerate(candidates) if folded in name.casefold()]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{name!r}" for name in ([candidates[index] for index in found] or candidates))
    if found:
        raise PortError(f"{flag} {wanted!r} matches {len(found)} ports: {names}; give more of the name")
    there = f"there are {names}" if candidates else "there are no ports to join"
    raise PortError(f"{flag} {wanted!r} matches no port; {there}; look with: antiphon ports")


def _is_own(name: str, api: str) -> bool:
    # Windows has no ports of ours: what carries our names there is a loopback, to be offered
    return api != "windows" and _OWN.search(name) is not None


def _is_instrument(name: str) -> bool:
    return not _NO_INSTRUMENT.search(name) and not is_loopback(name)


def _answers(api: str) -> bool:
    # ALSA's library is loud about a missing device; the device file tells without asking it.
    if api == "alsa" and not _ALSA_SEQUENCER.exists():
        return False
    try:
        new_output(api, "Antiphon look").delete()
    except PortError:
        return False
    return True


def _make(kind: Any, api: str, client: str) -> Any:
    try:
        return _made(kind, api, client)
    except NoMidiSystem:
        if api != "jack":
            raise
    time.sleep(_AGAIN_S)  # a busy server refuses once in a while
    return _made(kind, api, client)


def _made(kind: Any, api: str, client: str) -> Any:
    # Else libjack tries to start a server of its own where none runs.
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    try:
        with _quiet_stderr():
            return kind(_RTMIDI_API[api], name=client)
    except rtmidi.RtMidiError as error:
        raise NoMidiSystem(f"{title(api)} does not answer ({error}); {_REMEDIES[api]}") from error


_stderr_lock = threading.Lock()


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep C libraries off standard error for a moment."""
    with _stderr_lock:
        try:
            kept = os.dup(2)
        except OSError:  # started without a standard error
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
