"""What carries time in the `antiphon` network: a stack of blocks, each of which sees notes one after another.

Every block has two forms that give the same (a test holds them equal): ``forward`` over whole excerpts, for
training, and ``step`` with its state in and out, for live play and export.

- ``gru``, ``lstm``: the classics.
- ``linear``: a gated linear recurrence after a short convolution over time. The gate depends on the input alone, so all
  matrix products of an excerpt are one (minGRU: Feng et al., "Were RNNs all we needed?", 2024, eq. 13-15; the block
  around it as in Griffin: De et al., 2024, fig. 2).
- ``recall``: attention over the excerpt's own notes. Half of its heads ask "when was it like now?", and take what came
  next then: music repeats itself, and a recurrent state can not hold what to repeat. Keys and queries are rotated by
  their place in time (RoPE: Su et al., 2021) with the periods of music, from a 32nd to twelve bars, so a head can look
  exactly a bar back.
- ``mlp``: a mixing of channels between them.

Shapes: B excerpts, T notes, H hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from antiphon.models.events import CYCLE
from torch import Tensor, nn
from torch.nn import functional

#: Divisors of the cycle, but for 1 and 2 ticks, which tell nothing: an eighth of a beat .. 48 beats.
PERIODS = tuple(period for period in range(3, CYCLE + 1) if CYCLE % period == 0)
HEADS = 4
HEAD = 48  # two numbers a period, and four that are not rotated
RECALLED = HEADS * HEAD
TAPS = 4  # notes that the convolution over time sees


class Block(nn.Module):
    """A layer over notes in order."""

    #: Numbers of state a note leaves, beside what `recall` keeps of every note.
    state: int = 0


def _weights(cell: nn.RNNBase, of: str) -> tuple[Tensor, Tensor]:
    """Give weights and biases of a layer's products: of what comes in (ih), of its state (hh)."""
    return cast(Tensor, getattr(cell, f"weight_{of}_l0")), cast(Tensor, getattr(cell, f"bias_{of}_l0"))


class Gru(Block):
    """A plain GRU layer."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.cell = nn.GRU(hidden, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.hidden = self.state = hidden

    def forward(self, x: Tensor, ticks: Tensor) -> Tensor:
        """Map [B, T, H] and onsets [B, T] to [B, T, H], each row from those up to it."""
        return cast(Tensor, self.dropout(self.cell(x)[0]))

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Map [B, H] and state [B, H] to both after this note."""
        # written out: plain matrix products quantise row by row, the fused operator does not
        cell, size = self.cell, self.hidden
        given = functional.linear(x, *_weights(cell, "ih"))
        kept = functional.linear(state, *_weights(cell, "hh"))
        gates_i, new_i = torch.split_with_sizes(given, [2 * size, size], 1)
        gates_h, new_h = torch.split_with_sizes(kept, [2 * size, size], 1)
        reset, update = torch.sigmoid(gates_i + gates_h).chunk(2, dim=1)
        new = torch.tanh(new_i + reset * new_h)
        after = new + update * (state - new)
        return after, after


class Lstm(Block):
    """A plain LSTM layer."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.cell = nn.LSTM(hidden, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.hidden, self.state = hidden, 2 * hidden

    def forward(self, x: Tensor, ticks: Tensor) -> Tensor:
        """Map [B, T, H] and onsets [B, T] to [B, T, H], each row from those up to it."""
        return cast(Tensor, self.dropout(self.cell(x)[0]))

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Map [B, H] and state [B, 2 H] (output, cell) to both after this note."""
        cell = self.cell
        before, memory = state.chunk(2, dim=1)
        gates = functional.linear(x, *_weights(cell, "ih"))
        gates = gates + functional.linear(before, *_weights(cell, "hh"))
        take, forget, new, give = gates.chunk(4, dim=1)
        memory = torch.sigmoid(forget) * memory + torch.sigmoid(take) * torch.tanh(new)
        after = torch.sigmoid(give) * torch.tanh(memory)
        return after, torch.cat([after, memory], dim=1)


class _Scan(torch.autograd.Function):
    """h[t] = h[t-1] + gate[t] (new[t] - h[t-1]), over the first axis, from zero.

    Row by row: a few microseconds each, where a parallel scan would read and write everything eight times.
    """

    @staticmethod
    def forward(ctx: Any, gate: Tensor, new: Tensor) -> Tensor:
        after = torch.empty_like(new)
        state = torch.zeros_like(new[0])
        for t in range(len(new)):
            state = torch.lerp(state, new[t], gate[t], out=after[t])
        ctx.save_for_backward(gate, new, after)
        return after

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        gate, new, after = ctx.saved_tensors
        flow = grads[0].clone()
        for t in range(len(new) - 2, -1, -1):
            flow[t].addcmul_(flow[t + 1], 1.0 - gate[t + 1])
        before = torch.cat([torch.zeros_like(after[:1]), after[:-1]])
        return flow * (new - before), flow * gate


