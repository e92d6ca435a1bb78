"""What an answer in kind takes from a phrase beside its bounds: where notes lay, their lengths, their rhythm.

A range says little of two hands far apart, and a rate little of a rhythm; so an answer is drawn towards the phrase's
own spread over the keyboard (what was answered too much of becomes less likely, as a density is steered), its notes'
lengths, and the places in the pulse where its onsets fell. All of it leans; none of it forbids but the lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from antiphon.daemon.brain.constraints import Bias
from antiphon.models.generator import MAX_TICKS, PITCHES, TICKS_PER_BEAT, TIME_CLASSES, HeldNote
from numpy.typing import NDArray

#: How wide a note is on the keyboard (semitones), and in the pulse (share of it).
_PITCH_WIDTH, _PHASE_WIDTH = 4.0, 0.04
#: Notes of the answer that its spread is judged by, and how many notes of the phrase's own spread come first.
_JUDGED, _PRIOR = 16, 3.0
#: Logits at most, for and against a register; for each e-fold of too little or too much.
_MOST, _SLOPE = 3.0, 1.5
#: Logits against a place in the pulse where nobody played.
_OFF_RHYTHM = -2.5
#: Logits for each semitone that a line leaps further than the phrase mostly did, or a hand than so many semitones from
#: one of so many latest notes.
_LEAP, _HAND_LEAP, _HAND = np.float32(-0.4), 5, 2
_LATEST = 12
#: Phrases of fewer notes say nothing of spread or rhythm.
_FEWEST = 5
_PITCHES = np.arange(PITCHES)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Made once for each answer."""

    spread: NDArray[np.float64]  # [PITCHES] density, sums to 1
    shortest: int  # ticks
    usual: int
    longest: int
    voices: int  # sounding at an onset, mostly
    leap: int  # semitones from note to note, mostly no more
    split: float  # pitch between two hands
    latest: tuple[int, ...]  # its last pitches, moved by the shift
    rhythm: Bias | None  # [TICKS_PER_BEAT] logit offsets over one pulse
    phase_tick: float = 0.0  # of a pulse
    period_ticks: float = TICKS_PER_BEAT

    def pitch_bias(self, answered: Sequence[int]) -> Bias:
        """Logit offsets towards registers that the answer has had too little of."""
        recent = answered[-_JUDGED:]
        share = (self.spread * _PRIOR + _smoothed(recent) * len(recent)) / (_PRIOR + len(recent))
        wanted = _SLOPE * (np.log(self.spread + 2e-3) - np.log(share + 2e-3))
        bias: Bias = np.clip(wanted, -_MOST, _MOST).astype(np.float32)
        # a line goes on from its last note, each of two hands from its latest ones; the first from the phrase's
        before = (*self.latest, *answered)
        if self.voices == 1:
            before = before[-1:]
        else:
            low, high = [one for one in before if one < self.split], [one for one in before if one >= self.split]
            before = (*low[-_HAND:], *high[-_HAND:])
        nearest = np.abs(_PITCHES[None, :] - np.array(before)[:, None]).min(axis=0)
        bias += _LEAP * np.maximum(0, nearest - (self.leap if self.voices == 1 else _HAND_LEAP))
        return bias

    def gap_bias(self, tick: int) -> Bias | None:
        """Logit offsets [TIME_CLASSES] of the gap after ``tick``, towards the phrase's places in the pulse."""
        if self.rhythm is None:
            return None
        places = (tick + np.arange(TIME_CLASSES) - self.phase_tick) / self.period_ticks % 1.0
        bias: Bias = self.rhythm[np.floor(places * TICKS_PER_BEAT + 0.5).astype(np.int64) % TICKS_PER_BEAT].copy()
        bias[0] = 0.0
        return bias


def liken(notes: Sequence[HeldNote], now_tick: int, shift: int, pulse: tuple[float, float] | None) -> Likeness | None:
    """Take a phrase's likeness.

    Args:
        notes: of the phrase, in order.
        now_tick: where a note that is still held is taken to end.
        shift: semitones that its answer lies from it.
        pulse: tick of a pulse, and ticks between two; None where there is none.

    Returns:
        None for too short a phrase.
    """
    if len(notes) < _FEWEST:
        return None
    onsets = np.array([note.tick for note in notes], np.float64)
    ends = np.array([min(note.off_tick, max(now_tick, note.tick + 1)) for note in notes])
    lengths = np.sort(ends - onsets)
    sounding = ((onsets[None, :] <= onsets[:, None]) & (ends[None, :] > onsets[:, None])).sum(axis=1)
    pitches = [note.pitch for note in notes]
    leaps = np.sort(np.abs(np.diff(pitches)))
    longest = int(lengths[(len(lengths) * 9) // 10])
    usual = int(lengths[len(lengths) // 2])
    return Likeness(
        spread=_smoothed([note.pitch + shift for note in notes]),
        shortest=max(1, min(TICKS_PER_BEAT // 2, int(lengths[len(lengths) // 10] * 0.7))),
        usual=min(MAX_TICKS, max(TICKS_PER_BEAT // 4, usual)),
        longest=min(MAX_TICKS, max(TICKS_PER_BEAT // 2, longest)),
        voices=max(1, int(np.sort(sounding)[(len(sounding) * 9) // 10])),
        leap=max(2, int(leaps[(len(leaps) * 4) // 5])),
        split=shift + float(np.percentile(pitches, 25) + np.percentile(pitches, 75)) / 2,
        latest=tuple(note.pitch + shift for note in notes[-_LATEST:]),
        rhythm=None if pulse is None else _rhythm(onsets, pulse),
        phase_tick=0.0 if pulse is None else pulse[0],
        period_ticks=TICKS_PER_BEAT if pulse is None else pulse[1],
    )  # fmt: skip


def _smoothed(pitches: Sequence[int]) -> NDArray[np.float64]:
    if not len(pitches):
        return np.zeros(PITCHES)
    distance = (_PITCHES[None, :] - np.array(pitches)[:, None]) / _PITCH_WIDTH
    weights = np.exp(-0.5 * distance**2).sum(axis=0)
    density: NDArray[np.float64] = weights / weights.sum()
    return density


def _rhythm(onsets: NDArray[np.float64], pulse: tuple[float, float]) -> Bias:
    """Where in the pulse onsets fell, on a circle."""
    phases = (onsets - pulse[0]) / pulse[1] % 1.0
    places = np.arange(TICKS_PER_BEAT) / TICKS_PER_BEAT
    apart = np.abs(places[:, None] - phases[None, :])
    apart = np.minimum(apart, 1.0 - apart) / _PHASE_WIDTH
    density = np.exp(-0.5 * apart**2).sum(axis=1)
    bias: Bias = np.clip(np.log(density / density.max() + 1e-9), _OFF_RHYTHM, 0.0).astype(np.float32)
    return bias
