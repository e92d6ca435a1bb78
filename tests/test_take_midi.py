from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from pathlib import Path

import mido
import pytest
from antiphon.export.take_midi import FileTempo, midi_bytes
from antiphon.export.take_read import read_take
from antiphon.models.bundled import bundled_performance
from antiphon.models.errors import MidiFileError
from antiphon.models.parts import OUTPUT_CHANNEL, PROGRAM, Part
from antiphon.models.take import Marker, Player, Take, TakeEvent, TakeNote, in_order
from antiphon.models.tempo_map import TempoChange, TempoMap
from hypothesis import given, settings
from hypothesis import strategies as st


def back(take: Take, folder: Path) -> Take:
    path = folder / "take.mid"
    path.write_bytes(midi_bytes(take))
    return read_take(path)


def tracks(take: Take) -> dict[str, mido.MidiTrack]:
    return {track.name: track for track in mido.MidiFile(file=io.BytesIO(midi_bytes(take))).tracks}


@st.composite
def tempo_maps(draw: st.DrawFn) -> TempoMap:
    changes, t = [], 0.0
    for _ in range(draw(st.integers(1, 6))):
        changes.append(TempoChange(t, draw(st.floats(20, 300))))
        t += draw(st.floats(0.2, 60))
    return TempoMap(tuple(changes), draw(st.integers(1, 7)), draw(st.booleans()))


@st.composite
def takes(draw: st.DrawFn) -> Take:
    """Takes whose notes of one key do not overlap: what a keyboard and a synth can do."""
    notes: list[TakeNote] = []
    for part in draw(st.sets(st.sampled_from([None, *Part]), max_size=4)):
        player: Player = "performer" if part is None else "antiphon"
        channel = draw(st.integers(0, 15)) if part is None else OUTPUT_CHANNEL[part]
        name = "performer" if part is None else part.name.lower()
        for pitch in draw(st.sets(st.integers(0, 127), max_size=4)):
            t = 0.0
            for _ in range(draw(st.integers(1, 4))):
                t += draw(st.floats(0.01, 200))
                end = t + draw(st.floats(0.01, 20))
                notes.append(TakeNote(t, end, pitch, draw(st.integers(1, 127)), channel, name, player))
                t = end
    event = st.builds(
        lambda t_s, status, a, b: TakeEvent(t_s, bytes((status, a, b))),
        st.floats(0, 500), st.sampled_from([0xB0, 0xB3, 0xE0, 0xE1]), st.integers(0, 127), st.integers(0, 127),
    )  # fmt: skip
    events = sorted(draw(st.lists(event, max_size=5)), key=lambda e: e.t_s)
    texts = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=12)
    markers = sorted(draw(st.lists(st.builds(Marker, st.floats(0, 500), texts), max_size=4)), key=lambda m: m.t_s)
    return Take(in_order(notes), tuple(events), tuple(markers), draw(tempo_maps()))


