from __future__ import annotations

import pytest
from antiphon.daemon.playback import RealTime, play_take, timed_messages
from antiphon.models.take import Player, Take, TakeEvent, TakeNote, in_order
from hypothesis import given
from hypothesis import strategies as st


class Scripted:
    """Time that passes at once, and stops after ``steps`` waits."""

    def __init__(self, steps: float = float("inf")) -> None:
        self.waits: list[float] = []
        self._steps = steps

    def wait_until(self, t_s: float) -> bool:
        self.waits.append(t_s)
        return len(self.waits) <= self._steps


TAKE = Take(
    (
        TakeNote(0.5, 1.5, 60, 80, 0),
        TakeNote(1.0, 2.0, 60, 70, 0, "lead", "antiphon", 1),
        TakeNote(1.5, 1.6, 36, 99, 9, "drums", "antiphon", 2),
    ),
    (TakeEvent(0.4, bytes((0xB0, 64, 127))), TakeEvent(1.8, bytes((0xB0, 64, 0))), TakeEvent(0.1, bytes((0xC0, 7)))),
)


def test_everything_in_its_order_with_the_performer_out_of_the_way() -> None:
    assert timed_messages(TAKE) == [
        (0.4, bytes((0xBF, 64, 127))),
        (0.5, bytes((0x9F, 60, 80))),
        (1.0, bytes((0x90, 60, 70))),
        (1.5, bytes((0x8F, 60, 64))),
        (1.5, bytes((0x99, 36, 99))),
        (1.6, bytes((0x89, 36, 64))),
        (1.8, bytes((0xBF, 64, 0))),
        (2.0, bytes((0x80, 60, 64))),
    ]


def test_one_player_alone() -> None:
    antiphon: tuple[Player, ...] = ("antiphon",)
    performer: tuple[Player, ...] = ("performer",)
    assert [data[0] for _, data in timed_messages(TAKE, antiphon)] == [0x90, 0x99, 0x89, 0x80]
    assert {data[0] & 15 for _, data in timed_messages(TAKE, performer, performer_channel=3)} == {3}


def test_programs_where_a_synth_wants_them() -> None:
    messages = timed_messages(TAKE, programs=True)
    assert messages[:2] == [(0.0, bytes((0xC0, 11))), (0.1, bytes((0xCF, 7)))]


def test_the_clock_is_waited_on_for_each_message() -> None:
    sent: list[bytes] = []
    clock = Scripted()
    assert play_take(TAKE, sent.append, clock) == 8
    assert clock.waits == [t for t, _ in timed_messages(TAKE)]
    assert sent == [data for _, data in timed_messages(TAKE)]


def sounding_after(sent: list[bytes]) -> tuple[set[tuple[int, int]], set[int]]:
    notes: set[tuple[int, int]] = set()
    pedals: set[int] = set()
    for data in sent:
        key = data[0] & 15, data[1]
        if data[0] & 0xF0 == 0x90:
            assert key not in notes
            notes.add(key)
        elif data[0] & 0xF0 == 0x80:
            notes.remove(key)
        elif data[0] & 0xF0 == 0xB0 and data[1] == 64:
            (pedals.add if data[2] else pedals.discard)(data[0] & 15)
    return notes, pedals


@pytest.mark.parametrize("steps", range(9))
def test_wherever_it_is_stopped_nothing_sounds_on(steps: int) -> None:
    sent: list[bytes] = []
    play_take(TAKE, sent.append, Scripted(steps))
    assert sounding_after(sent) == (set(), set())


def test_an_interrupt_ends_the_notes_too() -> None:
    sent: list[bytes] = []

    class Interrupted(Scripted):
        def wait_until(self, t_s: float) -> bool:
            if t_s > 1.2:
                raise KeyboardInterrupt
            return True

    with pytest.raises(KeyboardInterrupt):
        play_take(TAKE, sent.append, Interrupted())
    assert sounding_after(sent) == (set(), set())


note = st.builds(
    lambda t, length, pitch, channel, own: TakeNote(
        t, t + length, pitch, 80, channel, "lead" if own else "performer", "antiphon" if own else "performer"
    ),
    st.floats(0, 5), st.floats(0, 3), st.integers(60, 63), st.integers(0, 2), st.booleans(),
)  # fmt: skip


@given(st.lists(note, max_size=30))
def test_every_note_on_has_its_off_before_the_next_one(notes: list[TakeNote]) -> None:
    sent: list[bytes] = []
    play_take(Take(in_order(notes)), sent.append, Scripted())
    assert sounding_after(sent) == (set(), set())


def test_real_time_can_be_stopped() -> None:
    clock = RealTime()
    assert clock.wait_until(0.0)
    clock.stop()
    assert not clock.wait_until(60.0)
