"""Where in the bar a pulse is, and how fast: a forward filter over tempo and place, frame by frame.

A bar pointer (Whiteley, Cemgil and Godsill, "Bayesian modelling of temporal structure in musical audio", ISMIR 2006) on
the state space of Krebs, Böck and Widmer ("An efficient state-space model for joint tempo and meter tracking", ISMIR
2015): a state is a tempo and a place in a bar of four beats, it moves on by a frame at a time, and the tempo may
change where a beat ends. What is heard in a frame is a kind of onset or none; how likely each kind is at each place was
counted in performed pop songs (`daemon.brain.beat_table`). Only the past is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from antiphon.daemon.brain.beat_table import LOG_CHANCES, PLACES
from numpy.typing import NDArray

#: Seconds of a frame.
FRAME_S = 0.02
BEATS = 4
_SLOWEST_BPM, _FASTEST_BPM, _TEMPI = 55.0, 190.0, 44
#: People's tempi: a log-normal around this.
_USUAL_BPM, _SPREAD = 88.0, 0.3
#: How unlikely a change of tempo is at the end of a beat.
_STEADY = 110.0
#: Frames are not independent of each other: their evidence counts so much.
_EVIDENCE = 0.3
#: So much of a fresh start in every frame: whatever was believed, the truth stays possible.
_DOUBT = 1e-9
_NEAR = 2  # tempi to either side of the likeliest that are one belief with it
_HIGH = 52  # below it a note counts as a bass
_MOST = 3  # notes struck together: one, two, more

Floats = NDArray[np.float64]


def kind_of(notes: int, lowest: int) -> int:
    """Give the kind of an onset: 1 ..; 0 is none.

    >>> kind_of(1, 60), kind_of(1, 40), kind_of(7, 40)
    (1, 2, 6)
    """
    return 1 + (min(notes, _MOST) - 1) * 2 + int(lowest < _HIGH)


@dataclass(frozen=True, slots=True)
class Belief:
    """What is thought of the pulse after a frame."""

    period_s: float  # of a beat
    place: float  # 0 .. `BEATS`, in the bar
    confidence: float  # 0 .. 1: how far what is thought agrees on the place in the beat


class BeatModel:
    """The filter. Deterministic; about 20 us a frame."""

    def __init__(self) -> None:
        beats = np.geomspace(60.0 / _FASTEST_BPM, 60.0 / _SLOWEST_BPM, _TEMPI) / FRAME_S
        self._frames = np.unique(np.round(beats).astype(np.int64))  # of a beat, for each tempo
        lengths = np.repeat(self._frames, BEATS)
        ends = np.cumsum(lengths)
        self._first = (ends - lengths).reshape(-1, BEATS)
        self._last = self._first + self._frames[:, None] - 1
        self._tempo = np.repeat(np.arange(len(self._frames)), self._frames * BEATS)
        within = np.concatenate([np.tile(np.arange(frames) / frames, BEATS) for frames in self._frames])
        beat = np.concatenate([np.repeat(np.arange(BEATS), frames) for frames in self._frames])
        self._place = beat + within
        self._turn = np.exp(2j * np.pi * within)
        ratios = np.abs(np.log(self._frames[None] / self._frames[:, None]))
        change = np.exp(-_STEADY * ratios)
        self._change = (change / change.sum(axis=1, keepdims=True)).T.copy()
        middle = self._place + 0.5 / self._frames[self._tempo]
        table = np.array(LOG_CHANCES) / 1000.0  # [PLACES, kinds]
        self._chances = np.exp(_EVIDENCE * table[(middle / BEATS * PLACES).astype(np.int64) % PLACES].T)
        seconds = self._frames * FRAME_S
        usual = np.exp(-0.5 * (np.log(60.0 / seconds / _USUAL_BPM) / _SPREAD) ** 2)
        start = (usual / self._frames)[self._tempo]
        self._start: Floats = start / start.sum()
        self._now: Floats = self._start

    def reset(self) -> None:
        """Forget everything."""
        self._now = self._start

    def hear(self, kind: int) -> None:
        """Go on by a frame with an onset of a kind, or none, in it."""
        now = np.empty_like(self._now)
        now[1:] = self._now[:-1]
        now[self._first] = np.roll(self._change @ self._now[self._last], 1, axis=1)
        now *= self._chances[kind]
        now += _DOUBT * self._start
        self._now = now / now.sum()

    def belief(self) -> Belief:
        """Tell what is thought now: the likeliest tempo and its neighbours, and their mean place."""
        tempi = np.bincount(self._tempo, self._now, len(self._frames))
        likeliest = int(tempi.argmax())
        low, high = max(0, likeliest - _NEAR), min(len(self._frames), likeliest + _NEAR + 1)
        period = float(tempi[low:high] @ self._frames[low:high] / tempi[low:high].sum()) * FRAME_S
        among = slice(self._first[low, 0], self._last[high - 1, -1] + 1)
        weights = self._now[among]
        mean = complex(weights @ self._turn[among])
        within = float(np.angle(mean) / (2 * np.pi)) % 1.0
        # which beat: by what lies nearest to that place in each of them
        off = np.abs((self._place[among] - within + 0.5) % 1.0 - 0.5) < 0.25
        beat = np.bincount(np.round(self._place[among] - within).astype(np.int64) % BEATS, weights * off, BEATS)
        return Belief(period, float(beat.argmax()) + within, abs(mean))
