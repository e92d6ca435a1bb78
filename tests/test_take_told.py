"""The bars of a take whose clock was told from outside."""

from __future__ import annotations

import pytest
from antiphon.daemon.brain.told_clock import Source, Told
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.take_told import told_runs
from antiphon.daemon.takes import take_from_records
from antiphon.models.take import Take
from hypothesis import given
from hypothesis import strategies as st

from tests.take_records import mark

_STEP_S = 0.05


def told(t_s: float, beat: float, bpm: float = 120.0, *, running: bool = True, metre: int = 4) -> Record:
    return Told(Source.JACK, round(t_s * 1e9), beat, round(60e9 / bpm), running, metre).record()


def rolling(begin_s: float, end_s: float, beat: float, bpm: float = 120.0, metre: int = 4) -> list[Record]:
    """Give what a source tells that is at ``beat`` at the beginning and rolls to the end."""
    count = round((end_s - begin_s) / _STEP_S)
    return [
        told(begin_s + i * _STEP_S, beat + i * _STEP_S * bpm / 60.0, bpm, metre=metre) for i in range(count)
    ]  # fmt: skip


def take_of(*records: Record) -> Take:
    return take_from_records([], records, {"t0_ns": 0}, {})


@given(begin_s=st.floats(-0.2, 5.0), beat=st.floats(0.0, 50.0), bpm=st.floats(40.0, 240.0), metre=st.integers(2, 7))
def test_a_take_that_joins_a_song_has_the_songs_bars(begin_s: float, beat: float, bpm: float, metre: int) -> None:
    end_s = begin_s + 16 * metre * 60.0 / bpm
    take = take_of(*rolling(begin_s, end_s, beat, bpm, metre))
    assert take.tempo.clocked
    assert take.tempo.beats_per_bar == metre
    later = begin_s + 8 * metre * 60.0 / bpm, end_s
    places = [
        (at - (beat + (t - begin_s) * bpm / 60.0)) / metre
        for t, at in zip(later, take.tempo.beats_at(later), strict=True)
    ]
    assert places == pytest.approx([round(places[0])] * 2, abs=0.01)
    assert all(bpm * 0.24 <= change.bpm <= bpm * 4.01 for change in take.tempo.changes)


def test_a_song_that_is_located_goes_on_with_the_bars_of_the_new_place() -> None:
    take = take_of(*rolling(1.0, 6.0, 2.5), *rolling(6.0, 20.0, 33.25))
    places = [at % 4 for at in take.tempo.beats_at([16.0, 19.0])]
    assert places == pytest.approx([(33.25 + 20.0) % 4, (33.25 + 26.0) % 4], abs=0.01)


def test_a_loop_back_keeps_its_bars() -> None:
    laps = [record for lap in range(4) for record in rolling(1.0 + 4.0 * lap, 5.0 + 4.0 * lap, 8.0)]
    take = take_of(*laps)
    assert [at % 4 for at in take.tempo.beats_at([5.0, 9.0, 13.0])] == pytest.approx([0.0] * 3, abs=0.02)


def test_a_song_that_stops_and_goes_on_later_is_two_runs() -> None:
    log = told_runs(
        [*rolling(0.0, 4.0, 0.0), told(4.0, 8.0, running=False), *rolling(9.0, 12.0, 8.0)], lambda ns: ns / 1e9
    )
    assert [round(beats[0][1], 3) for _, beats in log.runs()] == [0.0, 8.0]
    assert [round(bpm, 3) for bpm, _ in log.runs()] == [120.0, 120.0]


def test_a_source_that_puts_its_beat_back_by_little_makes_no_new_run() -> None:
    records = [told(i * _STEP_S, i * _STEP_S * 2 + (0.004 if i % 2 else 0.0)) for i in range(200)]
    assert len(told_runs(records, lambda ns: ns / 1e9).runs()) == 1
    assert len(take_of(*records).tempo.changes) <= 3


def test_what_is_told_counts_before_the_engines_own_marks() -> None:
    take = take_of(Record(Kind.START), mark(Mark.TEMPO, 0.0, 90.0), *rolling(2.0, 12.0, 1.5))
    assert [at % 4 for at in take.tempo.beats_at([10.0])] == pytest.approx([17.5 % 4], abs=0.01)


def test_a_beat_that_was_never_told_leaves_the_marks_to_count() -> None:
    take = take_of(Record(Kind.START), mark(Mark.TEMPO, 0.0, 90.0), told(1.0, 0.3), told(1.2, 0.7))
    assert [change.bpm for change in take.tempo.changes] == [90.0]
