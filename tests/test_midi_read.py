"""Beats where there are some and seconds where not; bars and pedals as one would count them by hand."""

from __future__ import annotations

import io

import mido
import numpy as np
import pytest
from antiphon.models.beat_grid import BeatGrid
from antiphon.models.errors import MidiFileError
from antiphon.models.midi_read import Timing, read_midi
from antiphon.models.notes import Column
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.midi_making import midi_bytes, scale


def _file(onsets: NDArray[np.int64], metas: tuple[tuple[int, mido.MetaMessage], ...] = (), length: int = 10) -> bytes:
    """One keyboard at 480 a beat, a note at each onset; ``metas`` are at their ticks."""
    events: list[tuple[int, int, mido.Message | mido.MetaMessage]] = [(tick, 0, meta) for tick, meta in metas]
    for index, onset in enumerate(onsets.tolist()):
        pitch = 40 + index % 40
        events.append((onset, 2, mido.Message("note_on", note=pitch, velocity=70)))
        events.append((onset + length, 1, mido.Message("note_off", note=pitch)))
    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    song, buffer = mido.MidiFile(ticks_per_beat=480, tracks=[track]), io.BytesIO()
    song.save(file=buffer)
    return buffer.getvalue()


def _tempo(bpm: float) -> mido.MetaMessage:
    return mido.MetaMessage("set_tempo", tempo=round(60e6 / bpm))


def _free(seed: int, notes: int = 1500) -> NDArray[np.int64]:
    """Onsets of someone with a beat of their own, near 100 a minute with rubato, recorded in a file at 90."""
    rng = np.random.default_rng(seed)
    beat_s = 60 / 101.3 * np.exp(0.01 * np.cumsum(rng.normal(size=notes)))
    onset_s = np.cumsum(rng.choice((0.25, 0.5, 0.5, 1.0), notes) * beat_s) + rng.normal(0.0, 0.012, notes)
    return np.unique(np.maximum(onset_s * 480 * 90 / 60, 0).astype(np.int64))


@pytest.mark.parametrize("seed", range(8))
def test_where_nobody_played_to_the_beat_it_is_seconds(seed: int) -> None:
    found = read_midi(_file(_free(seed), ((0, _tempo(90)),)), "x.mid")
    assert found.timing is Timing.SECONDS
    assert set(found.notes[:, Column.BAR_POSITION].tolist()) == {-1}
    seconds = _free(seed) / 480 * 60 / 90
    np.testing.assert_allclose(np.sort(found.notes[:, Column.ONSET]), np.round(seconds * 48), atol=1)  # 24 at 120 bpm


@pytest.mark.parametrize("loose", [0, 20, 45])
@pytest.mark.parametrize("places", [1, 2, 3, 4, 5, 6, 7, 8])
def test_where_someone_played_to_the_beat_it_is_beats(places: int, loose: int) -> None:
    rng = np.random.default_rng(places)
    steps = np.cumsum(rng.integers(1, 4, 600))
    step = 480 / places
    spread = min(loose, round(step / 4))  # a tenth of a beat, as the loosest drummers
    onsets = np.unique(np.maximum(0, steps * step + rng.normal(0, spread, 600)).astype(np.int64))
    found = read_midi(_file(onsets, ((0, _tempo(90)),)), "x.mid")
    assert found.timing is Timing.BEATS
    np.testing.assert_array_equal(np.sort(found.notes[:, Column.ONSET]), np.round(onsets * 24 / 480))


def test_a_tempo_map_is_believed_and_few_notes_are_not_judged() -> None:
    free = _free(1)
    assert read_midi(_file(free, ((0, _tempo(90)), (9600, _tempo(93)))), "x.mid").timing is Timing.BEATS
    assert read_midi(_file(free[:150], ((0, _tempo(90)),)), "x.mid").timing is Timing.BEATS


def test_a_file_without_a_tempo_is_at_120() -> None:
    found = read_midi(_file(_free(2)), "x.mid")
    assert found.timing is Timing.SECONDS
    np.testing.assert_allclose(np.sort(found.notes[:, Column.ONSET]), np.round(_free(2) / 20), atol=1)


