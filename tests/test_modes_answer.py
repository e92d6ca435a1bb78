"""`answer` and `continue`: when they begin, how long and in what manner they play, and that they yield at once."""

from __future__ import annotations

import numpy as np
import pytest
from antiphon.daemon.brain.phrase import Manner, Pace, Phrase
from antiphon.daemon.brain.plan import YIELD_NS
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.models.generator import MAX_TICKS
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine_rig import (
    MS,
    S,
    cc,
    change,
    clock_ticks,
    engine,
    in_order,
    marks,
    midi,
    ns,
    of,
    off,
    on,
    onsets_s,
    phrase,
    run,
)
from tests.fake_generator import FakeGenerator

#: Quarter-second notes from 1 s: the phrase lasts from 1.0 to 4.95 s.
PLAYED = phrase(1.0, [60, 62, 64, 65, 67, 69, 71, 72] * 2)
PHRASE_END_S = 4.95


def first_answer_s(log: list[Record]) -> float:
    return onsets_s(log)[0]


def test_it_answers_after_a_silence_at_the_pace_played() -> None:
    log = run(engine("answer"), PLAYED, 12.0)
    assert marks(log) == [Mark.PHRASE_END, Mark.ANSWER]
    phrase_end = next(r for r in log if r.kind == Kind.MARK)
    assert phrase_end.t_ns == ns(PHRASE_END_S + 0.25 * 1.5)
    assert PHRASE_END_S + 0.375 < first_answer_s(log) < PHRASE_END_S + 1.0


def test_it_waits_longer_for_a_slow_player_and_with_more_patience() -> None:
    slow = phrase(1.0, [60, 62, 64, 65], gap_s=1.0)
    slow_end = 1.0 + 3.0 + 0.2
    assert first_answer_s(run(engine("answer"), slow, 20.0)) >= slow_end + 1.5
    patient = run(engine("answer", patience=3.0), PLAYED, 12.0)
    assert first_answer_s(patient) >= PHRASE_END_S + 0.375 * 3


def test_the_first_note_falls_on_the_pulse_that_was_played() -> None:
    log = run(engine("answer", tightness=1.0), PLAYED, 12.0)
    beats = (first_answer_s(log) - 1.0) / 0.25
    assert beats == pytest.approx(round(beats), abs=0.1)


def test_with_a_clock_the_first_note_falls_on_half_a_beat() -> None:
    inputs = in_order(clock_ticks(0.0, 40, 110.0), PLAYED)
    log = run(engine("answer", tightness=1.0), inputs, 12.0)
    halves = first_answer_s(log) * 110 / 60 * 2
    assert halves == pytest.approx(round(halves), abs=0.02)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_an_answer_is_about_as_long_as_the_phrase(factor: float) -> None:
    log = run(engine("answer", answer_length=factor), PLAYED, 25.0)
    notes = of(log, Kind.NOTE)
    length_s = (max(note.u_ns for note in notes) - notes[0].t_ns) / S
    assert length_s == pytest.approx(3.95 * factor, abs=1.1)
    assert max(note.t_ns for note in notes) - notes[0].t_ns < 3.95 * factor * S


def test_an_answer_keeps_to_the_phrases_range_loudness_and_density() -> None:
    generator = FakeGenerator()
    run(engine("answer", generator), PLAYED, 12.0)
    drawn = [constraints for constraints, _ in generator.samples]
    bias = drawn[3].part_pitch_bias[5]
    assert bias[60] > bias[48] > bias[36]
    assert bias[72] > bias[84] > bias[95]
    velocity = drawn[3].velocity_bias
    assert velocity is not None
    assert int(velocity.argmax()) in (9, 10)  # 80 of 128, in levels of 8
    assert all(constraints.part == 5 for constraints in drawn)


def test_the_end_of_an_answer_leans_home_and_rings() -> None:
    generator = FakeGenerator()
    log = run(engine("answer", generator, key="C", scale="major"), PLAYED, 12.0)
    first, last = generator.samples[1][0].part_pitch_bias[5], generator.samples[-1][0].part_pitch_bias[5]
    home, away = [60, 64, 67], [62, 65, 69]
    assert np.mean(last[home] - first[home]) > np.mean(last[away] - first[away]) + 1.0
    notes = of(log, Kind.NOTE)
    end = max(note.t_ns for note in notes)
    assert all(note.u_ns - note.t_ns >= ns(0.37) for note in notes if note.t_ns == end)


