"""What the engine counts. Anyone may read a snapshot; nothing is hidden."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

#: Upper ends of the lateness histogram's classes, in microseconds; the last class is what is later still.
LATENESS_US = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
_NONE_LATE = (0,) * (len(LATENESS_US) + 1)


@dataclass(slots=True)
class Counts:
    """The running counts, the engine's own."""

    notes_in: int = 0
    samples: int = 0
    planned: int = 0
    generated: int = 0
    sent: int = 0
    ended: int = 0
    cut: int = 0
    dropped: int = 0
    cancelled: int = 0
    late_plans: int = 0
    malformed: int = 0
    restarts: int = 0
    constraint_fallbacks: int = 0
    searches: int = 0
    short_searches: int = 0
    unanswered: int = 0
    underruns: int = 0
    repeated: int = 0
    generator_faults: int = 0
    feedback: int = 0
    suspended: int = 0
    latest_ns: int = 0
    lateness: list[int] = field(default_factory=lambda: list(_NONE_LATE))

    def note_lateness(self, late_ns: int) -> None:
        """Count one note that was sent so much after it was due (below 0: not late)."""
        self.lateness[bisect_left(LATENESS_US, late_ns / 1_000)] += 1
        self.latest_ns = max(self.latest_ns, late_ns)

    def snapshot(self) -> Metrics:
        """Freeze the counts as they are."""
        told = {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}
        return Metrics(**told | {"lateness": tuple(self.lateness)})


@dataclass(frozen=True, slots=True)
class Metrics:
    """One snapshot of the engine's counters."""

    notes_in: int = 0  # struck by the performer
    samples: int = 0  # draws of the generator
    planned: int = 0  # notes of its own that it planned ahead
    generated: int = 0  # notes handed to the player
    sent: int = 0  # notes the player sent
    ended: int = 0  # ended at their time
    cut: int = 0  # ended before their time
    dropped: int = 0  # too late to send
    cancelled: int = 0  # taken back in time
    late_plans: int = 0  # planned notes whose time had gone before they could be handed over
    malformed: int = 0  # input that is no MIDI message, or no parameter
    restarts: int = 0  # brains lost
    constraint_fallbacks: int = 0  # draws whose constraints forbade everything
    searches: int = 0  # stretches chosen from several candidates
    short_searches: int = 0  # ... of which the candidates were not finished in time
    unanswered: int = 0  # notes that were to be answered at once, and could not be: the generator rested, or was slow
    underruns: int = 0  # times that the plan ran short: the generator could not keep up, or rested
    repeated: int = 0  # notes of the last bar, played again while the generator rested
    generator_faults: int = 0  # times that the generator raised, or drew what is no note
    feedback: int = 0  # messages that were Antiphon's own, coming back, and not heard
    suspended: int = 0  # times that the machine slept
    latest_ns: int = 0  # the note sent the latest after it was due
    lateness: tuple[int, ...] = _NONE_LATE  # notes sent, by how late: see `LATENESS_US`

    @property
    def plan_kept(self) -> float:
        """Share of the planned notes that were played (1 where none was planned)."""
        return min(1.0, self.generated / self.planned) if self.planned else 1.0

    @property
    def misses(self) -> int:
        """Notes that were to sound and did not, because their time had gone by."""
        return self.dropped + self.late_plans + self.unanswered

    def lateness_ms(self, share: float) -> float:
        """How late at most this share of the notes was sent, in ms: the upper end of a class; 0 where none was sent."""
        return quantile_us(self.lateness, share, self.latest_ns / 1_000) / 1_000


def quantile_us(counts: Sequence[int], share: float, most_us: float) -> float:
    """Give the upper end of the class that a share of a histogram's notes reaches into, and no more than the most."""
    wanted, seen = share * sum(counts), 0
    for count, end_us in zip(counts, (*LATENESS_US, most_us), strict=True):
        seen += count
        if count and seen >= wanted:
            return max(0.0, min(end_us, most_us))
    return 0.0


def histogram_text(counts: Sequence[int]) -> str:
    """Give a histogram of lateness in words: ``0.1 ms 12, 1 ms 3, later 1``; classes with nothing in them are left out.

    >>> histogram_text((12, 0, 0, 3, 0, 0, 0, 0, 0, 1))
    '0.1 ms 12, 1 ms 3, later 1'
    """
    ends = [f"{end / 1_000:g} ms" for end in LATENESS_US] + ["later"]
    return ", ".join(f"{end} {count}" for end, count in zip(ends, counts, strict=True) if count)
