"""A phrase of the performer's: how long, how high, how loud, how dense, on what pulse, and when it is over."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from antiphon.models.generator import MAX_TICKS, PITCHES, TICKS_PER_BEAT, VELOCITY_LEVELS, VELOCITY_STEP, HeldNote
from numpy.typing import NDArray

#: Onsets closer than this are one chord.
CHORD_NS = 45_000_000
#: Silence that ends a phrase: longer than most of the gaps in it by this factor, within these bounds.
_SILENCE_FACTOR = 1.5
_SHORTEST_SILENCE_NS, _LONGEST_SILENCE_NS = 350_000_000, 2_500_000_000
#: A pace nobody has shown yet: a first note alone may be the first of a slow phrase.
_DEFAULT_GAP_NS = 800_000_000
#: Gaps remembered, over phrases: a pace is a habit.
_GAPS = 24
#: Notes of a phrase that its likeness is taken from.
_NOTES = 96
#: Pulses looked for, and the middle of where people feel one (Parncutt 1994: about 0.6 s).
_PULSES_S = np.geomspace(0.25, 1.0, 64)
_FELT_S, _FELT_WIDTH = 0.5, 0.6
#: The pulse felt is then measured, apart from how it is felt.
_NEARBY = np.geomspace(0.9, 1.1, 81)
#: Fainter periodicity than this is none (1: every onset on the pulse).
_FAINTEST_PULSE = 0.5


def _waves(seconds: NDArray[np.float64], periods: NDArray[np.float64]) -> NDArray[np.complex128]:
    """How well onsets fall on each pulse (absolute value, to 1), and on which place of it (angle)."""
    waves: NDArray[np.complex128] = np.exp(2j * np.pi * seconds[None, :] / periods[:, None]).mean(axis=1)
    return waves


@dataclass(frozen=True, slots=True)
class Manner:
    """How a phrase was played: what an answer in kind keeps to."""

    low: int
    high: int
    velocity: float  # mean
    onsets_a_beat: float  # onsets struck together count once
    longest_gap: int  # ticks

    def shift(self, lowest: int, highest: int) -> int:
        """Whole octaves (in semitones) that bring the middle of the phrase between two pitches."""
        low, high = self.low, self.high
        while low + high > 2 * highest and low >= 12:
            low, high = low - 12, high - 12
        while low + high < 2 * lowest and high < PITCHES - 12:
            low, high = low + 12, high + 12
        return low - self.low

    def pitch_bias(self, lowest: int, highest: int) -> NDArray[np.float32]:
        """Logit offsets: free within the phrase's range and a third around it, then ever less likely.

        The range is moved by octaves until its middle is one that may be played.
        """
        shift = self.shift(lowest, highest)
        low, high = self.low + shift, self.high + shift
        pitch = np.arange(PITCHES)
        outside = np.maximum(np.maximum(low - 4 - pitch, pitch - high - 4), 0)
        bias: NDArray[np.float32] = (-0.3 * outside).astype(np.float32)
        return bias

    def velocity_bias(self) -> NDArray[np.float32]:
        """Logit offsets around the phrase's loudness, three levels wide."""
        level = np.arange(VELOCITY_LEVELS) - (self.velocity / VELOCITY_STEP - 0.5)
        bias: NDArray[np.float32] = (-0.5 * (level / 3.0) ** 2).astype(np.float32)
        return bias


class Pace:
    """How quickly the performer plays: the gaps between onsets, chords counted once."""

    def __init__(self) -> None:
        self._gaps_ns: deque[int] = deque(maxlen=_GAPS)
        self._last_ns: int | None = None

    def struck(self, t_ns: int) -> None:
        """Count an onset."""
        if self._last_ns is not None:
            gap_ns = t_ns - self._last_ns
            if gap_ns < CHORD_NS:
                return
            if gap_ns < _LONGEST_SILENCE_NS:
                self._gaps_ns.append(gap_ns)
        self._last_ns = t_ns

    def silence_ns(self, patience: float) -> int:
        """Silence after which a phrase is over."""
        gaps = sorted(self._gaps_ns)
        usual = gaps[(len(gaps) * 4) // 5] if gaps else _DEFAULT_GAP_NS
        bounded = min(_LONGEST_SILENCE_NS, max(_SHORTEST_SILENCE_NS, usual * _SILENCE_FACTOR))
        return round(bounded * patience)


class Phrase:
    """What was played since the last silence (or answer)."""

    def __init__(self) -> None:
        self._onsets_ns: list[int] = []  # chords once
        self._pitches: list[int] = []
        self._velocities: list[int] = []
        self._held: deque[HeldNote] = deque(maxlen=_NOTES)
        self.last_activity_ns = 0

    def __bool__(self) -> bool:
        return bool(self._onsets_ns)

    def struck(self, pitch: int, velocity: int, t_ns: int, held: HeldNote | None = None) -> None:
        """Add a note; ``held``: its form in the window."""
        if held is not None:
            self._held.append(held)
        if not self._onsets_ns or t_ns - self._onsets_ns[-1] >= CHORD_NS:
            self._onsets_ns.append(t_ns)
        self._pitches.append(pitch)
        self._velocities.append(velocity)
        self.last_activity_ns = t_ns

    def active(self, t_ns: int) -> None:
        """Something ended, or a pedal moved: silence begins anew."""
        self.last_activity_ns = t_ns

    @property
    def length_ns(self) -> int:
        """From the first onset to the last end."""
        return self.last_activity_ns - self._onsets_ns[0] if self._onsets_ns else 0

    def manner(self, ns_a_beat: float) -> Manner:
        """How it was played; needs at least one note."""
        gaps_ns = np.diff(self._onsets_ns) if len(self._onsets_ns) > 1 else np.array([ns_a_beat])
        beats = max(0.5, float(gaps_ns.sum()) / ns_a_beat)
        longest = math.ceil(float(gaps_ns.max()) / ns_a_beat * TICKS_PER_BEAT)
        return Manner(
            low=min(self._pitches),
            high=max(self._pitches),
            velocity=sum(self._velocities) / len(self._velocities),
            onsets_a_beat=len(gaps_ns) / beats,
            longest_gap=min(MAX_TICKS, max(TICKS_PER_BEAT // 2, longest)),
        )

    @property
    def held(self) -> Sequence[HeldNote]:
        """The latest notes, as the window has them."""
        return self._held

    def next_pulse_ns(self, after_ns: int) -> int:
        """The next pulse that the phrase implies, or ``after_ns`` where it implies none."""
        pulse = self.pulse_ns()
        if pulse is None:
            return after_ns
        phase_ns, period_ns = pulse
        return round(phase_ns + math.ceil((after_ns - phase_ns) / period_ns) * period_ns)

    def pulse_ns(self) -> tuple[float, float] | None:
        """When a pulse is that the phrase implies, and the time between two; None where it implies none."""
        if len(self._onsets_ns) < 3:
            return None
        first = self._onsets_ns[0]
        seconds = (np.array(self._onsets_ns) - first) / 1e9
        felt = np.exp(-0.5 * (np.log(_PULSES_S / _FELT_S) / _FELT_WIDTH) ** 2)
        rough = _PULSES_S[int((np.abs(_waves(seconds, _PULSES_S)) * felt).argmax())]
        periods = rough * _NEARBY
        waves = _waves(seconds, periods)
        best = int(np.abs(waves).argmax())
        if abs(waves[best]) < _FAINTEST_PULSE:
            return None
        period_ns = float(periods[best]) * 1e9
        return first + float(np.angle(waves[best])) / (2 * math.pi) * period_ns, period_ns
