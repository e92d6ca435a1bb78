"""MIDI manners, each by its whole list of events."""

from __future__ import annotations

import pytest
from antiphon.daemon.brain.performer import (
    UNMAPPED,
    Controller,
    Event,
    Malformed,
    Performer,
    Released,
    Struck,
    Transport,
)
from antiphon.daemon.messages import Record
from antiphon.models.generator import HeldNote
from hypothesis import given
from hypothesis import strategies as st

from tests.engine_rig import cc, midi, ns, off, on


def told(performer: Performer, *records: Record) -> list[str]:
    """What happened, in words: notes by pitch, controllers left out."""
    return [word for record in records for event in performer.feed(record) if (word := in_words(event)) is not None]


def in_words(event: Event) -> str | None:
    if isinstance(event, Struck):
        return f"+{event.note.pitch}"
    if isinstance(event, Released):
        return f"-{event.note.pitch}" + (" silenced" if event.silenced else "")
    if isinstance(event, Transport):
        return f"{event.status:02X}"
    return "malformed" if isinstance(event, Malformed) else None


def test_velocity_0_is_a_note_off() -> None:
    assert told(Performer(), on(0, 60), midi(1, 0x90, 60, 0)) == ["+60", "-60"]


def test_an_event_carries_time_velocity_and_channel() -> None:
    (struck,) = Performer().feed(midi(1.5, 0x93, 60, 71, port=2))
    assert isinstance(struck, Struck)
    assert (struck.t_ns, struck.note.key, struck.note.velocity, struck.note.part) == (
        ns(1.5), (2, 3, 60), 71, UNMAPPED,
    )  # fmt: skip


def test_a_retriggered_pitch_is_ended_and_restarted() -> None:
    assert told(Performer(), on(0, 60), on(1, 60), off(2, 60)) == ["+60", "-60", "+60", "-60"]


def test_a_note_off_for_nothing_says_nothing() -> None:
    assert told(Performer(), off(0, 60)) == []


def test_sustain_holds_notes_until_it_comes_up() -> None:
    performer = Performer()
    assert told(performer, cc(0, 64, 64), on(1, 60), off(2, 60), on(3, 64), off(4, 64)) == ["+60", "+64"]
    assert not performer.silent
    assert told(performer, cc(5, 64, 63)) == ["-60", "-64"]
    assert performer.silent


def test_sustain_lets_keys_that_are_down_sound_on() -> None:
    assert told(Performer(), cc(0, 64, 127), on(1, 60), on(1, 62), off(2, 60), cc(3, 64, 0)) == ["+60", "+62", "-60"]


def test_a_pitch_struck_again_on_the_pedal_is_ended_and_restarted() -> None:
    assert told(Performer(), cc(0, 64, 127), on(1, 60), off(2, 60), on(3, 60)) == ["+60", "-60", "+60"]


def test_a_pedal_alone_is_not_silence() -> None:
    performer = Performer()
    told(performer, cc(0, 64, 127))
    assert not performer.silent


def test_sostenuto_holds_only_what_sounded_when_it_was_pressed() -> None:
    performer = Performer()
    assert told(performer, on(0, 60), cc(1, 66, 127), on(2, 64), off(3, 64), off(3, 60)) == ["+60", "+64", "-64"]
    assert told(performer, cc(4, 66, 0)) == ["-60"]


def test_sostenuto_pressed_twice_catches_nothing_new() -> None:
    assert told(Performer(), cc(0, 66, 127), on(1, 60), cc(2, 66, 127), off(3, 60)) == ["+60", "-60"]


@pytest.mark.parametrize("number", [120, 121, 123])
def test_a_silencing_controller_ends_what_is_held(number: int) -> None:
    performer = Performer()
    assert told(performer, cc(0, 64, 127), on(1, 60), off(2, 60), on(3, 64), cc(4, number, 0)) == [
        "+60", "+64", "-60 silenced", "-64 silenced",
    ]  # fmt: skip
    assert performer.silent


def test_stop_ends_what_is_held_and_is_passed_on() -> None:
    assert told(Performer(), on(0, 60), midi(1, 0xFC)) == ["+60", "-60 silenced", "FC"]


