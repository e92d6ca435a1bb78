"""Figures about a take: what an ear would notice first, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from antiphon.daemon.brain.key import hear_key
from antiphon.models.take import Take, TakeNote
from numpy.typing import NDArray

#: Onsets closer than this are one.
_CHORD_S = 0.045
#: A pitch class belongs to what the performer played from this share of their time on.
_BELONGS = 0.04
#: A rest of the performer's longer than this is between two of their turns.
_TURN_S = 1.5
#: Off a line of the grid by less is on it: more than the looseness asked for, less than half a 32nd.
_ON_GRID_S = 0.012


@dataclass(frozen=True, slots=True)
class Figures:
    """Of Antiphon's notes (or those that stand for them) beside the performer's."""

    notes: int
    in_key: float  # share of pitched notes in the performer's pitch classes or key
    alike: float  # cosine of the two pitch-class histograms
    clash: float  # share of the time both sound in which they are a semitone apart
    rate: float  # onsets a second in its turns
    their_rate: float
    repeated: float  # share of 4-note runs heard before
    their_repeated: float
    low: int
    high: int
    silence_s: float  # longest in its turns
    polyphony: float  # notes sounding, where any is
    their_polyphony: float
    overlap: float  # share of its sounding time in which the performer sounds too
    on_grid: float  # share of onsets on a sixteenth or triplet; nan without a clock
    drums_on_eighths: float
    chord_size: float  # notes of the chords' part struck together; nan without it
    ends_in_tonic: float  # share of its turns whose last note is of the performer's tonic triad; nan if no key


def figures(take: Take, end_s: float, bpm: float | None) -> Figures:
    """Measure a take. ``bpm``: of a clock whose beat 0 is at 0.1 s; then Antiphon's turn is all of it."""
    theirs = list(take.notes_of("performer"))
    ours = [note for note in take.notes_of("antiphon") if note.onset_s < end_s]
    pitched = [note for note in ours if note.part != "drums"]
    their_turns = _turns(theirs, _TURN_S)
    turns = [(0.1, end_s)] if bpm else _answers(ours, theirs)
    histogram, own_histogram = _histogram(theirs), _histogram(pitched)
    key = hear_key(note.pitch for note in theirs)
    belongs = {int(pc) for pc in np.flatnonzero(histogram >= _BELONGS)} | (key.pitch_classes if key else set())
    last = [_last_note(pitched, turn) for turn in turns]
    triad = {(key.tonic + step) % 12 for step in (0, 3 if key.minor else 4, 7)} if key else set()
    ends = [note.pitch % 12 in triad for note in last if note is not None] if triad else []
    drums = [note.onset_s for note in ours if note.part == "drums"]
    chords = [note for note in pitched if note.part in ("chords", "pad", "piano")]
    return Figures(
        notes=len(ours),
        in_key=_mean([note.pitch % 12 in belongs for note in pitched]),
        alike=float(histogram @ own_histogram / (np.linalg.norm(histogram) * np.linalg.norm(own_histogram) or 1.0)),
        clash=_clash(pitched, theirs),
        rate=_rate(ours, turns), their_rate=_rate(theirs, their_turns),
        repeated=_repeated(pitched), their_repeated=_repeated(theirs),
        low=min((note.pitch for note in pitched), default=0), high=max((note.pitch for note in pitched), default=0),
        silence_s=max((_silence(ours, turn) for turn in turns), default=0.0),
        polyphony=_polyphony(pitched), their_polyphony=_polyphony(theirs),
        overlap=_both(ours, theirs),
        on_grid=_on_grid([note.onset_s for note in ours], bpm, (0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4)),
        drums_on_eighths=_on_grid(drums, bpm, (0, 1 / 2)),
        chord_size=len(chords) / len(_onsets(chords)) if chords else float("nan"),
        ends_in_tonic=_mean(ends),
    )  # fmt: skip


