from __future__ import annotations

from antiphon.daemon.player.midi_bytes import MidiInput
from hypothesis import given
from hypothesis import strategies as st


def _taken(*messages: list[int]) -> tuple[list[bytes], int]:
    port = MidiInput()
    taken = [port.take(message) for message in messages]
    return [message for message in taken if message is not None], port.malformed


def test_channel_messages_clock_and_transport_pass() -> None:
    messages = [[0x90, 60, 1], [0x80, 60, 0], [0xC0, 5], [0xD0, 5], [0xE0, 0, 64], [0xF2, 1, 2],
                [0xF8], [0xFA], [0xFB], [0xFC]]  # fmt: skip
    assert _taken(*messages) == ([bytes(message) for message in messages], 0)


def test_running_status_is_made_whole_also_across_clock() -> None:
    assert _taken([0x90, 60, 1], [0xF8], [62, 2], [0xB1, 7, 9], [7, 8]) == (
        [bytes((0x90, 60, 1)), b"\xf8", bytes((0x90, 62, 2)), bytes((0xB1, 7, 9)), bytes((0xB1, 7, 8))], 0
    )  # fmt: skip


def test_sysex_and_active_sensing_pass_quietly_in_one_piece_or_several() -> None:
    assert _taken([0xFE], [0xF0, 1, 2, 0xF7], [0xF0, 1, 2], [3, 4], [5, 0xF7], [0x90, 60, 1]) == (
        [bytes((0x90, 60, 1))], 0
    )  # fmt: skip


def test_what_is_no_message_is_refused_and_counted() -> None:
    assert _taken([60, 1], [0x90, 60], [0x90, 60, 1, 2], [0x90, 128, 1], [0xF2, 1], []) == ([], 5)


@given(st.lists(st.lists(st.integers(0, 255), max_size=6), max_size=20))
def test_whatever_comes_in_only_whole_messages_leave(messages: list[list[int]]) -> None:
    port = MidiInput()
    for message in messages:
        taken = port.take(message)
        if taken is not None:
            assert 1 <= len(taken) <= 3
            assert taken[0] >= 0x80
            assert all(byte < 0x80 for byte in taken[1:])
