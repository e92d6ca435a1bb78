"""Ardour 7 at the head of JACK's transport, and Antiphon on ``--clock jack``: the take's bars are Ardour's.

Where Ardour was, and when, is told by the MIDI clock that it sends besides, which Antiphon logs and does not follow;
with JACK's transport it sends that from the second beat of a pass on.
Ardour does not loop while it rolls with JACK's transport, so that the loop here is what a loop does to a clock: the
transport is sent back to its start again and again. It does not keep what it records either, when it is stopped by
JACK's transport without its window (7.3: it locates at once, which throws the recording away); that it records us
right is `test_ardour.py`'s matter.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import mido
import pytest
from antiphon.bridges.ardour import create_session
from antiphon.daemon.messages import Kind, Record

from tests.ardour_compare import Note, Pass, passes_of, sent_in
from tests.ardour_rig import PERIOD, SAMPLE_RATE, Antiphon, Daw, HurriedJack, Keyboard, with_jack_transport
from tests.ardour_takes import takes_until_it_holds
from tests.freezes import FreezeWatch
from tests.jack_rig import in_environment

pytestmark = [pytest.mark.ardour, pytest.mark.jack, pytest.mark.timeout(600)]

_BPM, _BEAT_S, _BAR_S = 120.0, 0.5, 2.0
_TICK_NS = 60e9 / _BPM / 24
#: One period and 2 ms, in beats.
_TOLERANCE = (PERIOD / SAMPLE_RATE + 0.002) / _BEAT_S
_MARGIN_NS = 5_000_000
#: Two beats into the ninth bar.
_LOCATED_BEAT = 34.0
_LAPS, _LOOPED_BAR = 3, 4
_CHORD = (48, 55, 64)
#: Beats of a pass before its first clock; and after which bars that start anew may be bridged in the take.
_UNTOLD, _BRIDGED = 1.0, 1.25


@dataclass(frozen=True)
class Played:
    """What is left of the scene: Antiphon's log and take."""

    records: list[Record]
    passes: list[Pass]
    take: list[Note]
    exit_code: int


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, freezes: FreezeWatch) -> Played:
    return takes_until_it_holds(lambda: _scene(tmp_path_factory.mktemp("ardour-jack")), _CHECKS, freezes, slipped_ms)


def slipped_ms(scene: Played) -> float:
    return max((rolled.worst_slip(_TICK_NS) for rolled in scene.passes), default=0.0) * _BEAT_S * 1e3


def _scene(folder: Path) -> Played:
    with HurriedJack(f"antiphon-transport{os.getpid()}") as jack, in_environment(jack.environment):
        return _play(folder)


