"""One note of a rollout as a graph: drawn from a state, and taken in; again and again it is a whole rollout.

It draws as `models.onnx_generator.OnnxGenerator.sample` does and takes in as `step` does, but for many lines at once,
and all that a state holds is a tensor. Randomness is an input, so the same uniforms give the same notes.

Shapes: B lines, N notes of each, K rows of open notes, M notes recalled from before.
"""

from __future__ import annotations

from typing import cast

import torch
from antiphon.export.drawing import draw, share_of
from antiphon.export.folded import FoldedEncoder, FoldedPitchHead, FoldedTouchHead
from antiphon.export.rollout_recall import RolloutBackbone, Room
from antiphon.export.rollout_state import Advance, Sounding
from antiphon.models.asking import PLACE_ROWS, TOUCH_ROWS
from antiphon.models.events import CYCLE
from antiphon.models.generator import (
    MAX_TICKS,
    PARTS,
    TICKS_PER_BEAT,
    TIME_CLASSES,
    UNKNOWN_BEAT_IN_BAR,
    UNKNOWN_TICK_IN_BEAT,
    VELOCITY_STEP,
)
from antiphon.models.network import AntiphonNetwork
from antiphon.models.notes import SHIFTS
from antiphon.models.parts import Part
from antiphon.models.roll import HIGHEST, LOWEST
from torch import Tensor, nn

#: What every note of a rollout reads and none changes, in order.
ASKED = (
    "uniforms", "controls", "start", "grid", "first", "forced", "gap_range", "part_bias", "gap_bias", "pitch_bias",
    "velocity_bias", "duration_bias", "sharpness", "top_p",
)  # fmt: skip
#: What a note changes: the state, in order.
CARRIED = (
    "now", "hidden", "context", "features", "part_logits", "gap_logits", "open", "open_key", "recency", "ended",
    "at_key", "level",
)  # fmt: skip
#: Likewise where the backbone recalls.
RECALLED_ASKED, RECALLED_CARRIED = ("keys", "values"), ("own_keys", "own_values")
#: Columns of a drawn note.
DRAWN = ("part", "gap", "pitch", "velocity", "duration", "shift")
_NO_GRID = 0


