"""Takes made offline for measuring: a generator continues held-out music, or accompanies a held-out melody.

Only the `Generator` protocol is used, nothing of the daemon: what is measured is the model, without the steering that
live play adds (pace, backbone, scale, grid). Randomness comes from the caller.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from antiphon.models.generator import (
    MAX_BEATS_IN_BAR,
    MAX_TICKS,
    PARTS,
    TICKS_PER_BEAT,
    UNIFORMS,
    UNKNOWN_BEAT_IN_BAR,
    UNKNOWN_TICK_IN_BEAT,
    Constraints,
    Draw,
    Generator,
    HeldNote,
)
from antiphon.models.notes import COLUMNS, SHIFTS, Column, NoteTable
from antiphon.models.parts import Part

Grid = tuple[int, int, int]  # (tick of a downbeat, ticks a beat, beats a bar), as `Generator.sample` takes it

#: An accompaniment ends here even if its beats are not over: a generator gone wild must not run forever.
MOST_NOTES_A_BEAT = 32
#: Performer's notes imagined at one tick (they did not come) before that tick is given up.
_MOST_IMAGINED = 4


def held_notes(notes: NoteTable) -> list[HeldNote]:
    """Give a table's rows as a generator takes them in. Ends are told; a state only asks for those that have come."""
    return [_held(row) for row in notes.tolist()]