class Linear(Block):
    """A gated linear recurrence behind a convolution over the last notes."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.taps = nn.Parameter(torch.randn(TAPS, hidden) * 0.1)
        self.enter = nn.Linear(hidden, 3 * hidden)  # gate, new, output's gate
        self.leave = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            self.taps[-1] += 1.0  # the note itself
            # gates open by a third to a hundredth: some channels hold a beat, some the whole window
            self.enter.bias[:hidden] = torch.linspace(-0.7, -4.6, hidden)
        self.hidden, self.state = hidden, TAPS * hidden

    def forward(self, x: Tensor, ticks: Tensor) -> Tensor:
        """Map [B, T, H] and onsets [B, T] to [B, T, H], each row from those up to it."""
        notes = functional.pad(self.norm(x), (0, 0, TAPS - 1, 0))
        steps = x.shape[1]
        heard = sum(notes[:, tap : tap + steps] * self.taps[tap] for tap in range(TAPS))
        gate, new, out = self.enter(heard).chunk(3, dim=-1)
        gate = torch.sigmoid(gate.float()).transpose(0, 1).contiguous()
        new = new.float().transpose(0, 1).contiguous()
        held = cast(Tensor, _Scan.apply(gate, new)).transpose(0, 1)  # type: ignore[no-untyped-call]
        return x + cast(Tensor, self.dropout(self.leave(held * functional.silu(out))))

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Map [B, H] and state [B, 4 H] (three notes before, held) to both after this note."""
        size = self.hidden
        note = self.norm(x)
        before, held = torch.split_with_sizes(state, [(TAPS - 1) * size, size], 1)
        notes = torch.cat([before, note], dim=1)
        heard = note * self.taps[-1]  # added one by one: a sum over an axis adds in another order in a batch
        for tap, earlier in enumerate(notes.chunk(TAPS, dim=1)[:-1]):
            heard = heard + earlier * self.taps[tap]
        gate, new, out = self.enter(heard).chunk(3, dim=1)
        held = held + torch.sigmoid(gate) * (new - held)
        return x + self.leave(held * functional.silu(out)), torch.cat([notes[:, size:], held], dim=1)


