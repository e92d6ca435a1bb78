"""Takes to sound: symusic's synthesiser with the small General MIDI soundfont that comes inside pretty_midi.

The synthesiser knows notes and programs but no controllers, so pedals are worked into the notes' ends before.
The performer sits to the left and Antiphon to the right, each on its own programs.
"""

from __future__ import annotations

import importlib.util
import io
import wave
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import symusic
from antiphon.export.take_pedal import pedalled
from antiphon.models.errors import MidiFileError
from antiphon.models.parts import PROGRAM, Part
from antiphon.models.take import Player, Take, TakeNote
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 44_100
#: Peak of a normalised file: 1 dB below full scale, so that no player's resampler clips.
_PEAK = 0.89
#: (left, right) gains: apart enough to hear who is who on any pair of speakers, together enough for a duo.
_BALANCE: dict[Player, tuple[float, float]] = {"performer": (1.0, 0.55), "antiphon": (0.55, 1.0)}
#: What follows the last note's end, for its release.
_TAIL_S = 1.5
_DRUM_CHANNEL = 9
#: Shorter notes the synthesiser would not sound at all.
_MIN_NOTE_S = 0.02


@dataclass(frozen=True, slots=True, order=True)
class _Voice:
    """What one synthesiser track plays."""

    program: int
    is_drum: bool


def soundfont() -> Path:
    """Give the soundfont's path, without importing the package it lies in.

    Raises:
        MidiFileError: it is not installed.
    """
    spec = importlib.util.find_spec("pretty_midi")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "TimGM6mb.sf2"
        if path.is_file():
            return path
    raise MidiFileError(
        "no soundfont: pretty_midi's TimGM6mb.sf2 is not installed; `pip install pretty_midi`, then render again"
    )


def render_wav(take: Take, path: Path) -> Path:
    """Write a take as 44.1 kHz 16 bit stereo WAV, as loud as it gets without clipping.

    Silent where nothing sounds; a take without notes is a second of silence.

    Raises:
        MidiFileError: the soundfont is missing, or ``path`` cannot be written.
    """
    samples = render_samples(take)
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((samples.T * 32767.0).round().astype("<i2").tobytes())
    try:
        path.write_bytes(data.getvalue())
    except OSError as error:
        raise MidiFileError(
            f"cannot write {path}: {error.strerror or error}; give another folder to render into"
        ) from error
    return path


def render_samples(take: Take) -> NDArray[np.float32]:
    """Give a take's sound, [2 channels, samples], peak-normalised, from the take's time 0 on."""
    frames = int((take.length_s + _TAIL_S if take.notes else 1.0) * SAMPLE_RATE_HZ)
    mix = np.zeros((2, frames), np.float32)
    synthesizer = symusic.Synthesizer(sf_path=soundfont(), sample_rate=SAMPLE_RATE_HZ)
    for player, gains in _BALANCE.items():
        score = _score(take, player)
        if score is None:
            continue
        sound = synthesizer.render(score, stereo=True)[:, :frames]
        mix[:, : sound.shape[1]] += sound * np.array(gains, np.float32)[:, None]
    peak = float(np.abs(mix).max(initial=0.0))
    return mix * np.float32(_PEAK / peak) if peak > 0 else mix


def _score(take: Take, player: Player) -> symusic.Score | None:
    """Give one player's notes as a score in seconds, None when there are none."""
    events = [event for event in take.events if event.player == player]
    notes = pedalled(take.notes_of(player), events, take.length_s)
    voices: dict[_Voice, list[TakeNote]] = defaultdict(list)
    changes = [(event.channel, event.t_s, event.program) for event in events if event.program is not None]
    for note in notes:
        # the performer's own program counts where they sent one; else a part sounds as its role
        asked = [program for channel, t_s, program in changes if channel == note.channel and t_s <= note.onset_s]
        program = asked[-1] if asked else _program(note)
        voices[_Voice(program, note.channel == _DRUM_CHANNEL)].append(note)
    if not voices:
        return None
    score = symusic.Score(480, ttype="second")
    for voice, played in sorted(voices.items()):
        track = symusic.Track("", voice.program, voice.is_drum, ttype="second")
        for note in played:
            length_s = max(_MIN_NOTE_S, note.end_s - note.onset_s)
            track.notes.append(symusic.Note(note.onset_s, length_s, note.pitch, note.velocity, ttype="second"))
        score.tracks.append(track)
    return score


def _program(note: TakeNote) -> int:
    part = Part.__members__.get(note.part.upper())
    return 0 if part is None else PROGRAM[part]
