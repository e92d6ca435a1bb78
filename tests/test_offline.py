"""Offline: the simulated player, the log, and MIDI files as performances."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.offline import SimulatedPlayer, engine_log, performance_records, run_offline, wire_log
from antiphon.models.errors import MidiFileError

from tests.engine_rig import MS, S, engine, ns, of, onsets_s, phrase, run

NOTE = Record(Kind.NOTE, 4, 60, 80, 1, 100, 200, 50.0)


def orders(player: SimulatedPlayer, *records: Record, now: int = 0) -> list[Record]:
    return [report for record in records for report in player.order(record, now)]


def test_a_note_is_sent_and_ended_at_its_times() -> None:
    player = SimulatedPlayer()
    assert orders(player, NOTE) == []
    assert player.next_ns == 100
    assert player.advance(100) == [Record(Kind.SENT, 0x94, 60, 80, 1, 100, 100)]
    assert player.advance(200) == [Record(Kind.ENDED, 0x84, 60, 64, 1, 200, 200)]
    assert player.next_ns is None


def test_an_offset_moves_what_follows() -> None:
    player = SimulatedPlayer()
    orders(player, Record(Kind.OFFSET, t_ns=7), NOTE)
    assert player.advance(107)[0].t_ns == 107
    assert player.advance(207)[0].kind == Kind.ENDED


def test_a_note_too_late_is_dropped() -> None:
    player = SimulatedPlayer()
    orders(player, NOTE, now=151)
    assert player.advance(151) == [Record(Kind.DROPPED, id=1, t_ns=100, u_ns=151)]


def test_an_earlier_end_wins_and_a_later_one_too() -> None:
    for end in (150, 300):
        player = SimulatedPlayer()
        orders(player, NOTE)
        player.advance(100)
        orders(player, Record(Kind.END, id=1, t_ns=end), now=110)
        reports = [r for t in (150, 200, 300) for r in player.advance(t)]
        assert [(r.kind, r.u_ns) for r in reports] == [(Kind.ENDED, end)]


def test_an_end_before_the_onset_takes_the_note_back() -> None:
    player = SimulatedPlayer()
    orders(player, NOTE)
    taken = orders(player, Record(Kind.END, id=1, t_ns=100), now=50)
    assert taken == [Record(Kind.CANCELLED, id=1, t_ns=100, u_ns=50)]  # as the player does
    assert player.advance(300) == []


def test_cancel_takes_back_or_cuts() -> None:
    player = SimulatedPlayer()
    orders(player, NOTE)
    assert orders(player, Record(Kind.CANCEL, id=1), now=50) == [Record(Kind.CANCELLED, id=1, t_ns=100, u_ns=50)]
    orders(player, NOTE._replace(id=2))
    player.advance(100)
    assert orders(player, Record(Kind.CANCEL, id=0), now=120) == []
    assert orders(player, Record(Kind.CANCEL, 1, id=0), now=120) == [Record(Kind.CUT, 0x84, 60, 64, 2, 200, 120)]


def test_a_second_note_on_a_pitch_ends_the_first() -> None:
    player = SimulatedPlayer()
    orders(player, NOTE, NOTE._replace(id=2, t_ns=150, u_ns=250))
    player.advance(100)
    assert [(r.kind, r.id) for r in player.advance(150)] == [(Kind.CUT, 1), (Kind.SENT, 2)]


def test_other_messages_go_out_and_panic_ends_all() -> None:
    player = SimulatedPlayer()
    orders(player, Record(Kind.SEND, 0xB0, 7, 100, 3, 10), NOTE)
    assert player.advance(10) == [Record(Kind.OUT, 0xB0, 7, 100, 0, 10, 10)]
    player.advance(100)
    assert [r.kind for r in orders(player, Record(Kind.PANIC), now=120)] == [Kind.CUT]
    assert player.close(130) == []


def test_a_run_begins_with_start_and_ends_with_stop_and_silence() -> None:
    told: list[Record] = []
    log = run_offline(engine("follow", seed=5), phrase(1.0, [60, 62], length_s=9.0), ns(3.0), told.append)
    assert told == log
    assert log[0] == Record(Kind.START, id=5)
    assert len(of(log, Kind.SENT)) == len(of(log, Kind.ENDED, Kind.CUT)) == 2
    assert of(log, Kind.STOP) == [Record(Kind.STOP, t_ns=ns(3.0))]
    assert log.index(of(log, Kind.STOP)[0]) > log.index(of(log, Kind.SENT)[1])


def test_replies_come_after_their_cause_at_its_time() -> None:
    log = run(engine("follow"), phrase(1.0, [60, 62]), 3.0)
    kinds = [r.kind for r in log if r.kind not in (Kind.THRU, Kind.OFFSET, Kind.WAKE)]
    assert kinds[:5] == [Kind.START, Kind.MIDI_IN, Kind.NOTE, Kind.SAMPLED, Kind.SENT]
    assert onsets_s(log) == [1.0, 1.25]


def test_the_two_journals_of_a_run() -> None:
    log = run(engine("follow"), phrase(1.0, [60, 62]), 3.0)
    wire, brain = wire_log(log), engine_log(log)
    assert {r.kind for r in wire} == {Kind.MIDI_IN, Kind.SENT, Kind.ENDED, Kind.STOP}
    assert {r.kind for r in brain} >= {Kind.START, Kind.MIDI_IN, Kind.SENT, Kind.ENDED, Kind.SAMPLED, Kind.WAKE}
    assert not {r.kind for r in brain} & {Kind.NOTE, Kind.END, Kind.THRU, Kind.OFFSET}


def test_a_panic_asked_for_is_in_the_engines_journal_and_the_one_ordered_is_not() -> None:
    log = run(engine("follow"), [Record(Kind.PANIC, t_ns=ns(1.0))], 2.0)
    assert len(of(log, Kind.PANIC)) == 2
    assert of(engine_log(log), Kind.PANIC) == [Record(Kind.PANIC, t_ns=ns(1.0))]


def test_the_same_seed_gives_equal_takes_and_another_another() -> None:
    def take(seed: int) -> list[Record]:
        return run(engine("accompany", seed=seed), phrase(1.0, [60, 62, 64, 65]), 20.0)

    assert take(1) == take(1)
    assert of(take(1), Kind.SENT) != of(take(2), Kind.SENT)


def test_it_is_faster_than_real_time_in_simulated_time_only() -> None:
    log = run(engine("accompany"), [], 200.0)
    assert max(r.u_ns for r in of(log, Kind.SENT)) > 199 * S


def written(path: Path, *, tempo: int = 500_000, messages: list[mido.Message] | None = None) -> Path:
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=tempo)])
    track += messages if messages is not None else [
        mido.Message("note_on", note=60, velocity=80, channel=2),
        mido.Message("control_change", control=64, value=127, time=240),
        mido.Message("note_on", note=60, velocity=0, channel=2, time=240),
        mido.Message("program_change", program=5, time=480),
    ]  # fmt: skip
    file.tracks.append(track)
    file.save(path)
    return path


def test_a_midi_file_is_a_performance(tmp_path: Path) -> None:
    assert performance_records(written(tmp_path / "a.mid", tempo=600_000)) == [
        Record(Kind.MIDI_IN, 0x92, 60, 80, 3, 0),
        Record(Kind.MIDI_IN, 0xB0, 64, 127, 3, 300 * MS),
        Record(Kind.MIDI_IN, 0x92, 60, 0, 3, 600 * MS),
        Record(Kind.MIDI_IN, 0xC0, 5, 0, 2, 1200 * MS),
    ]


def test_its_clock_comes_with_it(tmp_path: Path) -> None:
    records = performance_records(written(tmp_path / "a.mid", tempo=600_000), clock=True)
    ticks = [r for r in records if r.a == 0xF8]
    assert records[0].a == 0xFA
    assert records[1].a == 0xF8
    assert len(ticks) == 49
    assert ticks[24].t_ns == 600 * MS
    assert records[-1].a == 0xFC


def test_tempo_changes_within_a_file_are_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mid", messages=[
        mido.Message("note_on", note=60, velocity=80),
        mido.Message("note_off", note=60, time=480),
        mido.MetaMessage("set_tempo", tempo=1_000_000),
        mido.Message("note_on", note=62, velocity=80, time=480),
    ])  # fmt: skip
    assert [r.t_ns for r in performance_records(path)] == [0, 500 * MS, 1500 * MS]


def test_a_file_that_is_no_performance_is_one_plain_line(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mid"
    empty.write_bytes(b"")
    cut = tmp_path / "cut.mid"
    cut.write_bytes(written(tmp_path / "whole.mid").read_bytes()[:-9])
    text = tmp_path / "text.mid"
    text.write_text("this is not music")
    silent = written(tmp_path / "silent.mid", messages=[])
    for path in (empty, cut, text, silent, tmp_path / "missing.mid"):
        with pytest.raises(MidiFileError, match=path.name) as caught:
            performance_records(path)
        assert "\n" not in str(caught.value)


def test_an_offset_into_the_past_drops_nothing_that_could_still_be_sent() -> None:
    player = SimulatedPlayer()
    orders(player, Record(Kind.OFFSET, t_ns=-80), NOTE, now=60)
    assert player.advance(60) == [Record(Kind.SENT, 0x94, 60, 80, 1, 20, 60)]


@pytest.mark.parametrize("mode", ["answer", "continue", "accompany"])
def test_every_note_is_early_by_the_offset(mode: str) -> None:
    sign = [Record(Kind.TRIGGER, t_ns=ns(2.0))] if mode == "continue" else []
    story = [*phrase(0.5, [60, 64, 67, 72]), *sign]
    sent = of(run(engine(mode, offset=-245.0, commit=0.05), story, 8), Kind.SENT)
    assert len(sent) > 5
    assert all(record.t_ns == record.u_ns for record in sent)