def test_an_answer_has_the_phrases_lengths() -> None:
    log = run(engine("answer", tightness=1.0), PLAYED, 12.0)
    *body, _last = of(log, Kind.NOTE)
    assert max(note.u_ns - note.t_ns for note in body[:-4]) <= ns(0.26)  # played: 0.2 s each, half a beat is allowed


@pytest.mark.parametrize("held", [on(4.9, 48), cc(4.9, 64, 127)])
def test_a_held_note_or_pedal_is_not_silence(held: Record) -> None:
    log = run(engine("answer"), in_order(PLAYED, [held]), 12.0)
    assert onsets_s(log) == []


def test_silence_begins_when_the_pedal_comes_up() -> None:
    log = run(engine("answer"), in_order(PLAYED, [cc(4.9, 64, 127), cc(8.0, 64, 0)]), 14.0)
    assert first_answer_s(log) >= 8.3


@pytest.mark.parametrize("silencer", [midi(2.6, 0xFC), cc(2.6, 123, 0), cc(2.6, 120, 0)])
def test_what_a_stop_ends_is_no_phrase(silencer: Record) -> None:
    played = [*phrase(1.0, [60, 62, 64]), on(2.2, 60)]
    log = run(engine("answer", patience=4.0), in_order(played, [silencer]), 12.0)
    assert onsets_s(log) == []


@pytest.mark.parametrize("trigger", [Record(Kind.TRIGGER, t_ns=ns(3.0)), cc(3.0, 67, 100)])
def test_a_trigger_is_answered_at_once_even_over_a_held_note(trigger: Record) -> None:
    log = run(engine("answer"), in_order([on(1.0, 60), on(1.5, 64)], [trigger]), 8.0)
    assert 3.0 < first_answer_s(log) < 3.7
    assert marks(log)[0] == Mark.ANSWER


def test_a_trigger_is_its_rising_edge() -> None:
    inputs = [on(1.0, 60), cc(3.0, 67, 64), cc(3.5, 67, 100), cc(3.6, 67, 0)]
    assert marks(run(engine("answer"), inputs, 4.0)) == [Mark.ANSWER]


def test_another_trigger_stops_it() -> None:
    inputs = in_order(PLAYED, [Record(Kind.TRIGGER, t_ns=ns(t)) for t in (5.0, 6.0)])
    log = run(engine("answer"), inputs, 12.0)
    assert marks(log) == [Mark.ANSWER, Mark.YIELD]
    assert max(onsets_s(of(log, Kind.NOTE))) < 6.3
    assert max(r.u_ns for r in of(log, Kind.SENT)) <= ns(6.0)


def test_it_answers_again_and_again() -> None:
    again = [r._replace(t_ns=r.t_ns + 12 * S) for r in PLAYED]
    log = run(engine("answer"), in_order(PLAYED, again), 26.0)
    assert marks(log) == [Mark.PHRASE_END, Mark.ANSWER] * 2
    assert any(t > 17.0 for t in onsets_s(log))


@settings(max_examples=40, deadline=None)
@given(st.floats(5.4, 9.0), st.sampled_from([0.05, 0.25, 2.0]), st.integers(0, 1000))
def test_it_yields_within_one_note(back_s: float, commit: float, seed: int) -> None:
    generator = FakeGenerator()
    chosen = engine("answer", generator, seed=seed, commit=commit, answer_length=2.0)
    log = run(chosen, in_order(PLAYED, [on(back_s, 60), off(back_s + 20, 60)]), back_s + 3)
    assert [r for r in of(log, Kind.SENT) if r.u_ns > ns(back_s)] == []
    ended = [r.u_ns for r in of(log, Kind.ENDED, Kind.CUT)]
    assert all(end <= ns(back_s) + YIELD_NS for end in ended)
    assert len(ended) == len(of(log, Kind.SENT))
    assert chosen.window.state == generator.prime(chosen.window.notes)
    sent = {r.id for r in of(log, Kind.SENT)}
    sampled = {(r.t_ns, r.a, r.b) for r in of(log, Kind.SAMPLED) if r.id in sent}
    performed = {(note.tick, note.pitch) for note in chosen.window.notes} - {(tick, p) for tick, _, p in sampled}
    assert len(performed) <= 16 + 1  # nothing is remembered that was neither played nor sent


