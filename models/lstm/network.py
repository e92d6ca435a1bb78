"""The paper's network. It reads top to bottom: a number in, LSTM 512 stacked, dropout 0.3, dense 256, softmax.

The paper feeds an element's number as one value (number / size of the vocabulary), which says that neighbours in the
alphabet sound alike; here an embedding is the default and the paper's ``embedding = 0``.

Shapes: B rows, T elements, V words, E input width, H hidden, L layers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import cast

import numpy as np
import torch
from antiphon.models.errors import DataError
from numpy.typing import NDArray
from torch import Tensor, nn

CELLS = ("lstm", "gru")
#: Hidden [L, B, H], and for an LSTM its cell [L, B, H] too.
State = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of the network.

    Raises:
        DataError: a size out of its range.
    """

    cell: str = "lstm"
    hidden: int = 512
    layers: int = 3
    dense: int = 256
    dropout: float = 0.3
    embedding: int = 128  # 0: the paper's single value

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise DataError(f"network.cell: must be one of {', '.join(CELLS)}, got {self.cell!r}")
        for name, low, high in (("hidden", 1, 4096), ("layers", 1, 8), ("dense", 1, 4096), ("embedding", 0, 4096)):
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise DataError(f"network.{name}: must be a whole number from {low} to {high}, got {value!r}")
        if not 0.0 <= self.dropout < 1.0:
            raise DataError(f"network.dropout: must be at least 0 and below 1, got {self.dropout!r}")

    def as_dict(self) -> dict[str, float | int | str]:
        """Give the fields as a plain mapping, for a checkpoint or a card."""
        return asdict(self)


class ElementNetwork(nn.Module):
    """Elements in, logits of the next element out."""

    scalars: Tensor

    def __init__(self, words: int, config: NetworkConfig) -> None:
        super().__init__()
        self.config, self.words = config, words
        if config.embedding:
            self.embedding = nn.Embedding(words, config.embedding)
        else:
            self.register_buffer("scalars", torch.arange(words, dtype=torch.float32)[:, None] / words)
        recurrence = nn.LSTM if config.cell == "lstm" else nn.GRU
        self.recurrence = recurrence(
            config.embedding or 1, config.hidden, config.layers, batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )  # fmt: skip
        self.dense = nn.Linear(config.hidden, config.dense)
        self.dropout = nn.Dropout(config.dropout)
        self.out = nn.Linear(config.dense, words)
        self._begin_as_keras()

    def _begin_as_keras(self) -> None:
        """Draw the first weights as the paper's framework does; torch's own are so small that three layers stall.

        Glorot for inputs, orthogonal for states, no bias, and open forget gates (Jozefowicz et al. 2015).
        """
        for name, value in self.recurrence.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(value)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(value)
            else:
                nn.init.zeros_(value)
                if self.config.cell == "lstm" and name.startswith("bias_ih"):
                    value.data[self.config.hidden : 2 * self.config.hidden] = 1.0
        for dense in (self.dense, self.out):
            nn.init.xavier_uniform_(dense.weight)
            nn.init.zeros_(dense.bias)

    def codes(self) -> Tensor:
        """Give every word's input [V, E]."""
        return self.embedding.weight if self.config.embedding else self.scalars

    def head(self, hidden: Tensor) -> Tensor:
        """Map hidden [..., H] to logits [..., V]."""
        return cast(Tensor, self.out(self.dropout(self.dense(hidden))))

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Map tokens int64 [B, T] (and a state) to logits [B, T, V] and the state after them."""
        hidden, state = self.run(tokens, state)
        return self.head(hidden), state

    def run(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Map tokens int64 [B, T] (and a state) to hidden [B, T, H] and the state after them."""
        given = None if state is None else state if self.config.cell == "lstm" else state[0]
        hidden, after = self.recurrence(self.codes()[tokens], given)
        return hidden, tuple(after) if self.config.cell == "lstm" else (after,)


class TorchPlayer:
    """`ElementModel` on torch: what the paper's own framework would do."""

    name = "torch"

    def __init__(self, network: ElementNetwork) -> None:
        self.network = network.eval()
        self.words = network.words

    def window(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Map tokens [B, T] to logits [B, V] of what comes after, from a zero state."""
        with torch.inference_mode():
            hidden, _ = self.network.run(torch.from_numpy(tokens))
            return cast(NDArray[np.float32], self.network.head(hidden[:, -1]).numpy())

    def start(self, rows: int) -> State:
        """Give the state before anything, for so many rows."""
        config = self.network.config
        zero = torch.zeros(config.layers, rows, config.hidden)
        return (zero, zero) if config.cell == "lstm" else (zero,)

    def step(self, tokens: NDArray[np.int64], state: State) -> tuple[NDArray[np.float32], State]:
        """Map tokens [B] and a state to logits [B, V] and the state after."""
        with torch.inference_mode():
            logits, state = self.network(torch.from_numpy(tokens)[:, None], state)
            return logits[:, 0].numpy(), state
