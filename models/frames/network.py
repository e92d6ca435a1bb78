"""The frame network: a CRNN over piano rolls whose output is a joint distribution of a frame's 88 keys.

It reads top to bottom. Convolution along the keys of the last frames sees a chord and its transposition alike. A
recurrence over time runs at every key with the same weights (the tied networks of Johnson, EvoMUSART 2017), another
one for the frame as a whole. The output runs along the keys, from the lowest up, and sees what sounds below:
``log p(frame | past) = sum over keys k of log p(v_k | v_<k, past)``, exact, as in NADE (Larochelle and Murray, 2011)
and RNN-NADE (Boulanger-Lewandowski, Bengio and Vincent, 2012, arXiv 1206.6392).

Shapes: B excerpts, T frames, K keys, F features, C channels of the output.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch
from antiphon.models.errors import DataError
from torch import Tensor, nn
from torch.nn import functional

#: Keys of an octave, and how many notes below a key are told apart by number.
_OCTAVE, _COUNTS = 12, 12
#: Frames at which the place in a bar comes round: twos, threes and fours of either.
_METRES = (12, 16)


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of the network.

    Raises:
        DataError: a size out of its range.
    """

    keys: int = 88
    recent: int = 8  # frames that the convolution sees; the recurrences remember the others
    width: int = 25  # semitones of the convolution: an octave up and down
    features: int = 32
    tied: int = 40  # of the recurrence at each key
    whole: int = 128  # of the recurrence over frames
    near: int = 9  # semitones around a key whose recurrences its output sees
    channels: int = 56  # of the output along the keys
    dropout: float = 0.3

    def __post_init__(self) -> None:
        ranges = {
            "keys": (1, 128), "recent": (1, 64), "width": (1, 127), "features": (1, 1024), "tied": (1, 1024),
            "whole": (1, 4096), "near": (1, 127), "channels": (1, 1024),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise DataError(f"network.{name}: must be a whole number from {low} to {high}, got {value!r}")
        for name in ("width", "near"):
            if getattr(self, name) % 2 == 0:
                raise DataError(f"network.{name}: must be odd, got {getattr(self, name)}")
        if not 0.0 <= self.dropout < 1.0:
            raise DataError(f"network.dropout: must be at least 0 and below 1, got {self.dropout!r}")

    def as_dict(self) -> dict[str, float | int]:
        """Give the fields as a plain mapping, for a checkpoint."""
        return asdict(self)

    @classmethod
    def of(cls, table: dict[str, Any]) -> NetworkConfig:
        """Make one from a table. Raises: DataError, naming the key."""
        try:
            return replace(cls(), **table)
        except TypeError as error:
            raise DataError(f"network: {error}; its keys: {', '.join(cls().as_dict())}") from None


class ChannelDropout(nn.Module):
    """Drops a channel for all keys (and frames) alike: a note's neighbours would give away what one key lost.

    It is also what makes dropout cheap here, 88 keys needing one draw.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: Tensor, *shared: int) -> Tensor:
        """Drop channels of values [..., C], the same ones along the dimensions named."""
        if not self.training or not self.share:
            return values
        shape = [1 if place in shared else size for place, size in enumerate(values.shape)]
        mask = torch.empty(shape, dtype=values.dtype).bernoulli_(1.0 - self.share) / (1.0 - self.share)
        return values * mask


class Past(nn.Module):
    """What each key, and the frame as a whole, knows of the frames before."""

    relative: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        keys, features = config.keys, config.features
        self.local = nn.Conv1d(config.recent + 1, features, config.width, padding=config.width // 2)
        self.chroma = nn.Linear(_OCTAVE * 2, features)
        self.at_key = nn.Parameter(torch.zeros(keys, features))
        self.tied = nn.LSTM(features, config.tied)
        self.squeeze = nn.Linear(config.tied, 8)
        self.metre = nn.ModuleList(nn.Embedding(length, 16) for length in _METRES)
        self.whole_in = nn.Linear(2 * config.tied + 8 * keys + 16, config.whole)
        self.whole = nn.LSTM(config.whole, config.whole)
        self.dropout = ChannelDropout(config.dropout)
        # Of a key and a step in semitones: the pitch class that lies so far above it.
        self.register_buffer("relative", (torch.arange(keys)[:, None] + torch.arange(_OCTAVE)) % _OCTAVE, False)

    def forward(self, frames: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Map frames [B, T, K] that begin at place [B] of their pieces to tied [T, B, K, tied] and whole [T, B, whole].

        Step t knows the frames before t, not t itself.
        """
        batch, time, keys = frames.shape
        recent = self.config.recent
        before = functional.pad(frames, (0, 0, recent, 0))  # [B, recent + T, K]
        steps = place[None] + torch.arange(time, device=place.device)[:, None]  # [T, B]
        stack = [before[:, recent - back : recent - back + time] for back in range(1, recent + 1)]
        first = (steps.T == 0).to(frames.dtype)[:, :, None].expand(batch, time, keys)
        rolls = torch.stack([*stack, first], 2).transpose(0, 1).flatten(0, 1)  # [T * B, recent + 1, K]
        features = self.local(rolls).transpose(1, 2)  # [T * B, K, F]
        features = features + self.chroma(self.around(rolls[:, : min(2, recent)])) + self.at_key.to(features)
        features = self.dropout(functional.relu(features), 1).reshape(time, batch * keys, -1)
        tied = self.dropout(self.tied(features)[0].view(time, batch, keys, -1), 0, 2)
        metre = sum(table(steps % length) for table, length in zip(self.metre, _METRES, strict=True))
        summary = [tied.mean(2), tied.amax(2), functional.relu(self.squeeze(tied)).flatten(2), cast(Tensor, metre)]
        whole = self.whole(self.dropout(functional.relu(self.whole_in(torch.cat(summary, 2))), 0))[0]
        return tied, self.dropout(whole, 0)

    def around(self, rolls: Tensor) -> Tensor:
        """Map rolls [N, 1 or 2, K] to [N, K, 24]: the pitch classes of each, seen from each key."""
        keys = rolls.shape[2]
        padded = functional.pad(rolls, (0, -keys % _OCTAVE))
        classes = padded.view(*rolls.shape[:2], -1, _OCTAVE).sum(2)  # [N, 2, 12]
        seen = classes[:, :, self.relative]  # [N, 2, K, 12]
        seen = functional.pad(seen, (0, 0, 0, 0, 0, 2 - seen.shape[1]))
        return seen.transpose(1, 2).flatten(2)


class Along(nn.Module):
    """The joint distribution of a frame: each key given the past and the keys below it."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        keys, channels = config.keys, config.channels
        self.near = nn.Conv1d(config.tied, channels, config.near, padding=config.near // 2)
        self.add = nn.Linear(config.whole, channels)
        self.scale = nn.Linear(config.whole, channels)
        self.whole_keys = nn.Linear(config.whole, keys)
        self.at_key = nn.Parameter(torch.zeros(keys, channels))
        # What a note that sounds says to the keys above it: by its distance, and by which it is.
        self.distance = nn.Parameter(torch.randn(keys, channels) * 0.1)
        self.below = nn.Parameter(torch.zeros(keys, channels))
        self.count = nn.Embedding(_COUNTS, channels)
        self.axis = nn.LSTM(channels, channels)
        self.mix = nn.Linear(2 * channels, channels)
        self.out = nn.Linear(channels, 1)
        self.dropout = ChannelDropout(config.dropout)
        nn.init.constant_(self.out.bias, -3.0)  # 1 key of 20 sounds

    def forward(self, tied: Tensor, whole: Tensor, frames: Tensor) -> Tensor:
        """Map tied [N, K, tied], whole [N, whole] and the frames [N, K] themselves to logits [N, K]."""
        count, keys = frames.shape
        hidden = self.near(tied.transpose(1, 2)).transpose(1, 2)  # [N, K, C]
        hidden = hidden + self.at_key.to(hidden)
        hidden = hidden * (1.0 + self.scale(whole))[:, None] + self.add(whole)[:, None]
        hidden = hidden + (frames @ self.weights().flatten(1)).view(count, keys, -1)
        notes_below = (frames.cumsum(1) - frames).long().clamp(max=_COUNTS - 1)
        hidden = hidden + functional.embedding(notes_below, self.count.weight.to(hidden))
        hidden = self.dropout(functional.relu(hidden), 1)
        along = self.axis(hidden.transpose(0, 1).contiguous())[0].transpose(0, 1)
        mixed = functional.relu(self.mix(torch.cat([hidden, self.dropout(along, 1)], 2)))
        logits: Tensor = self.out(self.dropout(mixed, 1))[:, :, 0] + self.whole_keys(whole)
        return logits.float()

    def weights(self) -> Tensor:
        """Give weights [K, K, C] from a key to the keys above it; from a key to itself or downwards: 0."""
        keys = len(self.below)
        steps = torch.arange(keys)[None] - torch.arange(keys)[:, None]  # [from, to]
        weights = self.distance[steps.clamp(min=0)] + self.below[:, None]
        return weights * (steps > 0)[:, :, None].to(weights)


class FrameNetwork(nn.Module):
    """Frames in, the log-likelihood of each given those before it out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.past = Past(config)
        self.along = Along(config)

    def forward(self, frames: Tensor, place: Tensor) -> Tensor:
        """Map frames [B, T, K] of 0 and 1, and their places [B] in the pieces, to logits [B, T, K].

        The logit of a key knows the frames before its own, and of its own the keys below.
        """
        batch, time, keys = frames.shape
        tied, whole = self.past(frames, place)
        now = frames.transpose(0, 1).reshape(-1, keys)
        logits = self.along(tied.flatten(0, 1), whole.flatten(0, 1), now)
        return cast(Tensor, logits).view(time, batch, keys).transpose(0, 1)

    def log_likelihood(self, frames: Tensor, place: Tensor) -> Tensor:
        """Give log p(frame | the frames before it) [B, T], in nats."""
        logits = self(frames, place)
        return -functional.binary_cross_entropy_with_logits(logits, frames, reduction="none").sum(2)
