"""OSC's bytes, pure: what is written is read back, and nothing else than messages or `MalformedError` comes of any."""

from __future__ import annotations

from typing import Any

from antiphon.daemon.brain.osc_wire import MalformedError, Message, bundle, message, read
from hypothesis import given
from hypothesis import strategies as st


@given(st.binary(max_size=200))
def test_reading_any_bytes_gives_messages_or_malformed(data: bytes) -> None:
    try:
        messages = read(data)
    except MalformedError:
        return
    assert messages or data.startswith(b"#bundle\x00")


_GOOD = bundle([
    message("/antiphon/tempo", 100.0), message("/antiphon/parts", "bass", "drums"),
    message("/antiphon/low", 40),
])  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, len(_GOOD) - 1), st.integers(0, 255)), max_size=8),
       st.integers(0, len(_GOOD)))  # fmt: skip
def test_reading_a_damaged_datagram_gives_messages_or_malformed(damage: list[tuple[int, int]], length: int) -> None:
    data = bytearray(_GOOD)
    for place, value in damage:
        data[place] = value
    try:
        messages = read(bytes(data[:length]))
    except MalformedError:
        return
    assert all(isinstance(heard.address, str) for heard in messages)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1).map(lambda text: "/" + text),
       st.lists(st.integers(-(2**63), 2**63 - 1) | st.floats(width=32, allow_nan=False)
                | st.text(st.characters(min_codepoint=1, max_codepoint=0x2FFF))))  # fmt: skip
def test_what_is_written_is_read_back(address: str, values: list[Any]) -> None:
    assert read(message(address, *values)) == [Message(address, tuple(values))]
