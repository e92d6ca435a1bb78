from __future__ import annotations

import io
from importlib.resources import as_file

from antiphon.export.take_pedal import pedalled
from antiphon.export.take_read import read_take
from antiphon.models.bundled import bundled_performance, compose
from antiphon.models.take import Take


def performance() -> Take:
    with as_file(bundled_performance()) as path:
        return read_take(path)


def test_the_file_is_what_its_script_writes() -> None:
    data = io.BytesIO()
    compose.midi_file(*compose.play()).save(file=data)
    assert data.getvalue() == bundled_performance().read_bytes()


def test_it_is_half_a_minute_with_room_for_three_answers() -> None:
    take = performance()
    assert 30 <= take.length_s <= 35
    notes = sorted(pedalled(take.notes, take.events, take.length_s), key=lambda note: note.onset_s)
    assert {note.player for note in notes} == {"performer"}
    gaps, sounds_until = [], notes[0].end_s
    for note in notes:
        if note.onset_s > sounds_until:
            gaps.append(note.onset_s - sounds_until)
        sounds_until = max(sounds_until, note.end_s)
    assert len(gaps) == 3
    assert all(3.5 <= gap <= 5.0 for gap in gaps)


def test_it_is_played_by_a_hand() -> None:
    take = performance()
    velocities = [note.velocity for note in take.notes]
    assert max(velocities) - min(velocities) > 35
    assert sum(event.controller == 64 for event in take.events) > 20
    assert sum(note.end_s - note.onset_s > 1.8 for note in take.notes) >= 5  # the held chord at the end
    # in D minor: its scale, with the leading note
    allowed = {2, 4, 5, 7, 9, 10, 0, 1}
    assert {note.pitch % 12 for note in take.notes} <= allowed
