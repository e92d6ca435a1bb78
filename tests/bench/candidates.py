"""Is the best of N candidates by the critic nearer to music than the first? Figures that the critic never saw.

``python -m tests.bench.candidates RUN/valid.npz [--critic DIR] [--candidates 16] [--prompts 208] [--seed S ...]``

A piece gives one prompt a seed; the prompts of several seeds are pooled.

Continuations are kept in --keep by what they were made from, so that another critic is compared in seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from antiphon.models.corpus import load_pieces
from antiphon.models.critic.evaluation import compare, show
from antiphon.models.critic.judge import Critic
from antiphon.models.critic.pairs import TEMPERATURE, TOP_P, Making, Pairs, make_pairs
from antiphon.models.excerpt_choice import excerpts_of
from antiphon.models.load import load_generator


def judged(critic: Critic, pairs: Pairs) -> tuple[dict[str, float], np.ndarray[Any, np.dtype[np.float32]]]:
    """How well the critic tells real from made on these prompts, and its scores [prompts, N] of the made ones."""
    made = np.stack([critic.score_tables(*both) for both in zip(pairs.prompts, pairs.made, strict=True)])
    real = np.concatenate(
        [critic.score_tables(prompt, [after]) for prompt, after in zip(pairs.prompts, pairs.real, strict=True)]
    )
    best = made.max(axis=1)
    told = {
        "real told": float((real > 0).mean()), "made told": float((made < 0).mean()),
        "accuracy": 0.5 * float((real > 0).mean() + (made < 0).mean()),
        "real preferred to made": float((real[:, None] > made).mean()),
        "real preferred to best": float((real > best).mean()),
    }  # fmt: skip
    return told, made


def main(argv: list[str]) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pieces", type=Path, help="held-out music: a run's valid.npz")
    parser.add_argument("--model", default="antiphon")
    parser.add_argument("--critic", type=Path, help="its folder (default: the one that ships)")
    parser.add_argument("--keep", type=Path, default=Path("runs/candidates"), help="where continuations are kept")
    parser.add_argument("--prompts", type=int, default=208)
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--heard", type=int, default=64)
    parser.add_argument("--notes", type=int, default=32)
    parser.add_argument("--temperature", type=float, default=TEMPERATURE)
    parser.add_argument("--top-p", type=float, default=TOP_P)
    parser.add_argument("--seed", type=int, nargs="+", default=[3])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    critic, generator = Critic(args.critic), load_generator(args.model)
    pieces = load_pieces(args.pieces)

    def pairs_of(seed: int) -> Pairs:
        excerpts = excerpts_of(pieces, args.heard, args.notes, args.prompts, np.random.default_rng(seed))
        making = Making(args.candidates, args.temperature, args.top_p, seed)
        return make_pairs(generator, excerpts, making, args.keep, lambda done: print(done, end=" ", flush=True))

    pairs = Pairs.joined([pairs_of(seed) for seed in args.seed])
    accuracy, scores = judged(critic, pairs)
    told = compare(pairs, scores, args.seed[0]) | {
        "critic": critic.sha256, "generator": generator.sha256, "accuracy": accuracy
    }  # fmt: skip
    print("\n" + show(told) + "\n")
    print("critic on these prompts: " + ", ".join(f"{name} {value:.1%}" for name, value in accuracy.items()))
    if args.json:
        args.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