@settings(deadline=None, max_examples=60)
@given(take=takes())
def test_a_take_comes_back_from_its_file_within_a_millisecond(
    take: Take, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = back(take, tmp_path_factory.mktemp("take"))

    def key(note: TakeNote) -> tuple[str, str, int, int, float]:
        return note.player, note.part, note.channel, note.pitch, note.onset_s

    before, after = sorted(take.notes, key=key), sorted(again.notes, key=key)
    assert [replace(n, onset_s=0, end_s=0) for n in after] == [replace(n, onset_s=0, end_s=0) for n in before]
    for old, new in zip(before, after, strict=True):
        assert new.onset_s == pytest.approx(old.onset_s, abs=1e-3)
        assert new.end_s == pytest.approx(old.end_s, abs=1e-3)
    # events closer than a tick may change places; each comes back, at its time
    assert sorted(e.data for e in again.events) == sorted(e.data for e in take.events)
    assert [e.t_s for e in again.events] == pytest.approx([e.t_s for e in take.events], abs=1e-3)
    assert sorted(m.text for m in again.markers) == sorted(m.text for m in take.markers)
    assert [m.t_s for m in again.markers] == pytest.approx([m.t_s for m in take.markers], abs=1e-3)
    assert again.tempo.clocked == take.tempo.clocked
    assert again.tempo.beats_per_bar == take.tempo.beats_per_bar


@given(tempo_maps(), st.lists(st.floats(0, 4000), min_size=1, max_size=30))
def test_rounding_of_the_tempo_map_never_adds_up(tempo: TempoMap, times: list[float]) -> None:
    file = FileTempo.of(tempo)
    for t in times:
        tick = file.tick(t)
        i = max(i for i, start in enumerate(file.ticks) if start <= max(0, tick))
        seconds = file.starts_s[i] + (tick - file.ticks[i]) * file.us[i] / 1e6 / file.ticks_per_beat
        assert seconds == pytest.approx(t, abs=1e-3)


def test_beats_of_the_tempo_map_are_whole_beats_of_the_file() -> None:
    knots = [(0.0, 0.0), (1.7, 4.0), (9.1, 20.0), (700.0, 1321.0)]
    file = FileTempo.of(TempoMap.through(knots, 123.4))
    assert file.ticks == tuple(round(beat * 480) for _, beat in knots)
    assert file.ticks_per_beat == 480
    # a bar line an hour in is where the map says, to a tick
    assert file.tick(700.0 + 100 * 60 / 123.4) == pytest.approx((1321 + 100) * 480, abs=1)


def test_a_slow_tempo_gets_finer_ticks() -> None:
    assert FileTempo.of(TempoMap((TempoChange(0.0, 30.0),))).ticks_per_beat == 1920


def test_tracks_channels_programs_and_markers() -> None:
    notes = [
        TakeNote(i, i + 0.5, 60, 80, OUTPUT_CHANNEL[part], part.name.lower(), "antiphon") for i, part in enumerate(Part)
    ]
    notes.append(TakeNote(0.2, 0.7, 64, 90, 6))
    take = Take(in_order(notes), (TakeEvent(0.1, bytes((0xB6, 64, 127))),), (Marker(2.0, "answer"),))
    found = tracks(take)
    assert set(found) == {"Antiphon", "Performer", *(f"Antiphon {part.name.lower()}" for part in Part)}
    for part in Part:
        messages = [m for m in found[f"Antiphon {part.name.lower()}"] if not m.is_meta]
        assert {m.channel for m in messages} == {OUTPUT_CHANNEL[part]}
        assert [m.program for m in messages if m.type == "program_change"] == [PROGRAM[part]]
    assert [m.type for m in found["Performer"] if not m.is_meta] == ["control_change", "note_on", "note_off"]
    conductor = [m.type for m in found["Antiphon"]]
    assert {"time_signature", "set_tempo", "marker"} <= set(conductor)


def test_the_performer_leaves_a_channel_that_antiphon_uses_and_gets_it_back(tmp_path: Path) -> None:
    take = Take(
        (TakeNote(0.0, 1.0, 60, 80, 0), TakeNote(0.5, 1.0, 60, 80, 0, "lead", "antiphon")),
        (TakeEvent(0.0, bytes((0xB0, 64, 127))),),
    )
    found = tracks(take)
    performer = {m.channel for m in found["Performer"] if not m.is_meta}
    assert performer.isdisjoint({m.channel for m in found["Antiphon lead"] if not m.is_meta})
    assert performer.isdisjoint(OUTPUT_CHANNEL.values())
    again = back(take, tmp_path)
    assert [(n.channel, n.player) for n in again.notes] == [(0, "performer"), (0, "antiphon")]
    assert again.events[0].channel == 0


def test_a_note_ends_where_its_pitch_is_struck_again() -> None:
    take = Take((TakeNote(0.0, 5.0, 60, 80), TakeNote(1.0, 2.0, 60, 90)))
    now, seen = 0, []
    for message in tracks(take)["Performer"]:
        now += message.time
        if not message.is_meta:
            seen.append((message.type, now))
    assert seen == [("note_on", 0), ("note_off", 960), ("note_on", 960), ("note_off", 1920)]


def test_an_empty_take_is_a_take(tmp_path: Path) -> None:
    assert back(Take(), tmp_path) == Take()


def test_any_other_file_is_all_the_performers(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=96)
    first, second = mido.MidiTrack(), mido.MidiTrack()
    first += [
        mido.MetaMessage("set_tempo", tempo=600_000),
        mido.MetaMessage("time_signature", numerator=6, denominator=8),
    ]
    second += [
        mido.MetaMessage("track_name", name="Antiphon lead"),
        mido.Message("program_change", program=3),
        mido.Message("note_on", note=60, velocity=70, time=96),
        mido.Message("note_on", note=60, velocity=0, time=48),
        mido.Message("note_on", note=62, velocity=70, time=0),
        mido.MetaMessage("end_of_track", time=96),
    ]
    file.tracks += [first, second]
    file.save(tmp_path / "other.mid")
    take = read_take(tmp_path / "other.mid")
    spans = [(note.pitch, round(note.onset_s, 6), round(note.end_s, 6), note.player) for note in take.notes]
    assert spans == [(60, 0.6, 0.9, "performer"), (62, 0.9, 1.5, "performer")]
    assert take.events == (TakeEvent(0.0, bytes((0xC0, 3))),)
    assert take.tempo == TempoMap((TempoChange(0.0, 100.0),), 3, clocked=True)


def test_every_truncation_of_a_file_is_one_plain_error(tmp_path: Path) -> None:
    whole = bundled_performance().read_bytes()
    path = tmp_path / "cut.mid"
    for size in (0, 1, 7, 14, 20, 22, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(MidiFileError, match=r"cut\.mid .*(write it again|give a MIDI file)"):
            read_take(path)


@settings(max_examples=150)
@given(data=st.binary(max_size=40), at=st.integers(0, 400))
def test_damaged_bytes_are_read_or_refused_never_a_crash(
    data: bytes, at: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = bundled_performance().read_bytes()
    path = tmp_path_factory.getbasetemp() / "damaged.mid"
    path.write_bytes(whole[:at] + data + whole[at + len(data) :])
    with contextlib.suppress(MidiFileError):
        assert read_take(path).notes


def test_files_that_cannot_be_played_say_why(tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    with pytest.raises(MidiFileError, match="cannot read"):
        read_take(path)
    path.write_text("this is no MIDI file at all")
    with pytest.raises(MidiFileError, match="not a whole MIDI file"):
        read_take(path)
    mido.MidiFile(tracks=[mido.MidiTrack()]).save(path)
    with pytest.raises(MidiFileError, match="holds no notes"):
        read_take(path)
    mido.MidiFile(type=2, tracks=[mido.MidiTrack()]).save(path)
    with pytest.raises(MidiFileError, match="type 2"):
        read_take(path)
    path.write_bytes(b"MThd\0\0\0\6\0\0\0\1\xe7\x28MTrk\0\0\0\4\0\xff\x2f\0")
    with pytest.raises(MidiFileError, match="SMPTE"):
        read_take(path)
