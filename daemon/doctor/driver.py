"""Checks of MIDI: how its server runs, and what is plugged in."""

from __future__ import annotations

import ctypes
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from antiphon.daemon.doctor.finding import Lacking
from antiphon.daemon.player.jack_library import JackClient

_WATCHED_S = 1.0
_SEQUENCER = Path("/dev/snd/seq")
_MAPS = Path("/proc/self/maps")
#: A period longer than this is heard as the player's own lateness.
_LONG_MS = 12.0


@dataclass(frozen=True, slots=True)
class JackServerFacts:
    """A JACK server: its period in frames, its rate in Hz, whether it is real-time, its load in percent, xruns seen."""

    period: int
    rate: int
    real_time: bool
    load: float
    xruns: int

    @property
    def period_ms(self) -> float:
        """The period in ms."""
        return 1e3 * self.period / max(1, self.rate)


class _AskingClient(JackClient):
    """A client that asks a server about itself. Belongs to one thread."""

    def facts(self, watch_s: float) -> JackServerFacts:
        """Ask, and count xruns for a while."""
        jack, client = self._jack, ctypes.c_void_p(self._client)
        jack.jack_cpu_load.restype = ctypes.c_float
        counter, count = ctypes.create_string_buffer(64), ctypes.c_int()
        self._libc.sem_init(counter, 0, 0)
        # what JACK calls at an xrun is the C library's own sem_post: none of our Python runs in its threads
        jack.jack_set_xrun_callback(client, self._libc.sem_post, counter)
        jack.jack_activate(client)
        time.sleep(watch_s)
        load = float(jack.jack_cpu_load(client))
        jack.jack_deactivate(client)
        self._libc.sem_getvalue(counter, ctypes.byref(count))
        return JackServerFacts(
            jack.jack_get_buffer_size(client), jack.jack_get_sample_rate(client), bool(jack.jack_is_realtime(client)),
            load, count.value,
        )  # fmt: skip


def ports() -> str:
    """Tell what is plugged in. Raises: Lacking: nothing to play on."""
    from antiphon.daemon.config import load  # noqa: PLC0415
    from antiphon.daemon.player.midi_system import list_ports  # noqa: PLC0415
    from antiphon.daemon.player.ports import NoMidiSystem  # noqa: PLC0415

    try:
        seen = list_ports(load(None).options["api"])
    except NoMidiSystem:
        raise Lacking("none can be seen", "see MIDI above") from None
    told = f"{_named('keyboard', seen.keyboards)}; {_named('synth', seen.synths)}"
    if not seen.keyboards and not seen.synths:
        raise Lacking(
            f"{told}: a DAW's tracks can still be joined to Antiphon's own ports",
            "plug one in and look with: antiphon ports; for a synth: antiphon jam --synth",
        )
    return told


def driver(watch_s: float = _WATCHED_S) -> str:
    """Tell how JACK runs, where it does, and what else carries MIDI here.

    Raises:
        Lacking: it drops out, or answers slowly; or there is a better way to run it.
    """
    if sys.platform == "darwin":
        return "CoreMIDI: to join programs, switch on the IAC driver in Audio MIDI Setup"
    if sys.platform == "win32":
        return _loopbacks()
    facts = jack_server(watch_s)
    sequencer = "ALSA's sequencer is there" if _SEQUENCER.exists() else "no ALSA sequencer"
    if facts is None:
        return _without_jack(sequencer)
    kind = "PipeWire's JACK" if _is_pipewires() else "JACK"
    told = (
        f"{kind} runs: {facts.period} frames at {facts.rate} Hz ({facts.period_ms:.1f} ms a period), "
        f"{'real-time' if facts.real_time else 'not real-time'}, load {facts.load:.0f}%, "
        f"{facts.xruns or 'no'} xruns in {watch_s:g} s; {sequencer}"
    )
    if facts.xruns:
        raise Lacking(told, f"give it a longer period: jackd -d alsa -p {2 * facts.period} (or in your patchbay)")
    if facts.period_ms > _LONG_MS:
        raise Lacking(told, f"give it a shorter period: jackd -d alsa -p {_shorter(facts)} (or in your patchbay)")
    if not facts.real_time and kind == "JACK":
        raise Lacking(told, "start it real-time: jackd -R -P 60 -d alsa")
    return told


def _loopbacks() -> str:
    from antiphon.daemon.player.loopbacks import REMEDY, choose, chosen_line  # noqa: PLC0415
    from antiphon.daemon.player.midi_system import all_ports  # noqa: PLC0415  rtmidi
    from antiphon.daemon.player.ports import NoMidiSystem  # noqa: PLC0415

    try:
        return f"Windows MIDI; {chosen_line(*choose(*all_ports('windows')))}"
    except NoMidiSystem:
        raise Lacking("Windows makes no virtual ports, and there is no loopback for each way", REMEDY) from None


def jack_server(watch_s: float = _WATCHED_S) -> JackServerFacts | None:
    """Ask the JACK server about itself, and count its xruns for ``watch_s`` seconds; None: there is none."""
    from antiphon.daemon.player.midi_system import choose_api  # noqa: PLC0415  rtmidi, which brings JACK's library
    from antiphon.daemon.player.ports import NoMidiSystem  # noqa: PLC0415

    try:
        choose_api("jack")
        client = _AskingClient()
    except (NoMidiSystem, OSError):
        return None
    try:
        return client.facts(watch_s) if client.open("Antiphon look") else None
    finally:
        client.close()


def _without_jack(sequencer: str) -> str:
    through_pipewire = "pw-jack antiphon jam --api jack" if shutil.which("pw-jack") is not None else ""
    if not _SEQUENCER.exists():
        if through_pipewire:
            raise Lacking(f"no JACK answers, PipeWire is installed; {sequencer}", f"run: {through_pipewire}")
        raise Lacking(
            f"no JACK runs, and {sequencer}",
            "run: sudo modprobe snd-seq (or start JACK: jackd -R -P 60 -d alsa -p 128)",
        )
    beside = f"; to play among PipeWire's JACK programs: {through_pipewire}" if through_pipewire else ""
    return f"{sequencer}; no JACK runs, and none is needed{beside}"


def _is_pipewires() -> bool:
    try:
        lines = _MAPS.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any("libjack" in line and "pipewire" in line for line in lines)


def _shorter(facts: JackServerFacts) -> int:
    """Give the longest power of two of frames that is short enough."""
    frames = 16
    while 2e3 * frames / facts.rate <= _LONG_MS:
        frames *= 2
    return frames


def _named(what: str, names: tuple[str, ...]) -> str:
    if not names:
        return f"no {what}"
    return f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({', '.join(names)})"
