"""What the engine counts. Anyone may read a snapshot; nothing is hidden."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


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

    def snapshot(self) -> Metrics:
        """Freeze the counts as they are."""
        return Metrics(**dataclasses.asdict(self))


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

    @property
    def plan_kept(self) -> float:
        """Share of the planned notes that were played (1 where none was planned)."""
        return min(1.0, self.generated / self.planned) if self.planned else 1.0
