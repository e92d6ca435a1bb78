"""How much later, or sooner, than meant each part's notes are sent, as its port leads to a device of its own. Pure.

It comes on top of the output offset, which holds for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.daemon.options import option
from antiphon.models.parts import OUTPUT_CHANNEL, Part

#: In ns, by MIDI channel (0-15).
ChannelOffsets = tuple[int, ...]
NO_OFFSETS: ChannelOffsets = (0,) * 16
_NS_PER_MS = 1_000_000
_SYSTEM = 0xF0


def channel_offsets(part_offsets: Mapping[str, float]) -> ChannelOffsets:
    """Give the offsets by channel of offsets by part, in ms.

    >>> channel_offsets({"bass": -12.5})[:4]
    (0, 0, -12500000, 0)
    """
    by_channel = {OUTPUT_CHANNEL[Part[part.upper()]]: round(ms * _NS_PER_MS) for part, ms in part_offsets.items()}
    return tuple(by_channel.get(channel, 0) for channel in range(len(NO_OFFSETS)))


def channel_offsets_of(session: Mapping[str, Any]) -> ChannelOffsets:
    """Give a session's offsets by channel.

    Raises:
        ConfigError: session.json holds what this version does not know.
    """
    return channel_offsets(option("part_offsets").check(session.get("part_offsets", {})))


def of_status(offsets: ChannelOffsets, status: int) -> int:
    """Give the offset of a message by its status byte; what has no channel has none."""
    return offsets[status & 0x0F] if status < _SYSTEM else 0
