"""An output port for each part, beside the one that carries everything: their names, and what each of them carries."""

from __future__ import annotations

from antiphon.models.parts import OUTPUT_CHANNEL

#: The channel (0-15) that goes out of each part's port, by the last word of the port's name.
PORT_CHANNELS: dict[str, int] = {part.name.lower(): channel for part, channel in OUTPUT_CHANNEL.items()}
#: What is said where there are no virtual ports.
NO_PART_PORTS = (
    "--part-ports: Windows makes no virtual ports; leave it out, and take the parts from Antiphon's output by channel: "
    + ", ".join(f"{channel + 1} {part}" for part, channel in PORT_CHANNELS.items())
)
_SYSTEM = 0xF0


def channel_of(port: str) -> int | None:
    """Give the channel (0-15) that a port of ours is for; None: it carries everything.

    >>> channel_of("Antiphon bass"), channel_of("Antiphon 2 drums"), channel_of("Antiphon out")
    (2, 9, None)
    """
    return PORT_CHANNELS.get(port.rpartition(" ")[2])


def carried(messages: list[bytes], port: str) -> list[bytes]:
    """Give those of some messages that go out of a port of ours.

    >>> [message.hex() for message in carried([bytes((0x82, 40, 64)), bytes((0x80, 60, 64))], "Antiphon bass")]
    ['822840']
    """
    channel = channel_of(port)
    if channel is None:
        return messages
    return [message for message in messages if message[0] < _SYSTEM and message[0] & 0x0F == channel]
