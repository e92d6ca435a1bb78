"""What people are told of an engine: whose turn it is, where in the song, and every counter."""

from __future__ import annotations

import dataclasses
import math

from antiphon.daemon.brain.metrics import Metrics, histogram_text
from antiphon.daemon.brain.stage import Stage
from antiphon.models.generator import TICKS_PER_BEAT

_COUNTERS = tuple(entry for entry in dataclasses.fields(Metrics) if entry.name not in ("latest_ns", "lateness"))


def engine_status(stage: Stage, turn: str, now_ns: int) -> dict[str, float | int | str]:
    """Give names and values, as `antiphon status` and OSC tell them.

    Args:
        stage: the engine's.
        turn: whose turn it is, in the mode's word.
        now_ns: now.
    """
    counters, time = stage.counts.snapshot(), stage.time
    told: dict[str, float | int | str] = {
        "mode": stage.settings.mode,
        "turn": turn,
        "muted": stage.settings.mute,
        "notes_out": counters.sent,
        "late": counters.dropped + counters.late_plans,
        "misses": counters.misses,
        "plan_kept": round(counters.plan_kept, 3),
        **{entry.name: getattr(counters, entry.name) for entry in _COUNTERS},
        "lateness": histogram_text(counters.lateness),
        "lateness_p50_ms": counters.lateness_ms(0.5),
        "lateness_p99_ms": counters.lateness_ms(0.99),
        "lateness_max_ms": round(counters.latest_ns / 1e6, 3),
        "generator_rests": stage.resting,
    }
    if time.grid is not None:
        beats = math.floor((time.position(now_ns) - time.grid[0]) / TICKS_PER_BEAT)
        if beats >= 0:  # else it is being counted in
            told["bar"], told["beat"] = beats // time.grid[2] + 1, beats % time.grid[2] + 1
    missed, taken_back = time.clock_corrections
    told["clock_missed"] = missed - taken_back
    if time.tempo_known:
        told["tempo_bpm"] = round(time.bpm, 2)
    if time.confidence is not None:
        told["beat_confidence"] = round(time.confidence, 2)
    return told
