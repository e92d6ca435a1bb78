"""Training of the `lstm` generator: a folder that a run can be killed in at any moment and resumed from."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from antiphon.models.checkpoint_file import write_checkpoint
from antiphon.models.errors import DataError
from antiphon.models.lstm.network import ElementNetwork, NetworkConfig
from antiphon.models.lstm.recipe import Recipe
from antiphon.models.lstm.vocabulary import Vocabulary
from antiphon.models.lstm.windows import IGNORED, Batch, Tokens, batches, cut_every, cut_last
from torch import Tensor
from torch.nn import functional

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
_SAVE_EVERY_S = 60.0
_LONGEST_STEP_S = 20.0  # a process that was suspended has not trained meanwhile
#: What may change between a run and its resumption: when it ends.
_ENDS = ("epochs", "minutes", "patience")


class Run:
    """One training run in one folder.

    Args:
        folder: made if it is not there.
        recipe: what it learns, and how.
        vocabulary: of the music it learns from.
        device: torch's.

    Raises:
        DataError: the recipe names a network that there is not.
    """

    def __init__(self, folder: Path, recipe: Recipe, vocabulary: Vocabulary, device: str = "cpu") -> None:
        self.folder, self.recipe, self.vocabulary, self.device = folder, recipe, vocabulary, device
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.seed)
        self.network = ElementNetwork(len(vocabulary), config_of(recipe.network)).to(device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=recipe.rate)
        self.epoch = self.batch = 0  # of this epoch, how many batches are learnt
        self.trained_s = 0.0
        self.sums = np.zeros(2)  # of this epoch: loss in nats and targets
        self.best, self.best_epoch = math.inf, 0
        self.best_network = _copied(self.network)
        self.log: list[dict[str, float]] = []

    def save(self) -> None:
        """Write the checkpoint; the old one stays until the new one is whole."""
        state = {
            "network": self.network.state_dict(), "best_network": self.best_network,
            "optimiser": self.optimiser.state_dict(), "config": self.network.config.as_dict(),
            "recipe": asdict(self.recipe), "vocabulary": self.vocabulary.dumps(),
            "epoch": self.epoch, "batch": self.batch, "trained_s": self.trained_s, "sums": self.sums.tolist(),
            "best": self.best, "best_epoch": self.best_epoch, "log": self.log, "rng": torch.get_rng_state(),
        }  # fmt: skip
        write_checkpoint(self.folder / CHECKPOINT, state)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint, if there is one: as if it had never stopped.

        Raises:
            DataError: it is broken, or of another network, recipe or vocabulary.
        """
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return False
        state = _read(path)
        if state["config"] != self.network.config.as_dict():
            raise DataError(
                f"{path} holds a network of {state['config']}, the recipe asks for "
                f"{self.network.config.as_dict()}; take another --out or the old recipe"
            )
        if state["vocabulary"] != self.vocabulary.dumps():
            raise DataError(f"{path} learnt from other music (its vocabulary differs); take another --out")
        for name, value in asdict(self.recipe).items():
            if name not in (*_ENDS, "network") and state["recipe"][name] != value:
                raise DataError(
                    f"{path} was begun with {name} = {state['recipe'][name]!r}, the recipe has {value!r}; "
                    "take another --out or the old recipe"
                )
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best_network = state["best_network"]
        for name in ("epoch", "batch", "trained_s", "best", "best_epoch", "log"):
            setattr(self, name, state[name])
        self.sums = np.array(state["sums"])
        torch.set_rng_state(state["rng"].cpu())
        return True

    def learn(self, batch: Batch) -> None:
        """Take one optimiser step."""
        self.network.train()
        loss, targets = _loss(self.network, batch, self.device)
        self.optimiser.zero_grad(set_to_none=True)
        (loss / targets).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.sums += (float(loss.detach()), targets)

    def end_epoch(self, checks: Sequence[Batch]) -> dict[str, float]:
        """Validate, keep the best, and give (and log) how it went."""
        valid, accuracy = score(self.network, checks, self.device)
        self.epoch, self.batch = self.epoch + 1, 0
        if valid < self.best:
            self.best, self.best_epoch, self.best_network = valid, self.epoch, _copied(self.network)
        line = {
            "epoch": self.epoch, "trained_s": round(self.trained_s, 2),
            "train": round(float(self.sums[0]) / max(1.0, float(self.sums[1])), 4), "valid": round(valid, 4),
            "accuracy": round(accuracy, 4),
        }  # fmt: skip
        self.sums = np.zeros(2)
        self.log.append(line)
        (self.folder / LOG).write_text("".join(json.dumps(entry) + "\n" for entry in self.log))
        return line

    @property
    def why_over(self) -> str | None:
        """Why there is nothing more to learn, or None."""
        if self.epoch >= self.recipe.epochs:
            return f"{self.epoch} epochs are over"
        if self.recipe.minutes and self.trained_s >= 60.0 * self.recipe.minutes:
            return f"{self.recipe.minutes:g} minutes are over"
        if self.epoch - self.best_epoch >= self.recipe.patience:
            return f"no better validation since epoch {self.best_epoch}"
        return None