def _held(row: list[int]) -> HeldNote:
    bar = row[Column.BAR_POSITION]
    tick, beat = UNKNOWN_TICK_IN_BEAT, UNKNOWN_BEAT_IN_BAR
    if bar >= 0:
        tick, beat = bar % TICKS_PER_BEAT, min(bar // TICKS_PER_BEAT, MAX_BEATS_IN_BAR - 1)
    onset = row[Column.ONSET]
    end = onset + max(1, row[Column.DURATION])
    shift = row[Column.SHIFT] + SHIFTS // 2
    return HeldNote(onset, row[Column.PART], row[Column.PITCH], row[Column.VELOCITY], tick, beat, end, shift)


def grid_of(notes: NoteTable) -> Grid | None:
    """Give the grid at a table's end: its last downbeat, and the usual length of its bars; None where none is known."""
    known = notes[notes[:, Column.BAR_POSITION] >= 0]
    if not len(known) or notes[-1, Column.BAR_POSITION] < 0:
        return None
    downbeats = np.unique(known[:, Column.ONSET] - known[:, Column.BAR_POSITION])
    lengths = np.diff(downbeats)
    beats = 4
    if len(lengths):
        values, counts = np.unique(np.round(lengths / TICKS_PER_BEAT).astype(np.int64), return_counts=True)
        beats = int(np.clip(values[counts.argmax()], 1, MAX_BEATS_IN_BAR))
    return int(downbeats[-1]), TICKS_PER_BEAT, beats


def _row(tick: int, draw: Draw, grid: Grid | None) -> list[int]:
    bar = -1 if grid is None else (tick - grid[0]) % (grid[1] * grid[2])
    row = [0] * COLUMNS
    row[Column.ONSET], row[Column.DURATION], row[Column.PITCH] = tick, max(1, draw.duration), draw.pitch
    row[Column.VELOCITY], row[Column.PART], row[Column.BAR_POSITION] = draw.velocity, draw.part, bar
    row[Column.SHIFT], row[Column.PROGRAM] = draw.shift, -1
    return row


def continued(
    generator: Generator,
    prompt: NoteTable,
    notes: int,
    rng: np.random.Generator,
    constraints: Constraints | None = None,
) -> NoteTable:
    """Let a generator go on after ``prompt`` for ``notes`` notes; gives only what it added.

    Raises:
        ValueError: an empty prompt.
    """
    if not len(prompt):
        raise ValueError("prompt: no notes; give at least one")
    asked, grid = constraints or Constraints(), grid_of(prompt)
    state = generator.prime(held_notes(prompt))
    now = int(prompt[-1, Column.ONSET])
    rows: list[list[int]] = []
    for _ in range(notes):
        draw = generator.sample(state, asked, rng.random(UNIFORMS), grid)
        now += draw.gap
        rows.append(_row(now, draw, grid))
        state = generator.step(state, _held(rows[-1]))
    return np.array(rows, np.int32).reshape(-1, COLUMNS)


def accompanied(
    generator: Generator, prompt: NoteTable, melody: NoteTable, until: int, parts: list[int],
    rng: np.random.Generator, drawing: Constraints | None = None,
) -> NoteTable:  # fmt: skip
    """Let a generator accompany ``melody`` after ``prompt``; gives only what it added.

    The melody comes note by note and is taken in when it sounds. Between its notes the generator draws from everyone's
    next notes, the performer's too. A note of the performer's that it imagines before the true one did not come: time
    has then passed to there, and it draws again from what is left. (Forbidding the performer's part instead would make
    entries early and dense: as if the performer were known to be silent.)

    Args:
        generator: any.
        prompt: what was played before, by everyone.
        melody: the performer's notes from there on, by onset.
        until: tick at which the passage ends.
        parts: who accompanies.
        rng: randomness.
        drawing: temperature and top-p; both 1 where not given.
    """
    asked = drawing or Constraints()
    performers = {int(part) for part in np.unique(melody[:, Column.PART])} | {int(Part.LEAD)}
    cast = np.full(PARTS, -np.inf, np.float32)
    cast[[*parts, *performers]] = 0.0
    grid = grid_of(prompt)
    state = generator.prime(held_notes(prompt))
    last = earliest = int(prompt[-1, Column.ONSET])
    coming = held_notes(melody)
    most = MOST_NOTES_A_BEAT * max(1, (until - last) // TICKS_PER_BEAT)
    rows: list[list[int]] = []
    at = imagined = 0
    while len(rows) < most:
        among = replace(asked, part_bias=cast, min_gap=earliest - last)
        draw = generator.sample(state, among, rng.random(UNIFORMS), grid)
        onset = max(last + draw.gap, earliest)
        following = coming[at].tick if at < len(coming) else until
        if onset >= following:  # struck together, the performer's note comes first, as in every table
            if at == len(coming):
                break
            state = generator.step(state, coming[at])
            at, last, earliest, imagined = at + 1, following, following, 0
        elif draw.part in performers:
            imagined = imagined + 1 if onset == earliest else 1
            earliest = onset + (imagined >= _MOST_IMAGINED)
        else:
            rows.append(_row(onset, draw, grid))
            state = generator.step(state, _held(rows[-1]))
            last, earliest, imagined = onset, onset, 0
    return np.array(rows, np.int32).reshape(-1, COLUMNS)


def accuracy(generator: Generator, excerpt: NoteTable, unscored: int, rng: np.random.Generator) -> dict[str, float]:
    """Give the share of an excerpt's notes whose attributes the generator holds likeliest, the music being as it was.

    Teacher-forced: ``part``; ``gap`` given the part; ``pitch`` given both. The papers' accuracy of the next element.

    Args:
        generator: any.
        excerpt: real music.
        unscored: notes at its beginning that only prepare: one at least.
        rng: asked for because drawing wants it; at temperature 0 it decides nothing.
    """
    right = np.zeros(3)
    notes = held_notes(excerpt)
    state = generator.prime(notes[:unscored])
    for at in range(unscored, len(notes)):
        note, grid = notes[at], grid_of(excerpt[:at])
        gap = note.tick - notes[at - 1].tick
        part = generator.sample(state, Constraints(temperature=0.0), rng.random(UNIFORMS), grid).part
        timed = generator.sample(state, Constraints(part=note.part, temperature=0.0), rng.random(UNIFORMS), grid)
        here = Constraints(part=note.part, gap=gap, temperature=0.0)
        tuned = generator.sample(state, here, rng.random(UNIFORMS), grid)
        right += (part == note.part, timed.gap == min(gap, MAX_TICKS), tuned.pitch == note.pitch)
        state = generator.step(state, note)
    shares = right / max(1, len(notes) - unscored)
    return dict(zip(("part", "gap", "pitch"), shares.tolist(), strict=True))
