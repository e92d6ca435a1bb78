"""Options that are maps, read from a flag's text or a table (TOML's, session.json's): parts by channel or port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from antiphon.daemon.settings import PARTS

_CHANNELS = 16
#: As far as the parameter `offset` goes.
_FURTHEST_MS = 500.0
_PARTS = ", ".join(PARTS)


def channel_parts(value: Any) -> dict[int, str] | None:
    """Read ``1=lead,10=drums``, or a table of the same. None: it is neither.

    >>> channel_parts("1=lead, 10=Drums"), channel_parts({"2": "bass"}), channel_parts("17=bass")
    ({1: 'lead', 10: 'drums'}, {2: 'bass'}, None)
    """
    pairs = _pairs(value, lambda entry: entry.partition("=")[::2])
    if pairs is None:
        return None
    parts: dict[int, str] = {}
    for channel, part in pairs:
        number, name = channel.strip(), part.strip().lower()
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= _CHANNELS and name in PARTS):
            return None
        if int(number) in parts:
            return None
        parts[int(number)] = name
    return parts


def port_parts(value: Any) -> dict[str, str] | None:
    """Read ``Keystation=bass,LPD8``, or a table of the same, in its order; '' is a port with no part of its own.

    A name that holds a comma or a ``=`` can only be given in a table. None: it is neither.

    >>> port_parts("Keystation=bass, LPD8"), port_parts({"Pads, big": "drums"}), port_parts("LPD8=flute")
    ({'Keystation': 'bass', 'LPD8': ''}, {'Pads, big': 'drums'}, None)
    """
    pairs = _pairs(value, _name_and_part)
    if pairs is None:
        return None
    parts: dict[str, str] = {}
    for port, part in pairs:
        name = part.strip().lower()
        if not port.strip() or name not in ("", *PARTS) or port.strip() in parts:
            return None
        parts[port.strip()] = name
    return parts


def part_offsets(value: Any) -> dict[str, float] | None:
    """Read ``bass=-12.5,drums=3``, or a table of the same: ms by part. None: it is neither.

    >>> part_offsets("Bass = -12.5, drums=3"), part_offsets({"pad": 40}), part_offsets("bass=900")
    ({'bass': -12.5, 'drums': 3.0}, {'pad': 40.0}, None)
    """
    pairs = _pairs(value, lambda entry: entry.partition("=")[::2])
    if pairs is None:
        return None
    offsets: dict[str, float] = {}
    for part, number in pairs:
        name = part.strip().lower()
        try:
            offset_ms = float(number)
        except ValueError:
            return None
        if name not in PARTS or name in offsets or not -_FURTHEST_MS <= offset_ms <= _FURTHEST_MS:
            return None
        offsets[name] = offset_ms
    return offsets


#: What reads each kind of map, and what it allows, in words.
MAPS: Mapping[str, tuple[Callable[[Any], dict[Any, Any] | None], str]] = {
    "channels": (channel_parts, f"CHANNEL=PART,... with channels 1 to {_CHANNELS}, each once, and parts {_PARTS}"),
    "ports": (port_parts, f"NAME,... or NAME=PART,... with each NAME once, and parts {_PARTS}"),
    "offsets": (
        part_offsets,
        f"PART=MS,... with each PART once, of {_PARTS}, and MS from {-_FURTHEST_MS:g} to {_FURTHEST_MS:g}",
    ),
}


def _pairs(value: Any, split: Callable[[str], tuple[str, ...]]) -> list[tuple[str, ...]] | None:
    """Give the pairs of a text with commas, or of a table; None: it is neither."""
    if isinstance(value, str):
        return [split(entry) for entry in value.split(",")]
    if isinstance(value, Mapping):
        return [(str(key), str(entry)) for key, entry in value.items()]
    return None


def _name_and_part(entry: str) -> tuple[str, ...]:
    name, equals, part = entry.rpartition("=")
    if not equals:
        return entry, ""
    return (name, part) if part.strip() else ("", "")  # `NAME=` lacks its part