def train(
    run: Run, pieces: Sequence[Tokens], held_out: Sequence[Tokens], tell: Callable[[str], None] = lambda line: None
) -> Run:
    """Train until the recipe ends it, saving as it goes. A resumed run goes on within its epoch.

    Raises:
        DataError: no piece is long enough, or none is left to validate on.
    """
    recipe = run.recipe
    checks = batches(_cut(recipe, held_out, None, "to validate on"), recipe.batch, None)
    saved = time.monotonic()
    while run.why_over is None:
        rng = np.random.default_rng((recipe.seed, run.epoch))
        todo = batches(_cut(recipe, pieces, rng, "to learn from"), recipe.batch, rng)
        for batch in todo[run.batch :]:
            began = time.monotonic()
            run.learn(batch)
            now = time.monotonic()
            run.trained_s += min(now - began, _LONGEST_STEP_S)
            run.batch += 1
            if now - saved > _SAVE_EVERY_S:
                saved = now
                run.save()
            if recipe.minutes and run.trained_s >= 60.0 * recipe.minutes:
                break  # an epoch may take longer than all of the time
        line = run.end_epoch(checks)
        tell(" ".join(f"{key}={value}" for key, value in line.items()))
        run.save()
    return run


def score(network: ElementNetwork, checks: Sequence[Batch], device: str = "cpu") -> tuple[float, float]:
    """Give negative log-likelihood in nats an element and the share of elements guessed right."""
    network.eval()
    loss = right = targets = 0.0
    with torch.no_grad():
        for batch in checks:
            logits, wanted = _logits(network, batch, device)
            loss += float(functional.cross_entropy(logits, wanted, reduction="sum"))
            right += float((logits.argmax(1) == wanted).sum())
            targets += len(wanted)
    return loss / targets, right / targets


def load_network(checkpoint: Path) -> tuple[ElementNetwork, Vocabulary, dict[str, Any]]:
    """Give the best network of a run's checkpoint, its vocabulary, and what else the checkpoint tells.

    Raises:
        DataError: the file is missing, broken or of another shape.
    """
    if not checkpoint.is_file():
        raise DataError(f"{checkpoint} does not exist; give a training run's {CHECKPOINT}")
    state = _read(checkpoint)
    try:
        vocabulary = Vocabulary.loads(state["vocabulary"], str(checkpoint))
        network = ElementNetwork(len(vocabulary), config_of(state["config"]))
        network.load_state_dict(state["best_network"])
        facts = {key: state[key] for key in ("recipe", "epoch", "trained_s", "best", "best_epoch", "log")}
    except (RuntimeError, KeyError, TypeError) as error:
        raise DataError(f"{checkpoint} is not a checkpoint of this network ({error}); train again") from None
    network.eval()
    return network, vocabulary, facts


def config_of(table: dict[str, Any]) -> NetworkConfig:
    """Make a network's configuration from a recipe's table. Raises: DataError, naming the key."""
    try:
        return replace(NetworkConfig(), **table)
    except TypeError as error:
        raise DataError(f"network: {error}; its keys: {', '.join(NetworkConfig().as_dict())}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return dict(state)
    except Exception as error:  # torch raises many kinds on a broken file
        raise DataError(f"{path} is not a readable checkpoint ({error}); remove it or take another --out") from None


def _cut(recipe: Recipe, pieces: Sequence[Tokens], rng: np.random.Generator | None, what: str) -> Batch:
    cut = cut_last(pieces, recipe.window) if recipe.targets == "last" else cut_every(pieces, recipe.window, rng)
    if not len(cut.tokens):
        need = recipe.window + 1 if recipe.targets == "last" else 2
        raise DataError(
            f"no piece {what} has {need} elements or more (there are {len(pieces)} pieces); "
            "give more or longer music, or a shorter window"
        )
    return cut


def _logits(network: ElementNetwork, batch: Batch, device: str) -> tuple[Tensor, Tensor]:
    """Give logits [N, V] and targets [N] of the places that count; the head is not computed for others."""
    hidden, _ = network.run(torch.from_numpy(batch.tokens).to(device))
    targets = torch.from_numpy(batch.targets).to(device)
    counts = targets != IGNORED
    return network.head(hidden[counts]), targets[counts]


def _loss(network: ElementNetwork, batch: Batch, device: str) -> tuple[Tensor, int]:
    logits, targets = _logits(network, batch, device)
    return functional.cross_entropy(logits, targets, reduction="sum"), len(targets)


def _copied(network: ElementNetwork) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
