"""What adversarial training changes: two generators of one size and budget, measured against held-out music."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from antiphon.models.neurotune.metrics import DISTANCES, Counted, Interval, bootstrapped
from antiphon.models.neurotune.network import Generator
from antiphon.models.neurotune.sequences import DRAWN, Field, Rows
from antiphon.models.parts import Part
from numpy.typing import NDArray

_BATCH = 64
Told = tuple[NDArray[np.float64], NDArray[np.float64]]  # what `foretold` gives


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; what does not apply is None."""

    name: str
    nll: Interval | None
    accuracy: dict[str, Interval] | None
    repetition: Interval
    stability: Interval
    distances: dict[str, Interval]

    def as_dict(self) -> dict[str, Any]:
        """Give the row for JSON."""
        accuracy = {name: value.as_dict() for name, value in (self.accuracy or {}).items()}
        return {
            "name": self.name,
            "nll": self.nll.as_dict() if self.nll else None,
            "accuracy": accuracy or None,
            "repetition": self.repetition.as_dict(),
            "tonal_stability": self.stability.as_dict(),
            "distances": {name: value.as_dict() for name, value in self.distances.items()},
        }


def foretold(generator: Generator, rows: Rows) -> Told:
    """Score held-out sequences with teacher forcing, at a noise that is the same for every generator.

    Returns:
        Of each sequence [B] its negative log-likelihood in nats a note (an upper bound: the noise is drawn once, not
        summed over), and [B, 5] the *accuracy* by attribute: the share of notes whose likeliest value, given all that
        came before, is the real one. Pitch counts over notes that are not drums.
    """
    drawn = torch.Generator().manual_seed(0)
    losses, right = [], []
    for start in range(0, len(rows), _BATCH):
        batch = torch.from_numpy(rows[start : start + _BATCH])
        noise = torch.randn(len(batch), batch.shape[1] - 1, generator.config.noise, generator=drawn)
        with torch.no_grad():
            logits = generator.logits(batch, noise)
        target = batch[:, 1:]
        shape = target.shape[:2]
        nll = torch.zeros(shape)
        hits = []
        for field, values in enumerate(logits):
            wanted = target[..., field]
            chances = torch.log_softmax(values, dim=1).view(*shape, -1)
            nll -= chances.gather(2, wanted[..., None])[..., 0]
            hit = (chances.argmax(dim=2) == wanted).float()
            counts = torch.ones_like(hit) if field != Field.PITCH else (target[..., Field.PART] != Part.DRUMS).float()
            hits.append((hit * counts).sum(dim=1) / counts.sum(dim=1).clamp(min=1.0))
        losses.append(nll.mean(dim=1))
        right.append(torch.stack(hits, dim=1))
    return torch.cat(losses).double().numpy(), torch.cat(right).double().numpy()


def row_of(name: str, played: Rows, real: Counted, rounds: int, told: Told | None) -> tuple[Row, Counted]:
    """Measure continuations [B, N, 6] beside the real ones of the same beginnings.

    Args:
        name: of the row.
        played: the continuations.
        real: the real continuations, counted, in the same order.
        rounds: of the bootstrap.
        told: what `foretold` gave, or None.
    """
    counted = Counted.of(played)

    def figures(chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        values = [counted.repetition[chosen].mean(), counted.stability[chosen].mean()]
        if told is not None:
            values += [told[0][chosen].mean(), *told[1][chosen].mean(axis=0)]
        return np.concatenate([counted.distances(real, chosen), values])

    found = bootstrapped(figures, len(played), rounds)
    distances = dict(zip(DISTANCES, found, strict=False))
    rest = found[len(DISTANCES) :]
    accuracy = dict(zip(DRAWN, rest[3:], strict=True)) if told is not None else None
    return Row(name, rest[2] if told is not None else None, accuracy, rest[0], rest[1], distances), counted


def differences(ours: Counted, theirs: Counted, real: Counted, rounds: int) -> dict[str, Interval]:
    """Give distance of ``ours`` minus that of ``theirs``, with paired intervals: below 0, ours is nearer to music."""

    def figures(chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        return ours.distances(real, chosen) - theirs.distances(real, chosen)

    return dict(zip(DISTANCES, bootstrapped(figures, len(real.repetition), rounds), strict=True))


def foretold_differences(ours: Told, theirs: Told, rounds: int) -> dict[str, Interval]:
    """Give ours minus theirs, paired: nats a note (below 0 is better) and accuracy (above 0 is better)."""
    nll, right = ours[0] - theirs[0], ours[1] - theirs[1]

    def figures(chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.concatenate([[nll[chosen].mean()], right[chosen].mean(axis=0)])

    names = ["nll", *(f"accuracy of {name}" for name in DRAWN)]
    return dict(zip(names, bootstrapped(figures, len(nll), rounds), strict=True))


def verdict(name: str, base: str, difference: Mapping[str, Interval]) -> str:
    """Say in one line which distances fell, which rose and which cannot be told apart."""
    told: dict[str, list[str]] = {"nearer": [], "farther": [], "undecided": []}
    for what, interval in difference.items():
        side = "nearer" if interval.high < 0 else "farther" if interval.low > 0 else "undecided"
        told[side].append(what)
    parts = [f"{side}: {', '.join(names) or 'none'}" for side, names in told.items()]
    return f"{name} against {base}, distance to held-out music (95%): {'; '.join(parts)}."


def table(rows: list[Row]) -> str:
    """Give the rows as Markdown: 95% bootstrap intervals over sequences in brackets."""
    heads = ["", "NLL, nats a note", "pitch accuracy", "repetition", "tonal stability"]
    heads += [f"distance: {name}" for name in DISTANCES]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for row in rows:
        nll = str(row.nll) if row.nll else "-"
        accuracy = str(row.accuracy["pitch"]) if row.accuracy else "-"
        cells = [row.name, nll, accuracy, str(row.repetition), str(row.stability)]
        cells += [str(row.distances[name]) for name in DISTANCES]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def difference_table(differences_of: Mapping[str, Mapping[str, Interval]]) -> str:
    """Give paired differences of distances as Markdown."""
    heads = ["difference (below 0 is nearer to music)", *DISTANCES]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    lines += [
        f"| {name} | {' | '.join(str(found[what]) for what in DISTANCES)} |" for name, found in differences_of.items()
    ]
    return "\n".join(lines)
