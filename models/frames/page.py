"""The page that sets our figures beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.models.frames.sets import BENCHMARKS

#: What the published rows are.
_PUBLISHED = next(iter(BENCHMARKS.values())).published


def page(results: Mapping[str, Any]) -> str:
    """Give the page (Markdown) from what ``antiphon papers frames`` measured."""
    sets: Mapping[str, Any] = results["sets"]
    titles = [BENCHMARKS[name].title for name in sets]
    lines = [
        "# Frames: a CRNN on the sets of Boulanger-Lewandowski, Bengio and Vincent (2012)",
        "",
        f"`{results['command']}`",
        "",
        "Test log-likelihood in nats a frame, higher is better: the mean over all frames, each given all before it in",
        "its piece. Published figures as commonly cited from the paper's table (arXiv 1206.6392). Ours is exact (no",
        "sampling, no bound), by the weights that were best on the validation part; the test part is scored once.",
        "± is half a 95% interval over pieces.",
        "",
        *(_foreign(name, told["pieces"]) for name, told in sets.items() if not is_official(name, told["pieces"])),
        "| model | " + " | ".join(titles) + " |",
        "| --- |" + " --- |" * len(titles),
        *(_row(f"{model} (published)", [BENCHMARKS[name].published[model] for name in sets]) for model in _PUBLISHED),
        _row("note 1-gram, from these files", [told["note_unigram"] for told in sets.values()]),
        *(
            f"| **CRNN**, seed {seed} | "
            + " | ".join(
                f"**{_of(told, seed)['test']:.2f}** ± {_of(told, seed)['interval']:.2f}" for told in sets.values()
            )
            + " |"
            for seed in results["seeds"]
        ),
        "",
        "| set | pieces (train, valid, test) | test frames | seed | weights | epochs (best) | processor minutes "
        "| train | valid | test |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_run(name, told, run) for name, told in sets.items() for run in told["runs"]),
        "",
        "`train` is of the last epoch, with dropout and mostly in other keys, so it may be below `valid`.",
        f"One thread, torch {results['torch']}; bfloat16 in training, full precision in scoring.",
        "",
    ]
    return "\n".join(lines)


def is_official(name: str, pieces: Sequence[int]) -> bool:
    """Tell whether a set has as many pieces in each part as the published split."""
    return tuple(pieces) == BENCHMARKS[name].pieces


def _foreign(name: str, pieces: Sequence[int]) -> str:
    return (
        f"**{BENCHMARKS[name].title} is not the official split: {', '.join(map(str, pieces))} pieces, not "
        f"{', '.join(map(str, BENCHMARKS[name].pieces))}. Its column is not comparable.**\n"
    )


def _row(head: str, values: list[float]) -> str:
    return f"| {head} | " + " | ".join(f"{value:.2f}" for value in values) + " |"


def _of(told: Mapping[str, Any], seed: int) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(run for run in told["runs"] if run["seed"] == seed)
    return found


def _run(name: str, told: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    pieces = ", ".join(str(count) for count in told["pieces"])
    return (
        f"| {BENCHMARKS[name].title} | {pieces} | {told['test_frames']:,} | {run['seed']} | {run['weights']:,} "
        f"| {run['epochs']} ({run['best_epoch']}) | {run['minutes']:.1f} | {run['train']:.2f} | {run['valid']:.2f} "
        f"| {run['test']:.2f} |"
    )
