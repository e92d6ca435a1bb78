"""Training of `neurotune`: likelihood with teacher forcing, then a discriminator beside it.

What steadies it, each from where: likelihood first (SeqGAN, arXiv 1609.05473) and all along (interleaved, arXiv
1709.08624); straight-through Gumbel-softmax draws (arXiv 1611.01144; in a recurrent GAN of discrete notes, arXiv
1611.04051); a schedule from little to much free running (after scheduled sampling, arXiv 1506.03099, and professor
forcing, arXiv 1610.09038); feature matching and one-sided label smoothing (arXiv 1606.03498); spectral norm in the
discriminator (arXiv 1802.05957); two time-scales (arXiv 1706.08500); dropout, layer norm and clipped gradients.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from antiphon.models.errors import DataError
from antiphon.models.neurotune.discriminator import Discriminator, DiscriminatorConfig
from antiphon.models.neurotune.layers import GeneratorConfig, one_hots
from antiphon.models.neurotune.network import Generator
from antiphon.models.neurotune.recipe import Recipe, Schedule
from antiphon.models.neurotune.sequences import HEARD_BEFORE, Sequences
from torch import Tensor, nn
from torch.nn import functional

Arm = Literal["likelihood", "adversarial"]
#: Of the generator's weights that are kept: the average of about the last 100 steps.
_EMA = 0.99
_FLOOR = 0.05  # share of a learning rate that is left at the end


@dataclass(slots=True)
class Curves:
    """Losses by name, each a row of (share of the run, value)."""

    series: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, at: float, values: dict[str, float]) -> None:
        """Note values at a share of the run."""
        for name, value in values.items():
            self.series.setdefault(name, []).append((round(at, 5), round(value, 5)))


class Run:
    """One generator, its discriminator, and how far they are."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.plan = recipe, recipe.training
        torch.manual_seed(self.plan.seed)
        try:
            self.generator = Generator(GeneratorConfig(**recipe.generator))
            self.discriminator = Discriminator(DiscriminatorConfig(**recipe.discriminator))
        except TypeError as error:
            raise DataError(f"recipe neurotune: {error}; see models/recipes/neurotune.toml for the keys") from None
        self.average = copy.deepcopy(self.generator).eval()
        self.optimiser = torch.optim.AdamW(
            self.generator.parameters(), lr=self.plan.rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        # momentum of 0.5: more makes two players circle each other (DCGAN, arXiv 1511.06434, section 4)
        self.against = torch.optim.Adam(self.generator.parameters(), lr=self.plan.generator_rate, betas=(0.5, 0.99))
        self.critic = torch.optim.Adam(self.discriminator.parameters(), lr=self.plan.critic_rate, betas=(0.5, 0.99))
        self.step = 0
        self.trained_s = 0.0
        self.curves = Curves()

    @property
    def progress(self) -> float:
        """Share of the run that is over."""
        if self.plan.steps:
            return min(1.0, self.step / self.plan.steps)
        return min(1.0, self.trained_s / (60.0 * self.plan.minutes))

    def likelihood_step(self, rows: Tensor) -> dict[str, float]:
        """Take one step of teacher-forced likelihood."""
        warm = min(1.0, (self.step + 1) / 50)
        _set_rate(self.optimiser, warm * self.plan.rate * _cosine(self.progress))
        self.generator.train()
        loss = self.likelihood(rows)
        self._take(self.optimiser, self.generator, loss)
        self._keep()
        return {"likelihood": float(loss.detach())}

    def likelihood(self, rows: Tensor) -> Tensor:
        """Give the mean negative log-likelihood in nats a note, noise drawn anew."""
        noise = self.generator.noise(len(rows), rows.shape[1] - 1)
        # bfloat16 takes half the time where the processor has it; a test holds it to full precision
        with torch.autocast(rows.device.type, torch.bfloat16):
            losses: Tensor = self.generator(rows, noise)
        return losses.sum(dim=2).mean()

    def adversarial_step(self, rows: Tensor, generator_too: bool) -> dict[str, float]:
        """Let the generator run free after real notes; teach the discriminator, then the generator."""
        plan, through = self.plan, self.through_adversarial
        free = round(plan.free_from + (plan.free_to - plan.free_from) * through)
        temperature = plan.temperature_from + (plan.temperature_to - plan.temperature_from) * through
        prefix = rows.shape[1] - free
        heard = torch.cat(one_hots(rows[:, max(0, prefix - HEARD_BEFORE) :]), dim=2)
        before = heard[:, : heard.shape[1] - free]
        self.generator.train()
        with torch.set_grad_enabled(generator_too):
            played = torch.cat([before, self.generator.play_on(rows[:, :prefix], free, temperature)], dim=1)
        told = self.teach_critic(heard, played.detach(), through)
        if generator_too:
            told |= self._teach_generator(heard, played)
            self._keep()
        else:
            self.step += 1
        return told

    @property
    def through_adversarial(self) -> float:
        """Share of the adversarial phase that is over."""
        start = self.plan.pretrain
        return min(1.0, max(0.0, self.progress - start) / max(1e-9, 1.0 - start))

    def teach_critic(self, real: Tensor, played: Tensor, through: float) -> dict[str, float]:
        """Teach the discriminator one batch of one-hots [B, T, ...] of each kind, ``through`` its phase."""
        self.discriminator.train()
        _set_rate(self.critic, self.plan.critic_rate * _cosine(through))
        _learns(self.discriminator, True)
        scores, _ = self.discriminator(torch.cat([real, played]))
        for_real, for_played = scores.chunk(2)
        loss = 0.5 * (
            functional.binary_cross_entropy_with_logits(for_real, torch.full_like(for_real, self.plan.smooth))
            + functional.binary_cross_entropy_with_logits(for_played, torch.zeros_like(for_played))
        )
        self._take(self.critic, self.discriminator, loss)
        right = 0.5 * float((for_real > 0).float().mean() + (for_played < 0).float().mean())
        return {"critic": float(loss.detach()), "critic_accuracy": right}

    def _teach_generator(self, real: Tensor, played: Tensor) -> dict[str, float]:
        _set_rate(self.against, self.plan.generator_rate * _cosine(self.through_adversarial))
        _learns(self.discriminator, False)
        with torch.no_grad():
            wanted = self.discriminator.features(real).mean(dim=0)
        scores, features = self.discriminator(played)
        fooled = functional.binary_cross_entropy_with_logits(scores, torch.ones_like(scores))
        matching = (features.mean(dim=0) - wanted).square().sum()
        self._take(self.against, self.generator, fooled + self.plan.matching_weight * matching)
        return {"adversarial": float(fooled.detach()), "matching": float(matching.detach())}

    def _take(self, optimiser: torch.optim.Optimizer, module: nn.Module, loss: Tensor) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), self.plan.clip)
        if torch.isfinite(norm):  # one exploded draw must not end a run
            optimiser.step()

    def _keep(self) -> None:
        decay = min(_EMA, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for kept, value in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                kept.lerp_(value, 1.0 - decay)
        self.step += 1

    def held_out(self, rows: Tensor) -> Tensor:
        """Give the averaged generator's loss by attribute [5] on held-out rows, at a noise that is always the same."""
        drawn = torch.Generator().manual_seed(0)
        noise = torch.randn(len(rows), rows.shape[1] - 1, self.generator.config.noise, generator=drawn)
        with torch.no_grad():
            losses: Tensor = self.average(rows, noise)
        return losses.mean(dim=(0, 1))


def train(
    run: Run, arm: Arm, music: Sequences, until: float, tell: Callable[[Run], None] = lambda run: None
) -> None:  # fmt: skip
    """Train up to a share of the run: likelihood up to `Schedule.pretrain`, then as ``arm`` says.

    Args:
        run: goes on from where it is.
        arm: with or without the discriminator.
        music: what to learn from.
        until: share of the run to stop at.
        tell: called after every step, its time not counted.
    """
    plan: Schedule = run.plan
    rng = np.random.default_rng((plan.seed, run.step))
    torch.manual_seed(plan.seed * 1_000_003 + run.step)
    while run.progress < until:
        # processor time: what else this machine does must not decide which of two runs learns more
        began, at = time.process_time(), run.progress
        warming = at < plan.pretrain + plan.warm_critic
        turn = warming or run.step % (plan.interleave + 1) == plan.interleave
        if arm == "adversarial" and at >= plan.pretrain and turn:
            rows = torch.from_numpy(music.draw(rng, plan.adversarial_batch))
            told = run.adversarial_step(rows, generator_too=not warming)
        else:
            told = run.likelihood_step(torch.from_numpy(music.draw(rng, plan.batch)))
        run.trained_s += (time.process_time() - began) / torch.get_num_threads()
        run.curves.add(run.progress, told)
        tell(run)


def finish_critic(run: Run, music: Sequences) -> None:
    """Let the discriminator learn on alone, against the averaged generator as it will play, at its longest runs.

    A discriminator that the generator must learn from may not be far ahead of it; a critic that ranks candidates
    should be as good as it gets. Takes `Schedule.finish_critic` of the run's time again; the generator stays.
    """
    plan = run.plan
    rng = np.random.default_rng((plan.seed, run.step, 1))
    torch.manual_seed(plan.seed * 1_000_003 + run.step + 1)
    budget = plan.finish_critic * (plan.steps or 60.0 * plan.minutes)
    spent = 0.0
    while spent < budget:
        began = time.process_time()
        rows = torch.from_numpy(music.draw(rng, plan.batch))
        prefix = rows.shape[1] - plan.free_to
        heard = torch.cat(one_hots(rows[:, max(0, prefix - HEARD_BEFORE) :]), dim=2)
        with torch.no_grad():
            played = run.average.play_on(rows[:, :prefix], plan.free_to, 1.0)
        before = heard[:, : heard.shape[1] - plan.free_to]
        told = run.teach_critic(heard, torch.cat([before, played], dim=1), spent / budget)
        run.curves.add(
            min(1.0, spent / budget), {"finishing": told["critic"], "finishing_accuracy": told["critic_accuracy"]}
        )
        spent += 1.0 if plan.steps else (time.process_time() - began) / torch.get_num_threads()


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _cosine(through: float) -> float:
    return _FLOOR + (1.0 - _FLOOR) * 0.5 * (1.0 + math.cos(math.pi * through))


def _learns(module: nn.Module, whether: bool) -> None:
    for weight in module.parameters():
        weight.requires_grad_(whether)
