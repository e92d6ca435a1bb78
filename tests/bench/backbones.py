"""Backbones at equal heads, inputs, size and budget: validation NLL over seeds, and what a step costs.

``python -m tests.bench.backbones RUN [--seeds 3] [--steps 300] [--only NAME:SEED …]``

``RUN`` holds train.npz and valid.npz (`antiphon corpus`, `antiphon train`). Every backbone has as many parameters (its
width is chosen for that), the shipped recipe's heads, inputs, data, augmentation and schedule, and as many notes to
learn from. What was trained stays in RUN/backbones, so runs may be spread over processes by ``--only`` and the table is
printed from what is there. Differences to the LSTM are paired by seed; their interval is Student's.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from antiphon.export.graph_specs import graphs
from antiphon.export.onnx_export import export_graph
from antiphon.export.quantise import quantised
from antiphon.models.augment import Augment, Excerpts
from antiphon.models.corpus import load_pieces
from antiphon.models.excerpts import batch_of
from antiphon.models.network import AntiphonNetwork, NetworkConfig
from antiphon.models.onnx_session import input_shapes
from antiphon.models.recipe import Recipe, Stage
from antiphon.models.training_loop import fit
from antiphon.models.training_run import Run, total_of

STACKS = {
    "recall": ("linear", "mlp", "recall", "linear"),
    "gru": ("gru", "gru"),
    "lstm": ("lstm", "lstm"),
    "linear": ("linear", "mlp", "linear"),
}
BASELINE = "lstm"
#: Student's 97.5% point by degrees of freedom: with few seeds an interval is wide, and says so.
_STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365}
_STAGE = Stage(1.0, 24, 192)
_CHECKS, _CHECK_EXCERPTS = 24, 16
_PACE_S, _PACED_CALLS, _BEHIND = 0.02, 150, 128


def config_of(blocks: tuple[str, ...], parameters: int, base: NetworkConfig) -> NetworkConfig:
    """Give the configuration of these blocks whose number of parameters is nearest."""
    sizes = {}
    for hidden in range(256, 520, 4):
        config = replace(base, hidden=hidden, blocks=blocks)
        with torch.device("meta"):
            sizes[hidden] = sum(p.numel() for p in AntiphonNetwork(config).parameters())
    return replace(base, blocks=blocks, hidden=min(sizes, key=lambda hidden: abs(sizes[hidden] - parameters)))


def train_one(run_folder: Path, recipe: Recipe, name: str, seed: int, steps: int) -> None:
    """Train one backbone from one seed, and keep its score."""
    out = run_folder / "backbones" / f"{name}-{seed}-{steps}"
    if (out / "score.json").is_file():
        return
    out.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        wanted = sum(p.numel() for p in AntiphonNetwork(recipe.network).parameters())
    config = config_of(STACKS[name], wanted, recipe.network)
    mine = replace(
        recipe, network=config, seed=seed, steps=steps, stages=(_STAGE,), check_steps=steps, warmup_steps=100
    )
    run = Run(out, mine, "cpu")
    run.resume()
    held_out = Excerpts(load_pieces(run_folder / "valid.npz"), {}, Augment())
    rng = np.random.default_rng(0)
    drawn = [held_out.draw(rng, _CHECK_EXCERPTS, _STAGE.notes) for _ in range(_CHECKS)]
    checks = [batch_of(one.notes, one.lengths) for one in drawn]
    fit(run, Excerpts(load_pieces(run_folder / "train.npz"), recipe.weights, recipe.augment, recipe.styles), checks)
    losses = run.validate(checks).tolist()
    run.network.load_state_dict(run.average)
    told = {
        "backbone": name, "seed": seed, "steps": steps, "notes": run.notes_seen, "hidden": config.hidden,
        "parameters": sum(p.numel() for p in run.network.parameters()), "minutes": run.trained_s / 60,
        "total": total_of(losses), "by_attribute": losses[:5], **paced(run.network.eval()),
    }  # fmt: skip
    (out / "score.json").write_text(json.dumps(told, indent=1) + "\n")


def paced(network: AntiphonNetwork) -> dict[str, float]:
    """Time the step graph in 8 bits, a call every 20 ms, with 128 notes behind it: median and p95 in microseconds."""
    spec = graphs(network)[0]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = quantised(export_graph(spec))
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {name: np.zeros(shape, kind) for name, (shape, kind) in input_shapes(session, 1, _BEHIND).items()}
    times = []
    for _ in range(_PACED_CALLS):
        time.sleep(_PACE_S)
        began = time.perf_counter_ns()
        session.run(None, feed)
        times.append((time.perf_counter_ns() - began) / 1e3)
    return {"step_us": float(np.median(times)), "step_us_p95": float(np.percentile(times, 95))}


def table(scores: list[dict[str, Any]]) -> str:
    """Print what there is: a row a backbone."""
    by_name: dict[str, dict[int, dict[str, Any]]] = {}
    for score in scores:
        by_name.setdefault(score["backbone"], {})[score["seed"]] = score
    baseline = by_name.get(BASELINE, {})
    lines = [
        "| backbone | hidden | parameters | seeds | nats a note | less than the LSTM (95%) | minutes | step us (p95) |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, seeds in sorted(by_name.items(), key=lambda item: np.mean([one["total"] for one in item[1].values()])):
        one = next(iter(seeds.values()))
        totals = np.array([score["total"] for score in seeds.values()])
        spread = f" ± {totals.std(ddof=1):.3f}" if len(totals) > 1 else ""
        gains = np.array(
            [baseline[seed]["total"] - score["total"] for seed, score in seeds.items() if seed in baseline]
        )
        gain = "—"
        if name != BASELINE and len(gains) > 1:
            half = _STUDENT[len(gains) - 1] * gains.std(ddof=1) / math.sqrt(len(gains))
            gain = f"{gains.mean():.3f} [{gains.mean() - half:.3f}, {gains.mean() + half:.3f}]"
        minutes, step, p95 = (
            np.median([score[key] for score in seeds.values()]) for key in ("minutes", "step_us", "step_us_p95")
        )
        lines.append(
            f"| {name} | {one['hidden']} | {one['parameters']:,} | {len(seeds)} | {totals.mean():.3f}{spread} | {gain} "
            f"| {minutes:.1f} | {step:.0f} ({p95:.0f}) |"
        )
    return "\n".join(lines)


def main() -> None:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--only", nargs="*", default=None, metavar="NAME:SEED")
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = Recipe.load("antiphon")
    wanted = [(name, seed) for seed in range(1, args.seeds + 1) for name in STACKS]
    for name, seed in wanted:
        if args.only is None or f"{name}:{seed}" in args.only:
            train_one(args.run, recipe, name, seed, args.steps)
    scores = [
        json.loads(path.read_text()) for path in sorted((args.run / "backbones").glob(f"*-{args.steps}/score.json"))
    ]
    print(table(scores))


if __name__ == "__main__":
    main()
