"""How much of a take stands in the training music already: longest copied run, and share inside long ones.

Every part of a piece is a line of its own: semitones from note to note and onset gaps in sixteenths, so that a run
copied in another key, or with a human's timing, is still found. Drums are left out: a bar of rock is not copied, it is
rock. Runs of one pitch struck over and over (fewer than `_LEAST_MOVES` different moves) are left out for that, too.

Windows are found by polynomial hashes (Karp and Rabin, IBM Journal 31 (1987), 249-260) of tokens spread over 64 bits,
from cumulative sums, so that a window of any length costs one subtraction. Ten million windows and ten thousand queries
collide by chance once in a hundred million times, and the longest run told is compared note by note all the same.
Real music never seen in training copies, too: read a take's figures beside those of held-out pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from antiphon.models.music_metrics import SIXTEENTH, pitched
from antiphon.models.notes import Column, NoteTable, Piece
from numpy.typing import NDArray

Tokens = NDArray[np.int64]
Hashes = NDArray[np.uint64]

#: Notes of a run from which on it counts as copied.
LEAST_RUN = 8
#: Gaps of more sixteenths than this are alike.
_LONGEST_GAP = 64
#: A run with fewer different moves than this is a figure everyone plays.
_LEAST_MOVES = 3
#: Any odd number is invertible modulo 2^64; this one's bits are well mixed (Steele et al., OOPSLA 2014).
_BASE = 0x9E3779B97F4A7C15
_MODULUS = 1 << 64
#: Candidates that are followed up at once: a run that stands at more places than this is no secret.
_MOST_CANDIDATES = 100_000


@dataclass(frozen=True, slots=True)
class Copied:
    """What of one take stands in the training music."""

    longest: int  # notes of the longest run; 0: none of at least the least length
    share: float  # of the take's pitched notes inside such runs
    notes: int  # pitched notes of the take
    source: str  # where the longest run stands


class CopyFinder:
    """The training music, indexed for runs of at least ``least`` notes.

    Args:
        pieces: what a generator learnt from.
        least: notes of a run from which on it counts, 3 at least.

    Raises:
        ValueError: ``least`` is below 3.
    """

    def __init__(self, pieces: Sequence[Piece], least: int = LEAST_RUN) -> None:
        if least < 3:
            raise ValueError(f"least: {least} notes are not a run; give 3 or more")
        self.least = least
        lines: list[Tokens] = []
        owners: list[int] = []
        for number, piece in enumerate(pieces):
            for line in lines_of(piece.notes):
                lines += [line, np.array([-1 - len(owners)])]  # an end that is like no other
                owners.append(number)
        self._names = [f"{piece.source}/{piece.name}" for piece in pieces]
        self._owners = np.array(owners, np.int64)
        self._tokens: Tokens = np.concatenate(lines) if lines else np.zeros(0, np.int64)
        self._ends = np.flatnonzero(self._tokens < 0)
        self._hash = _RunningHash(self._tokens)
        windows = self._hash.windows(least - 1)
        self._order = np.argsort(windows, kind="stable")
        self._windows = windows[self._order]

    def copied(self, take: NoteTable) -> Copied:
        """Tell what of ``take`` stands in the training music."""
        moves = self.least - 1
        longest, where, inside = 0, 0, 0
        notes = len(pitched(take))
        for line in lines_of(take):
            running = _RunningHash(line)
            windows = running.windows(moves)
            first = np.searchsorted(self._windows, windows, side="left")
            last = np.searchsorted(self._windows, windows, side="right")
            found = np.flatnonzero((last > first) & _varied(line, moves))
            covered = np.zeros(len(line) + 1, bool)
            for at in found:
                covered[at : at + self.least] = True
                places = self._order[first[at] : min(last[at], first[at] + _MOST_CANDIDATES)]
                length, place = self._extended(line, running, int(at), places, longest)
                if length > longest:
                    longest, where = length, place
            inside += int(covered.sum())
        source = self._names[self._owners[np.searchsorted(self._ends, where)]] if longest else ""
        return Copied(longest + 1 if longest else 0, inside / notes if notes else 0.0, notes, source)

    def _extended(
        self, tokens: Tokens, running: _RunningHash, at: int, places: NDArray[np.int64], known: int
    ) -> tuple[int, int]:
        """Give the longest run from ``at`` that stands at one of ``places``, if it is longer than ``known`` moves."""
        length = max(self.least - 1, known + 1)
        if at + length > len(tokens):
            return 0, 0
        places = places[places + length <= len(self._tokens)]
        places = places[self._hash.at(places, length) == running.at(np.array([at]), length)]
        exact = [int(place) for place in places[:1] if np.array_equal(self._part(place, length), tokens[at:][:length])]
        if not exact:
            return 0, 0
        best = exact[0]
        while at + length < len(tokens) and len(places):
            places = places[places + length < len(self._tokens)]
            places = places[self._tokens[places + length] == tokens[at + length]]
            if len(places):
                best = int(places[0])
                length += 1
        return length, best

    def _part(self, place: int, length: int) -> Tokens:
        return self._tokens[place : place + length]


def lines_of(notes: NoteTable) -> list[Tokens]:
    """Give each pitched part's moves [its notes - 1], in time and from the lowest note of a chord up."""
    heard = pitched(notes)
    lines = []
    for part in np.unique(heard[:, Column.PART]):
        rows = heard[heard[:, Column.PART] == part]
        onset = np.round(rows[:, Column.ONSET] / SIXTEENTH).astype(np.int64)
        pitch = rows[:, Column.PITCH].astype(np.int64)
        order = np.lexsort((pitch, onset))
        gaps = np.minimum(np.diff(onset[order]), _LONGEST_GAP)
        if len(gaps):
            lines.append((np.diff(pitch[order]) + 128) * (_LONGEST_GAP + 1) + gaps)
    return lines


def _varied(tokens: Tokens, moves: int) -> NDArray[np.bool_]:
    """Tell of every window of ``moves`` whether it holds moves of enough kinds."""
    if len(tokens) < moves:
        return np.zeros(0, bool)
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(tokens, moves), axis=1)
    return (np.diff(windows, axis=1) != 0).sum(axis=1) + 1 >= min(_LEAST_MOVES, moves)  # type: ignore[no-any-return]


class _RunningHash:
    """Hashes of every window of one row of tokens, by cumulative sums modulo 2^64."""

    def __init__(self, tokens: Tokens) -> None:
        powers = _powers(_BASE, len(tokens) + 1)
        self._back = _powers(pow(_BASE, -1, _MODULUS), len(tokens) + 1)
        self._sums = np.zeros(len(tokens) + 1, np.uint64)
        np.cumsum(_mixed(tokens) * powers[:-1], out=self._sums[1:])

    def windows(self, length: int) -> Hashes:
        """Give the hash of every window of ``length`` tokens."""
        if len(self._sums) <= length:
            return np.zeros(0, np.uint64)
        return (self._sums[length:] - self._sums[:-length]) * self._back[: len(self._sums) - length]

    def at(self, places: NDArray[np.int64], length: int) -> Hashes:
        """Give the hash of the windows of ``length`` tokens that begin at ``places``."""
        return (self._sums[places + length] - self._sums[places]) * self._back[places]


def _powers(base: int, count: int) -> Hashes:
    factors = np.full(count, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors)


def _mixed(tokens: Tokens) -> Hashes:
    """Spread tokens over 64 bits (SplitMix64's finaliser, Steele et al. 2014)."""
    mixed = tokens.astype(np.uint64) * np.uint64(_BASE)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