class Mlp(Block):
    """A mixing of channels."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.wide, self.narrow = nn.Linear(hidden, 2 * hidden), nn.Linear(2 * hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, ticks: Tensor | None = None) -> Tensor:
        """Map [..., H] to [..., H]."""
        return x + cast(Tensor, self.dropout(self.narrow(functional.gelu(self.wide(self.norm(x))))))


class Recall(Block):
    """Attention over the notes so far: half of the heads by what each note was, the others by what led to it."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.query = nn.Linear(hidden, RECALLED)
        self.key = nn.Linear(hidden, RECALLED // 2)  # of the note
        self.key_before = nn.Linear(hidden, RECALLED // 2)  # of the note before it
        self.value = nn.Linear(hidden, RECALLED)
        self.leave = nn.Linear(RECALLED, hidden)
        self.dropout = nn.Dropout(dropout)
        periods = torch.tensor(PERIODS, dtype=torch.float64)
        angle = torch.arange(CYCLE, dtype=torch.float64)[:, None] * (2 * torch.pi) / periods
        still = (HEAD - 2 * len(PERIODS)) // 2
        angle = functional.pad(angle, (0, still))
        self.register_buffer("turn", torch.stack([angle.cos(), angle.sin()]).float(), persistent=False)
        self.hidden, self.state = hidden, RECALLED // 2  # what led to the next note: `key_before` of this one, turned

    def forward(self, x: Tensor, ticks: Tensor) -> Tensor:
        """Map [B, T, H] and onsets [B, T] to [B, T, H], each row from those up to it."""
        batch, steps, _ = x.shape
        note = self.norm(x)
        phase = ticks % CYCLE
        query = self._turned(self.query(note), phase)
        led = self._turned(self.key_before(note), phase)  # to the next one; nothing led to the first
        key = torch.cat([self._turned(self.key(note), phase), functional.pad(led, (0, 0, 0, 0, 1, 0))[:, :-1]], dim=-2)
        value = self.value(note).view(batch, steps, HEADS, HEAD)
        found = functional.scaled_dot_product_attention(
            query.to(value.dtype).transpose(1, 2), key.to(value.dtype).transpose(1, 2), value.transpose(1, 2),
            is_causal=True,
        )  # fmt: skip
        return x + cast(Tensor, self.dropout(self.leave(found.transpose(1, 2).reshape(batch, steps, RECALLED))))

    def step(
        self, x: Tensor, state: Tensor, phase: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Take one note in.

        Args:
            x: [B, H].
            state: [B, RECALLED / 2], what the note before led to; zero where there is none.
            phase: int64 [B, 1]: onset modulo `CYCLE`.
            keys: [B, N, RECALLED] of the notes so far.
            values: [B, N, RECALLED].

        Returns:
            [B, H]; the state after; this note's key and value [B, RECALLED].
        """
        note = self.norm(x)
        query = self._turned(self.query(note), phase[:, 0])  # [B, HEADS, HEAD]
        key = torch.cat([self._turned(self.key(note), phase[:, 0]), state.view(-1, HEADS // 2, HEAD)], dim=-2)
        led = self._turned(self.key_before(note), phase[:, 0])
        value = self.value(note).view(-1, HEADS, HEAD)
        # what was kept and this note apart: nothing that was kept is copied
        old_keys = keys.view(keys.shape[0], keys.shape[1], HEADS, HEAD).permute(0, 2, 3, 1)  # [B, HEADS, HEAD, N]
        old_values = values.view(values.shape[0], values.shape[1], HEADS, HEAD).transpose(1, 2)
        scores = (query[:, :, None] @ old_keys)[:, :, 0]  # [B, HEADS, N]
        score = (query[:, :, None] @ key[..., None])[:, :, 0]  # [B, HEADS, 1]
        weight = torch.softmax(torch.cat([scores, score], dim=-1) * HEAD**-0.5, dim=-1)
        found = (weight[:, :, None, :-1] @ old_values)[:, :, 0] + weight[:, :, -1:] * value
        out = x + self.leave(found.flatten(1))
        return out, led.flatten(1), key.flatten(1), value.flatten(1)

    def _turned(self, flat: Tensor, phase: Tensor) -> Tensor:
        """Rotate [..., heads * HEAD] by the phases [...] to [..., heads, HEAD]."""
        pair = flat.float().view(*flat.shape[:-1], -1, 2, HEAD // 2)
        cosine, sine = (cast(Tensor, self.turn)[which][phase].unsqueeze(-2) for which in (0, 1))
        one, other = pair[..., 0, :], pair[..., 1, :]
        return torch.cat([one * cosine - other * sine, one * sine + other * cosine], dim=-1)


BLOCKS: dict[str, type[Block]] = {"gru": Gru, "lstm": Lstm, "linear": Linear, "mlp": Mlp, "recall": Recall}


@dataclass(frozen=True, slots=True)
class Memory:
    """What `recall` needs beside the flat state; and, after a step, what it adds: the note's key and value."""

    phase: Tensor  # int64 [B, 1]: the note's onset modulo `CYCLE`
    keys: Tensor  # [B, N, RECALLED], after a step [B, RECALLED]
    values: Tensor


class Backbone(nn.Module):
    """A stack of blocks by name."""

    def __init__(self, names: tuple[str, ...], hidden: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(BLOCKS[name](hidden, dropout) for name in names)
        self.states = [int(cast(Block, block).state) for block in self.blocks]
        self.recalls = "recall" in names

    def forward(self, x: Tensor, ticks: Tensor) -> Tensor:
        """Map [B, T, H] and onsets [B, T] to [B, T, H]."""
        for block in self.blocks:
            x = block(x, ticks)
        return x

    def step(self, x: Tensor, state: Tensor, memory: Memory | None) -> tuple[Tensor, Tensor, Memory | None]:
        """Take one note in.

        Args:
            x: [B, H].
            state: [B, sum(states)].
            memory: where the stack recalls.

        Returns:
            [B, H], the state after, and what the note adds to the memory.
        """
        after = []
        for block, before in zip(self.blocks, torch.split_with_sizes(state, self.states, 1), strict=True):
            if isinstance(block, Recall):
                assert memory is not None
                x, kept, key, value = block.step(x, before, memory.phase, memory.keys, memory.values)
                memory = Memory(memory.phase, key, value)
            elif isinstance(block, Mlp):
                x, kept = block(x), before
            else:
                x, kept = cast(Linear, block).step(x, before)
            after.append(kept)
        return x, torch.cat(after, dim=1), memory
