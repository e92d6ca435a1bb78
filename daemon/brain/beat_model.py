"""Where in the bar a pulse is, and how fast: a forward filter over tempo and place, frame by frame.

A bar pointer (Whiteley, Cemgil and Godsill, "Bayesian modelling of temporal structure in musical audio", ISMIR 2006) on
the state space of Krebs, Böck and Widmer ("An efficient state-space model for joint tempo and meter tracking", ISMIR
2015): a state is a tempo and a place in a bar of four beats, it moves on by a frame at a time, and the tempo may
change where a beat ends. What is heard in a frame is a kind of onset or none; how likely each kind is at each place was
counted in performed pop songs (`daemon.brain.beat_table`). Only the past is used.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

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


class _Tables(NamedTuple):
    """What never changes, for each place that a pulse may be in (tempo by tempo, a row of frames for each)."""

    frames: NDArray[np.int64]  # of a beat, for each tempo
    first: NDArray[np.int64]  # where each beat of each tempo begins
    last: NDArray[np.int64]
    tempo: NDArray[np.int64]
    place: Floats
    turn: NDArray[np.complex128]
    change: Floats  # from tempo to tempo
    chances: Floats  # of each kind of onset
    start: Floats


@functools.cache
def _tables() -> _Tables:
    """Make them: 2 ms, once a process."""
    beats = np.geomspace(60.0 / _FASTEST_BPM, 60.0 / _SLOWEST_BPM, _TEMPI) / FRAME_S
    frames = np.unique(np.round(beats).astype(np.int64))
    lengths = np.repeat(frames, BEATS)
    ends = np.cumsum(lengths)
    first = (ends - lengths).reshape(-1, BEATS)
    tempo = np.repeat(np.arange(len(frames)), frames * BEATS)
    within = np.concatenate([np.tile(np.arange(length) / length, BEATS) for length in frames])
    beat = np.concatenate([np.repeat(np.arange(BEATS), length) for length in frames])
    place = beat + within
    ratios = np.abs(np.log(frames[None] / frames[:, None]))
    change = np.exp(-_STEADY * ratios)
    middle = place + 0.5 / frames[tempo]
    table = np.array(LOG_CHANCES) / 1000.0  # [PLACES, kinds]
    chances = np.exp(_EVIDENCE * table[(middle / BEATS * PLACES).astype(np.int64) % PLACES].T)
    usual = np.exp(-0.5 * (np.log(60.0 / (frames * FRAME_S) / _USUAL_BPM) / _SPREAD) ** 2)
    start = (usual / frames)[tempo]
    return _Tables(
        frames, first, first + frames[:, None] - 1, tempo, place, np.exp(2j * np.pi * within),
        (change / change.sum(axis=1, keepdims=True)).T.copy(), chances, start / start.sum(),
    )  # fmt: skip


class BeatModel:
    """The filter. Deterministic; about 20 us a frame."""

    def __init__(self) -> None:
        tables = _tables()
        self._frames, self._first, self._last, self._tempo = tables.frames, tables.first, tables.last, tables.tempo
        self._place, self._turn = tables.place, tables.turn
        self._change, self._chances, self._start = tables.change, tables.chances, tables.start
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
