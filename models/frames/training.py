"""Training of a frame network: a folder that a run can be killed in at any moment and resumed from."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from antiphon.models.checkpoint_file import write_checkpoint
from antiphon.models.errors import DataError
from antiphon.models.frames.excerpts import Batch, batches, cut, moved
from antiphon.models.frames.network import FrameNetwork, NetworkConfig
from antiphon.models.frames.recipe import Recipe
from antiphon.models.frames.scoring import mean_of_frames, scored_pieces
from antiphon.models.frames.sets import Frames
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
_SAVE_EVERY_S = 60.0
#: What may change between a run and its resumption: when it ends.
_ENDS = ("minutes", "patience")


class Run:
    """One training run in one folder.

    Args:
        folder: made if it is not there.
        recipe: what it learns, and how.

    Raises:
        DataError: the recipe names a network that there is not.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder, self.recipe = folder, recipe
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.seed)
        self.network = FrameNetwork(NetworkConfig.of(recipe.network))
        # What is scored: the weights as they were over the last steps, on the average (Polyak and Juditsky, 1992).
        averaging = get_ema_multi_avg_fn(recipe.average)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=averaging)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
        )
        self.step = self.epoch = self.batch = 0  # of this epoch, how many batches are learnt
        self.trained_s = 0.0
        self.sums = np.zeros(2)  # of this epoch: log-likelihood and frames
        self.best, self.best_epoch = -math.inf, 0
        self.best_network = self._averaged()
        self.log: list[dict[str, float]] = []

    def save(self) -> None:
        """Write the checkpoint; the old one stays until the new one is whole."""
        state = {
            "network": self.network.state_dict(), "average": self.average.state_dict(),
            "best_network": self.best_network, "optimiser": self.optimiser.state_dict(),
            "config": self.network.config.as_dict(), "recipe": asdict(self.recipe), "step": self.step,
            "epoch": self.epoch, "batch": self.batch, "trained_s": self.trained_s, "sums": self.sums.tolist(),
            "best": self.best, "best_epoch": self.best_epoch, "log": self.log, "rng": torch.get_rng_state(),
        }  # fmt: skip
        write_checkpoint(self.folder / CHECKPOINT, state)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint, if there is one: as if it had never stopped.

        Raises:
            DataError: it is broken, or of another network or recipe.
        """
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return False
        state = _read(path)
        try:
            for name, value in {**asdict(self.recipe), "network": self.network.config.as_dict()}.items():
                held = state["config"] if name == "network" else state["recipe"][name]
                if name not in _ENDS and held != value:
                    raise DataError(
                        f"{path} was begun with {name} = {held!r}, now it is {value!r}; "
                        "take another --out or what it was begun with"
                    )
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.best_network = state["best_network"]
            for name in ("step", "epoch", "batch", "trained_s", "best", "best_epoch", "log"):
                setattr(self, name, state[name])
            self.sums = np.array(state["sums"])
            torch.set_rng_state(state["rng"])
        except (KeyError, TypeError, RuntimeError, ValueError) as error:
            raise DataError(f"{path} is not a checkpoint of this network ({error}); take another --out") from None
        return True

    def learn(self, batch: Batch) -> None:
        """Take one optimiser step. In bfloat16 where that is right: a test holds it against full precision."""
        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        counts = torch.from_numpy(batch.counts)
        with torch.autocast("cpu", torch.bfloat16):
            values = self.network.log_likelihood(torch.from_numpy(batch.frames), torch.from_numpy(batch.place))
        total, frames = values[counts].sum(), int(counts.sum())
        self.optimiser.zero_grad(set_to_none=True)
        (-total / frames).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        self.step += 1
        self.sums += (float(total.detach()), frames)

    def end_epoch(self, valid: Sequence[Frames]) -> dict[str, float]:
        """Validate, keep the best, and give (and log) how it went."""
        scored = mean_of_frames(scored_pieces(cast(FrameNetwork, self.average.module), valid))
        self.epoch, self.batch = self.epoch + 1, 0
        if scored > self.best:
            self.best, self.best_epoch, self.best_network = scored, self.epoch, self._averaged()
        line = {
            "epoch": self.epoch, "trained_s": round(self.trained_s, 2),
            "train": round(float(self.sums[0]) / max(1.0, float(self.sums[1])), 4), "valid": round(scored, 4),
        }  # fmt: skip
        self.sums = np.zeros(2)
        self.log.append(line)
        (self.folder / LOG).write_text("".join(json.dumps(entry) + "\n" for entry in self.log), encoding="utf-8")
        return line

    @property
    def why_over(self) -> str | None:
        """Why there is nothing more to learn, or None."""
        if self.trained_s >= 60.0 * self.recipe.minutes:
            return f"{self.recipe.minutes:g} minutes are over"
        if self.epoch - self.best_epoch >= self.recipe.patience:
            return f"no better validation since epoch {self.best_epoch}"
        return None

    def best_of_it(self) -> FrameNetwork:
        """Give the network with the best validation."""
        network = FrameNetwork(self.network.config)
        network.load_state_dict(self.best_network)
        return network.eval()

    def _rate(self) -> float:
        recipe = self.recipe
        share = min(1.0, self.trained_s / (60.0 * recipe.minutes))
        rate = recipe.rate_end + (recipe.rate - recipe.rate_end) * 0.5 * (1.0 + math.cos(math.pi * share))
        return rate * min(1.0, (self.step + 1) / max(1, recipe.warm))

    def _averaged(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.average.module.state_dict().items()}


def train(
    run: Run, learnt: Sequence[Frames], valid: Sequence[Frames], tell: Callable[[str], None] = lambda line: None
) -> Run:
    """Train until the recipe ends it, saving as it goes. A resumed run goes on within its epoch."""
    saved = time.monotonic()
    while run.why_over is None:
        for batch in epoch_of(run.recipe, learnt, run.epoch)[run.batch :]:
            began = time.process_time()
            run.learn(batch)
            run.trained_s += time.process_time() - began
            run.batch += 1
            if time.monotonic() - saved > _SAVE_EVERY_S:
                saved = time.monotonic()
                run.save()
            if run.trained_s >= 60.0 * run.recipe.minutes:
                break  # an epoch may take longer than all of the time
        line = run.end_epoch(valid)
        tell(" ".join(f"{key}={value}" for key, value in line.items()))
        run.save()
    return run


def epoch_of(recipe: Recipe, learnt: Sequence[Frames], epoch: int) -> list[Batch]:
    """Give an epoch's batches: pieces cut anew, most excerpts in another key."""
    rng = np.random.default_rng((recipe.seed, epoch))
    excerpts = []
    for place, frames in cut(learnt, recipe.excerpt, rng):
        steps = int(rng.integers(-recipe.transpose, recipe.transpose + 1))
        excerpts.append((place, frames if rng.random() < recipe.in_place else moved(frames, steps)))
    return batches(excerpts, recipe.batch, rng)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds on a broken file
        raise DataError(f"{path} is not a readable checkpoint ({error}); remove it or take another --out") from None
