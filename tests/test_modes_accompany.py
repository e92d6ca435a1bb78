"""`accompany`: on the beat of any clock, planned ahead, dense enough, and never against a stop or a jump."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from antiphon.daemon.brain.click import BEAT, DOWNBEAT
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.models.parts import Part
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine_rig import (
    MS,
    S,
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

LEAD_IN_S = 0.1  # the internal clock's first beat
MELODY = phrase(2.1, [72, 74, 76, 77, 79, 81, 83, 84] * 6, gap_s=0.5, length_s=0.4)


def played(log: list[Record]) -> list[Record]:
    """The model's notes, as ordered: each directly before its SAMPLED."""
    return [note for note, after in pairwise(log) if note.kind == Kind.NOTE and after.kind == Kind.SAMPLED]


def grid_errors_ms(log: list[Record], start_s: float, bpm: float) -> list[float]:
    tick_s = 60 / bpm / 24
    at = [(note.t_ns / S - start_s) / tick_s for note in played(log)]
    return [abs(t - round(t)) * tick_s * 1000 for t in at]


def rates(log: list[Record], start_s: float, end_s: float, bpm: float, bars: int = 8) -> list[float]:
    """Onsets a beat in every stretch of ``bars`` bars of four, notes struck together counted once."""
    beat_s = 60 / bpm
    onsets = sorted({round(t / beat_s * 24) for t in onsets_s(log)})
    beats = [tick / 24 for tick in onsets]
    first, last = start_s / beat_s, end_s / beat_s - bars * 4
    found = []
    while first <= last:
        found.append(sum(first <= beat < first + bars * 4 for beat in beats) / (bars * 4))
        first += 1
    return found


def test_it_plays_only_the_chosen_parts_on_their_channels() -> None:
    log = run(engine("accompany", parts="bass+drums"), MELODY, 30.0)
    assert {note.a for note in played(log)} == {2, 9}


def test_at_tightness_1_every_note_is_on_the_internal_grid() -> None:
    log = run(engine("accompany", tightness=1.0, tempo=97.0), MELODY, 30.0)
    assert len(played(log)) > 100
    assert max(grid_errors_ms(log, LEAD_IN_S, 97.0)) < 0.01


