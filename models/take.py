"""A take as data: what was played and answered in one session, in seconds from its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from antiphon.models.tempo_map import FREE_TIME, TempoMap

Player = Literal["performer", "antiphon"]
#: Part name of every note of the performer's: which role they played is a setting, not the take's.
PERFORMER_PART = "performer"


@dataclass(frozen=True, slots=True)
class TakeNote:
    """One note that sounded. Ends are key releases: pedals stand beside it as events.

    Attributes:
        onset_s: seconds into the take; of Antiphon's notes, when they really left.
        end_s: when it was released or cut; of a note nobody ended, the end of the take.
        pitch: 0-127.
        velocity: 1-127.
        channel: 0-15.
        part: `PERFORMER_PART`, or the name of Antiphon's part in lower case.
        player: who played it.
        id: Antiphon's note id as in the journal; 0 for the performer and where it is not known.
    """

    onset_s: float
    end_s: float
    pitch: int
    velocity: int
    channel: int = 0
    part: str = PERFORMER_PART
    player: Player = "performer"
    id: int = 0


@dataclass(frozen=True, slots=True)
class TakeEvent:
    """Another channel message (controller, program, bend, pressure), as its 2 or 3 bytes."""

    t_s: float
    data: bytes
    player: Player = "performer"

    @property
    def channel(self) -> int:
        """The channel, 0-15."""
        return self.data[0] & 0x0F

    @property
    def controller(self) -> int | None:
        """The controller's number, or None when it is another kind of message."""
        return self.data[1] if self.data[0] & 0xF0 == 0xB0 else None

    @property
    def program(self) -> int | None:
        """The program asked for, or None when it is another kind of message."""
        return self.data[1] if self.data[0] & 0xF0 == 0xC0 else None


@dataclass(frozen=True, slots=True)
class Marker:
    """A named place in a take, ``t_s`` seconds into it."""

    t_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Counters:
    """What happened to the notes of a session, counted. Lateness: actual minus intended time of sending."""

    heard: int = 0
    sent: int = 0
    dropped: int = 0
    cancelled: int = 0
    cut: int = 0
    unfinished: int = 0
    brain_restarts: int = 0
    player_restarts: int = 0
    lateness_p50_ms: float = 0.0
    lateness_p99_ms: float = 0.0
    lateness_max_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class TakeFacts:
    """Where a take comes from: the session's and the model's own descriptions, and the counters."""

    session: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    counters: Counters = Counters()


@dataclass(frozen=True, slots=True)
class Take:
    """A whole take: notes in the order of their onsets, events and markers in that of their times."""

    notes: tuple[TakeNote, ...] = ()
    events: tuple[TakeEvent, ...] = ()
    markers: tuple[Marker, ...] = ()
    tempo: TempoMap = FREE_TIME
    facts: TakeFacts = TakeFacts()

    @property
    def length_s(self) -> float:
        """When the last thing in it happens, in seconds."""
        ends = [note.end_s for note in self.notes]
        return max([0.0, *ends, *(e.t_s for e in self.events), *(m.t_s for m in self.markers)])

    def notes_of(self, player: Player) -> tuple[TakeNote, ...]:
        """Give one player's notes."""
        return tuple(note for note in self.notes if note.player == player)

    def parts(self) -> tuple[str, ...]:
        """Give the names of Antiphon's parts that play in it, in alphabetical order."""
        return tuple(sorted({note.part for note in self.notes if note.player == "antiphon"}))


def in_order(notes: list[TakeNote]) -> tuple[TakeNote, ...]:
    """Sort notes as a `Take` holds them: by onset, then player, channel, pitch."""
    return tuple(sorted(notes, key=lambda n: (n.onset_s, n.player != "performer", n.channel, n.pitch, n.id)))