def test_changed_settings_are_heard_within_the_answer() -> None:
    inputs = in_order(PLAYED, [change(7.0, "voice", "bass")])
    log = run(engine("answer"), inputs, 12.0)
    late = [r for r in of(log, Kind.NOTE) if r.t_ns > ns(7.3)]
    assert late
    assert {r.a for r in late} == {2}


def test_continue_waits_for_the_trigger_and_goes_on() -> None:
    log = run(engine("continue"), in_order(PLAYED, [Record(Kind.TRIGGER, t_ns=ns(5.0))]), 60.0)
    assert marks(log) == [Mark.TAKE_OVER]
    onsets = onsets_s(log)
    assert 5.0 < onsets[0] < 5.6
    assert onsets[-1] > 58.0
    assert max(np.diff(sorted(onsets))) < 2.5


def test_continue_takes_over_without_waiting_for_an_end() -> None:
    log = run(engine("continue"), [on(1.0, 60), on(2.0, 64), Record(Kind.TRIGGER, t_ns=ns(2.1))], 6.0)
    assert 2.1 < onsets_s(log)[0] < 2.7


@pytest.mark.parametrize("back", [on(9.0, 60), Record(Kind.TRIGGER, t_ns=ns(9.0)), cc(9.0, 67, 127)])
def test_continue_gives_back_when_played_to_or_triggered(back: Record) -> None:
    inputs = in_order(PLAYED, [Record(Kind.TRIGGER, t_ns=ns(5.5)), back])
    log = run(engine("continue"), inputs, 15.0)
    assert marks(log) == [Mark.TAKE_OVER, Mark.YIELD]
    assert max(r.u_ns for r in of(log, Kind.SENT)) <= ns(9.0)


def test_continue_never_answers_by_itself() -> None:
    assert onsets_s(run(engine("continue"), PLAYED, 15.0)) == []


def test_a_panic_ends_the_answer_for_good() -> None:
    log = run(engine("answer"), in_order(PLAYED, [Record(Kind.PANIC, t_ns=ns(6.0))]), 12.0)
    assert max(r.u_ns for r in of(log, Kind.SENT)) <= ns(6.0)


def test_the_pace_is_that_of_most_gaps_and_chords_are_one() -> None:
    pace = Pace()
    for index in range(12):
        for spread in (0, 10 * MS, 20 * MS):
            pace.struck(index * 400 * MS + spread)
    assert pace.silence_ns(1.0) == 600 * MS
    assert pace.silence_ns(2.0) == 1200 * MS


def test_the_pace_has_bounds() -> None:
    fast, slow = Pace(), Pace()
    for index in range(10):
        fast.struck(index * 60 * MS)
        slow.struck(index * 2400 * MS)
    assert fast.silence_ns(1.0) == 350 * MS
    assert slow.silence_ns(1.0) == 2500 * MS


@given(st.floats(0.3, 0.9), st.integers(4, 12), st.floats(0, 1))
def test_the_next_pulse_is_a_pulse_of_the_phrase(period_s: float, count: int, after_s: float) -> None:
    heard = Phrase()
    for index in range(count):
        heard.struck(60, 80, ns(3.0 + index * period_s))
    after = ns(3.0 + count * period_s + after_s)
    pulse = heard.next_pulse_ns(after)
    assert pulse >= after
    beats = (pulse - ns(3.0)) / S / period_s
    # the pulse felt may be a division of the one played
    assert min(abs(beats * n - round(beats * n)) / n for n in (1, 2, 3)) < 0.12


def test_a_phrase_without_a_pulse_is_answered_without_waiting() -> None:
    heard = Phrase()
    heard.struck(60, 80, 0)
    assert heard.next_pulse_ns(12345) == 12345


def test_the_manner_of_a_phrase() -> None:
    heard = Phrase()
    for index in range(5):
        for pitch in (60, 64 + index):
            heard.struck(pitch, 70, index * 250 * MS)
    manner = heard.manner(500 * MS)
    assert manner == Manner(60, 68, 70.0, 2.0, 12)


def test_a_phrase_out_of_reach_is_answered_octaves_away() -> None:
    bias = Manner(84, 96, 80.0, 2.0, MAX_TICKS).pitch_bias(28, 55)
    assert int(np.flatnonzero(bias == 0.0)[0]) == 84 - 36 - 4
