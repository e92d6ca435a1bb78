"""The `neurotune` generator: a CRNN from noise and the notes before to the next note.

The same network whole (teacher forcing), note by note (live), and running free with gradients (adversarial
training). Shapes: B sequences, T notes, N = B * T, H hidden, C code, F feature channels, Z noise.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from antiphon.models.generator import PITCHES, TICKS_PER_BEAT
from antiphon.models.neurotune.layers import (
    IMAGE_CHANNELS,
    Encoder,
    GeneratorConfig,
    Heads,
    advanced,
    images_of,
    one_hots,
    straight_through,
    taken_in,
)
from antiphon.models.neurotune.sequences import Field
from torch import Tensor, nn
from torch.nn import functional


class GeneratorState(NamedTuple):
    """What the generator keeps between notes."""

    hidden: Tensor  # [B, H]
    window: Tensor  # [B, window - 1, C]: codes of the notes before the last
    image: Tensor  # [B, IMAGE_CHANNELS, 128]: sums of decaying onsets, after the last note


class Drawn(NamedTuple):
    """A drawn note: straight-through one-hots, in the order of `Field`."""

    part: Tensor
    gap: Tensor
    pitch: Tensor
    velocity: Tensor
    duration: Tensor


class Generator(nn.Module):
    """Noise and the notes before in, the next note out."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.recurrence = nn.GRU(config.hidden, config.hidden, batch_first=True)
        self.norm = nn.LayerNorm(config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = Heads(config)

    def initial(self, batch: int) -> GeneratorState:
        """Give the state before any note."""
        config, like = self.config, self.norm.weight
        return GeneratorState(
            like.new_zeros(batch, config.hidden),
            like.new_zeros(batch, config.window - 1, config.code),
            like.new_zeros(batch, IMAGE_CHANNELS, PITCHES),
        )

    def noise(self, *shape: int) -> Tensor:
        """Draw noise [..., Z] from a standard normal."""
        return torch.randn(*shape, self.config.noise, device=self.norm.weight.device)

    def read(self, rows: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, GeneratorState]:
        """Take whole sequences in, from nothing (teacher forcing).

        Args:
            rows: int64 [B, T, 6].
            noise: [B, T, Z].

        Returns:
            Context [N, H], features [N, F, KEYS], and the state after the last note.
        """
        batch, steps = rows.shape[:2]
        before = self.initial(batch).window
        codes = torch.cat([before, functional.relu(self.encoder.note(taken_in(one_hots(rows))))], dim=1)
        images = images_of(rows)
        merged, features = self.encoder(codes, images.flatten(0, 1), noise.flatten(0, 1))
        hidden, last = self.recurrence(merged.view(batch, steps, -1))
        context = self.dropout(self.norm(hidden)).flatten(0, 1)
        return context, features, GeneratorState(last[0], codes[:, steps:], images[:, -1])

    def step(
        self, taken: Tensor, rows: Tensor, noise: Tensor, state: GeneratorState
    ) -> tuple[Tensor, Tensor, GeneratorState]:
        """Take one note in; the same as `read`, note by note.

        Args:
            taken: [B, INPUTS], the note's one-hots, which gradients pass through.
            rows: int64 [B, 6], the same note as classes.
            noise: [B, Z].
            state: after the note before.
        """
        image = advanced(state.image, rows)
        codes = torch.cat([state.window, functional.relu(self.encoder.note(taken))[:, None]], dim=1)
        merged, features = self.encoder(codes, image, noise)
        hidden = self._cell(merged, state.hidden)
        context = self.dropout(self.norm(hidden))
        return context, features, GeneratorState(hidden, codes[:, 1:], image)

    def _cell(self, merged: Tensor, hidden: Tensor) -> Tensor:
        # torch's GRU written out: plain matrix products export and quantise row by row
        gru, size = self.recurrence, self.config.hidden
        taken = functional.linear(merged, cast(Tensor, gru.weight_ih_l0), cast(Tensor, gru.bias_ih_l0))
        kept = functional.linear(hidden, cast(Tensor, gru.weight_hh_l0), cast(Tensor, gru.bias_hh_l0))
        gates_i, new_i = torch.split_with_sizes(taken, [2 * size, size], 1)
        gates_h, new_h = torch.split_with_sizes(kept, [2 * size, size], 1)
        reset, update = torch.sigmoid(gates_i + gates_h).chunk(2, dim=1)
        new = torch.tanh(new_i + reset * new_h)
        return new + update * (hidden - new)

    def logits(self, rows: Tensor, noise: Tensor) -> list[Tensor]:
        """Give the logits of every note after the first, each head told what stands before it.

        Args:
            rows: int64 [B, T, 6].
            noise: [B, T - 1, Z].

        Returns:
            Five of [B * (T - 1), classes], in the order of `Field`.
        """
        context, features, _ = self.read(rows[:, :-1], noise)
        part, gap, pitch, velocity, _, _ = one_hots(rows[:, 1:].flatten(0, 1))
        pitches, code = self.heads.pitches(context, features, part, gap)
        velocities, touch = self.heads.velocities(code, pitch)
        durations = self.heads.durations(touch, velocity)
        return [self.heads.part_logits(context), self.heads.gaps(context, part), pitches, velocities, durations]

    def forward(self, rows: Tensor, noise: Tensor) -> Tensor:
        """Give the negative log-likelihood in nats of every note after the first: [B, T - 1, 5]."""
        target = rows[:, 1:].flatten(0, 1)
        losses = [
            functional.cross_entropy(logits, target[:, field], reduction="none")
            for field, logits in enumerate(self.logits(rows, noise))
        ]
        return torch.stack(losses, dim=1).view(*rows[:, 1:].shape[:2], len(losses))

    def draw(self, context: Tensor, features: Tensor, temperature: float) -> Drawn:
        """Draw the next note, straight-through."""
        heads = self.heads
        part = straight_through(heads.part_logits(context), temperature)
        gap = straight_through(heads.gaps(context, part), temperature)
        pitches, code = heads.pitches(context, features, part, gap)
        pitch = straight_through(pitches, temperature)
        velocities, touch = heads.velocities(code, pitch)
        velocity = straight_through(velocities, temperature)
        return Drawn(part, gap, pitch, velocity, straight_through(heads.durations(touch, velocity), temperature))

    def play_on(self, prefix: Tensor, steps: int, temperature: float) -> Tensor:
        """Run free after real notes: prefix [B, P, 6] -> one-hots [B, steps, sum of SIZES] with gradients."""
        with torch.no_grad():  # gradients flow through what is drawn, not through what was real
            context, features, state = self.read(prefix, self.noise(*prefix.shape[:2]))
        last = prefix.shape[1] - 1
        context = context.view(len(prefix), -1, context.shape[1])[:, last]
        features = features.view(len(prefix), -1, *features.shape[1:])[:, last]
        tick, notes = prefix[:, -1, Field.TICK], []
        for _ in range(steps):
            drawn = self.draw(context, features, temperature)
            classes = [hot.argmax(dim=1) for hot in drawn]
            tick = torch.where(tick == TICKS_PER_BEAT, tick, (tick + classes[Field.GAP]) % TICKS_PER_BEAT)
            place = functional.one_hot(tick, TICKS_PER_BEAT + 1).float()
            notes.append(torch.cat([*drawn, place], dim=1))
            rows = torch.stack([*classes, tick], dim=1)
            taken = taken_in([*drawn, place])
            context, features, state = self.step(taken, rows, self.noise(len(rows)), state)
        return torch.stack(notes, dim=1)
