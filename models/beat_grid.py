"""Annotated beats: where the beats of a performance are, told beside its file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from antiphon.models.errors import MidiFileError
from antiphon.models.generator import TICKS_PER_BEAT
from numpy.typing import NDArray

#: With fewer beats there is no pace to go on at.
_FEWEST_BEATS = 4


@dataclass(frozen=True, slots=True)
class BeatGrid:
    """Annotated beats, where a performance's own ticks are no grid."""

    beats_s: NDArray[np.float64]  # [K] rising
    is_downbeat: NDArray[np.bool_]  # [K]

    @classmethod
    def parse(cls, text: bytes, name: str) -> BeatGrid:
        """Read lines of ``seconds, (anything), 1 at a downbeat``, as POP909's ``beat_midi.txt`` has them.

        Raises:
            MidiFileError: it is no such text, or its beats do not rise.
        """
        try:
            rows = np.array([line.split()[:3] for line in text.decode().splitlines() if line.strip()], np.float64)
        except ValueError as error:  # bytes that are no text, words, lines of other lengths
            raise MidiFileError(f"{name}: not readable as beats ({error}); mend or remove it") from None
        if rows.ndim != 2 or rows.shape[1] < 3 or len(rows) < _FEWEST_BEATS:
            raise MidiFileError(f"{name}: {len(rows)} beats; {_FEWEST_BEATS} or more lines of three numbers are needed")
        if not np.isfinite(rows).all() or np.any(np.diff(rows[:, 0]) <= 0):
            raise MidiFileError(f"{name}: its beats do not rise; mend or remove it")
        return cls(rows[:, 0], rows[:, 2] > 0.5)

    @property
    def bpm(self) -> float:
        """The tempo over the whole."""
        return float(60.0 * (len(self.beats_s) - 1) / (self.beats_s[-1] - self.beats_s[0]))

    def beats_at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the beat at each time, going on at the first and last beat's pace outside."""
        at = self.beats_s
        beats = np.arange(len(at), dtype=np.float64)
        inside = np.interp(times_s, at, beats)
        before = beats[0] + (times_s - at[0]) / (at[1] - at[0])
        after = beats[-1] + (times_s - at[-1]) / (at[-1] - at[-2])
        return np.where(times_s < at[0], before, np.where(times_s > at[-1], after, inside))

    def bar_positions(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the ticks since the last downbeat, -1 before the first."""
        downbeats = np.flatnonzero(self.is_downbeat) * TICKS_PER_BEAT
        if not len(downbeats):
            return np.full(len(ticks), -1, np.int64)
        index = np.searchsorted(downbeats, ticks, side="right") - 1
        return np.where(index >= 0, ticks - downbeats[np.maximum(index, 0)], -1)
