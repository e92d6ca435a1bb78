"""What is played to Antiphon to hear how it sounds: the bundled performance, a pop song, a blues, a real melody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.offline import performance_records
from antiphon.models.bundled import bundled_performance
from antiphon.models.corpus import read_corpus
from antiphon.models.generator import TICKS_PER_BEAT
from antiphon.models.notes import Column
from antiphon.models.parts import Part
from antiphon.models.take import TakeNote

_S = 1_000_000_000
#: The internal clock's first beat.
_LEAD_IN_S = 0.1
#: (beats, degree above the tonic in semitones) of a pop tune's verse and chorus, each four bars over I V vi IV.
_VERSE = (
    (1, 4), (0.5, 4), (0.5, 5), (1, 7), (1, 7), (1.5, 7), (0.5, 5), (1, 2), (1, 2),
    (1, 0), (0.5, 0), (0.5, 2), (1, 4), (1, 4), (1.5, 5), (0.5, 4), (2, 0),
)  # fmt: skip
_CHORUS = (
    (1.5, 12), (0.5, 11), (1, 9), (1, 7), (1.5, 11), (0.5, 9), (1, 7), (1, 2),
    (1.5, 9), (0.5, 7), (1, 4), (1, 0), (1, 5), (0.5, 7), (0.5, 5), (2, 4),
)  # fmt: skip
#: Two-bar calls of a blues in F, (beat, pitch, beats); eighths swing.
_CALLS = (
    ((0, 65, 0.6), (0.67, 68, 0.3), (1, 69, 0.9), (2, 72, 0.6), (2.67, 74, 0.3), (3, 72, 0.6), (3.67, 69, 0.3),
     (4, 68, 0.6), (4.67, 65, 1.3)),
    ((0, 72, 0.6), (0.67, 75, 0.3), (1, 74, 0.6), (1.67, 72, 0.3), (2, 70, 0.9), (3, 68, 0.6), (3.67, 65, 0.3),
     (4, 63, 0.6), (4.67, 65, 1.3)),
    ((0, 77, 0.6), (0.67, 75, 0.3), (1, 72, 0.6), (1.67, 71, 0.3), (2, 70, 0.6), (2.67, 68, 0.3), (3, 65, 0.9),
     (4, 68, 0.3), (4.33, 69, 0.3), (4.67, 65, 1.3)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Performance:
    """What is played, how Antiphon is set, and, where there is one, what people played along with it."""

    name: str
    records: tuple[Record, ...]
    settings: dict[str, Any]
    end_s: float
    bpm: float | None = None  # of the clock, where there is one
    real: tuple[TakeNote, ...] = ()  # as if Antiphon had played it


def performances(data: Path | None) -> list[Performance]:
    """Give the four, and one held out of a data set where its folder is given."""
    made = [_bundled_answered(), _bundled_continued(), _pop(), _blues()]
    return made if data is None else [*made, _held_out(data)]


def _bundled_answered() -> Performance:
    records = performance_records(Path(str(bundled_performance())))
    return Performance("bundled-answer", tuple(records), {"mode": "answer"}, records[-1].t_ns / _S + 8.0)


def _bundled_continued() -> Performance:
    """The bundled performance's first two phrases, then the trigger."""
    records = [record for record in performance_records(Path(str(bundled_performance()))) if record.t_ns < 16 * _S]
    last_s = max(record.t_ns for record in records if record.a & 0xF0 in (0x80, 0xB0)) / _S
    trigger = Record(Kind.TRIGGER, t_ns=round((last_s + 0.05) * _S))
    return Performance("bundled-continue", (*records, trigger), {"mode": "continue"}, last_s + 24.0)


def _pop() -> Performance:
    bpm, tonic = 108.0, 62  # D major
    notes, beat = [], 0.0
    for tune in (_VERSE, _VERSE, _CHORUS, _CHORUS):
        for length, degree in tune:
            loud = 84 if beat % 4 == 0 else 74
            notes.append((beat, tonic + degree, length * 0.9, loud))
            beat += length
    settings = {"mode": "accompany", "parts": "chords+bass+drums", "tempo": bpm}
    return Performance("pop-accompany", _struck(notes, bpm, _LEAD_IN_S), settings, _LEAD_IN_S + beat * 60 / bpm, bpm)


def _blues() -> Performance:
    """Call, two and a half bars left for the response, and again."""
    bpm, notes = 104.0, []
    for index, call in enumerate((*_CALLS, _CALLS[0])):
        notes += [(index * 18 + beat, pitch, length, 88 if beat % 2 == 0 else 76) for beat, pitch, length in call]
    records = _struck(notes, bpm, 0.3)
    settings = {"mode": "answer", "performer": "lead", "voice": "lead"}
    return Performance("blues-answer", records, settings, records[-1].t_ns / _S + 8.0)


def _held_out(folder: Path) -> Performance:
    """A melody from a song that no training saw, and the accompaniment that people played to it."""
    bpm, beats = 110.0, 80
    for piece in read_corpus([folder]).valid:
        table = piece.notes
        lead = table[table[:, Column.PART] == Part.LEAD]
        rest = table[table[:, Column.PART] != Part.LEAD]
        if len(lead) > 100 and len(rest) > 200:
            break
    else:
        raise SystemExit(f"{folder} holds no held-out song with a melody track; give POP909's folder")
    bars = lead[lead[:, Column.BAR_POSITION] >= 0]
    # from the bar that the melody comes in with
    start = int(bars[0, Column.ONSET] - bars[0, Column.BAR_POSITION])

    def within(rows: Any) -> Any:
        place = rows[:, Column.ONSET] - start
        return [
            ((row[Column.ONSET] - start) / TICKS_PER_BEAT, int(row[Column.PITCH]),
             row[Column.DURATION] / TICKS_PER_BEAT, int(row[Column.VELOCITY]), int(row[Column.PART]))
            for row in rows[(place >= 0) & (place < beats * TICKS_PER_BEAT)]
        ]  # fmt: skip

    real = tuple(
        TakeNote(
            _LEAD_IN_S + at * 60 / bpm, _LEAD_IN_S + (at + length) * 60 / bpm, pitch, velocity,
            part=Part(part).name.lower(), player="antiphon",
        )
        for at, pitch, length, velocity, part in within(rest)
    )  # fmt: skip
    melody = _struck([note[:4] for note in within(lead)], bpm, _LEAD_IN_S)
    settings = {"mode": "accompany", "parts": "chords+bass+drums", "tempo": bpm}
    end_s = _LEAD_IN_S + beats * 60 / bpm
    return Performance(f"{folder.name}-accompany", melody, settings, end_s, bpm, real)


def _struck(notes: list[tuple[float, int, float, int]], bpm: float, start_s: float) -> tuple[Record, ...]:
    """Give the records of notes (beat, pitch, beats, velocity); what ends goes before what begins."""
    records = []
    for beat, pitch, length, velocity in notes:
        on_ns = round((start_s + beat * 60 / bpm) * _S)
        off_ns = round((start_s + (beat + length) * 60 / bpm) * _S)
        records.append(Record(Kind.MIDI_IN, 0x90, pitch, velocity, 3, on_ns))
        records.append(Record(Kind.MIDI_IN, 0x80, pitch, 64, 3, off_ns))
    return tuple(sorted(records, key=lambda record: (record.t_ns, record.a)))
