"""A trained critic to its folder: graph, parity with torch, hash, card."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from antiphon.export.critic_committee import together
from antiphon.export.neurotune_critic import critic_model
from antiphon.export.onnx_export import OPSET, TOLERANCE
from antiphon.export.paper_card import LICENCE, card, data_terms
from antiphon.models.critic.judge import FACTS, FORMAT, GRAPH, Critic
from antiphon.models.critic.network import CriticNetwork
from antiphon.models.critic.rows import SIZES
from antiphon.models.critic.training import Trained
from antiphon.models.errors import ModelError
from antiphon.models.neurotune.layers import parameters_of

_WHAT = (
    "The critic: the Neurotune paper's discriminator, taught to tell music from the default generator's own "
    "continuations. It ranks candidates (`--candidates N`): the one most like music is played."
)
_LIMITS = (
    "It knows the faults of the generator that it was trained against (`judges`); another's it ranks less well.",
    "It hears 16 notes before a continuation and the continuation: nothing of a song's form.",
    "It does not hear loudness (many of the pieces learnt from have none of their own).",
)


def ship_critic(
    trained: Trained, out: Path, facts: dict[str, Any], sources: list[str], command: str,
    before: Critic | None = None, weight: float = 0.0,
) -> dict[str, Any]:  # fmt: skip
    """Write a critic's folder; give what its ``critic.json`` holds.

    Args:
        trained: the network at its best.
        out: the folder; made if it is not there.
        facts: more to tell: ``judges``, ``making``, ``plan`` and the like.
        sources: data sets that it learnt from.
        command: that made it.
        before: the critic of the round before; what it says is added.
        weight: how much that counts.

    Raises:
        ModelError: the graph differs from torch.
    """
    model = critic_model(trained.network, SIZES)
    worst = _off_torch(trained.network, model.SerializeToString())
    if worst > TOLERANCE:
        raise ModelError(f"export: the critic differs from torch by {worst:g} (at most {TOLERANCE:g})")
    if before is not None:
        model = together(model, onnx.load(str(before.graph)), weight)
    data = model.SerializeToString()
    written = {
        "format": FORMAT, "name": "critic", "what": _WHAT, "licence": LICENCE, "opset": OPSET,
        "network": trained.network.config.as_dict(),
        "parameters": parameters_of(trained.network) + (int(before.facts["parameters"]) if before is not None else 0),
        "files": {GRAPH: hashlib.sha256(data).hexdigest()}, "bytes": {GRAPH: len(data)},
        "off_torch_by": {Path(GRAPH).stem: round(worst, 7)}, "data": data_terms(sources), "command": command,
        "trained_for": f"{trained.steps} steps; kept is step {trained.step}, best on prompts held out of training.",
        "scores": {_made(before): _scores(trained)}, "limits": list(_LIMITS),
        **facts,
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    (out / GRAPH).write_bytes(data)
    (out / FACTS).write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "CARD.md").write_text(card(written), encoding="utf-8")
    return written


def _made(before: Critic | None) -> str:
    if before is None:
        return "Real or made, on prompts held out of training"
    return "Real or made, half of these the choice of the critic before; on prompts held out of training, new one alone"


def _scores(trained: Trained) -> str:
    return (
        f"told apart: {trained.accuracy:.1%} (cross-entropy {trained.loss:.3f} nats; 0.693 is a guess); the real one "
        f"preferred to a made one: {trained.preferred:.1%}"
    )


def _off_torch(network: CriticNetwork, data: bytes) -> float:
    """Give the largest difference of a score, over sequences of two lengths at random."""
    rng = np.random.default_rng(0)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    worst = 0.0
    for length in (24, 48):
        rows = np.stack([rng.integers(0, size, (3, length)) for size in SIZES], axis=2)
        with torch.no_grad():
            wanted = network.eval().scores(rows)
        worst = max(worst, float(np.abs(session.run(None, {"notes": rows})[0] - wanted.numpy()).max()))
    return worst
