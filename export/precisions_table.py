"""What each precision costs and loses: bytes, microseconds a step, and the likelihood of music that was not learnt."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from antiphon.export.precisions import PRECISIONS, at_precision
from antiphon.models.alone import Rows, is_another_alone
from antiphon.models.corpus import load_pieces
from antiphon.models.notes import NoteTable
from antiphon.models.onnx_scoring import score_pieces
from antiphon.models.onnx_session import input_shapes
from numpy.typing import NDArray

#: The graphs that are compared: what a predicted event runs.
COMPARED = ("step", "time", "pitch", "touch")
WINDOW = HOP = 128
#: Notes of each piece of the sample, at most.
_NOTES = 160
_PACE_S = 0.02
_HOT, _PACED = 200, 100
_RECALLED = 128
Table = dict[str, dict[str, Any]]


def sampled(valid: Path, count: int) -> list[NoteTable]:
    """Give the beginnings of some validation pieces, evenly spread over their list.

    Args:
        valid: a run's ``valid.npz``.
        count: pieces, at most.

    Raises:
        DataError: it is not one.
    """
    pieces = [piece.notes for piece in load_pieces(valid) if len(piece.notes) > 1]
    chosen = np.unique(np.linspace(0, len(pieces) - 1, min(count, len(pieces))).astype(int))
    return [pieces[index][:_NOTES] for index in chosen]


def compared(full: Mapping[str, onnx.ModelProto], pieces: Sequence[NoteTable]) -> Table:
    """Measure every precision.

    Args:
        full: `COMPARED` in 32 bits.
        pieces: music to score.

    Returns:
        precision -> ``bytes``; of a step, batch of one, one thread: ``us_hot`` and ``us_paced`` (one call every 20 ms),
        median and p95; ``nll`` in nats a note, ``lost`` to fp32, and half of its 95% interval over pieces, paired.
    """
    table: Table = {}
    first: NDArray[np.float64] | None = None
    for precision in PRECISIONS:
        made = {name: at_precision(full[name], precision).SerializeToString() for name in COMPARED}
        sessions = [_session(made[name]) for name in COMPARED]
        never_alone = is_another_alone(sessions[0])
        losses = score_pieces([Rows(session, never_alone) for session in sessions], list(pieces), WINDOW, HOP)
        total = np.array([float(rows.sum()) for rows in losses])
        notes = np.array([len(rows) for rows in losses])
        first = total if first is None else first
        feed = _example(sessions[0])
        table[precision] = {
            "bytes": sum(map(len, made.values())), "us_hot": _timed(sessions[0], feed, 0.0, _HOT),
            "us_paced": _timed(sessions[0], feed, _PACE_S, _PACED), "notes": int(notes.sum()),
            "nll": round(float(total.sum() / notes.sum()), 4),
            "lost": round(float((total - first).sum() / notes.sum()), 4), "interval": _interval(total - first, notes),
        }  # fmt: skip
    return table


def show(table: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Give the table's lines (Markdown)."""
    lines = [
        "| precision | bytes | step us hot (p95) | step us paced (p95) | NLL | lost to fp32 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, told in table.items():
        hot, paced = (f"{told[key]['median']:.0f} ({told[key]['p95']:.0f})" for key in ("us_hot", "us_paced"))
        lost = f"{told['lost']:+.4f} ± {told['interval']:.4f}"
        lines.append(f"| {name} | {told['bytes']:,} | {hot} | {paced} | {told['nll']:.3f} | {lost} |")
    return lines


def _interval(lost: NDArray[np.float64], notes: NDArray[np.int64]) -> float:
    """Give half of the 95% interval of the mean loss a note, over pieces."""
    if len(lost) < 2:
        return 0.0
    spread = lost - notes * (lost.sum() / notes.sum())
    return round(float(1.96 * np.sqrt((spread**2).sum() * len(lost) / (len(lost) - 1)) / notes.sum()), 4)


def _session(graph: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _example(session: Any) -> dict[str, NDArray[Any]]:
    """Give a step's inputs: one row, as many notes recalled as a window has."""
    random = np.random.default_rng(0)
    return {
        name: np.zeros(shape, kind) if kind is np.int64 else random.random(shape, np.float32)
        for name, (shape, kind) in input_shapes(session, 1, _RECALLED).items()
    }


def _timed(session: Any, feed: Mapping[str, NDArray[Any]], pause_s: float, count: int) -> dict[str, float]:
    times = np.empty(count)
    for index in range(count):
        if pause_s:
            time.sleep(pause_s)
        began = time.perf_counter_ns()
        session.run(None, feed)
        times[index] = (time.perf_counter_ns() - began) / 1e3
    return {"median": round(float(np.median(times)), 1), "p95": round(float(np.percentile(times, 95)), 1)}
