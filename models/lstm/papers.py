"""The "AI Music Generator" paper's figures, and the page that sets ours beside them.

The paper's tables, as far as they are known here: 200 elements (but where told otherwise), the likeliest always taken,
an element every 0.5 beats at 120 beats a minute. Of the offsets, its first and last figure alone are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SEQUENCE_LENGTHS = (100, 200, 300, 400, 500)
#: Sequence length -> different notes and chords among 200 elements.
UNIQUE = {100: 35, 200: 43, 300: 27, 400: 26, 500: 32}
#: Sequence length -> seconds that 200 elements took to make.
RUN_S = {100: 37.65, 200: 66.49, 300: 93.32, 400: 121.14, 500: 160.5}
ELEMENTS = (100, 200, 300, 400, 500)
#: Elements -> seconds that they sound at offset 0.5; whole seconds, as a player shows them.
DURATION_S = {100: 26, 200: 51, 300: 76, 400: 101, 500: 126}
OFFSETS = (0.5, 0.6, 0.7, 0.8, 0.9)
#: Offset -> seconds that 200 elements sound.
OFFSET_S = {0.5: 51, 0.9: 91}
PAPER_ELEMENTS = 200
PAPER_WINDOW = 100


def page(results: Mapping[str, Any]) -> str:
    """Give the page (Markdown) from what `experiments` measured."""
    music, machine, made = results["music"], results["machine"], results["elements_made"]
    common = min(row["epochs"] for row in results["cells"])
    lines = [
        "# AI Music Generator: its experiments, our figures beside the paper's",
        "",
        f"`{results['command']}`",
        "",
        f"{music['pieces']} pieces, {music['elements']:,} elements, a vocabulary of {music['words']:,} "
        f"({music['spelling']}, elements seen at least {music['fewest']} times; "
        f"{music['unknown_share']:.1%} of the held-out elements have no word); held out: {music['held_out_pieces']} "
        f"pieces, {music['held_out_elements']:,} elements.",
        f"{machine['processor']}, {machine['threads']} thread(s), torch {machine['torch']}, onnxruntime "
        f"{machine['onnxruntime']}.",
        *(["**Quick: hardly trained, so only that it runs and how fast is telling.**"] if results["quick"] else []),
        "",
        "## Sequence length against unique notes and run time",
        f"One network, trained on windows of {results['recipe']['window']}; {made} elements by the paper's method (the",
        "whole window fed again for each, the likeliest taken), and as many by ours (state carried, 8 bits,",
        f"onnxruntime, the seed taken in included). Drawn: temperature {results['temperature']:g}, top-p "
        f"{results['top_p']:g}. All begin from the music learnt from, as the paper's do. Always taking",
        "the likeliest soon goes round in circles unless a network knows its music by heart: drawing is the default.",
        "",
        *table(
            ("length", "unique (paper)", "unique", "unique, ours, likeliest", "unique, ours, drawn",
             "run s (paper)", "run s", "run s, ours", "times as fast"),
            [
                (row["length"], UNIQUE[row["length"]], row["unique"], row["unique_ours"], row["unique_drawn"],
                 RUN_S[row["length"]], row["run_s"], row["run_s_ours"], row["ratio"])
                for row in results["sequence_lengths"]
            ],
        ),
        "",
        f"## Run time: {PAPER_ELEMENTS} elements at window {PAPER_WINDOW}, in one run",
        *table(
            ("method", "on", "s", "paper's method on torch takes so many times as long"),
            [(row["method"], row["on"], row["s"], row["ratio"]) for row in results["ratio"]["rows"]],
        ),
        "",
        f"**{results['ratio']['headline']:g}x**: the paper's method as the paper runs it (a training framework, the "
        f"window fed again) over ours as it ships. On one and the same runtime: torch "
        f"{results['ratio']['torch']:g}x, onnxruntime at full precision {results['ratio']['onnxruntime']:g}x. "
        f"Per element, once the seed is in: {results['ratio']['steady']:g}x. (The paper's own: {RUN_S[100]} s.)",
        "",
        "## Elements against duration (offset 0.5)",
        *table(
            ("elements", "s (paper)", "s"),
            [(row["elements"], DURATION_S[row["elements"]], row["s"]) for row in results["durations"]],
        ),
        "",
        f"## Offset against duration ({PAPER_ELEMENTS} elements)",
        *table(
            ("offset", "s (paper)", "s"),
            [(row["offset"], OFFSET_S.get(row["offset"], "…"), row["s"]) for row in results["offsets"]],
        ),
        "",
        "Both are the lengths of files as read back: (elements - 1) x offset + 1 beats of half a second. The paper's",
        "are these, in whole seconds upwards.",
        "",
        "## Epochs against training time",
        *table(
            ("epochs", "trained s", "train nats", "valid nats", "accuracy"),
            [
                (row["epoch"], row["trained_s"], row["train"], row["valid"], row["accuracy"])
                for row in some(results["cells"][0]["log"])
            ],
        ),
        "",
        "## GRU against LSTM",
        f"Equal sizes, data and minutes; `at {common}`: after as many epochs of both. Nats an element on the held-out",
        "pieces; ms are one step in 8 bits, the median.",
        "",
        *table(
            ("cell", "parameters", "epochs", "s an epoch", f"valid nats at {common}", "valid nats",
             "in 8 bits", "accuracy", "step ms",
             "8 bits MB"),
            [
                (row["cell"], row["parameters"], row["epochs"], row["s_per_epoch"],
                 row["log"][common - 1]["valid"], row["valid"],
                 row["valid_8_bits"], row["accuracy"],
                 row["step_ms"], row["mb"])
                for row in results["cells"]
            ],
        ),
        "",
        f"Beside them, of the same held-out elements: uniform {results['baselines']['uniform']:.3f} nats, unigram "
        f"{results['baselines']['unigram']:.3f}.",
        "",
        "## Files",
        *(f"* `{name}`: {what}" for name, what in results["files"].items()),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Give a table's lines.

    >>> table(("a", "b"), [(1, 2.5)])
    ['| a | b |', '| --- | --- |', '| 1 | 2.5 |']
    """
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |"]
    return lines + [f"| {' | '.join(_shown(value) for value in row)} |" for row in rows]


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def some(log: Sequence[Mapping[str, float]], most: int = 8) -> list[Mapping[str, float]]:
    """Give at most so many epochs of a log: the first, the last, and evenly in between.

    >>> [row["epoch"] for row in some([{"epoch": n} for n in range(1, 30)], 4)]
    [1, 10, 20, 29]
    """
    if len(log) <= most:
        return list(log)
    return [log[round(place * (len(log) - 1) / (most - 1))] for place in range(most)]
