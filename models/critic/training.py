"""Training of the critic: the Neurotune paper's discriminator against finished rollouts of another generator.

Steadied as the paper's own training is (`models.neurotune.training`): spectral norm and dropout in the network,
one-sided label smoothing, clipped gradients; here also by transposition, by cuts of every length that live play asks
for, and by stopping where held-out prompts are told apart best. The rollouts are made once: the generator does not
learn, so nothing has to keep pace.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from antiphon.models.critic.network import CriticNetwork
from antiphon.models.critic.pairs import Pairs
from antiphon.models.critic.rows import HEARD, Field, Rows, cut, table_rows
from antiphon.models.errors import DataError
from antiphon.models.generator import PITCHES, UNKNOWN_TICK_IN_BEAT
from antiphon.models.neurotune.discriminator import DiscriminatorConfig
from antiphon.models.parts import Part
from torch.nn import functional

_FLOOR = 0.05  # share of the learning rate that is left at the end


@dataclass(frozen=True, slots=True)
class Plan:
    """How the critic is trained."""

    steps: int = 1000  # at most
    batch: int = 32  # of real and of made continuations each
    rate: float = 1e-3
    decay: float = 0.05
    smooth: float = 0.9  # target of a real one (arXiv 1606.03498, section 3.4)
    clip: float = 1.0
    transpose: int = 6  # semitones up; one fewer down
    free_time: float = 0.2  # share whose place in the beat is told as unknown: play without a clock
    shortest: int = 4  # notes that a judged continuation is cut to, at least
    held_out: float = 0.15  # share of the prompts
    every: int = 50  # steps between two looks at them
    patience: int = 6  # looks without a gain before it stops
    seed: int = 1

    def __post_init__(self) -> None:
        checks = (
            ("steps", self.steps, 1, 10**7), ("batch", self.batch, 1, 4096), ("rate", self.rate, 1e-7, 1.0),
            ("smooth", self.smooth, 0.5, 1.0), ("held_out", self.held_out, 0.01, 0.9), ("every", self.every, 1, 10**6),
            ("patience", self.patience, 1, 10**6), ("shortest", self.shortest, 1, 4096),
            ("transpose", self.transpose, 0, 12),
        )  # fmt: skip
        for name, value, low, high in checks:
            if not low <= value <= high:
                raise DataError(f"critic: {name}: {low:g} to {high:g}, not {value}; give one between them")

    def as_dict(self) -> dict[str, float | int]:
        """Give the fields as a plain mapping, for the card."""
        return asdict(self)


@dataclass(slots=True)
class Trained:
    """The critic at its best, and how it came there."""

    network: CriticNetwork
    step: int = 0  # at which it was at its best
    steps: int = 0  # taken in all
    loss: float = math.inf  # on held-out prompts, nats
    accuracy: float = 0.0  # real or made, on held-out prompts
    preferred: float = 0.0  # share of held-out pairs in which the real one scores higher
    curve: list[tuple[int, float, float, float]] = field(default_factory=list)  # step, loss, accuracy, preferred


class _Side:
    """Prompts with what came after them: whole real sequences, and made ones."""

    def __init__(self, pairs: Pairs, chosen: np.ndarray) -> None:
        both = [np.concatenate([pairs.prompts[n], pairs.real[n]]) for n in chosen]
        self.real = np.stack([table_rows(table[:HEARD], table[HEARD:]) for table in both])  # [N, P + L, 8]
        self.made = np.stack([
            np.stack([table_rows(pairs.prompts[n], line) for line in pairs.made[n]]) for n in chosen
        ])  # fmt: skip  # [N, K, HEARD + L, 8]

    def drawn(self, rng: np.random.Generator, batch: int, length: int, plan: Plan) -> tuple[Rows, Rows]:
        """Draw real and made sequences [batch, HEARD + length, 8]; a real one may begin anywhere."""
        size = HEARD + length
        real = []
        for number in rng.integers(0, len(self.real), batch):
            start = int(rng.integers(0, self.real.shape[1] - size + 1))
            real.append(cut(self.real[number], start, start + size))
        made = [
            self.made[number, int(rng.integers(0, self.made.shape[1])), :size].copy()
            for number in rng.integers(0, len(self.made), batch)
        ]
        return tuple(np.stack([_changed(rows, rng, plan) for rows in side]) for side in (real, made))  # type: ignore[return-value]

    def still(self) -> tuple[Rows, Rows]:
        """Give real continuations [N, HEARD + L, 8], and the made ones [N * K, HEARD + L, 8]."""
        size, whole = self.made.shape[2], self.real.shape[1]
        real = np.stack([cut(rows, whole - size, whole) for rows in self.real])
        return real, self.made.reshape(-1, *self.made.shape[2:])


def _changed(rows: Rows, rng: np.random.Generator, plan: Plan) -> Rows:
    shift = int(rng.integers(1 - plan.transpose, plan.transpose + 1)) if plan.transpose else 0
    pitched = rows[:, Field.PART] != Part.DRUMS
    moved = rows[pitched, Field.PITCH] + shift
    if len(moved) and moved.min() >= 0 and moved.max() < PITCHES:
        rows[pitched, Field.PITCH] = moved
    if rng.random() < plan.free_time:
        rows[:, Field.TICK] = UNKNOWN_TICK_IN_BEAT
    return rows


def train_critic(
    pairs: Pairs, sizes: DiscriminatorConfig, plan: Plan, tell: Callable[[Trained], None] = lambda so_far: None
) -> Trained:
    """Train a critic; what it is at its best on held-out prompts is kept.

    Args:
        pairs: real and made continuations.
        sizes: of the network.
        plan: how.
        tell: is told at every look at the held-out prompts.

    Raises:
        DataError: too few prompts, or notes before or after them, to learn from.
    """
    length = pairs.real.shape[1]
    aside = round(plan.held_out * len(pairs))
    if aside < 1 or aside >= len(pairs) or pairs.prompts.shape[1] < HEARD or length < plan.shortest:
        raise DataError(
            f"critic: {len(pairs)} prompts of {pairs.prompts.shape[1]} notes and {length} after them are too few; "
            f"give 8 prompts or more, of {HEARD} notes or more, and {plan.shortest} notes or more after them"
        )
    rng = np.random.default_rng(plan.seed)
    torch.manual_seed(plan.seed)
    order = rng.permutation(len(pairs))
    learnt, kept = _Side(pairs, order[aside:]), _Side(pairs, order[:aside])
    network = CriticNetwork(sizes)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, betas=(0.9, 0.98), weight_decay=plan.decay)
    best = Trained(network)
    looks = 0
    for step in range(1, plan.steps + 1):
        length_now = length if rng.random() < 0.5 else int(rng.integers(plan.shortest, length + 1))
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * min(1.0, step / 50) * _cosine(step / plan.steps)
        network.train()
        scores = network.scores(np.concatenate(learnt.drawn(rng, plan.batch, length_now, plan)))
        wanted = torch.cat([torch.full((plan.batch,), plan.smooth), torch.zeros(plan.batch)])
        loss = functional.binary_cross_entropy_with_logits(scores, wanted)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), plan.clip)
        optimiser.step()
        best.steps = step
        if step % plan.every == 0 or step == plan.steps:
            looks = 0 if _look(network, kept, best, step) else looks + 1
            tell(best)
            if looks >= plan.patience:
                break
    return best


def _look(network: CriticNetwork, side: _Side, best: Trained, step: int) -> bool:
    """Judge held-out prompts; keep the network where it is better than before."""
    network.eval()
    real, made = side.still()
    with torch.no_grad():
        for_real, for_made = network.scores(real), network.scores(made)
    loss = 0.5 * float(functional.softplus(-for_real).mean() + functional.softplus(for_made).mean())
    accuracy = 0.5 * float((for_real > 0).float().mean() + (for_made < 0).float().mean())
    preferred = float((for_real[:, None] > for_made.view(len(real), -1)).float().mean())
    best.curve.append((step, round(loss, 4), round(accuracy, 4), round(preferred, 4)))
    if loss >= best.loss:
        return False
    best.network, best.step = copy.deepcopy(network), step
    best.loss, best.accuracy, best.preferred = loss, accuracy, preferred
    return True


def _cosine(through: float) -> float:
    return _FLOOR + (1.0 - _FLOOR) * 0.5 * (1.0 + math.cos(math.pi * through))
