"""What became of the files of a corpus: how many were kept, and what was dropped and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from antiphon.models.filters import Reason
from antiphon.models.midi_read import Timing

#: Of each reason a folder's table names so many files; all of them are in the JSON.
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that was not kept, and why."""

    name: str
    why: str
    reason: Reason
    source: str = ""


@dataclass(slots=True)
class SourceReport:
    """What became of one folder's files."""

    source: str
    files: int = 0
    train: int = 0
    valid: int = 0
    notes: int = 0
    timing: Counter[Timing] = field(default_factory=Counter)
    dropped: Counter[Reason] = field(default_factory=Counter)

    @property
    def pieces(self) -> int:
        """How many files were kept."""
        return self.train + self.valid

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {
            "source": self.source, "files": self.files, "train": self.train, "valid": self.valid, "notes": self.notes,
            "timing": {str(timing): count for timing, count in sorted(self.timing.items())},
            "dropped": {str(reason): count for reason, count in sorted(self.dropped.items())},
        }  # fmt: skip


@dataclass(slots=True)
class Report:
    """What became of every file.

    Attributes:
        sources: a report a folder.
        dropped: every file that was not kept.
        reused: files whose notes an interrupted reading had kept already.
        seconds: that the reading took.
    """

    sources: list[SourceReport] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    reused: int = 0
    seconds: float = 0.0

    @property
    def notes(self) -> int:
        """Notes that were kept."""
        return sum(source.notes for source in self.sources)

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON: totals, folders, and every dropped file."""
        return {
            "files": sum(source.files for source in self.sources),
            "pieces": sum(source.pieces for source in self.sources),
            "notes": self.notes,
            "reused": self.reused,
            "seconds": round(self.seconds, 3),
            "sources": [source.as_dict() for source in self.sources],
            "dropped": [
                {"source": drop.source, "name": drop.name, "reason": str(drop.reason), "why": drop.why}
                for drop in self.dropped
            ],
        }

    def table(self) -> str:
        """Give the report in lines: a row a folder, then what was dropped with examples."""
        header = ("folder", "files", "train", "valid", "notes", *(str(reason) for reason in Reason))
        rows = [
            (s.source, s.files, s.train, s.valid, s.notes, *(s.dropped[reason] for reason in Reason))
            for s in self.sources
        ]
        lines = _aligned([header, *(tuple(map(str, row)) for row in rows)])
        for reason in Reason:
            named = [drop for drop in self.dropped if drop.reason is reason]
            if named:
                shown = "; ".join(f"{drop.source}/{drop.name} ({drop.why})" for drop in named[:_EXAMPLES])
                lines.append(f"{reason}: {len(named)}, such as {shown}")
        timing = sum((source.timing for source in self.sources), Counter[Timing]())
        told = ", ".join(f"{count} in {kind}" for kind, count in sorted(timing.items()))
        again = f", {self.reused} of them kept from an earlier reading" if self.reused else ""
        pieces = sum(source.pieces for source in self.sources)
        lines.append(f"{pieces} pieces, {self.notes} notes ({told}) in {self.seconds:.1f} s{again}")
        return "\n".join(lines)


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
