"""OSC datagrams to messages and back. Pure: bytes in, bytes out.

A message's arguments are read by python-osc. Bundles are walked here: python-osc's walk never ends on an
element of negative size and recurses as deep as a stranger's datagram says; either would stop the brain.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

from antiphon.daemon.errors import ControlError
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

_BUNDLE = b"#bundle\x00"
_IMMEDIATELY = struct.pack(">Q", 1)
_BUNDLE_HEAD_BYTES = len(_BUNDLE) + len(_IMMEDIATELY)
_SIZE = struct.Struct(">i")
#: Bundles in bundles deeper than this come from no controller.
_MAX_DEPTH = 8
#: Least bytes that an argument of each type tag takes up; a tag that is not here cannot be skipped over.
_LEAST_BYTES = {"i": 4, "f": 4, "s": 4, "b": 4, "r": 4, "m": 4, "h": 8, "d": 8, "t": 8,
                "T": 0, "F": 0, "N": 0, "[": 0, "]": 0}  # fmt: skip


class MalformedError(ControlError):
    """A datagram that is not OSC."""


class Message(NamedTuple):
    """One OSC message: its address, and its arguments in Python's own types."""

    address: str
    values: tuple[Any, ...]


def read(datagram: bytes) -> list[Message]:
    """Give every message in a datagram, in order; time tags of bundles are not waited for.

    Raises:
        MalformedError: any part of it is not OSC. Nothing of such a datagram is used.
    """
    messages: list[Message] = []
    _read_element(datagram, messages, _MAX_DEPTH)
    return messages


def _read_element(data: bytes, messages: list[Message], depth: int) -> None:
    if len(data) % 4:
        raise MalformedError(f"{len(data)} bytes, not a multiple of 4")
    if data.startswith(b"/"):
        messages.append(_read_message(data))
        return
    if not data.startswith(_BUNDLE) or len(data) < _BUNDLE_HEAD_BYTES:
        raise MalformedError("neither a message nor a bundle")
    if not depth:
        raise MalformedError(f"bundles nested deeper than {_MAX_DEPTH}")
    offset = _BUNDLE_HEAD_BYTES
    while offset < len(data):
        (size,) = _SIZE.unpack_from(data, offset)
        offset += _SIZE.size
        if not 0 < size <= len(data) - offset:
            raise MalformedError(f"an element of {size} bytes where {len(data) - offset} are left")
        _read_element(data[offset : offset + size], messages, depth - 1)
        offset += size


def _read_message(data: bytes) -> Message:
    _check_arguments(data)
    try:
        message = OscMessage(data)
        return Message(message.address, tuple(message.params))
    except Exception as error:  # its parser lets IndexError, UnicodeDecodeError and others through
        raise MalformedError(str(error)) from None


def _check_arguments(data: bytes) -> None:
    # python-osc reads a missing float as 0.0 and leaves out an argument whose tag it does not know.
    tags_at = _after_string(data, 0)
    if tags_at >= len(data):
        return  # no type tags: an old sender's message without arguments
    end = _after_string(data, tags_at)
    tags = data[tags_at:end].rstrip(b"\x00").decode("latin-1")
    unknown = set(tags[1:]) - set(_LEAST_BYTES)
    if not tags.startswith(",") or unknown:
        raise MalformedError(f"type tags {tags!r}")
    if sum(_LEAST_BYTES[tag] for tag in tags[1:]) > len(data) - end:
        raise MalformedError(f"{len(data) - end} bytes of arguments for type tags {tags!r}")


def _after_string(data: bytes, start: int) -> int:
    end = data.find(b"\x00", start)
    if end < 0:
        raise MalformedError("a string without an end")
    return end + 4 - end % 4


def message(address: str, *values: float | int | str) -> bytes:
    """Give one message's datagram: floats as 32 bit, on and off as 1 and 0, which every controller reads."""
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(int(value) if isinstance(value, bool) else value)
    return bytes(builder.build().dgram)


def bundle(messages: Iterable[bytes]) -> bytes:
    """Give one datagram that holds ``messages``, so that they arrive together or not at all."""
    return _BUNDLE + _IMMEDIATELY + b"".join(_SIZE.pack(len(data)) + data for data in messages)
