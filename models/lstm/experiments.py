"""The paper's experiments, measured on any `ElementModel`: unique notes, run times, durations."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mido
import numpy as np
from antiphon.models.errors import DataError
from antiphon.models.lstm.elements import variety
from antiphon.models.lstm.generation import ARGMAX, Choice, ElementModel, Tokens, by_state, by_window
from antiphon.models.lstm.midi_write import DEFAULT_OFFSET_BEATS, write_midi
from antiphon.models.lstm.vocabulary import Vocabulary
from antiphon.models.lstm.windows import IGNORED, Batch
from antiphon.models.sampling import log_softmax

#: Ours takes a fraction of a second: so often at each of several moments, and the median.
_REPEATS = 3
_STEPS = 200


def seed_row(pieces: Sequence[Tokens], length: int) -> Tokens:
    """Give one row [length] of elements to begin with: pieces one after the other, as the paper's list of notes is.

    Raises:
        DataError: there are not so many elements.
    """
    row = np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
    if len(row) < length:
        raise DataError(f"sequence length {length} needs as many elements to begin with, there are {len(row)}; "
                        "give more music")  # fmt: skip
    return row[:length]


def sequence_lengths(
    paper: ElementModel, ours: ElementModel, vocabulary: Vocabulary, row: Tokens, lengths: Sequence[int], count: int,
    choice: Choice, tell: Callable[[str], None],
) -> list[dict[str, Any]]:  # fmt: skip
    """Measure, for each sequence length, how many elements made are different, and how long making them took.

    Args:
        paper: runs the paper's method.
        ours: runs ours.
        vocabulary: of both.
        row: [the longest length]; every seed is its end, so that all go on from the same place.
        lengths: windows.
        count: elements made.
        choice: how ours draws, beside the likeliest.
        tell: takes lines of progress.
    """
    found = []
    uniforms = np.random.default_rng(1).random(count)
    for length in lengths:
        seed = row[len(row) - length :]
        run_s, made = timed(lambda seed=seed: by_window(paper, seed, uniforms, ARGMAX))  # type: ignore[misc]
        own_s, own = timed(lambda seed=seed: by_state(ours, seed, uniforms, ARGMAX))  # type: ignore[misc]
        drawn = by_state(ours, seed, uniforms, choice)
        found.append(
            {
                "length": length, "run_s": round(run_s, 3), "run_s_ours": round(own_s, 4),
                "ratio": round(run_s / own_s, 1), "unique": _unique(vocabulary, made),
                "unique_ours": _unique(vocabulary, own), "unique_drawn": _unique(vocabulary, drawn),
            }
        )  # fmt: skip
        tell(f"length {length}: {found[-1]['unique']} unique, {run_s:.2f} s; ours {own_s:.3f} s")
    return found


def run_times(paper: Sequence[ElementModel], ours: Sequence[ElementModel], seed: Tokens, count: int) -> dict[str, Any]:
    """Time ``count`` elements by the paper's method and by ours, on each runtime; the likeliest taken by all.

    Args:
        paper: what runs the paper's method; the first is what the others are compared with.
        ours: what runs ours; the last is what ships. The first two are on the runtimes of ``paper``'s, in its order.
        seed: [window]
        count: elements.
    """
    uniforms = np.zeros(count)
    window_s: dict[str, float] = {}
    tries: dict[str, list[float]] = {model.name: [] for model in ours}
    steps: list[float] = []

    def run_ours() -> None:
        for model in ours:
            for _ in range(_REPEATS if model is ours[-1] else 1):
                tries[model.name].append(timed(lambda m=model: by_state(m, seed, uniforms, ARGMAX))[0])  # type: ignore[misc]
        steps.append(step_s(ours[-1]))

    # ours before, between and after: what else the machine does meets both
    run_ours()
    for model in paper:
        window_s[model.name] = timed(lambda m=model: by_window(m, seed, uniforms, ARGMAX))[0]  # type: ignore[misc]
        run_ours()
    state_s = {name: statistics.median(times) for name, times in tries.items()}
    slow = window_s[paper[0].name]
    rows = [
        {"method": method, "on": name, "s": round(seconds, 3), "ratio": round(slow / seconds, 1)}
        for method, times in (("paper's", window_s), ("ours", state_s))
        for name, seconds in times.items()
    ]
    same = {
        key: round(window_s[theirs.name] / state_s[own.name], 1)
        for key, theirs, own in zip(("torch", "onnxruntime"), paper, ours, strict=False)
    }
    steady = slow / count / statistics.median(steps)
    return {"rows": rows, "headline": rows[-1]["ratio"], "steady": round(steady, 1), **same}


def step_s(model: ElementModel) -> float:
    """Give the median time of one step with its state, in seconds."""
    state, token = model.start(1), np.array([1])
    times = []
    for _ in range(_STEPS):
        seconds, (_, state) = timed(lambda state=state: model.step(token, state))  # type: ignore[misc]
        times.append(seconds)
    return statistics.median(times)


def lengths_of_files(
    vocabulary: Vocabulary, numbers: Sequence[int], folder: Path, counts: Sequence[int], offsets: Sequence[float],
    count: int, program: int,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:  # fmt: skip
    """Write files of so many elements at offset 0.5, and of ``count`` at other offsets; give how long they play.

    Args:
        vocabulary: of the elements.
        numbers: elements, as many as the most asked for.
        folder: for the files.
        counts: numbers of elements.
        offsets: in beats.
        count: elements of each of the files with an offset.
        program: General MIDI instrument.
    """
    elements = vocabulary.decode(numbers)

    def seconds(name: str, number: int, offset: float) -> float:
        write_midi(elements[:number], folder / name, offset, program)
        return round(float(mido.MidiFile(folder / name).length), 3)

    return (
        [{"elements": n, "s": seconds(f"elements-{n}.mid", n, DEFAULT_OFFSET_BEATS)} for n in counts],
        [{"offset": offset, "s": seconds(f"offset-{offset:g}.mid", count, offset)} for offset in offsets],
    )


def baselines(train: Sequence[Tokens], valid: Sequence[Tokens], words: int) -> dict[str, float]:
    """Give nats an element of guessing evenly, and by how often each was there (add one)."""
    counts = Counter(np.concatenate(train).tolist())
    total = sum(counts.values()) + words
    losses = [np.log(total / (counts[number] + 1)) for piece in valid for number in piece[1:].tolist()]
    return {"uniform": round(float(np.log(words)), 4), "unigram": round(float(np.mean(losses)), 4)}


def nats(model: ElementModel, checks: Sequence[Batch]) -> float:
    """Give negative log-likelihood in nats an element, the state carried, every row beginning from nothing."""
    loss, targets = 0.0, 0
    for batch in checks:
        state = model.start(len(batch.tokens))
        for place in range(batch.tokens.shape[1]):
            logits, state = model.step(batch.tokens[:, place].copy(), state)
            wanted = batch.targets[:, place]
            rows = np.flatnonzero(wanted != IGNORED)
            loss -= float(log_softmax(logits[rows])[np.arange(len(rows)), wanted[rows]].sum())
            targets += len(rows)
    return loss / targets


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Give how many seconds something took, and what it gave."""
    began = time.perf_counter_ns()
    result = work()
    return (time.perf_counter_ns() - began) / 1e9, result


def _unique(vocabulary: Vocabulary, numbers: Sequence[int]) -> int:
    return int(variety(vocabulary.decode(numbers))["unique"])
