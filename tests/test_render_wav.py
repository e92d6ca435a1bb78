from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from antiphon.export.take_wav import SAMPLE_RATE_HZ, render_samples, render_wav
from antiphon.models.errors import MidiFileError
from antiphon.models.take import Player, Take, TakeEvent, TakeNote
from numpy.typing import NDArray

PEDAL = (TakeEvent(1.2, bytes((0xB0, 64, 127))), TakeEvent(2.5, bytes((0xB0, 64, 0))))
TAKE = Take(
    (
        TakeNote(1.0, 1.5, 60, 100),
        TakeNote(4.0, 4.5, 67, 100, 4, "piano", "antiphon"),
        TakeNote(6.0, 6.1, 38, 110, 9, "drums", "antiphon"),
    ),
    PEDAL,
)


def loud(samples: NDArray[np.floating], start_s: float, end_s: float) -> tuple[float, float]:
    piece = samples[:, int(start_s * SAMPLE_RATE_HZ) : int(end_s * SAMPLE_RATE_HZ)]
    left, right = np.sqrt((piece**2).mean(1))
    return float(left), float(right)


def test_sound_where_notes_are_and_silence_elsewhere(tmp_path: Path) -> None:
    with wave.open(str(render_wav(TAKE, tmp_path / "take.wav"))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (44_100, 2, 2)
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).T / np.float32(32768)
    assert np.abs(data).max() == pytest.approx(0.89, abs=0.01)
    assert loud(data, 0, 0.99) == (0, 0)
    assert min(loud(data, 1.01, 1.4)) > 0.01
    assert min(loud(data, 1.6, 2.4)) > 0.001  # the pedal holds it
    assert max(loud(data, 2.7, 3.9)) < 1e-4
    assert min(loud(data, 4.01, 4.4)) > 0.01
    assert max(loud(data, 4.8, 5.9)) < 1e-4
    assert min(loud(data, 6.0, 6.1)) > 0.01
    assert len(data[0]) == pytest.approx((6.1 + 1.5) * 44_100, abs=2)


def test_the_performer_is_heard_on_the_left_and_antiphon_on_the_right() -> None:
    samples = render_samples(TAKE)
    performer, antiphon = loud(samples, 1.0, 1.5), loud(samples, 4.0, 4.5)
    assert performer[0] > 1.3 * performer[1]
    assert antiphon[1] > 1.3 * antiphon[0]


def test_a_part_sounds_as_its_role_and_the_performer_as_asked() -> None:
    def one(part: str, *events: TakeEvent) -> NDArray[np.float32]:
        player: Player = "performer" if part == "performer" else "antiphon"
        return render_samples(Take((TakeNote(0.1, 0.6, 60, 100, 0, part, player),), events))

    def same(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
        return bool(np.allclose(a / np.abs(a).max(), b / np.abs(b).max(), atol=1e-3))

    assert not same(one("piano")[1], one("pad")[1])
    vibraphone = one("performer", TakeEvent(0.0, bytes((0xC0, 11))))
    assert same(vibraphone[0], one("lead")[1])
    assert not same(vibraphone[0], one("performer")[0])


def test_a_take_without_notes_is_a_second_of_silence() -> None:
    samples = render_samples(Take())
    assert samples.shape == (2, SAMPLE_RATE_HZ)
    assert not samples.any()


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match=r"nowhere.*another folder"):
        render_wav(TAKE, tmp_path / "nowhere" / "take.wav")


def test_the_soundfont_is_found_without_importing_its_package() -> None:
    code = (
        "import sys; from antiphon.export.take_wav import soundfont; "
        "print(soundfont().stat().st_size, 'pretty_midi' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    size, imported = done.stdout.split()
    assert int(size) > 1_000_000
    assert imported == "False"