@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 12), st.sampled_from((2, 4, 8, 16))), max_size=5),
    st.lists(st.integers(0, 25_000), min_size=1, max_size=40, unique=True),
)
def test_bars_are_counted_from_the_last_signature(bars: list[tuple[int, int, int]], onsets: list[int]) -> None:
    bars = sorted({at: (at, above, below) for at, above, below in bars}.values())
    metas = tuple(
        (at, mido.MetaMessage("time_signature", numerator=above, denominator=below)) for at, above, below in bars
    )
    notes = read_midi(_file(np.array(sorted(onsets)), metas), "x.mid").notes
    told = [(at // 20, above * 96 // below) for at, above, below in bars]
    if not told or told[0][0] > 0:
        told.insert(0, (0, 96))
    for onset, bar in notes[:, [Column.ONSET, Column.BAR_POSITION]].tolist():
        start, length = [one for one in told if one[0] <= onset][-1]
        assert bar == (onset - start) % max(6, length)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=30),
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 40)), min_size=1, max_size=20),
)
def test_pedals_lengthen_as_counted_by_hand(pedals: list[tuple[int, bool]], rows: list[tuple[int, int]]) -> None:
    track, now, down, spans = mido.MidiTrack(), 0, -1, []
    events: list[tuple[int, int, mido.Message]] = []
    for wait, pressed in pedals:
        now += wait * 20
        events.append((now, 0, mido.Message("control_change", control=64, value=127 if pressed else 0)))
        if pressed and down < 0:
            down = now
        elif not pressed and down >= 0:
            spans.append((down, now))
            down = -1
    onset, wanted = 0, []
    for pitch, (wait, length) in enumerate(rows):
        onset += wait * 20
        end = onset + length * 20
        events.append((onset, 1, mido.Message("note_on", note=30 + pitch, velocity=70)))
        events.append((end, 1, mido.Message("note_off", note=30 + pitch)))
        for begin, stop in spans:
            end = stop if begin <= end < stop else end
        wanted.append((onset // 20, (end - onset) // 20))
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    song, buffer = mido.MidiFile(ticks_per_beat=480, tracks=[track]), io.BytesIO()
    song.save(file=buffer)
    notes = read_midi(buffer.getvalue(), "x.mid").notes
    by_pitch = notes[np.argsort(notes[:, Column.PITCH])]
    assert list(map(tuple, by_pitch[:, [Column.ONSET, Column.DURATION]].tolist())) == wanted


def test_beats_are_read_and_go_on_outside() -> None:
    grid = BeatGrid.parse(b"1.0 1 1\n1.5 0 0\n2.5 0 1\n\n3.0 0 0\n", "beats")
    np.testing.assert_allclose(grid.beats_at(np.array([0.0, 1.0, 2.0, 3.0, 4.0])), [-2.0, 0.0, 1.5, 3.0, 5.0])
    np.testing.assert_array_equal(grid.bar_positions(np.array([-1, 0, 47, 48, 60])), [-1, 0, 47, 0, 12])
    none = BeatGrid.parse(b"1 1 0\n2 0 0\n3 0 0\n4 0 0", "beats")
    np.testing.assert_array_equal(none.bar_positions(np.array([0, 9])), [-1, -1])


def test_seconds_need_a_tempo_that_is_one() -> None:
    grid = BeatGrid.parse(b"0 1 1\n0.5 0 0\n1 0 0\n1.5 0 0", "beats")
    stopped = midi_bytes({"": scale()}).replace(b"MTrk", b"MTrk", 1)
    at = stopped.index(b"MTrk") + 4
    size = int.from_bytes(stopped[at : at + 4], "big")
    stopped = stopped[:at] + (size + 7).to_bytes(4, "big") + b"\0\xff\x51\x03\0\0\0" + stopped[at + 4 :]
    assert len(read_midi(stopped, "x.mid").notes) == 32  # beats are there
    with pytest.raises(MidiFileError, match="a tempo of 0"):
        read_midi(stopped, "x.mid", grid)


def test_beats_a_nanosecond_apart_are_an_error_not_a_giant_table() -> None:
    grid = BeatGrid(np.array([0.0, 1e-9, 2e-9, 3e-9]), np.array([True, False, False, False]))
    with pytest.raises(MidiFileError, match="beats; at most"):
        read_midi(midi_bytes({"": scale()}), "x.mid", grid)