class Turn(nn.Module):
    """One note of every line: `ASKED`, the note's number, and the state in; the note, its log-probability, state out.

    Inputs, float32 but where said:
        uniforms [B, UNIFORMS] of this note; controls int64 [B, controls];
        start int64 [B]: the tick of the state's last note, modulo `CYCLE` is enough;
        grid int64 [B, 2]: ticks from a downbeat to ``start``, and beats a bar (0: no clock);
        first int64 [1]: the first unused row of ``open``;
        forced int64 [B, 3]: part, gap, duration, -1 where they are drawn;
        gap_range int64 [B, 2]: the smallest gap, of the first note alone, and the largest;
        part_bias [B, PARTS], gap_bias [B, TIME_CLASSES], pitch_bias [B, PARTS, PITCHES], velocity_bias [B,
        VELOCITY_LEVELS], duration_bias [B, TIME_CLASSES]: logit offsets, -inf forbids;
        sharpness [B, 1], one over the temperature; top_p [B, 1];
        count int64 [1]: the note's number.
    """

    def __init__(self, network: AntiphonNetwork) -> None:
        super().__init__()
        self.network = network
        self.encoder, self.backbone = FoldedEncoder(network.encoder), RolloutBackbone(network.backbone)
        self.pitch, self.touch = FoldedPitchHead(network.pitch), FoldedTouchHead(network.touch)
        self.advance = Advance()
        self.register_buffer("place_rows", torch.tensor([PLACE_ROWS]))
        self.register_buffer("touch_rows", torch.tensor([TOUCH_ROWS]))
        self.register_buffer("times", torch.arange(TIME_CLASSES)[None])
        self.register_buffer("every_part", torch.arange(PARTS)[None])

    def forward(
        self, uniforms: Tensor, controls: Tensor, start: Tensor, grid: Tensor, first: Tensor, forced: Tensor,
        gap_range: Tensor, part_bias: Tensor, gap_bias: Tensor, pitch_bias: Tensor, velocity_bias: Tensor,
        duration_bias: Tensor, sharpness: Tensor, top_p: Tensor, count: Tensor, now: Tensor, hidden: Tensor,
        context: Tensor, features: Tensor, part_logits: Tensor, gap_logits: Tensor, open: Tensor, open_key: Tensor,
        recency: Tensor, ended: Tensor, at_key: Tensor, level: Tensor, keys: Tensor | None = None,
        values: Tensor | None = None, own_keys: Tensor | None = None, own_values: Tensor | None = None,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """Draw a note, and take it in."""
        soonest = torch.where(count == 0, gap_range[:, :1], 0)
        part, gap, log_prob = self._time(
            part_logits, gap_logits, part_bias, gap_bias, soonest, gap_range[:, 1:], forced, uniforms, sharpness, top_p
        )
        then = now + gap
        in_beat, in_bar = _place(grid, then)
        place = torch.stack([part, gap.clamp(max=MAX_TICKS), in_beat, in_bar], dim=1) + cast(Tensor, self.place_rows)
        pitch_logits, code = self.pitch(self.network.pitch.context(context[:, None]), features, place)
        pitch_logits = pitch_logits[:, 0]
        bias = _row(pitch_bias, part)
        pitch = draw(pitch_logits + bias, share_of(uniforms[:, 2:3], top_p), sharpness)[:, 0]
        log_prob = log_prob + _log_prob(pitch_logits, pitch)
        key = torch.where(part == Part.DRUMS, pitch + at_key.shape[1] // 2, pitch)
        known = torch.stack([pitch, _at(at_key, key), _at(ended, part), _at(level, part)], dim=1)
        touch = self.touch.touch(code, known + cast(Tensor, self.touch_rows))[:, 0]
        head = self.touch.head
        levels = head.velocity_logits(touch)
        struck_level = draw(levels + velocity_bias, share_of(uniforms[:, 3:4], top_p), sharpness)[:, 0]
        log_prob = log_prob + _log_prob(levels, struck_level)
        struck = torch.relu(touch + head.velocity(struck_level))
        durations = head.duration_logits(struck)
        drawn = draw(durations + duration_bias, share_of(uniforms[:, 4:5], top_p), sharpness)[:, 0]
        free = forced[:, 2] < 0
        duration = torch.where(free, drawn, forced[:, 2])
        log_prob = log_prob + torch.where(free, _log_prob(durations, drawn), 0.0)
        fine = draw(head.fine_logits(struck), share_of(uniforms[:, 5:6], top_p), sharpness)[:, 0]
        shift = draw(head.shift_logits(struck), share_of(uniforms[:, 6:7], top_p), sharpness)[:, 0]
        velocity = (struck_level * VELOCITY_STEP + fine).clamp(min=1)
        note = torch.stack([part, gap, pitch, velocity, duration, shift - SHIFTS // 2], dim=1)

        struck_level = velocity // VELOCITY_STEP
        sounding, roll = self.advance(
            Sounding(open, open_key, recency, ended, at_key, level), then.float(), gap, note[:, 0:3:2], struck_level,
            duration, first + count,
        )  # fmt: skip
        event = torch.cat([
            torch.stack([part, gap.clamp(max=MAX_TICKS), pitch, struck_level, in_beat, in_bar, shift,
                         velocity % VELOCITY_STEP], dim=1),
            sounding.ended,
        ], dim=1)  # fmt: skip
        x, features = self.encoder(torch.cat([event, controls], dim=1), roll[:, :, LOWEST : HIGHEST + 1])
        room = None
        if keys is not None and values is not None and own_keys is not None and own_values is not None:
            phase = (start + then)[:, None] % CYCLE
            room = Room(phase, keys, values, own_keys, own_values, count)
        x, hidden, room = self.backbone.step(x[:, 0], hidden, room)
        context = self.network.norm(x)
        gaps = self.network.time.gaps(context, cast(Tensor, self.every_part))
        state = (
            then, hidden, context, features, self.network.time.parts(context), gaps, sounding.open, sounding.open_key,
            sounding.recency, sounding.ended, sounding.at_key, sounding.level,
        )  # fmt: skip
        own = (room.own_keys, room.own_values) if room is not None else ()
        return (note, log_prob, *state, *own)

    def _time(
        self, part_logits: Tensor, gap_logits: Tensor, part_bias: Tensor, gap_bias: Tensor, soonest: Tensor,
        latest: Tensor, forced: Tensor, uniforms: Tensor, sharpness: Tensor, top_p: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """Draw part and gap [B] each; give their log-probability, too."""
        times, least = cast(Tensor, self.times), soonest.clamp(max=MAX_TICKS)
        outside = (times < least) | (times > torch.maximum(latest, least))
        allowed = (gap_logits + gap_bias[:, None]).masked_fill(outside[:, None], float("-inf"))
        # each part by the share of its gaps that is still allowed
        share = torch.logsumexp(allowed, dim=2) - torch.logsumexp(gap_logits, dim=2)
        weighed = torch.log_softmax(part_logits, dim=1) + share + part_bias
        free = forced[:, 0] < 0
        drawn = draw(weighed, share_of(uniforms[:, 0:1], top_p), sharpness)[:, 0]
        part = torch.where(free, drawn, forced[:, 0])
        log_prob = torch.where(free, _log_prob(part_logits, drawn), 0.0)
        free = forced[:, 1] < 0
        drawn = draw(_row(allowed, part), share_of(uniforms[:, 1:2], top_p), sharpness)[:, 0]
        log_prob = log_prob + torch.where(free, _log_prob(_row(gap_logits, part), drawn), 0.0)
        # the last class stands for "four beats or more"
        late = torch.where(drawn == MAX_TICKS, torch.maximum(drawn, soonest[:, 0]), drawn)
        return part, torch.where(free, late, forced[:, 1]), log_prob


def _place(grid: Tensor, then: Tensor) -> tuple[Tensor, Tensor]:
    """Give tick in beat and beat in bar [B] each, as `onnx_generator.place_in_bar`."""
    since, beats = grid[:, 0] + then, grid[:, 1]
    clocked = beats > _NO_GRID
    beat = torch.div(since, TICKS_PER_BEAT, rounding_mode="floor")
    in_bar = torch.remainder(beat, beats.clamp(min=1)).clamp(max=UNKNOWN_BEAT_IN_BAR - 1)
    return (
        torch.where(clocked, torch.remainder(since, TICKS_PER_BEAT), UNKNOWN_TICK_IN_BEAT),
        torch.where(clocked, in_bar, UNKNOWN_BEAT_IN_BAR),
    )


def _row(table: Tensor, row: Tensor) -> Tensor:
    """Map [B, rows, width] and [B] to [B, width]."""
    return table.gather(1, row[:, None, None].expand(-1, 1, table.shape[2]))[:, 0]


def _at(table: Tensor, column: Tensor) -> Tensor:
    """Map [B, columns] and [B] to [B]."""
    return table.gather(1, column[:, None])[:, 0]


def _log_prob(logits: Tensor, choice: Tensor) -> Tensor:
    """Map logits [B, classes] and choice [B] to [B]."""
    return torch.log_softmax(logits, dim=1).gather(1, choice[:, None])[:, 0]
