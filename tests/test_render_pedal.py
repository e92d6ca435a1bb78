from __future__ import annotations

from antiphon.export.take_pedal import pedalled
from antiphon.models.take import TakeEvent, TakeNote


def cc(t_s: float, controller: int, value: int, channel: int = 0) -> TakeEvent:
    return TakeEvent(t_s, bytes((0xB0 | channel, controller, value)))


def ends(notes: list[TakeNote], events: list[TakeEvent], end_s: float = 9.0) -> list[float]:
    return [note.end_s for note in pedalled(notes, events, end_s)]


def note(onset_s: float, end_s: float, pitch: int = 60, channel: int = 0) -> TakeNote:
    return TakeNote(onset_s, end_s, pitch, 80, channel)


def test_sustain_holds_what_is_released_while_it_is_down() -> None:
    notes = [note(0, 1), note(0.5, 3, 64), note(2.5, 2.6, 67)]
    assert ends(notes, [cc(0.5, 64, 127), cc(2, 64, 0)]) == [2, 3, 2.6]


def test_half_way_is_where_the_pedal_works() -> None:
    assert ends([note(0, 1)], [cc(0, 64, 63), cc(2, 64, 0)]) == [1]
    assert ends([note(0, 1)], [cc(0, 64, 64), cc(2, 64, 63)]) == [2]


def test_a_pedal_that_is_never_lifted_holds_to_the_end() -> None:
    assert ends([note(0, 1)], [cc(0.5, 64, 127)]) == [9]


def test_a_pitch_struck_again_under_the_pedal_ends_the_first() -> None:
    assert ends([note(0, 1), note(1.5, 1.8)], [cc(0, 64, 127), cc(4, 64, 0)]) == [1.5, 4]


def test_sostenuto_holds_only_what_was_down_when_it_was_pressed() -> None:
    notes = [note(0, 1), note(0.8, 1.2, 64)]
    assert ends(notes, [cc(0.5, 66, 127), cc(3, 66, 0)]) == [3, 1.2]


def test_one_pedal_may_take_over_from_the_other() -> None:
    events = [cc(0.5, 66, 127), cc(1.5, 64, 127), cc(2, 66, 0), cc(3, 64, 0)]
    assert ends([note(0, 1)], events) == [3]


def test_each_channel_has_its_own_pedal() -> None:
    notes = [note(0, 1), note(0, 1, 60, 1)]
    assert ends(notes, [cc(0.5, 64, 127, 1), cc(2, 64, 0, 1)]) == [1, 2]


def test_all_sound_off_and_reset_end_what_only_a_pedal_holds() -> None:
    assert ends([note(0, 1)], [cc(0.5, 64, 127), cc(2, 120, 0)]) == [2]
    assert ends([note(0, 1), note(3, 4)], [cc(0.5, 64, 127), cc(2, 121, 0)]) == [2, 4]
