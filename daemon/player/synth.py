"""``--synth``: FluidSynth as a child, to be heard without a DAW.

It is kept alive by its standard input, a pipe: when the player goes, however it goes, the pipe closes and
FluidSynth leaves. It opens no network port.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from antiphon.daemon.errors import PortError
from antiphon.models.parts import OUTPUT_CHANNEL, PROGRAM

#: The name that FluidSynth's MIDI port carries.
SYNTH_NAME = "Antiphon fluidsynth"
_INSTALL = "install it (sudo apt-get install fluidsynth, or brew install fluid-synth), or connect a synth"


def soundfont() -> Path:
    """Find the General MIDI soundfont that pretty_midi brings, without importing it (it imports numpy).

    Raises:
        PortError: it is not there.
    """
    spec = importlib.util.find_spec("pretty_midi")
    if spec is not None and spec.origin is not None:
        found = sorted(Path(spec.origin).parent.glob("*.sf2"))
        if found:
            return found[0]
    raise PortError("no soundfont: pretty_midi's is missing; install antiphon again")


def programs() -> tuple[bytes, ...]:
    """Give the program changes that set a General MIDI synth up for Antiphon's parts."""
    return tuple(bytes((0xC0 | channel, PROGRAM[part])) for part, channel in OUTPUT_CHANNEL.items())


def synth_command(api: str, font: Path) -> list[str]:
    """Give FluidSynth's command line for a MIDI system.

    Raises:
        PortError: FluidSynth is not installed; with the remedy.
    """
    program = shutil.which("fluidsynth")
    if program is None:
        raise PortError(f"--synth: there is no fluidsynth here; {_INSTALL}")
    command = [program, "--quiet", "--gain", "0.6"]
    if api == "jack":
        command += ["-a", "jack", "-m", "jack", "-j"]
        command += ["-o", f"midi.jack.id={SYNTH_NAME}", "-o", f"audio.jack.id={SYNTH_NAME} audio"]
    elif api == "coremidi":
        command += ["-a", "coreaudio", "-m", "coremidi"]
    else:
        command += ["-a", _linux_audio(), "-m", "alsa_seq", "-o", f"midi.alsa_seq.id={SYNTH_NAME}"]
    return [*command, "-o", f"midi.portname={SYNTH_NAME}", str(font)]


def _linux_audio() -> str:
    """Choose FluidSynth's audio driver by the sound server whose client program is there."""
    if shutil.which("pipewire") or shutil.which("pw-cli"):
        return "pipewire"
    return "pulseaudio" if shutil.which("pactl") else "alsa"


class Synth:
    """A running FluidSynth. `close` is idempotent; so is leaving it as a context manager."""

    def __init__(self, api: str) -> None:
        """Start it.

        Raises:
            PortError: FluidSynth or the soundfont is missing.
        """
        self._process = subprocess.Popen(
            synth_command(api, soundfont()), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C goes to the player, which closes its ports first and the synth last.
            process_group=None if sys.platform == "win32" else 0,
        )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether it is still there."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it. Idempotent."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
