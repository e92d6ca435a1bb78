"""What a soak prints: a table of its faults, its verdicts, and all of it as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.soak.books import Evidence, Verdict
from tests.soak.faults import FAULTS, Outcome


@dataclass(slots=True)
class Reckoning:
    """What a soak found; ``faults`` are those that there were to be."""

    faults: tuple[str, ...] = tuple(FAULTS)
    outcomes: list[Outcome] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every verdict does."""
        return all(verdict.holds for verdict in self.verdicts)

    def table(self) -> str:
        """Give the faults with their times, in seconds."""
        lines = [
            "| fault | times | failed | counted from | silent after: median, worst | plays again: median, worst |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for name in self.faults:
            of = [outcome for outcome in self.outcomes if outcome.fault == name]
            silent = two([outcome.silence_s for outcome in of if outcome.silence_s is not None])
            again = two([outcome.recovery_s for outcome in of if outcome.recovery_s is not None])
            failed = sum(bool(outcome.failed) for outcome in of)
            lines.append(f"| {name} | {len(of)} | {failed} | {FAULTS[name].since} | {silent} | {again} |")
        return "\n".join(lines)

    def text(self) -> str:
        """Give everything for people."""
        failed = [outcome.line() for outcome in self.outcomes if outcome.failed]
        return "\n".join([self.table(), *self.facts, *failed, *(verdict.line() for verdict in self.verdicts)])


def two(values: Sequence[float]) -> str:
    """Say a median and a worst, in seconds."""
    return f"{median(values):.3f} s, {max(values):.3f} s" if values else "-"


def keep(folder: Path, found: Reckoning, seen: Evidence, memory: dict[int, list[tuple[float, float]]],
         told: dict[str, Any]) -> None:  # fmt: skip
    """Leave the table, the wire's log and what else was seen in a folder."""
    facts = {
        **told, "holds": found.holds, "facts": found.facts,
        "faults": [dataclasses.asdict(outcome) for outcome in found.outcomes],
        "verdicts": [dataclasses.asdict(verdict) for verdict in found.verdicts], "memory_mb": memory,
        "periods": [dataclasses.asdict(period) for period in (*seen.deaf, *seen.looped)], "said": list(seen.lines),
    }  # fmt: skip
    (folder / "soak.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    (folder / "table.md").write_text(found.text() + "\n", encoding="utf-8")
    with (folder / "wire.txt").open("w", encoding="ascii") as log:
        rows = [(t_ns, "heard", message.hex(" ")) for t_ns, message in seen.heard]
        rows += [(t_ns, "played", message.hex(" ")) for t_ns, message in seen.played]
        rows += [(t_ns, "xrun", "") for t_ns in seen.xruns]
        log.writelines(f"{t_ns} {what} {message}\n" for t_ns, what, message in sorted(rows))
