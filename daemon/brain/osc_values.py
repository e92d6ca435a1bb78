"""What OSC messages carry, read and written: pure but for a fresh seed, and it never waits."""

from __future__ import annotations

import os
from typing import Any

from antiphon.daemon.brain.osc_addresses import PREFIX
from antiphon.daemon.brain.osc_subscribers import Destination
from antiphon.daemon.brain.osc_wire import message
from antiphon.daemon.brain.tapping import NUDGE_BEATS
from antiphon.daemon.errors import ConfigError
from antiphon.daemon.messages import Record
from antiphon.daemon.settings import Settings

_MAX_SEED = 2**32 - 1


def tell(name: str, settings: Settings) -> bytes:
    """Give the datagram that tells a parameter."""
    value = getattr(settings, name)
    return message(PREFIX + name, "+".join(value) if isinstance(value, tuple) else value)


def plain(value: Any) -> Any:
    """Give a number as its sender meant it."""
    # A 32-bit float says 0.95 as 0.949999988; seven digits are what it holds.
    return float(f"{value:.7g}") if isinstance(value, float) else value


def pressed(values: tuple[Any, ...], record: Record) -> list[Record]:
    """Give the record of a button, none where it was let go."""
    return [] if let_go(values) else [record]


def let_go(values: tuple[Any, ...]) -> bool:
    """Whether a button says that it was let go: a 0."""
    return bool(values) and isinstance(values[0], (bool, int, float)) and not values[0]


def nudge_beats(values: tuple[Any, ...]) -> float:
    """Give the beats of a nudge.

    Raises:
        ConfigError: they are not one number in the range.
    """
    try:
        (beats,) = (float(value) for value in values)
        if not -NUDGE_BEATS <= beats <= NUDGE_BEATS:
            raise ValueError
    except (TypeError, ValueError):
        raise ConfigError(f"nudge: {values} is not allowed; give {-NUDGE_BEATS} to {NUDGE_BEATS} beats") from None
    return beats


def seed(values: tuple[Any, ...]) -> int:
    """Give the seed told, or a fresh one.

    Raises:
        ConfigError: it is not a whole number in the range.
    """
    if not values:
        return int.from_bytes(os.urandom(4), "little")
    return _whole(values[0], "reseed", 0, _MAX_SEED)


def at_port(values: tuple[Any, ...], who: Destination) -> Destination:
    """Give who is meant: the sender, or another port of theirs.

    Raises:
        ConfigError: that is no port.
    """
    if not values:
        return who
    return (who[0], _whole(values[0], "subscribe", 1, 65_535), *who[2:])


def _whole(value: Any, name: str, low: int, high: int) -> int:
    try:
        number = float(value)
        if not number.is_integer() or not low <= number <= high:
            raise ValueError
    except (TypeError, ValueError):
        raise ConfigError(f"{name}: {value!r} is not allowed; give {low} to {high}") from None
    return int(number)
