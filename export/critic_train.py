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

#: The most that a critic before may count.
_HEAVIEST = 10.0
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
    parser.add_argument(
        "--before",
        type=Path,
        metavar="DIR",
        help="a critic to go on from: what it likes best of the candidates is learnt from as well",
    )
    parser.add_argument(
        "--singles", type=int, default=1, help="with --before: candidates of each prompt learnt from beside that one"
    )
    parser.add_argument(
        "--weight", type=float, default=0.25, help="with --before: how much what it says counts beside the new one"
    )
    parser.add_argument("--heard", type=int, default=64, help="notes of a prompt")
    parser.add_argument("--notes", type=int, default=32, help="notes of a continuation")
    parser.add_argument("--temperature", type=float, default=TEMPERATURE)
    parser.add_argument("--top-p", type=float, default=TOP_P)
    parser.add_argument("--steps", type=int, default=1000, help="of training, at most")
    parser.add_argument("--patience", type=int, default=6, help="looks at held-out prompts without a gain to stop at")
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
    from antiphon.models.critic.judge import Critic  # noqa: PLC0415
    from antiphon.models.critic.second_round import check_singles, with_chosen  # noqa: PLC0415
    from antiphon.models.critic.training import Plan, Trained, train_critic  # noqa: PLC0415
    from antiphon.models.excerpt_choice import excerpts_of  # noqa: PLC0415
    from antiphon.models.load import load_generator  # noqa: PLC0415
    from antiphon.models.neurotune.discriminator import DiscriminatorConfig  # noqa: PLC0415

    torch.set_num_threads(args.threads)
    plan = Plan(steps=args.steps, seed=args.seed, patience=args.patience)
    before = None
    if args.before is not None:
        check_singles(args.singles, args.candidates)
        if not 0.0 <= args.weight <= _HEAVIEST:
            raise DataError(f"train critic: --weight: 0 to {_HEAVIEST:g}, not {args.weight:g}; give one between them")
        before = Critic(args.before)
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
    if before is not None:
        pairs = with_chosen(pairs, before, args.singles)
    trained = train_critic(pairs, DiscriminatorConfig(**_SIZES), plan, looked)
    facts = {
        "judges": {"name": generator.name, "sha256": generator.sha256},
        "making": asdict(making), "plan": plan.as_dict(),
        "prompts": {"count": len(pairs), "heard": args.heard, "notes": args.notes},
    }  # fmt: skip
    command = (
        f"antiphon train critic --run RUN --out DIR --model {args.model} --prompts {args.prompts} --candidates "
        f"{args.candidates} --heard {args.heard} --notes {args.notes} --temperature {args.temperature:g} --top-p "
        f"{args.top_p:g} --steps {args.steps} --patience {args.patience} --seed {args.seed}"
    )
    if before is not None:
        facts["before"] = {"sha256": before.sha256, "weight": args.weight, "command": before.facts["command"]}
        command += f" --before FIRST --singles {args.singles} --weight {args.weight:g}"
        command += f", where FIRST is made by: {before.facts['command']}"
    sources = sorted({piece.source for piece in pieces})
    written = ship_critic(trained, args.out, facts, sources, command, before, args.weight)
    print(f"{args.out}: {written['bytes']} bytes, {written['scores']}")
    return 0
