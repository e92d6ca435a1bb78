"""Several processes that train one network together, on one machine or more, started by torch's own launcher.

Threading model: each process is one rank and runs the same loop; every method here but the properties is collective,
so all ranks call it at the same place, and each waits there for the others. A process started without the launcher is
one rank alone, and nothing waits.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from antiphon.models.errors import DataError
from torch import distributed, nn

#: The first rank reads a large corpus, or checks, while the others wait.
_LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Processes:
    """Which of how many processes this is, and the device that is its own."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Tell whether this is the one that reads first, checks, saves and tells."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            self.shared((0.0,))
            self._sum(torch.zeros(1, device=self.device))

    def shared(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Give the first process's values to all."""
        if self.size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.broadcast(tensor, 0)
        return tuple(tensor.tolist())

    def shared_state(self, state: dict[str, Any] | None) -> dict[str, Any] | None:
        """Give the first process's checkpoint (None: there is none) to all; only it need have the file."""
        if self.size == 1:
            return state
        data = b""
        if self.leads and state is not None:
            buffer = io.BytesIO()
            torch.save(state, buffer)
            data = buffer.getvalue()
        (length,) = self.shared((float(len(data)),))
        if not length:
            return None
        tensor = torch.frombuffer(bytearray(data or bytes(int(length))), dtype=torch.uint8).to(self.device)
        distributed.broadcast(tensor, 0)
        whole = io.BytesIO(tensor.cpu().numpy().tobytes())
        return dict(torch.load(whole, map_location=self.device, weights_only=True))

    def average_gradients(self, parameters: Iterable[nn.Parameter], notes: float) -> float:
        """Make every process's gradients those of all batches as one; give the notes in all of them.

        Each process's gradient is of its mean loss, so it counts by its notes: sum(n_r g_r) / sum(n_r).
        """
        if self.size == 1:
            return notes
        learnt = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in learnt:
            if parameter.grad is None:  # not used by this batch, though maybe by another's
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in learnt if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients]) * notes
        flat = torch.cat([flat, flat.new_tensor([notes])])
        self._sum(flat)
        total = float(flat[-1])
        for gradient, part in zip(
            gradients, torch.split_with_sizes(flat[:-1], [g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(part.view_as(gradient) / total)
        return total

    def _sum(self, tensor: torch.Tensor) -> None:
        distributed.all_reduce(tensor)


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that torch's launcher started (`torchrun`: RANK, WORLD_SIZE); alone where it did not.

    Args:
        device: "cpu", "cuda", or "cuda:N" where this process is alone.

    Raises:
        DataError: there is no such device, or fewer GPUs than processes on this machine.
    """
    rank, size, local = (
        _environment(name, usual) for name, usual in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    mine = _device(device, local, size)
    if size == 1:
        yield Processes(device=mine)
        return
    distributed.init_process_group("nccl" if mine.startswith("cuda") else "gloo", timeout=_LONGEST_WAIT)
    try:
        yield Processes(rank, size, local, mine)
    finally:
        distributed.destroy_process_group()


def _environment(name: str, usual: int) -> int:
    value = os.environ.get(name, str(usual))
    if not value.isdecimal():
        raise DataError(f"{name}: must be a whole number as torchrun sets it, got {value!r}; start it by torchrun")
    return int(value)


def _device(asked: str, local: int, size: int) -> str:
    try:
        kind = torch.device(asked).type
    except RuntimeError:
        kind = asked
    if kind not in ("cpu", "cuda"):
        raise DataError(f"--device: must be cpu or cuda, got {asked!r}")
    if kind == "cpu":
        return "cpu"
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    number = local if size > 1 else torch.device(asked).index or 0
    if number >= there:
        raise DataError(
            f"--device {asked}: this process needs GPU {number}, there are {there}; start at most that many "
            "processes (--nproc-per-node), or give --device cpu"
        )
    torch.cuda.set_device(number)
    return f"cuda:{number}"
