"""``antiphon train critic``: the critic against the default generator's own continuations, in one command.

No torch here: bad flags are told without it.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from antiphon.models.critic.pairs import TEMPERATURE, TOP_P, Making, make_pairs
from antiphon.models.errors import DataError

_SIZES: dict[str, Any] = {"code": 64, "hidden": 48, "dropout": 0.3}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon train critic",
        description="Let a generator continue real music, and teach a critic, which ranks candidates, to tell the two.",
    )
    parser.add_argument("--run", type=Path, required=True, help="a training run's folder: its train.npz is learnt from")
    parser.add_argument("--out", type=Path, required=True, help="the critic's folder to write")
    parser.add_argument("--keep", type=Path, help="where continuations are kept (default: RUN/critic)")
    parser.add_argument("--model", default="antiphon", help="the generator that it is to judge")
    parser.add_argument("--prompts", type=int, default=1200, help="excerpts to continue")
    parser.add_argument("--candidates", type=int, default=2, help="continuations of each")
    parser.add_argument("--heard", type=int, default=64, help="notes of a prompt")
    parser.add_argument("--notes", type=int, default=32, help="notes of a continuation")
    parser.add_argument("--temperature", type=float, default=TEMPERATURE)
    parser.add_argument("--top-p", type=float, default=TOP_P)
    parser.add_argument("--steps", type=int, default=1000, help="of training, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def main(argv: list[str]) -> int:
    """Run ``antiphon train critic``."""
    args = _parser().parse_args(argv)
    for name, least in (("prompts", 8), ("candidates", 1), ("heard", 16), ("notes", 4), ("steps", 1), ("threads", 1)):
        if getattr(args, name) < least:
            raise DataError(f"train critic: --{name}: {least} or more, not {getattr(args, name)}")
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415
    from antiphon.export.critic_ship import ship_critic  # noqa: PLC0415
    from antiphon.models.corpus import load_pieces  # noqa: PLC0415
    from antiphon.models.critic.training import Plan, Trained, train_critic  # noqa: PLC0415
    from antiphon.models.excerpt_choice import excerpts_of  # noqa: PLC0415
    from antiphon.models.load import load_generator  # noqa: PLC0415
    from antiphon.models.neurotune.discriminator import DiscriminatorConfig  # noqa: PLC0415

    torch.set_num_threads(args.threads)
    plan = Plan(steps=args.steps, seed=args.seed)
    pieces = load_pieces(args.run / "train.npz")
    generator = load_generator(args.model)
    rng = np.random.default_rng(args.seed)
    excerpts = excerpts_of(pieces, args.heard, args.notes, args.prompts, rng)
    making = Making(args.candidates, args.temperature, args.top_p, args.seed)

    def told(done: int) -> None:
        print(f"continued {done} of {len(excerpts)} prompts", flush=True)

    def looked(so_far: Trained) -> None:
        step, loss, accuracy, preferred = so_far.curve[-1]
        print(f"step {step}: {loss:.3f} nats, told apart {accuracy:.1%}, preferred {preferred:.1%}", flush=True)

    pairs = make_pairs(generator, excerpts, making, args.keep or args.run / "critic", told)
    trained = train_critic(pairs, DiscriminatorConfig(**_SIZES), plan, looked)
    facts = {
        "judges": {"name": generator.name, "sha256": generator.sha256},
        "making": asdict(making), "plan": plan.as_dict(),
        "prompts": {"count": len(pairs), "heard": args.heard, "notes": args.notes},
    }  # fmt: skip
    command = (
        f"antiphon train critic --run RUN --out DIR --model {args.model} --prompts {args.prompts} --candidates "
        f"{args.candidates} --heard {args.heard} --notes {args.notes} --temperature {args.temperature:g} --top-p "
        f"{args.top_p:g} --steps {args.steps} --seed {args.seed}"
    )
    written = ship_critic(trained, args.out, facts, sorted({piece.source for piece in pieces}), command)
    print(f"{args.out}: {written['bytes']} bytes, {written['scores']}")
    return 0
