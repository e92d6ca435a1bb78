"""From settings (and the key heard) to what a generator is allowed: ranges, scale, temperature.

A `Palette` is made once for each snapshot of settings and key, so that a note costs nothing but a look-up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from antiphon.daemon.brain.key import SCALE_DEGREES, HeardKey
from antiphon.daemon.settings import KEYS, Settings
from antiphon.models.generator import MAX_TICKS, PARTS, PITCHES, TICKS_PER_BEAT, Constraints
from antiphon.models.parts import Part
from numpy.typing import NDArray

#: Where each role lies. Drums: General MIDI's kit.
RANGES: dict[Part, tuple[int, int]] = {
    Part.LEAD: (60, 96),
    Part.CHORDS: (48, 84),
    Part.BASS: (28, 55),
    Part.DRUMS: (35, 81),
    Part.PAD: (43, 84),
    Part.PIANO: (0, 127),
}
#: A pitch outside a key that was only heard: unlikely (e^-2.5 is 1 to 12), not forbidden.
OUTSIDE_HEARD_KEY = -2.5
#: `follow`'s notes end with the performer's; a beat stands for that where a duration must be told.
UNTIL_THEY_END = TICKS_PER_BEAT
_FIRST_NAMED_KEY = KEYS.index("C")

Bias = NDArray[np.float32]


def allowed_range(part: Part, low: int, high: int) -> tuple[int, int]:
    """A part's own range within the one asked for; the nearest octave asked for where they do not meet."""
    if part is Part.DRUMS:
        return RANGES[part]
    low, high = min(low, high), max(low, high)
    part_low, part_high = RANGES[part]
    if part_high < low:
        return low, min(high, low + 11)
    if part_low > high:
        return max(low, high - 11), high
    return max(low, part_low), min(high, part_high)


def key_bias(settings: Settings, heard: HeardKey | None) -> Bias:
    """Logit offsets [PITCHES] of the key: forbidden outside a named scale, unlikely outside a heard one."""
    if settings.key == "off" or (settings.key == "auto" and heard is None):
        return np.zeros(PITCHES, np.float32)
    if settings.key == "auto":
        assert heard is not None
        inside, outside = heard.pitch_classes, OUTSIDE_HEARD_KEY
    else:
        tonic = KEYS.index(settings.key) - _FIRST_NAMED_KEY
        inside = frozenset((tonic + degree) % 12 for degree in SCALE_DEGREES[settings.scale])
        outside = -math.inf
    return np.array([0.0 if pitch % 12 in inside else outside for pitch in range(PITCHES)], np.float32)


def _part_bias(part: Part, settings: Settings, key: Bias) -> Bias:
    low, high = allowed_range(part, settings.low, settings.high)
    bias = np.full(PITCHES, -np.inf, np.float32)
    bias[low : high + 1] = 0.0
    if part is Part.DRUMS:
        return bias
    both: Bias = bias + key
    return both if np.isfinite(both).any() else bias  # a range without a note of the scale: range wins


def key_of(settings: Settings, heard: HeardKey | None) -> HeardKey | None:
    """The key in use: named (minor where its third is), or heard; None where neither."""
    if settings.key == "off":
        return None
    if settings.key == "auto":
        return heard
    degrees = SCALE_DEGREES[settings.scale]
    return HeardKey(KEYS.index(settings.key) - _FIRST_NAMED_KEY, 3 in degrees and 4 not in degrees)


def tonic_triad(key: HeardKey) -> tuple[int, int, int]:
    """Pitch classes of root, third and fifth."""
    return key.tonic, (key.tonic + (3 if key.minor else 4)) % 12, (key.tonic + 7) % 12


class Palette:
    """What one snapshot of settings, and a key, allow. Immutable but for what it caches."""

    def __init__(self, settings: Settings, heard: HeardKey | None) -> None:
        self.settings = settings
        self.heard = heard
        key = key_bias(settings, heard)
        self.pitch: dict[int, Bias] = {int(part): _part_bias(part, settings, key) for part in Part}
        self.voice = int(Part[settings.voice.upper()])
        #: `follow`: a note of the voice, at once.
        self.at_once = self.constraints(part=self.voice, gap=0, duration=UNTIL_THEY_END)

    def at_once_without(self, pitches: Iterable[int]) -> Constraints:
        """`at_once`, and none of these pitches of the voice, unless nothing else is left."""
        bias = without(self.pitch[self.voice], pitches)
        pitch = {**self.pitch, self.voice: bias}
        return self.constraints(part=self.voice, gap=0, duration=UNTIL_THEY_END, pitch=pitch)

    def constraints(
        self, *, part: int | None = None, part_bias: Bias | None = None, gap: int | None = None,
        min_gap: int = 0, max_gap: int = MAX_TICKS, gap_bias: Bias | None = None,
        pitch: dict[int, Bias] | None = None, velocity_bias: Bias | None = None,
        min_duration: int = 1, max_duration: int = MAX_TICKS, duration: int | None = None,
    ) -> Constraints:  # fmt: skip
        """Put what the settings say beside what the moment asks for."""
        return Constraints(
            part=part, part_bias=part_bias, gap=gap, min_gap=min_gap, max_gap=max_gap, gap_bias=gap_bias,
            part_pitch_bias=self.pitch if pitch is None else pitch, velocity_bias=velocity_bias,
            min_duration=min_duration, max_duration=max_duration, duration=duration,
            temperature=self.settings.temperature, top_p=self.settings.top_p,
        )  # fmt: skip


def without(bias: Bias, pitches: Iterable[int]) -> Bias:
    """Forbid these pitches too, unless nothing else is left."""
    fewer = bias.copy()
    fewer[list(pitches)] = -np.inf
    return fewer if np.isfinite(fewer).any() else bias


def only_parts(parts: Iterable[int]) -> Bias:
    """Logit offsets [PARTS] that forbid every other part."""
    bias = np.full(PARTS, -np.inf, np.float32)
    bias[list(parts)] = 0.0
    return bias