def _mean(values: Sequence[bool] | Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _histogram(notes: list[TakeNote]) -> NDArray[np.float64]:
    weights = np.zeros(12)
    for note in notes:
        weights[note.pitch % 12] += min(2.0, note.end_s - note.onset_s)
    total: NDArray[np.float64] = weights / (weights.sum() or 1.0)
    return total


def _onsets(notes: list[TakeNote]) -> list[float]:
    kept: list[float] = []
    for onset_s in sorted(note.onset_s for note in notes):
        if not kept or onset_s - kept[-1] > _CHORD_S:
            kept.append(onset_s)
    return kept


def _turns(notes: list[TakeNote], rest_s: float) -> list[tuple[float, float]]:
    turns: list[tuple[float, float]] = []
    for note in notes:
        if turns and note.onset_s - turns[-1][1] < rest_s:
            turns[-1] = (turns[-1][0], max(turns[-1][1], note.end_s))
        else:
            turns.append((note.onset_s, note.end_s))
    return turns


def _answers(ours: list[TakeNote], theirs: list[TakeNote]) -> list[tuple[float, float]]:
    """Antiphon's turns: its notes between two of the performer's."""
    turns: list[tuple[float, float]] = []
    for note in ours:
        if turns and not any(turns[-1][0] < their.onset_s <= note.onset_s for their in theirs):
            turns[-1] = (turns[-1][0], max(turns[-1][1], note.end_s))
        else:
            turns.append((note.onset_s, note.end_s))
    return turns


def _last_note(notes: list[TakeNote], turn: tuple[float, float]) -> TakeNote | None:
    """The highest of the notes struck last in a turn."""
    inside = [note for note in notes if turn[0] <= note.onset_s <= turn[1]]
    if not inside:
        return None
    last_s = max(note.onset_s for note in inside)
    return max((note for note in inside if note.onset_s > last_s - _CHORD_S), key=lambda note: note.pitch)


def _rate(notes: list[TakeNote], turns: list[tuple[float, float]]) -> float:
    length_s = sum(end - start for start, end in turns)
    return len(_onsets(notes)) / length_s if length_s else 0.0


def _repeated(notes: list[TakeNote]) -> float:
    """Share of runs of four pitches, of a part in the order of its onsets, that the part played before."""
    seen, again, runs = set(), 0, 0
    for part in {note.part for note in notes}:
        pitches = [note.pitch for note in notes if note.part == part]
        for run in zip(pitches, pitches[1:], pitches[2:], pitches[3:], strict=False):
            runs += 1
            again += (part, run) in seen
            seen.add((part, run))
    return again / runs if runs else 0.0


def _silence(notes: list[TakeNote], turn: tuple[float, float]) -> float:
    at_s, longest_s = turn[0], 0.0
    for note in notes:
        if turn[0] <= note.onset_s <= turn[1]:
            longest_s = max(longest_s, note.onset_s - at_s)
            at_s = max(at_s, note.end_s)
    return max(longest_s, turn[1] - at_s)


def _polyphony(notes: list[TakeNote]) -> float:
    sounding = sum(note.end_s - note.onset_s for note in notes)
    any_s = sum(end - start for start, end in _turns(sorted(notes, key=lambda note: note.onset_s), 1e-9))
    return sounding / any_s if any_s else 0.0


def _both(ours: list[TakeNote], theirs: list[TakeNote]) -> float:
    mine, other = _turns(ours, 1e-9), _turns(theirs, 1e-9)
    shared = sum(max(0.0, min(e, f) - max(s, t)) for s, e in mine for t, f in other)
    total = sum(e - s for s, e in mine)
    return shared / total if total else 0.0


def _clash(ours: list[TakeNote], theirs: list[TakeNote]) -> float:
    edges = sorted({time for note in (*ours, *theirs) for time in (note.onset_s, note.end_s)})
    together = bad = 0.0
    for start, end in pairwise(edges):
        mine = {note.pitch for note in ours if note.onset_s <= start < note.end_s}
        other = {note.pitch for note in theirs if note.onset_s <= start < note.end_s}
        if mine and other:
            together += end - start
            bad += (end - start) * any((a - b) % 12 in (1, 11) for a in mine for b in other)
    return bad / together if together else 0.0


def _on_grid(onsets_s: list[float], bpm: float | None, places: tuple[float, ...]) -> float:
    if not bpm or not onsets_s:
        return float("nan")
    beats = (np.array(onsets_s) - 0.1) * bpm / 60
    inside = np.abs((beats % 1.0)[:, None] - np.array([*places, 1.0])[None, :]).min(axis=1)
    return float(np.mean(inside * 60 / bpm <= _ON_GRID_S))