def test_it_leans_on_the_beat_the_more_the_tighter() -> None:
    def between(tightness: float) -> float:
        generator = FakeGenerator()
        generator.like_any_gap()
        log = run(engine("accompany", generator, tightness=tightness, parts="pad"), [], 60.0)
        first_beat = 5  # ticks until the internal clock's first beat, 0.1 s off
        ticks = [r.t_ns - first_beat for r in of(log, Kind.SAMPLED)]
        return sum(tick % 6 != 0 for tick in ticks) / len(ticks)

    shares = [between(tightness) for tightness in (0.0, 0.3, 1.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.4
    assert shares[2] < 0.1


def test_a_tempo_change_moves_what_follows_without_a_jump() -> None:
    log = run(engine("accompany", tightness=1.0), [change(10.0, "tempo", 60.0)], 30.0)
    ticks = {r.id: r.t_ns for r in of(log, Kind.SAMPLED)}
    at = sorted((ticks[note.id], note.t_ns) for note in played(log))
    slow = [(tick, t) for tick, t in at if t > ns(11.0)]
    assert {round((b - a) / MS / (q - p)) for (p, a), (q, b) in pairwise(slow) if q > p} == {42}  # 1 s / 24
    assert all(b >= a for (_, a), (_, b) in pairwise(at))


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 100), st.sampled_from([0.0, 12.0]), st.booleans())
def test_there_are_two_onsets_a_beat_however_sparse_the_model_and_silent_the_performer(
    seed: int, sparse: float, plays: bool
) -> None:
    generator = FakeGenerator(sparse=sparse, parts=(6.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    log = run(engine("accompany", generator, seed=seed), MELODY if plays else [], 40.0)
    assert min(rates(log, 0.5, 40.0, 120.0)) >= 2.0


def test_bass_and_drums_are_there_when_they_are_needed() -> None:
    generator = FakeGenerator(parts=(0.0, 3.0, -20.0, -20.0, 0.0, 0.0))
    log = run(engine("accompany", generator, tightness=1.0), MELODY, 30.0)

    def beats(channel: int) -> set[float]:
        return {round((note.t_ns / S - LEAD_IN_S) * 2, 3) for note in played(log) if note.a == channel}

    assert {float(beat) for beat in range(0, 56, 2)} <= beats(2)
    assert {half / 2 for half in range(112)} <= beats(9)
    struck = [round((note.t_ns / S - LEAD_IN_S) * 2, 3) for note in played(log) if note.a == 1]
    assert all(struck.count(float(beat)) >= 3 for beat in range(0, 56, 4))


def test_the_band_stays_in_the_key_that_the_performer_plays_in() -> None:
    generator = FakeGenerator()
    run(engine("accompany", generator, parts="chords"), MELODY, 20.0)
    bias = generator.samples[-1][0].part_pitch_bias[int(Part.CHORDS)]
    white, black = [60, 62, 64, 65, 67], [61, 63, 66]  # MELODY is in C
    assert np.mean(bias[white]) > np.mean(bias[black]) + 2.0


def test_nobody_rubs_against_a_note_that_is_held() -> None:
    generator = FakeGenerator()
    run(engine("accompany", generator, parts="chords", key="off"), [on(2.0, 72)], 4.0)
    biases = [made.part_pitch_bias[int(Part.CHORDS)] for made, _ in generator.samples]
    held = np.array(biases[-12:])  # the last second: it is held since two
    assert held[:, [59, 61]].max() < -2.5  # whatever else sounds
    assert np.median(held[:, [57, 60, 64]]) > -2.0


def test_a_bass_listens_to_the_chords_that_the_performer_holds() -> None:
    chords = [(48, 60, 64, 67), (45, 57, 60, 64), (41, 57, 60, 65), (43, 59, 62, 67)] * 3
    given = in_order(
        [on(0.5 + 2.0 * bar, pitch) for bar, chord in enumerate(chords) for pitch in chord],
        [off(2.4 + 2.0 * bar, pitch) for bar, chord in enumerate(chords) for pitch in chord],
    )  # fmt: skip
    log = run(engine("accompany", parts="bass", key="off"), given, 24.0)
    under = [
        (note.b, chords[int((note.t_ns / S - 0.5) // 2.0)])
        for note in played(log)
        if 0.5 <= note.t_ns / S < 24.0 and (note.t_ns / S - 0.5) % 2.0 > 0.3  # heard in time to be thought of
    ]
    assert len(under) > 15
    assert np.mean([pitch % 12 in {one % 12 for one in chord} for pitch, chord in under]) > 0.7
    assert np.mean([pitch % 12 == chord[0] % 12 for pitch, chord in under]) > 0.4


def test_density_is_aimed_for() -> None:
    for wanted in (1.0, 4.0):
        log = run(engine("accompany", FakeGenerator(), density=wanted), [], 60.0)
        assert np.mean(rates(log, 4.0, 60.0, 120.0)) == pytest.approx(wanted, rel=0.35)


def test_every_chosen_part_is_heard_even_if_the_model_shuns_it() -> None:
    generator = FakeGenerator(parts=(0.0, 3.0, -6.0, 3.0, 0.0, 0.0))
    log = run(engine("accompany", generator, parts="chords+bass+drums"), [], 60.0)
    bass = [note.t_ns / S for note in played(log) if note.a == 2]
    assert len(bass) > 3


def test_notes_are_handed_over_shortly_before_they_are_due() -> None:
    chosen = engine("accompany", tightness=1.0, commit=0.5)
    log = run(chosen, [], 20.0)
    now, ahead = 0, []
    for record in log:
        if record.kind == Kind.WAKE:
            now = record.t_ns
        if record.kind == Kind.NOTE and record.t_ns > S:
            ahead.append(record.t_ns - now)
    assert min(ahead) > 10 * MS  # drawn late, after what was imagined did not come
    assert np.median(ahead) == pytest.approx(250 * MS, abs=MS)
    assert max(ahead) <= 250 * MS + 1


def test_what_the_performer_plays_is_taken_in_at_its_place_and_the_tail_planned_anew() -> None:
    generator = FakeGenerator()
    chosen = engine("accompany", generator)
    run(chosen, MELODY, 20.0)
    heard = [note for note in chosen.window.notes if note.part == Part.LEAD]
    assert [note.pitch for note in heard][-3:] == [r.b for r in MELODY if r.a == 0x90 and r.t_ns < ns(20)][-3:]
    assert chosen.window.state == generator.prime(chosen.window.notes)
    ticks = [note.tick for note in chosen.window.notes]
    assert ticks == sorted(ticks)
    assert 0.2 < chosen.counters.plan_kept < 1.0


def test_a_note_changes_what_comes_after_the_commit_horizon() -> None:
    without_it = run(engine("accompany"), [], 12.0)
    with_it = run(engine("accompany"), [on(6.01, 61), off(6.3, 61)], 12.0)
    horizon = ns(6.01 + 0.25 * 0.5)
    before = [note for note in played(without_it) if note.t_ns <= ns(6.0)]
    assert [note for note in played(with_it) if note.t_ns <= ns(6.0)] == before
    assert [n for n in played(with_it) if n.t_ns > horizon] != [n for n in played(without_it) if n.t_ns > horizon]


def test_imagined_notes_are_drawn_but_never_played_nor_remembered() -> None:
    generator = FakeGenerator(parts=(3.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    chosen = engine("accompany", generator, density=2.0)
    log = run(chosen, [], 20.0)
    assert chosen.counters.samples > len(played(log)) * 1.2
    assert Part.LEAD not in {note.part for note in chosen.window.notes}
    assert 0 not in {note.a for note in played(log)}


def test_count_in_and_click() -> None:
    log = run(engine("accompany", count_in=1, click=True, tightness=1.0), [], 6.0)
    clicks = [note for note in of(log, Kind.NOTE) if note not in played(log)]
    assert [note.b for note in clicks[:6]] == [DOWNBEAT, BEAT, BEAT, BEAT, DOWNBEAT, BEAT]
    assert [note.t_ns for note in clicks[:5]] == [ns(LEAD_IN_S + beat * 0.5) for beat in range(5)]
    assert {note.a for note in clicks} == {9}
    assert min(note.t_ns for note in played(log)) >= ns(LEAD_IN_S + 2.0)


def test_after_the_count_in_there_is_no_click_unless_asked_for() -> None:
    log = run(engine("accompany", count_in=1), [], 6.0)
    assert len(of(log, Kind.NOTE)) - len(played(log)) == 4


def test_it_follows_midi_clock_through_jitter() -> None:
    rng = random.Random(5)
    ticks = [r._replace(t_ns=r.t_ns + round(rng.uniform(-1, 1) * MS)) for r in clock_ticks(1.0, 120)]
    log = run(engine("accompany", tightness=1.0), in_order([midi(0.9, 0xFA)], ticks), 61.0)
    at = [(note.t_ns / S - 1.0) * 48 for note in played(log) if note.t_ns > ns(1.0)]
    errors = sorted(abs(t - round(t)) / 48 * 1000 for t in at)
    assert errors[int(len(errors) * 0.95)] < 1.5
    assert min(rates(log, 1.0, 61.0, 120.0)) >= 2.0


def test_it_comes_in_mid_song_without_a_start() -> None:
    log = run(engine("accompany"), clock_ticks(3.0, 40), 20.0)
    # the internal clock played until then; from here on the master's first tick is a beat
    assert Mark.CLOCK_START in marks(log)
    late = [note for note in played(log) if note.t_ns > ns(6.0)]
    errors = [abs((note.t_ns / S - 3.0) * 48 - round((note.t_ns / S - 3.0) * 48)) / 48 for note in late]
    assert len(late) > 20
    assert np.mean(errors) < 0.003


def test_a_stop_ends_everything_and_nothing_starts_until_it_goes_on() -> None:
    inputs = in_order(
        [midi(0.9, 0xFA)], clock_ticks(1.0, 12), [midi(7.0, 0xFC)], clock_ticks(7.0, 8),
        [midi(11.0, 0xFB)], clock_ticks(11.0, 12),
    )  # fmt: skip
    log = run(engine("accompany", tightness=1.0), inputs, 17.0)
    stop = next(index for index, r in enumerate(log) if r.kind == Kind.MIDI_IN and r.a == 0xFC)
    assert log[stop + 1] == Record(Kind.CANCEL, 1, id=0, t_ns=ns(7.0))
    sent = [r.u_ns / S for r in of(log, Kind.SENT)]
    assert not [t for t in sent if 7.0 < t < 11.0]
    assert [t for t in sent if t > 11.0]
    assert all(not 7.0 < r.u_ns / S < 11.0 for r in of(log, Kind.ENDED))
    assert marks(log).count(Mark.CLOCK_START) == 2


@pytest.mark.parametrize(
    "jump", [(midi(6.99, 0xF2, 0, 0),), (midi(6.97, 0xFC), midi(6.98, 0xF2, 0, 0), midi(6.99, 0xFB))]
)
def test_a_loop_ends_notes_and_plans_anew_on_the_new_beats(jump: tuple[Record, ...]) -> None:
    generator = FakeGenerator()
    chosen = engine("accompany", generator, tightness=1.0)
    inputs = in_order([midi(0.9, 0xFA)], clock_ticks(1.0, 11.9), jump, clock_ticks(7.01, 20))
    log = run(chosen, inputs, 16.0)
    assert of(log, Kind.CANCEL)
    late = [(note.t_ns / S - 7.01) * 48 for note in played(log) if note.t_ns > ns(9.0)]
    assert late
    assert np.mean([abs(t - round(t)) / 48 for t in late]) < 0.003
    assert chosen.window.state == generator.prime(chosen.window.notes)
    ended = of(log, Kind.ENDED, Kind.CUT)
    assert len(ended) == len(of(log, Kind.SENT))


def test_a_lost_clock_ends_everything_after_a_beat() -> None:
    log = run(engine("accompany"), in_order([midi(0.9, 0xFA)], clock_ticks(1.0, 12)), 12.0)
    assert marks(log)[-1] == Mark.CLOCK_STOP
    assert max(r.u_ns for r in of(log, Kind.SENT, Kind.ENDED, Kind.CUT)) <= ns(7.0 + 0.5)


def test_a_panic_is_silence_until_there_is_a_reason_to_play() -> None:
    panic = Record(Kind.PANIC, t_ns=ns(5.0))
    silent = run(engine("accompany"), [panic], 12.0)
    assert max(r.u_ns for r in of(silent, Kind.SENT)) <= ns(5.0)
    back = run(engine("accompany"), [panic, on(8.0, 60), off(8.5, 60)], 12.0)
    assert max(r.u_ns for r in of(back, Kind.SENT)) > ns(8.0)


def test_changed_parts_are_heard_within_the_commit_horizon() -> None:
    log = run(engine("accompany", parts="bass"), [change(8.0, "parts", "drums")], 16.0)
    assert {note.a for note in played(log) if note.t_ns < ns(8.0)} == {2}
    assert {note.a for note in played(log) if note.t_ns > ns(8.0 + 0.125 + 0.01)} == {9}


def test_mute_keeps_the_place() -> None:
    log = run(engine("accompany"), [change(5.0, "mute", True), change(9.0, "mute", False)], 14.0)
    sent = [r.u_ns / S for r in of(log, Kind.SENT)]
    assert not [t for t in sent if 5.0 < t < 9.0]
    assert [t for t in sent if 9.0 <= t < 9.7]


def test_the_same_pitch_never_sounds_twice_on_a_channel() -> None:
    log = run(engine("accompany", tightness=1.0), MELODY, 30.0)
    sounding: set[tuple[int, int]] = set()
    for record in log:
        if record.kind == Kind.SENT:
            key = (record.a & 0x0F, record.b)
            assert key not in sounding
            sounding.add(key)
        elif record.kind in (Kind.ENDED, Kind.CUT):
            sounding.discard((record.a & 0x0F, record.b))
    cut_short = len(of(log, Kind.CUT))
    assert cut_short <= len(of(log, Kind.SENT)) * 0.02 + 15  # those of the session's end


def test_a_note_not_sent_is_taken_out_and_the_plan_goes_on() -> None:
    generator = FakeGenerator()
    chosen = engine("accompany", generator)
    chosen.handle(Record(Kind.START, id=1))
    now, dropped = 0, 0
    for _ in range(300):
        now = max(now, chosen.next_wake_ns or now)
        for note in of(chosen.handle(Record(Kind.WAKE, t_ns=now)), Kind.NOTE):
            kind = Kind.DROPPED if note.id % 3 == 0 else Kind.SENT
            dropped += kind == Kind.DROPPED
            chosen.handle(Record(kind, id=note.id, t_ns=note.t_ns, u_ns=note.t_ns))
    assert chosen.counters.dropped == dropped > 10
    assert chosen.window.state == generator.prime(chosen.window.notes)