def test_clock_and_transport_are_passed_on() -> None:
    messages = [midi(0, 0xF8), midi(0, 0xFA), midi(0, 0xFB), midi(0, 0xF2, 1, 2)]
    assert told(Performer(), *messages) == ["F8", "FA", "FB", "F2"]


def test_sysex_and_active_sensing_pass_quietly() -> None:
    assert told(Performer(), midi(0, 0xF0, 1, 2), midi(0, 0xFE), midi(0, 0xF6), midi(0, 0xFF)) == []


def test_other_voice_messages_say_nothing() -> None:
    assert told(Performer(), midi(0, 0xC0, 5), midi(0, 0xD0, 5), midi(0, 0xE0, 0, 64), midi(0, 0xA0, 60, 5)) == []


def test_running_status_left_in_by_a_driver() -> None:
    assert told(Performer(), on(0, 60), midi(1, 62, 80), midi(2, 62, 0)) == ["+60", "+62", "-62"]


@pytest.mark.parametrize(
    "bad", [midi(0, 0x90, 60), midi(0, 0x90, 200, 5), midi(0, 0x90, 60, 200), midi(0, 60, 5), midi(0, 0xF2, 5)]
)
def test_what_is_no_message_is_told_as_such(bad: Record) -> None:
    assert told(Performer(), bad) == ["malformed"]


def test_channels_merge_and_share_a_pedal() -> None:
    performer = Performer()
    assert told(performer, cc(0, 64, 127, channel=0), on(1, 60, channel=5), off(2, 60, channel=5)) == ["+60"]
    assert told(performer, cc(3, 64, 0, channel=0)) == ["-60"]


def test_the_same_pitch_on_two_channels_is_two_notes() -> None:
    assert told(Performer(), on(0, 60, channel=1), on(1, 60, channel=2), off(2, 60, channel=1)) == ["+60", "+60", "-60"]


def test_a_mapped_channel_has_its_part_and_its_own_pedal() -> None:
    performer = Performer({9: 3})
    (struck,) = performer.feed(on(0, 38, channel=9))
    assert isinstance(struck, Struck)
    assert struck.note.part == 3
    assert told(performer, cc(1, 64, 127), off(2, 38, channel=9)) == ["-38"]


def test_a_note_held_from_before_is_ended_where_its_part_is_played() -> None:
    performer = Performer({1: 2})
    for part, pitch in ((2, 40), (5, 60)):
        performer.adopt(HeldNote(0, part, pitch, 80), ns(1))
    assert told(performer, off(2, 40, channel=1), off(2, 60, channel=0)) == ["-40", "-60"]
    assert performer.silent


def test_channel_10_is_no_drums_unless_mapped() -> None:
    (struck,) = Performer().feed(on(0, 38, channel=9))
    assert isinstance(struck, Struck)
    assert struck.note.part == UNMAPPED


def test_controllers_are_told() -> None:
    assert Performer().feed(cc(1, 67, 100)) == [Controller(67, 100, ns(1))]


def test_a_trigger_is_no_pedal() -> None:
    performer = Performer(trigger_cc=64)
    assert told(performer, cc(0, 64, 127), on(1, 60), off(2, 60)) == ["+60", "-60"]


def test_a_lost_port_ends_its_own_notes_only() -> None:
    performer = Performer()
    told(performer, midi(0, 0x90, 60, 80, port=0), midi(0, 0x90, 62, 80, port=1), cc(0, 64, 127))
    assert [in_words(event) for event in performer.silence(ns(1), port=0)] == ["-60 silenced"]
    assert [note.pitch for note in performer.held()] == [62]


_BYTES = st.integers(0, 255)


@given(st.lists(st.tuples(_BYTES, _BYTES, _BYTES, st.integers(1, 3)), max_size=60))
def test_every_note_that_began_ends_exactly_once(messages: list[tuple[int, int, int, int]]) -> None:
    performer = Performer()
    sounding: list[object] = []
    events: list[Event] = []
    for a, b, c, length in messages:
        events += performer.feed(midi(0, *(a, b, c)[:length]))
    events += performer.silence(0)
    for event in events:
        if isinstance(event, Struck):
            sounding.append(event.note)
        elif isinstance(event, Released):
            sounding.remove(event.note)
    assert sounding == []
    assert performer.silent
