"""What Ardour recorded against what Antiphon logged: passes of the transport, regions of the track, matches.

Positions are in beats of Ardour's timeline. Antiphon's log has times of the monotonic clock; the MIDI clock that
it logged as received says where the timeline was then, so that both meet without any shared start.
"""

from __future__ import annotations

import bisect
import itertools
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import mido
from antiphon.daemon.messages import Kind, Record

CLOCKS_A_BEAT = 24
_TICKS_A_BEAT = 1920  # of Ardour's own `b` positions
_SUPERCLOCKS_A_SECOND = 282_240_000
_SONG_POSITION, _CLOCK, _START, _CONTINUE, _STOP = 0xF2, 0xF8, 0xFA, 0xFB, 0xFC


@dataclass(frozen=True, slots=True)
class Note:
    """A note-on somewhere: ``at`` in beats of the timeline."""

    at: float
    channel: int
    pitch: int
    velocity: int
    #: How long the DAW's clock stood still around it (a JACK that was too busy), in beats.
    stalled: float = 0.0

    @property
    def key(self) -> tuple[int, int, int]:
        return self.channel, self.pitch, self.velocity


@dataclass(slots=True)
class Pass:
    """The transport rolling without a break: from a start or continue to the stop. A loop's lap is a pass."""

    start: float
    begun_ns: int
    ended_ns: int = 0
    ticks_ns: list[int] = field(default_factory=list)

    def beat_at(self, t_ns: int) -> float:
        """The timeline at a time, straight between two ticks."""
        ticks = self.ticks_ns
        index = min(max(bisect.bisect_right(ticks, t_ns) - 1, 0), len(ticks) - 2)
        share = (t_ns - ticks[index]) / (ticks[index + 1] - ticks[index])
        return self.start + (index + share) / CLOCKS_A_BEAT

    def stall_at(self, t_ns: int, tick_ns: float) -> float:
        """By how many beats the ticks around a time are further apart than they should be.

        A quarter of a beat before it, too: a note of then was with the player already when the DAW's clock slipped
        (`Settings.commit`).
        """
        ticks = self.ticks_ns
        index = min(max(bisect.bisect_right(ticks, t_ns) - 1, 0), len(ticks) - 2)
        around = ticks[max(index - CLOCKS_A_BEAT // 4, 0) : index + 3]
        longest = max(later - earlier for earlier, later in itertools.pairwise(around))
        return max(0.0, longest / tick_ns - 1.0) / CLOCKS_A_BEAT

    def worst_slip(self, tick_ns: float) -> float:
        """The most that the ticks fell behind by within any half of a beat, in beats: slips add up."""
        ticks, half = self.ticks_ns, CLOCKS_A_BEAT // 2
        return (
            max(
                (ticks[later] - ticks[first]) / tick_ns - (later - first)
                for first in range(len(ticks) - 1)
                for later in range(first + 1, min(first + half, len(ticks) - 1) + 1)
            )
            / CLOCKS_A_BEAT
        )

    @property
    def end(self) -> float:
        return self.beat_at(self.ended_ns)


def passes_of(records: Iterable[Record]) -> list[Pass]:
    """Read the transport off what Antiphon received."""
    found: list[Pass] = []
    position, rolling = 0.0, False
    for record in records:
        if record.kind != Kind.MIDI_IN:
            continue
        if record.a == _SONG_POSITION:
            # Ardour 7.3 counts clocks here, not sixteenths.
            position = (record.b | record.c << 7) / CLOCKS_A_BEAT
        elif record.a in (_START, _CONTINUE):
            found.append(Pass(position if record.a == _CONTINUE else 0.0, record.t_ns))
            rolling = True
        elif record.a == _STOP and rolling:
            found[-1].ended_ns, rolling = record.t_ns, False
        elif record.a == _CLOCK and rolling:
            found[-1].ticks_ns.append(record.t_ns)
    return [rolled for rolled in found if rolled.ended_ns and len(rolled.ticks_ns) > 1]


def sent_in(rolled: Pass, records: Iterable[Record], tick_ns: float, margin_ns: int) -> list[Note]:
    """Every note-on that Antiphon logged as sent during a pass, and within ``margin_ns`` around it."""
    begin, end = rolled.begun_ns - margin_ns, rolled.ended_ns + margin_ns
    return [
        Note(rolled.beat_at(r.u_ns), r.a & 15, r.b, r.c, rolled.stall_at(r.u_ns, tick_ns))
        for r in records
        if r.kind == Kind.SENT and begin <= r.u_ns <= end
    ]


@dataclass(frozen=True, slots=True)
class Region:
    """One region of a track's playlist, with the notes of its source that lie in it."""

    start: float
    length: float
    notes: tuple[Note, ...]


def regions_of(session_file: Path, track: str, bpm: float) -> list[Region]:
    """Read a track's regions, in the order in which they were recorded."""
    root = ET.parse(session_file).getroot()
    sources = {element.attrib["id"]: element.attrib["name"] for element in root.iter("Source")}
    (playlist,) = [e for e in root.iter("Playlist") if e.get("name") == track]
    found = []
    for element in sorted(playlist.iter("Region"), key=lambda e: int(e.attrib["layering-index"])):
        length, _, position = element.attrib["length"].partition("@")
        at, begin, span = (_beats(text, bpm) for text in (position, element.attrib["start"], length))
        name = sources[element.attrib["master-source-0"]]
        (path,) = session_file.parent.glob(f"interchange/*/midifiles/{name}")
        notes = [Note(n.at - begin + at, *n.key) for n in _file_notes(path) if begin <= n.at < begin + span]
        found.append(Region(at, span, tuple(notes)))
    return found


def _beats(text: str, bpm: float) -> float:
    if text.startswith("b"):
        return int(text[1:]) / _TICKS_A_BEAT
    return int(text[1:]) / _SUPERCLOCKS_A_SECOND * bpm / 60


def _file_notes(path: Path) -> list[Note]:
    file = mido.MidiFile(path)
    found = []
    for track in file.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "note_on" and message.velocity:
                at = ticks / file.ticks_per_beat
                found.append(Note(at, message.channel, message.note, message.velocity))
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the notes of one pass fared. Errors are in beats, recorded minus sent."""

    matched: int
    errors: tuple[float, ...]
    late: tuple[Note, ...]  # recorded, but further off than allowed
    lost: tuple[Note, ...]  # sent while recording, not recorded
    strange: tuple[Note, ...]  # recorded, never sent, or twice
    at_the_edge: int  # sent within the tolerance of the pass's begin or end, where either is right
    stalled: int  # allowed more, because the DAW's own clock stood still around them


def compare(sent: Iterable[Note], region: Region, end: float, tolerance: float) -> Outcome:
    """Match each recorded note with the nearest one sent that is the same.

    Args:
        sent: what was logged, around the pass.
        region: what was recorded.
        end: where the pass ended, in beats.
        tolerance: how far apart the two may be, in beats.
    """
    left = sorted(sent, key=lambda note: note.at)
    errors, late, strange = [], [], []
    stalled = 0
    for note in region.notes:
        same = [other for other in left if other.key == note.key]
        nearest = min(same, key=lambda other: abs(other.at - note.at), default=None)
        if nearest is None:
            strange.append(note)
            continue
        left.remove(nearest)
        error = note.at - nearest.at
        errors.append(error)
        if abs(error) > tolerance + nearest.stalled:
            late.append(note)
        stalled += abs(error) > tolerance >= abs(error) - nearest.stalled
    inside = [n for n in left if region.start + tolerance + n.stalled < n.at < end - tolerance - n.stalled]
    return Outcome(
        len(errors), tuple(errors), tuple(late), tuple(inside), tuple(strange), len(left) - len(inside), stalled
    )
