"""Training: a recipe, a corpus, and a folder that a run can be killed in and resumed from at any moment."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
import tomllib
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from antiphon.models.augment import Augment, Excerpts
from antiphon.models.errors import DataError
from antiphon.models.excerpts import Batch, batch_of
from antiphon.models.network import AntiphonNetwork, NetworkConfig
from antiphon.models.prepare import prepare
from torch import Tensor

ATTRIBUTES = ("part", "gap", "pitch", "velocity", "duration")
CHECKPOINT = "checkpoint.pt"
_EMA = 0.998  # of the weights that are kept: the average of about the last 500 steps
_TELL_EVERY_S = 30.0
_SAVE_EVERY_S = 180.0
_VALID_BATCHES = 12
_LONGEST_STEP_S = 5.0  # a process that was suspended has not trained meanwhile


@dataclass(frozen=True, slots=True)
class Stage:
    """Up to this share of the run, batches of this many excerpts of this many notes."""

    until: float
    batch: int
    notes: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a run learns."""

    network: NetworkConfig
    augment: Augment
    weights: dict[str, float]
    data: dict[str, str]  # what it learns from and on which terms, for the card
    stages: tuple[Stage, ...]
    minutes: float
    rate: float
    rate_end: float
    warmup_steps: int
    weight_decay: float
    clip: float
    seed: int
    steps: int = 0  # where given, the run is over after so many steps, whatever the time

    @classmethod
    def load(cls, name: str) -> Recipe:
        """Read a recipe by the name of one that ships, or by path.

        Raises:
            DataError: it does not exist, or holds an unknown key.
        """
        path = Path(name)
        if path.suffix != ".toml":
            shipped = resources.files("antiphon.models") / "recipes" / f"{name}.toml"
            if not shipped.is_file():
                raise DataError(f"there is no recipe {name!r}; give one that ships (antiphon) or a .toml file")
            text = shipped.read_text()
        elif path.is_file():
            text = path.read_text()
        else:
            raise DataError(f"recipe {path} does not exist; give one that ships (antiphon) or a .toml file")
        return cls.parse(text, name)

    @classmethod
    def parse(cls, text: str, name: str) -> Recipe:
        """Read a recipe's text. Raises: DataError, naming the key."""
        try:
            table = tomllib.loads(text)
            training = dict(table.get("training", {}))
            stages = tuple(Stage(**stage) for stage in training.pop("stages"))
            return cls(
                network=NetworkConfig(**table.get("network", {})),
                augment=Augment(**table.get("augment", {})),
                data={str(k): str(v) for k, v in table.get("data", {}).items()},
                weights={str(k): float(v) for k, v in table.get("weights", {}).items()},
                stages=stages,
                **training,
            )
        except (tomllib.TOMLDecodeError, TypeError, KeyError, ValueError) as error:
            keys = ", ".join(field.name for field in fields(cls))
            raise DataError(f"recipe {name}: {error}; its keys: {keys}") from None


