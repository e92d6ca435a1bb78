"""Every measurement by name, what each needs, and one run of some of them."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from antiphon.daemon.bench import playing, predicted, reply, standing, throughput
from antiphon.daemon.bench.figures import Row
from antiphon.daemon.bench.place import Place
from antiphon.daemon.bench.processes import can_tell
from antiphon.daemon.player.priority import fifo_granted
from antiphon.models.errors import AntiphonError


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement: what it is, how it is done, and whether it needs ports or a system that tells of processes."""

    what: str
    rows: Callable[[Place], list[Row]]
    ports: bool = True
    processes: bool = False


def _one(row: Callable[[Place], Row]) -> Callable[[Place], list[Row]]:
    return lambda place: [row(place)]


MEASUREMENTS: Mapping[str, Measurement] = {
    "reply": Measurement("how soon `follow` replies, over a bare echo", _one(reply.row)),
    "scheduling": Measurement("error of scheduled notes at the send call", _one(playing.scheduling_row)),
    "tightness": Measurement("how near to the beat an accompaniment is heard", _one(playing.tightness_row)),
    "throughput": Measurement("messages a second through the player", _one(throughput.row)),
    "start": Measurement("how soon it is there, and plays", _one(standing.start_row), ports=False),
    "idle": Measurement("idle load and memory", _one(standing.idle_row), ports=False, processes=True),
    "predicted": Measurement("what a predicted event costs", predicted.rows, ports=False),
}


def run(names: Sequence[str], place: Place, tell: Callable[[str], None]) -> Iterator[Row]:
    """Measure one after the other: each alone, so that none is in another's way.

    Args:
        names: of `MEASUREMENTS`.
        place: where.
        tell: gets a line before each.

    Yields:
        Rows; of what cannot be measured here, or failed, a row that says why.
    """
    for number, name in enumerate(names, 1):
        measurement = MEASUREMENTS[name]
        tell(f"{number} of {len(names)}: {measurement.what}")
        if measurement.ports and place.api is None:
            yield Row(name, measurement.what, "not measured: no MIDI system", "needs real ports", {})
        elif measurement.processes and not can_tell():
            why = f"not measured: {platform.system()} does not tell what a process costs in /proc"
            yield Row(name, measurement.what, why, "needs Linux", {})
        else:
            try:
                rows = measurement.rows(place)
            except AntiphonError as error:  # the others' figures are not lost for it
                rows = [Row(name, measurement.what, f"failed: {error}", "", {}, failed=True)]
            yield from rows


def machine(place: Place, midi: str, stolen: float) -> dict[str, Any]:
    """Tell what the figures were measured on.

    Args:
        place: where.
        midi: the MIDI system in words, or ``none``.
        stolen: share of all processors' time that the host gave to others meanwhile.
    """
    return {
        "antiphon": metadata.version("antiphon"),
        "model": place.model,
        "Python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "processors": f"{os.cpu_count() or 1} ({_processor()})",
        "MIDI": midi,
        "real-time scheduling": "granted" if fifo_granted() else "refused",
        "stolen by the host": f"{stolen:.1%}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")
