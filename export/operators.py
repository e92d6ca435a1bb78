"""Operators that onnxruntime has one word for and torch several: in a written graph each is one, for torch it computes.

`translations` tells torch's exporter. A call of a graph pays for every operator (`export.lean`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor


@torch.library.custom_op("antiphon::row", mutates_args=())
def _row(table: Tensor, index: Tensor) -> Tensor:
    width = table.shape[2]
    return table.gather(1, index.reshape(-1, 1, 1).expand(-1, 1, width)).reshape(*index.shape[:-1], width).clone()


@_row.register_fake
def _(table: Tensor, index: Tensor) -> Tensor:
    return table.new_empty(*index.shape[:-1], table.shape[2])


@torch.library.custom_op("antiphon::entry", mutates_args=())
def _entry(table: Tensor, index: Tensor) -> Tensor:
    return table.gather(-1, index)[..., 0].clone()


@_entry.register_fake
def _(table: Tensor, index: Tensor) -> Tensor:
    return table.new_empty(table.shape[:-1])


@torch.library.custom_op("antiphon::turned", mutates_args=())
def _turned(heads: Tensor, phase: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    one, other = heads.view(heads.shape[0], 1, -1, 2, cosine.shape[1]).unbind(3)
    along, across = cosine[phase][:, :, None], sine[phase][:, :, None]
    return torch.stack([one * along - other * across, one * across + other * along], dim=3).flatten(2)


@_turned.register_fake
def _(heads: Tensor, phase: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    return torch.empty_like(heads)


def row(table: Tensor, index: Tensor) -> Tensor:
    """Map [B, rows, width] and the row asked for [B, 1] or [B, 1, 1] to [B, width] or [B, 1, width]."""
    return cast(Tensor, _row(table, index))


def entry(table: Tensor, index: Tensor) -> Tensor:
    """Map [B, rows, width] and the entry of each row asked for [B, rows, 1] to [B, rows]."""
    return cast(Tensor, _entry(table, index))


def turned(heads: Tensor, phase: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate [B, 1, heads * size] by the phase [B, 1] that looks its angles up [phases, size / 2].

    The first half of a head with the second (RoPE: Su et al., 2021).
    """
    return cast(Tensor, _turned(heads, phase, cosine, sine))


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Give what the exporter writes for each of them."""
    from onnx.defs import OpSchema  # noqa: PLC0415  a second to import, and only an export needs them
    from onnxscript import opset20, values  # noqa: PLC0415

    inputs = [OpSchema.FormalParameter(name, kind) for name, kind in (("x", "T"), ("at", "I"), ("c", "T"), ("s", "T"))]
    schema = OpSchema(
        "RotaryEmbedding", "com.microsoft", 1, inputs=inputs, outputs=[OpSchema.FormalParameter("y", "T")],
        type_constraints=[("T", ["tensor(float)"], ""), ("I", ["tensor(int64)"], "")],
    )  # fmt: skip
    rotary = values.Op(values.Opset("com.microsoft", 1), "RotaryEmbedding", schema)

    def row_of(table: Any, index: Any) -> Any:
        return opset20.GatherND(table, index, batch_dims=1)

    def entry_of(table: Any, index: Any) -> Any:
        return opset20.GatherND(table, index, batch_dims=2)

    def rotated(heads: Any, phase: Any, cosine: Any, sine: Any) -> Any:
        return rotary(heads, phase, cosine, sine)

    return {
        torch.ops.antiphon.row.default: row_of,
        torch.ops.antiphon.entry.default: entry_of,
        torch.ops.antiphon.turned.default: rotated,
    }
