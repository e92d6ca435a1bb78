"""A training run in a folder: network, average, optimiser, how far it is, and what was best."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from antiphon.models.baselines import ATTRIBUTES as COMMON
from antiphon.models.checkpoint import CHECKPOINT, brief, read_checkpoint
from antiphon.models.checkpoint_file import write_checkpoint
from antiphon.models.errors import DataError
from antiphon.models.excerpts import Batch
from antiphon.models.network import ATTRIBUTES, AntiphonNetwork, NetworkConfig
from antiphon.models.precision import fast_type
from antiphon.models.recipe import Recipe
from antiphon.models.training_processes import Processes
from torch import Tensor

_EMA = 0.998  # of the weights that are kept: the average of about the last 500 steps
#: What a checkpoint of before early stopping lacks.
_LATER: dict[str, Any] = {"best_step": 0, "waited": 0, "best_average": None}

Weights = dict[str, Tensor]


class Run:
    """One training run in one folder; in several processes each has one, alike after every step."""

    def __init__(self, folder: Path, recipe: Recipe, device: str, processes: Processes | None = None) -> None:
        self.folder, self.recipe, self.device = folder, recipe, device
        self.processes = processes or Processes(device=device)
        torch.manual_seed(recipe.seed)
        try:
            self.network = AntiphonNetwork(recipe.network).to(device)
        except (KeyError, ValueError) as error:
            raise DataError(
                f"recipe: no network of {recipe.network.as_dict()} ({brief(error)}); mend [network]"
            ) from None
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
        )
        self._scale = torch.tensor([recipe.scale.get(name, 1.0) for name in ATTRIBUTES], device=device)
        self.average = _copied(self.network.state_dict())
        self.step = self.notes_seen = 0
        self.trained_s = 0.0
        self.best, self.best_step = math.inf, 0
        self.waited = 0  # checks since the best one
        self.best_average: Weights | None = None  # kept where the recipe has patience

    @property
    def progress(self) -> float:
        """Share of the run that is over, early stopping apart."""
        if self.recipe.steps:
            return min(1.0, self.step / self.recipe.steps)
        return min(1.0, self.trained_s / (60.0 * self.recipe.minutes))

    @property
    def over(self) -> bool:
        """Tell whether there is nothing more to do: its time is over, or it got no better for as long as it may."""
        return self.progress >= 1.0 or 0 < self.recipe.patience <= self.waited

    @property
    def rate(self) -> float:
        """The next step's learning rate: a short rise, then half a cosine down."""
        warm = min(1.0, (self.step + 1) / self.recipe.warmup_steps)
        cosine = 0.5 * (1.0 + math.cos(math.pi * self.progress))
        return warm * (self.recipe.rate_end + (self.recipe.rate - self.recipe.rate_end) * cosine)

    def seconds_left(self) -> float:
        """Say how many seconds of training are left at most."""
        if not self.recipe.steps:
            return 60.0 * self.recipe.minutes - self.trained_s
        return self.trained_s / max(1, self.step) * (self.recipe.steps - self.step)

    def begin_with(self, weights: Weights) -> None:
        """Begin with weights that were learnt before."""
        self.network.load_state_dict(weights)
        self.average = _copied(self.network.state_dict())

    def learn(self, batch: Batch) -> Tensor:
        """Take one optimiser step, on this and every other process's batch; give the mean loss by attribute [K]."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        # a step's chance is its own: a run that was killed and resumed learns what one that was not learns
        torch.manual_seed(_seed(self.recipe.seed, self.step, self.processes.rank))
        self.network.train()
        losses = mean_loss(self.network, batch, self.device)
        self.optimiser.zero_grad(set_to_none=True)
        (losses * self._scale).sum().backward()  # type: ignore[no-untyped-call]
        notes = self.processes.average_gradients(self.network.parameters(), float(batch.weights.sum()))
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimiser.step()
        decay = min(_EMA, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.average[name].lerp_(value, 1.0 - decay)
        self.step += 1
        self.notes_seen += int(notes)
        return losses.detach()

    def validate(self, batches: list[Batch]) -> Tensor:
        """Give the averaged weights' mean loss over all notes of the batches, by attribute [K]."""
        kept = _copied(self.network.state_dict())
        self.network.load_state_dict(self.average)
        self.network.eval()
        counts = torch.stack([batch.weights[:, 1:].sum() for batch in batches]).to(self.device)
        with torch.no_grad():
            losses = torch.stack([mean_loss(self.network, batch, self.device) for batch in batches])
        self.network.load_state_dict(kept)
        return (losses * counts[:, None]).sum(0) / counts.sum()

    def judge(self, losses: Tensor) -> None:
        """Take a check's losses [K] into account: is it the best, or how long ago was that."""
        total = total_of(losses.tolist())
        if total < self.best:
            self.best, self.best_step, self.waited = total, self.step, 0
            self.best_average = _copied(self.average) if self.recipe.patience else None
        else:
            self.waited += 1

    def save(self) -> None:
        """Write the checkpoint; the old one stays until the new one is whole."""
        state = {
            "network": self.network.state_dict(), "average": self.average, "config": self.recipe.network.as_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step, "trained_s": self.trained_s,
            "notes_seen": self.notes_seen, "best": self.best, "best_step": self.best_step, "waited": self.waited,
            "best_average": self.best_average,
        }  # fmt: skip
        write_checkpoint(self.folder / CHECKPOINT, state)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint, if there is one (of several processes, the first one's).

        Raises:
            DataError: it is broken, or of another network.
        """
        path = self.folder / CHECKPOINT
        here = self.processes.leads and path.is_file()
        state = self.processes.shared_state(read_checkpoint(path) if here else None)
        if state is None:
            return False
        try:
            asked, held = self.recipe.network.as_dict(), _sizes(state["config"])
            if held != asked:
                raise DataError(
                    f"{path} holds a network of {held}, the recipe asks for {asked}; "
                    "take another --out or the old recipe"
                )
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            state = _LATER | state
            self.average = _copied(state["average"], self.device)
            best = state["best_average"]
            self.best_average = None if best is None else _copied(best, self.device)
            self.step, self.trained_s, self.notes_seen = state["step"], state["trained_s"], state["notes_seen"]
            self.best, self.best_step, self.waited = state["best"], state["best_step"], state["waited"]
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise DataError(
                f"{path} is of another network than this program's ({brief(error)}); it is "
                "left as it is: take another --out"
            ) from None
        return True


def mean_loss(network: AntiphonNetwork, batch: Batch, device: str) -> Tensor:
    """Mean negative log-likelihood by attribute [K], in nats a note, of the notes that count."""
    kind = device.partition(":")[0]
    fast = fast_type(kind)
    batch = batch.to(device)
    with torch.autocast(kind, fast, enabled=fast is not None):
        losses = network(batch)
    weights = batch.weights[:, 1:, None]
    return (losses * weights).sum((0, 1)) / weights.sum()  # type: ignore[no-any-return]


def total_of(losses: list[float]) -> float:
    """Sum losses by attribute [K] up to nats a note at the common resolution, which every model is compared at."""
    return sum(losses[: len(COMMON)])


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _copied(weights: Weights, device: str | None = None) -> Weights:
    return {name: value.detach().clone().to(device or value.device) for name, value in weights.items()}


def _sizes(config: dict[str, Any]) -> dict[str, Any]:
    """Give a stored configuration with what it did not say yet."""
    return dict(NetworkConfig(**config).as_dict())
