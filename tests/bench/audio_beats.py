"""A causal peer on the same songs: aubio's beat tracker hears their sound, where its ``aubiotrack`` is installed.

It takes audio, so each song is rendered with the soundfont that Antiphon brings (``apt-get install aubio-tools``).
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import symusic
from antiphon.export.take_wav import SAMPLE_RATE_HZ, soundfont
from numpy.typing import NDArray

PROGRAM = "aubiotrack"


def installed() -> bool:
    """Whether there is one here."""
    return shutil.which(PROGRAM) is not None


def heard(data: Path, names: list[str]) -> list[NDArray[np.float64]]:
    """Give the beats [s] that it hears in each song of an archive.

    Args:
        data: the folder of pop909.
        names: of the songs, as `beats.songs` gives them.
    """
    synthesizer = symusic.Synthesizer(sf_path=soundfont(), sample_rate=SAMPLE_RATE_HZ)
    found = []
    with zipfile.ZipFile(data / "midi.zip") as archive, tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "song.wav"
        for name in names:
            sound = synthesizer.render(symusic.Score.from_midi(archive.read(name)), stereo=False)
            symusic.dump_wav(str(wav), sound, SAMPLE_RATE_HZ, use_int16=True)
            told = subprocess.run([PROGRAM, "-i", str(wav)], capture_output=True, text=True, check=True).stdout
            found.append(np.array([float(line) for line in told.split()]))
    return found
