from __future__ import annotations

from antiphon.daemon.player.ledger import Ledger, note_off
from hypothesis import given
from hypothesis import strategies as st


def _on(channel: int, pitch: int, velocity: int) -> bytes:
    return bytes((0x90 | channel, pitch, velocity))


def test_a_note_starts_and_ends() -> None:
    ledger = Ledger()
    assert ledger.start(1, 2, 60, 100) == ([_on(2, 60, 100)], None)
    assert list(ledger.sounding) == [1]
    assert ledger.key_of(1) == (2, 60)
    assert ledger.end(1) == [note_off(2, 60)]
    assert ledger.end(1) == []
    assert not ledger.sounding


def test_a_retriggered_pitch_is_ended_and_started_again() -> None:
    ledger = Ledger()
    ledger.start(1, 0, 60, 100)
    assert ledger.start(2, 0, 60, 90) == ([note_off(0, 60), _on(0, 60, 90)], 1)
    assert ledger.end(1) == []
    assert ledger.end(2) == [note_off(0, 60)]


def test_the_same_pitch_on_another_channel_is_another_note() -> None:
    ledger = Ledger()
    ledger.start(1, 0, 60, 100)
    assert ledger.start(2, 1, 60, 90) == ([_on(1, 60, 90)], None)
    assert ledger.end(1) == [note_off(0, 60)]


def test_own_and_passed_on_notes_of_one_pitch_end_with_the_last() -> None:
    ledger = Ledger()
    assert ledger.start_thru((0, 5, 60), 3, 80) == [_on(3, 60, 80)]
    assert ledger.start(1, 3, 60, 100) == ([note_off(3, 60), _on(3, 60, 100)], None)
    assert ledger.end(1) == []
    assert ledger.end_thru((0, 5, 60)) == [note_off(3, 60)]
    ledger.start(2, 3, 60, 100)
    ledger.start_thru((0, 5, 60), 3, 80)
    assert ledger.end_thru((0, 5, 60)) == []
    assert ledger.end(2) == [note_off(3, 60)]


def test_two_keyboards_hold_one_pitch_until_both_let_go() -> None:
    ledger = Ledger()
    ledger.start_thru((0, 0, 60), 3, 80)
    assert ledger.start_thru((1, 0, 60), 3, 81) == [note_off(3, 60), _on(3, 60, 81)]
    assert ledger.end_thru((0, 0, 60)) == []
    assert ledger.end_thru((1, 0, 60)) == [note_off(3, 60)]
    assert ledger.end_thru((1, 0, 60)) == []


def test_a_keyboard_that_repeats_a_note_without_ending_it_leaves_none_behind() -> None:
    ledger = Ledger()
    ledger.start_thru((0, 0, 60), 3, 80)
    assert ledger.start_thru((0, 0, 60), 3, 90) == [note_off(3, 60), _on(3, 60, 90)]
    assert ledger.end_thru((0, 0, 60)) == [note_off(3, 60)]


def test_a_note_ends_on_the_channel_that_it_started_on() -> None:
    ledger = Ledger()
    ledger.start_thru((0, 0, 60), 3, 80)
    assert ledger.start_thru((0, 0, 60), 4, 90) == [note_off(3, 60), _on(4, 60, 90)]
    assert ledger.end_thru((0, 0, 60)) == [note_off(4, 60)]


def test_a_lost_cable_ends_only_what_came_through_it() -> None:
    ledger = Ledger()
    ledger.start_thru((0, 0, 60), 3, 80)
    ledger.start_thru((1, 0, 62), 3, 80)
    ledger.start(1, 3, 64, 80)
    assert ledger.release_thru(0) == [note_off(3, 60)]
    assert ledger.release_thru() == [note_off(3, 62)]
    assert ledger.keys == {(3, 64)}


def test_release_ends_everything_and_lifts_the_pedals_that_are_down() -> None:
    ledger = Ledger()
    ledger.start(1, 0, 60, 100)
    ledger.start_thru((0, 0, 62), 3, 80)
    ledger.control(0, 64, 127)
    ledger.control(1, 66, 64)
    ledger.control(2, 64, 127)
    ledger.control(2, 64, 63)
    ledger.control(0, 7, 127)
    assert ledger.release() == [
        note_off(0, 60), note_off(3, 62), bytes((0xB0, 64, 0)), bytes((0xB1, 66, 0))
    ]  # fmt: skip
    assert ledger.release() == []


def test_pedals_are_lifted_by_channel() -> None:
    ledger = Ledger()
    for channel in (0, 1, 2):
        ledger.control(channel, 64, 127)
    assert ledger.release_pedals(1) == [bytes((0xB1, 64, 0))]
    assert ledger.release_pedals(keep=2) == [bytes((0xB0, 64, 0))]
    assert ledger.release_pedals() == [bytes((0xB2, 64, 0))]


def test_panic_sends_the_offs_then_silences_all_channels() -> None:
    ledger = Ledger()
    ledger.start(1, 4, 60, 100)
    messages = ledger.panic()
    assert messages[0] == note_off(4, 60)
    assert messages[1:5] == [
        bytes((0xB0, 64, 0)), bytes((0xB0, 120, 0)), bytes((0xB0, 123, 0)), bytes((0xE0, 0, 64))
    ]  # fmt: skip
    assert len(messages) == 1 + 16 * 4
    assert {message[0] & 0x0F for message in messages[1:]} == set(range(16))
    assert ledger.sounding == ()


_SMALL = st.integers(0, 2)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), _SMALL, _SMALL),
        st.tuples(st.just("end"), st.integers(0, 30)),
        st.tuples(st.just("thru"), _SMALL, _SMALL, _SMALL, _SMALL),
        st.tuples(st.just("unthru"), _SMALL, _SMALL, _SMALL),
        st.tuples(st.just("cable"), _SMALL),
    ),
    max_size=60,
)


@given(_STEPS)
def test_a_receiver_always_sounds_what_the_ledger_says_and_never_a_stacked_note(
    steps: list[tuple[str | int, ...]],
) -> None:
    ledger = Ledger()
    receiver: set[tuple[int, int]] = set()
    held: dict[int, tuple[int, int]] = {}
    sources: dict[tuple[int, int, int], tuple[int, int]] = {}

    def receive(messages: list[bytes]) -> None:
        for message in messages:
            key = (message[0] & 0x0F, message[1])
            if message[0] >> 4 == 9:
                assert key not in receiver
                receiver.add(key)
            else:
                assert key in receiver
                receiver.discard(key)

    for nth, (name, *values) in enumerate(steps):
        numbers = [int(value) for value in values]
        if name == "start":
            started = ledger.start(nth, numbers[0], numbers[1], 100)
            receive(started.messages)
            if started.cut is not None:
                del held[started.cut]
            held[nth] = (numbers[0], numbers[1])
        elif name == "end":
            receive(ledger.end(numbers[0]))
            held.pop(numbers[0], None)
        elif name == "thru":
            port, channel, pitch, out = numbers
            receive(ledger.start_thru((port, channel, pitch), out, 90))
            sources[port, channel, pitch] = (out, pitch)
        elif name == "unthru":
            port, channel, pitch = numbers
            receive(ledger.end_thru((port, channel, pitch)))
            sources.pop((port, channel, pitch), None)
        else:
            receive(ledger.release_thru(numbers[0]))
            sources = {source: key for source, key in sources.items() if source[0] != numbers[0]}
        assert set(ledger.sounding) == set(held)
        assert receiver == ledger.keys == {*held.values(), *sources.values()}
    receive(ledger.release())
    assert receiver == set()