def _play(folder: Path) -> Played:
    plain, leading = (
        {**os.environ, **{name: str(folder / which / name.lower()) for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME")}}
        for which in ("plain", "leading")
    )
    with_jack_transport(leading)
    session = create_session(folder, "Lead", sample_rate=SAMPLE_RATE, environment=plain)
    flags = [
        "--mode",
        "accompany",
        "--clock",
        "jack",
        "--tightness",
        "1",
        "--seed",
        "3",
        "--osc",
        "off",
        "--api",
        "jack",
    ]
    with (
        Antiphon(folder / "takes", *flags) as antiphon,
        Keyboard() as keyboard,
        Daw(session, leading, keyboard.port) as daw,
    ):
        daw.lead_jack()
        _play_from(daw, keyboard, antiphon, 0.0)
        _play_from(daw, keyboard, antiphon, _LOCATED_BEAT)
        _laps(daw, antiphon)
        exit_code = antiphon.stop()
        records = antiphon.records()
        (take,) = (folder / "takes").glob("*/take.mid")
    return Played(records, passes_of(records), _notes_of(take), exit_code)


def _play_from(daw: Daw, keyboard: Keyboard, antiphon: Antiphon, beat: float) -> None:
    """Two bars and a bit, under a held chord."""
    daw.locate(beat * _BEAT_S)
    daw.roll()
    for pitch in _CHORD:
        keyboard.note_on(pitch, 80)
    daw.wait_past(beat * _BEAT_S + 2.3 * _BAR_S)
    for pitch in _CHORD:
        keyboard.note_off(pitch)
    daw.halt()
    antiphon.wait_silent()


def _laps(daw: Daw, antiphon: Antiphon) -> None:
    """A bar again and again."""
    daw.locate(_LOOPED_BAR * _BAR_S)
    daw.roll()
    for _ in range(_LAPS - 1):
        daw.wait_past((_LOOPED_BAR + 1) * _BAR_S)
        daw.jump(_LOOPED_BAR * _BAR_S)
    daw.wait_past((_LOOPED_BAR + 0.7) * _BAR_S)
    daw.halt()
    antiphon.wait_silent()


def _notes_of(take: Path) -> list[Note]:
    """Read every note-on of Antiphon's in its own take, in beats of the take's own bars."""
    file = mido.MidiFile(take)
    found = []
    for track in file.tracks:
        if "performer" in track.name.lower():
            continue
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "note_on" and message.velocity:
                found.append(Note(ticks / file.ticks_per_beat, message.channel, message.note, message.velocity))
    return sorted(found, key=lambda note: note.at)


def test_the_transport_is_followed_wherever_it_is_put(played: Played) -> None:
    starts = [0.0, _LOCATED_BEAT, *([_LOOPED_BAR * 4.0] * _LAPS)]
    assert [rolled.start - _UNTOLD for rolled in played.passes] == pytest.approx(starts, abs=_TOLERANCE)


def test_every_pass_is_accompanied_on_ardours_grid(played: Played) -> None:
    for number, rolled in enumerate(played.passes):
        notes = sent_in(rolled, played.records, _TICK_NS, 0)
        assert len(notes) >= 4, f"pass {number}: too little was played to tell"
        off = sorted(max(0.0, abs(note.at * 24 - round(note.at * 24)) / 24 - note.stalled) for note in notes)
        print(
            f"pass {number}: {len(notes)} notes off the grid by a median of {off[len(off) // 2] * _BEAT_S * 1e3:.2f} ms"
        )
        assert off[len(off) * 95 // 100] <= _TOLERANCE, f"pass {number}: {off}"


def test_antiphons_own_take_has_ardours_bars(played: Played) -> None:
    """Each note lies at the same place of the bar in the take and on Ardour's timeline."""
    sent = [record for record in played.records if record.kind == Kind.SENT]
    in_take = {key: iter(list(notes)) for key, notes in itertools.groupby(sorted(played.take, key=_key), key=_key)}
    apart = []
    for record in sent:
        note = next(in_take[record.a & 15, record.b])
        for rolled in played.passes:
            if rolled.begun_ns <= record.u_ns <= rolled.ended_ns - _BRIDGED * _BEAT_S * 1e9:
                off = abs((note.at - rolled.beat_at(record.u_ns) + 2.0) % 4.0 - 2.0)
                apart.append(off - rolled.stall_at(record.u_ns, _TICK_NS))
    assert all(next(left, None) is None for left in in_take.values())
    # the take lays straight lines through the transport's own beats, within 4 ms of each
    print(f"{len(apart)} notes, at most {max(apart) * _BEAT_S * 1e3:.2f} ms between the take and Ardour's timeline")
    assert max(apart) <= _TOLERANCE + 0.004 / _BEAT_S, apart


def _key(note: Note) -> tuple[int, int]:
    return note.channel, note.pitch


def test_nothing_hangs_and_nothing_plays_while_the_transport_stands(played: Played) -> None:
    kinds = [record.kind for record in played.records]
    assert kinds.count(Kind.SENT) == kinds.count(Kind.ENDED) + kinds.count(Kind.CUT)
    untold_ns = round(_UNTOLD * _BEAT_S * 1e9) + _MARGIN_NS
    rolled = [(p.begun_ns - untold_ns, p.ended_ns + _MARGIN_NS) for p in played.passes]
    sent_ns = [record.u_ns for record in played.records if record.kind == Kind.SENT]
    assert [ns for ns in sent_ns if not any(a <= ns <= b for a, b in rolled)] == []
    assert played.exit_code == 0


_CHECKS = (
    test_the_transport_is_followed_wherever_it_is_put,
    test_every_pass_is_accompanied_on_ardours_grid,
    test_antiphons_own_take_has_ardours_bars,
    test_nothing_hangs_and_nothing_plays_while_the_transport_stands,
)
