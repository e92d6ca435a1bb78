"""A `neurotune` checkpoint to a model's folder: generator step, draw and critic as ONNX, parity with torch checked.

``step`` takes a note and noise in, state in and out; ``draw`` gives the next note, every attribute biased before its
choice, randomness an input; ``critic`` scores whole sequences of any length. Batch is a dynamic axis of all.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import onnx
import torch
from antiphon.export.drawing import draw, share_of
from antiphon.export.graph_specs import GraphSpec
from antiphon.export.neurotune_critic import critic_model
from antiphon.export.onnx_export import OPSET, parity, traced
from antiphon.export.quantise import quantised
from antiphon.models.errors import ModelError
from antiphon.models.generator import PARTS, PITCHES, TIME_CLASSES, VELOCITY_LEVELS
from antiphon.models.neurotune.discriminator import Discriminator
from antiphon.models.neurotune.layers import IMAGE_CHANNELS, KEYS, one_hots, parameters_of, taken_in
from antiphon.models.neurotune.network import Generator, GeneratorState
from antiphon.models.neurotune.player import FORMAT, GRAPHS, KIND
from antiphon.models.neurotune.sequences import SIZES
from torch import Tensor, nn
from torch.nn import functional

#: Largest difference between torch and onnxruntime at full precision, of any output.
TOLERANCE = 2e-4


class StepGraph(nn.Module):
    """One note and noise in: state, what the draw reads, and the logits of part and gap out."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, note: Tensor, noise: Tensor, hidden: Tensor, window: Tensor, image: Tensor) -> tuple[Tensor, ...]:
        """Take note [B, 6] and noise [B, Z] in, with the state (hidden, window, image) after the note before."""
        state = GeneratorState(hidden, window, image)
        context, features, after = self.generator.step(taken_in(one_hots(note)), note, noise, state)
        heads = self.generator.heads
        return (*after, context, features, heads.part_logits(context), heads.every_gap(context))


class DrawGraph(nn.Module):
    """What `StepGraph` gave, biases and uniforms in: five classes [B, 5] and their log-probabilities [B, 5] out."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.heads = generator.heads

    def forward(
        self, context: Tensor, features: Tensor, part_logits: Tensor, gap_logits: Tensor, part_bias: Tensor,
        gap_bias: Tensor, pitch_bias: Tensor, velocity_bias: Tensor, duration_bias: Tensor, uniforms: Tensor,
        sharpness: Tensor, top_p: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Draw a note; -inf in a bias forbids. Log-probabilities are the model's own, without bias or temperature."""
        # a part is as likely as the gaps of it that are still allowed (docs/decisions.md, 4)
        every_gap = gap_logits + gap_bias[:, None, :]
        allowed = torch.logsumexp(every_gap, dim=2) - torch.logsumexp(gap_logits, dim=2)
        choices: list[Tensor] = []
        chances: list[Tensor] = []

        def drawn(logits: Tensor, bias: Tensor) -> Tensor:
            chosen = draw(logits + bias, share_of(uniforms[:, len(choices), None], top_p), sharpness)[:, 0]
            choices.append(chosen)
            chances.append(torch.log_softmax(logits, 1).gather(1, chosen[:, None]))
            return functional.one_hot(chosen, logits.shape[1]).float()

        part = drawn(part_logits, part_bias + allowed)
        gap = drawn(_of_row(gap_logits, choices[0]), gap_bias)
        pitches, code = self.heads.pitches(context, features, part, gap)
        pitch = drawn(pitches, _of_row(pitch_bias, choices[0]))
        velocities, touch = self.heads.velocities(code, pitch)
        velocity = drawn(velocities, velocity_bias)
        drawn(self.heads.durations(touch, velocity), duration_bias)
        return torch.stack(choices, dim=1), torch.cat(chances, dim=1)


def _of_row(table: Tensor, row: Tensor) -> Tensor:
    """Pick one row of each table: [B, rows, columns], [B] -> [B, columns]."""
    return table.gather(1, row[:, None, None].expand(-1, 1, table.shape[2]))[:, 0]


