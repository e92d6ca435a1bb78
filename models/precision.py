"""In which precision a network is trained: bfloat16 where the processor multiplies it, else full."""

from __future__ import annotations

import platform
from functools import cache

import torch


@cache
def fast_type(kind: str) -> torch.dtype | None:
    """Give the type that products are computed in on a kind of device, None for full precision.

    On a processor that only imitates bfloat16 it is slower than full precision.

    Args:
        kind: "cpu" or "cuda".
    """
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    if platform.machine().lower() in ("x86_64", "amd64"):
        # torch has no public question for these two
        able = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return torch.bfloat16 if able else None
    return None


def told(kind: str) -> str:
    """Say it in a line, for whoever waits."""
    if fast_type(kind) is None:
        return f"this {kind.upper()} has no bfloat16: full precision, about half as fast"
    return f"bfloat16 on the {kind.upper()}"
