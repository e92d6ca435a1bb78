"""A model's card: what it is, what it learnt from and on which terms, and what it scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.export.precisions import SHIPPED
from antiphon.export.precisions_table import show as precisions
from antiphon.export.quantise import BLOCK, BLOCK_4
from antiphon.models.evaluation import show

_WEIGHTS = {
    "fp32": "in 32 bits", "fp16": "in 16 bits", "int8": f"in 8 bits with a scale for each {BLOCK} of a row",
    "int4": f"in 4 bits with a scale for each {BLOCK_4} of a row",
}  # fmt: skip


def card(facts: Mapping[str, Any], data: Mapping[str, str]) -> str:
    """Give the card's text (Markdown) from what ``model.json`` holds.

    Args:
        facts: the model's facts, with ``scores`` where it was evaluated.
        data: data set -> what it is and its terms.
    """
    trained, network = facts["trained"], facts["network"]
    lines = [
        f"# {facts['name']}",
        "",
        "An event-level CRNN: a convolution along the keys of what sounds, a backbone in time, and heads for part,",
        "onset gap, pitch, velocity and duration, each seeing the ones chosen before it; the pitch head runs along",
        "the keys. A note's duration is never an input before the note has ended.",
        "",
        f"{facts['parameters']:,} parameters ({' + '.join(network['blocks'])} of {network['hidden']}), ONNX opset "
        f"{facts['opset']}, weights {_WEIGHTS[facts.get('precision', SHIPPED)]}.",
        "",
        "## What it learnt from",
        *(f"- {name}: {terms}" for name, terms in data.items()),
        "",
        "Only the training part of each was used; songs of `pop909` and `pop909_cl` share one split. The weights are",
        "licensed as the rest of the project (MIT); the Groove MIDI Dataset's licence asks to be named, as above.",
        "",
        "## How",
        f"`{facts.get('command', 'antiphon train')}`",
        "",
        f"{trained['hours']} hours, {trained['steps']:,} steps, {trained['notes']:,} notes seen"
        f"{', on ' + facts['trained_on'] if 'trained_on' in facts else ''}.",
        "",
        "## Scores",
    ]
    if "scores" in facts:
        lines += [
            f"`{facts['scores_command']}`",
            "",
            "Negative log-likelihood in nats a note on validation parts, the graphs of this folder, window 128 + hop",
            "128: part; onset gap and duration at 24 a beat up to 4 beats; pitch; velocity in 16 levels. The",
            "interval is 95% over pieces. Kneser-Ney (kn1 to kn5) knows earlier",
            "durations, which live play does not; `knN - NAME` is the gain on its best order (docs/evaluation.md).",
            "",
            show(facts["scores"]),
        ]
    else:
        lines.append("Not evaluated yet: `antiphon evaluate MODEL DATA`, then `antiphon export --scores`.")
    shipped = facts.get("precision", SHIPPED)
    lines += [
        "",
        "## Graphs",
        f"| graph | bytes | operators | fp32 us (median) | {shipped} us | off torch at most | {shipped} off at most |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {told['bytes']:,} | {told['operators']} | {told['us_float32']['median']} | "
            f"{told['us']['median']} | {max(told['parity'].values()):.1e} | {max(told['quantised'].values()):.3f} |"
            for name, told in facts["export"].items()
        ),
        "",
        "Bytes are with the weights of each; on disk the graphs share theirs in one file. Times are of a hot loop with",
        "a batch of one, on one CPU thread, on the machine that exported it.",
        "",
    ]
    if "precisions" in facts:
        notes = next(iter(facts["precisions"].values()))["notes"]
        lines += [
            "## Precisions",
            "`antiphon export --compare`: bytes of step, time, pitch and touch together; NLL in nats a note on",
            f"{notes:,} validation notes, what is lost to fp32 with its 95% interval over pieces; paced is a call",
            "every 20 ms.",
            "",
            *precisions(facts["precisions"]),
            "",
        ]
    return "\n".join(lines)