class CriticGraph(nn.Module):
    """Sequences [B, T, 6] in, scores [B] out, in torch: what `neurotune_critic` is held to."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, notes: Tensor) -> Tensor:
        """Score sequences."""
        return cast(Tensor, self.discriminator(torch.cat(one_hots(notes), dim=2))[0])


def specs(generator: Generator, discriminator: Discriminator) -> tuple[GraphSpec, ...]:
    """Give the graphs with example inputs of batch 3."""
    config, batch = generator.config, 3
    drawn = torch.Generator().manual_seed(0)

    def some(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=drawn)

    def notes(*shape: int) -> Tensor:
        return torch.stack([torch.randint(size, shape, generator=drawn) for size in SIZES], dim=-1)

    state = {
        "hidden": some(batch, config.hidden) * 0.3,
        "window": some(batch, config.window - 1, config.code).abs(),
        "image": some(batch, IMAGE_CHANNELS, PITCHES).abs(),
    }
    read = {
        "context": some(batch, config.hidden), "features": some(batch, config.features, KEYS).abs(),
        "part_logits": some(batch, PARTS), "gap_logits": some(batch, PARTS, TIME_CLASSES),
    }  # fmt: skip
    biases = {
        "part_bias": torch.zeros(batch, PARTS), "gap_bias": torch.zeros(batch, TIME_CLASSES),
        "pitch_bias": torch.zeros(batch, PARTS, PITCHES), "velocity_bias": torch.zeros(batch, VELOCITY_LEVELS),
        "duration_bias": torch.zeros(batch, TIME_CLASSES),
    }  # fmt: skip
    chance = {
        "uniforms": torch.rand(batch, 5, generator=drawn), "sharpness": torch.tensor([[1.0], [1.25], [0.8]]),
        "top_p": torch.tensor([[1.0], [0.9], [0.5]]),
    }  # fmt: skip
    step = {"note": notes(batch), "noise": some(batch, config.noise), **state}
    told = tuple(f"{name}_out" for name in state)
    return (
        GraphSpec("step", StepGraph(generator), step, (*told, *read)),
        GraphSpec("draw", DrawGraph(generator), {**read, **biases, **chance}, ("choices", "log_probs")),
        GraphSpec("critic", CriticGraph(discriminator), {"notes": notes(batch, 24)}, ("score",)),
    )


def exported(spec: GraphSpec) -> onnx.ModelProto:
    """Give one graph as ONNX, its batch dynamic, and the critic's length too."""
    if isinstance(spec.module, CriticGraph):
        return critic_model(spec.module.discriminator)
    return traced(spec)


def graphs_of(
    generator: Generator, discriminator: Discriminator, eight_bits: bool = False
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Give a model's graphs as files, and the facts of them that ``model.json`` holds.

    Args:
        generator: trained.
        discriminator: trained beside it.
        eight_bits: put the large products in 8 bits, after parity at full precision; ``eight_bits_off_by`` tells what
            that changes, the draw's choices aside.

    Raises:
        ModelError: an output at full precision differs from torch's by more than `TOLERANCE`.
    """
    files: dict[str, bytes] = {}
    off: dict[str, dict[str, float]] = {}
    small_off: dict[str, dict[str, float]] = {}
    for spec in specs(generator.eval(), discriminator.eval()):
        model = exported(spec)
        off[spec.name] = _rounded(parity(spec, model))
        for output, worst in off[spec.name].items():
            if not worst <= TOLERANCE:  # a NaN is no parity either
                raise ModelError(
                    f"export: {spec.name}.{output} differs from torch by {worst:g} (at most {TOLERANCE:g})"
                )
        if eight_bits:
            model = quantised(model)
            small_off[spec.name] = _rounded(parity(spec, model))
        files[f"{spec.name}.onnx"] = model.SerializeToString()
    assert tuple(off) == GRAPHS
    facts = {
        "kind": KIND, "format": FORMAT, "opset": OPSET, "network": generator.config.as_dict(),
        "critic": discriminator.config.as_dict(),
        "parameters": {"generator": parameters_of(generator), "critic": parameters_of(discriminator)},
        "off_torch_by": off,
    }  # fmt: skip
    return files, facts | ({"eight_bits_off_by": small_off} if eight_bits else {})


def _rounded(worst: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 8) for name, value in worst.items()}


def export_network(
    generator: Generator, discriminator: Discriminator, out: Path, facts: dict[str, Any]
) -> dict[str, Any]:
    """Write a model's folder at full precision; give what its ``model.json`` holds.

    Args:
        generator: trained.
        discriminator: trained beside it.
        out: the folder; made if it is not there.
        facts: what more ``model.json`` shall tell; ``grid`` (ticks that onsets were quantised to) is needed to play.

    Raises:
        ModelError: as `graphs_of`.
    """
    files, told = graphs_of(generator, discriminator)
    out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (out / name).write_bytes(data)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    written = {**told, "name": out.name, "files": hashes, **facts}
    (out / "model.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return written