class Run:
    """One training run in one folder."""

    def __init__(self, folder: Path, recipe: Recipe, device: str) -> None:
        self.folder, self.recipe, self.device = folder, recipe, device
        torch.manual_seed(recipe.seed)
        self.network = AntiphonNetwork(recipe.network).to(device)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
        )
        self.step = 0
        self.trained_s = 0.0
        self.notes_seen = 0
        self.best = math.inf

    @property
    def progress(self) -> float:
        """Share of the run that is over."""
        if self.recipe.steps:
            return min(1.0, self.step / self.recipe.steps)
        return min(1.0, self.trained_s / (60.0 * self.recipe.minutes))

    def learn(self, batch: Batch) -> Tensor:
        """Take one optimiser step; give the mean loss by attribute [5]."""
        recipe = self.recipe
        warm = min(1.0, (self.step + 1) / recipe.warmup_steps)
        cosine = 0.5 * (1.0 + math.cos(math.pi * self.progress))
        for group in self.optimiser.param_groups:
            group["lr"] = warm * (recipe.rate_end + (recipe.rate - recipe.rate_end) * cosine)
        self.network.train()
        losses = mean_loss(self.network, batch, self.device)
        self.optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimiser.step()
        decay = min(_EMA, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.average[name].lerp_(value, 1.0 - decay)
        self.step += 1
        self.notes_seen += int(batch.weights.sum())
        return losses.detach()

    def validate(self, batches: list[Batch]) -> Tensor:
        """Give the averaged weights' mean loss by attribute [5]."""
        kept = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        self.network.eval()
        with torch.no_grad():
            losses = torch.stack([mean_loss(self.network, batch, self.device) for batch in batches]).mean(0)
        self.network.load_state_dict(kept)
        return losses

    def save(self) -> None:
        """Write the checkpoint; the old one stays until the new one is whole."""
        state = {
            "network": self.network.state_dict(), "average": self.average, "config": self.recipe.network.as_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step, "trained_s": self.trained_s,
            "notes_seen": self.notes_seen, "best": self.best,
        }  # fmt: skip
        fresh = self.folder / (CHECKPOINT + ".new")
        torch.save(state, fresh)
        os.replace(fresh, self.folder / CHECKPOINT)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint, if there is one.

        Raises:
            DataError: it is of another network.
        """
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["config"] != self.recipe.network.as_dict():
            raise DataError(
                f"{path} holds a network of {state['config']}, the recipe asks for "
                f"{self.recipe.network.as_dict()}; take another --out or the old recipe"
            )
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.trained_s = state["step"], state["trained_s"]
        self.notes_seen, self.best = state["notes_seen"], state["best"]
        return True


def mean_loss(network: AntiphonNetwork, batch: Batch, device: str) -> Tensor:
    """Mean negative log-likelihood by attribute [5], in nats a note."""
    # bfloat16 doubles the speed where the processor has it, and is safe for these sizes
    with torch.autocast(device, torch.bfloat16):
        losses = network(batch.events.to(device), batch.durations.to(device), batch.rolls.to(device))
    weights = batch.weights[:, 1:, None].to(device)
    return (losses * weights).sum((0, 1)) / weights.sum()  # type: ignore[no-any-return]


def load_network(checkpoint: Path) -> tuple[AntiphonNetwork, dict[str, Any]]:
    """Give the averaged network of a run's checkpoint, and what else the checkpoint tells.

    Raises:
        DataError: the file is missing or of another shape.
    """
    if not checkpoint.is_file():
        raise DataError(f"{checkpoint} does not exist; give a training run's {CHECKPOINT}")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        network = AntiphonNetwork(NetworkConfig(**state["config"]))
        network.load_state_dict(state["average"])
    except Exception as error:  # torch raises many kinds on a broken file
        raise DataError(f"{checkpoint} is not a checkpoint of this network ({error}); train again") from None
    network.eval()
    return network, {key: state[key] for key in ("step", "trained_s", "notes_seen", "best")}


def train(folders: list[Path], out: Path, recipe: Recipe, device: str) -> Run:
    """Train until the recipe's time is over, saving as it goes; resumes what ``out`` holds."""
    out.mkdir(parents=True, exist_ok=True)
    pieces, held_out = prepare(folders, out)
    run = Run(out, recipe, device)
    if run.resume():
        print(f"resumed at step {run.step}, {run.trained_s / 60:.1f} minutes")
    drawer = Excerpts(pieces, recipe.weights, recipe.augment)
    check = Excerpts(held_out or pieces, {}, Augment())
    check_rng = np.random.default_rng(0)
    checks = [batch_of(*check.draw(check_rng, 16, recipe.stages[-1].notes)) for _ in range(_VALID_BATCHES)]
    rng = np.random.default_rng((recipe.seed, run.step))
    log = (out / "log.jsonl").open("a")
    told = saved = time.monotonic()
    recent: list[Tensor] = []
    while run.progress < 1.0:
        began = time.monotonic()
        stage = next(s for s in recipe.stages if run.progress < s.until or s is recipe.stages[-1])
        recent.append(run.learn(batch_of(*drawer.draw(rng, stage.batch, stage.notes))))
        now = time.monotonic()
        run.trained_s += min(now - began, _LONGEST_STEP_S)
        if now - told > _TELL_EVERY_S:
            told = now
            _tell(log, run, torch.stack(recent).mean(0), "train")
            recent.clear()
        if now - saved > _SAVE_EVERY_S or run.progress >= 1.0:
            saved = now
            losses = run.validate(checks)
            run.best = min(run.best, float(losses.sum()))
            _tell(log, run, losses, "valid")
            run.save()
    log.close()
    return run


def _tell(log: Any, run: Run, losses: Tensor, what: str) -> None:
    values = [round(float(value), 4) for value in losses]
    line = {
        "what": what, "step": run.step, "minutes": round(run.trained_s / 60, 2), "notes": run.notes_seen,
        "total": round(sum(values), 4), **dict(zip(ATTRIBUTES, values, strict=True)),
    }  # fmt: skip
    log.write(json.dumps(line) + "\n")
    log.flush()
    print(" ".join(f"{key}={value}" for key, value in line.items()), flush=True)


def main(argv: list[str]) -> int:
    """Run ``antiphon train``."""
    parser = argparse.ArgumentParser(prog="antiphon train", description="Train a generator on folders of MIDI.")
    parser.add_argument("data", nargs="+", type=Path, help="folders of MIDI files, or of a zipped data set")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder; a run in it is resumed")
    parser.add_argument("--recipe", default="antiphon", help="one that ships, or a .toml file")
    parser.add_argument("--minutes", type=float, help="instead of the recipe's")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args(argv)
    recipe = Recipe.load(args.recipe)
    if args.minutes is not None:
        from dataclasses import replace  # noqa: PLC0415

        recipe = replace(recipe, minutes=args.minutes)
    torch.set_num_threads(args.threads)
    run = train(args.data, args.out, recipe, args.device)
    print(f"done: {run.step} steps, {run.notes_seen} notes, validation {run.best:.3f} nats a note")
    return 0
