"""The `lstm` generator live: chords note by note, what was heard as rhythm and touch, every constraint kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
from antiphon.models.generator import PARTS, PITCHES, TIME_CLASSES, Constraints, Generator, HeldNote
from antiphon.models.lstm.elements import Element, Spelling
from antiphon.models.lstm.generation import Tokens
from antiphon.models.lstm.heard import parts
from antiphon.models.lstm.live import ElementGenerator
from antiphon.models.lstm.vocabulary import Vocabulary
from antiphon.models.lstm.word_pitches import word_pitches
from antiphon.models.parts import Part
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

_C, _G, _LOW = (60, 64, 67), (55, 59, 62), (60,)
_ROW: list[Element] = [_C, _G, _LOW, (48, 72)]
_VOCABULARY = Vocabulary.build([_ROW], Spelling.PITCHES)
_CERTAIN = 12.0


class Turning:
    """An `ElementModel` that goes round `_ROW`; its state is all it has been fed."""

    name, words = "turning", len(_VOCABULARY)

    def window(self, tokens: Tokens) -> NDArray[np.float32]:
        return self._logits(int(tokens[0, -1]))[None]

    def start(self, rows: int) -> tuple[int, ...]:
        return ()

    def step(self, tokens: Tokens, state: tuple[int, ...]) -> tuple[NDArray[np.float32], tuple[int, ...]]:
        return self._logits(int(tokens[0]))[None], (*state, int(tokens[0]))

    @staticmethod
    def _logits(token: int) -> NDArray[np.float32]:
        order = _VOCABULARY.encode(_ROW).tolist()
        logits = np.zeros(len(_VOCABULARY), np.float32)
        if token in order:
            logits[order[(order.index(token) + 1) % len(order)]] = _CERTAIN
        return logits


@pytest.fixture
def generator() -> ElementGenerator:
    return ElementGenerator(Turning(), _VOCABULARY, "turning", "0" * 64)


def _notes(*rows: tuple[int, int], part: Part = Part.PIANO) -> list[HeldNote]:
    return [HeldNote(tick, part, pitch, 90, off_tick=tick + 6) for tick, pitch in rows]


_HALF = np.full(5, 0.5)


def test_it_is_a_generator(generator: ElementGenerator) -> None:
    one: Generator = generator
    assert (one.name, one.last_tick(one.initial())) == ("turning", None)
    assert one.last_tick(one.prime(_notes((0, 60), (7, 62)))) == 7


def test_a_chord_is_one_element_however_many_notes_it_came_in(generator: ElementGenerator) -> None:
    state = generator.prime(_notes((0, 60), (0, 64), (1, 67), (24, 55), (24, 59), (24, 62)))
    assert state.after == tuple(_VOCABULARY.encode([_C, _G]).tolist())
    assert state.chord == _G
    spread = generator.prime(_notes((0, 60), (2, 64)))
    assert len(spread.after) == 2


def test_it_strikes_the_chord_it_expects_lowest_note_first_and_then_goes_on(generator: ElementGenerator) -> None:
    state = generator.prime(_notes((0, 60), (0, 64), (0, 67)))
    played, tick = [], 0
    for _ in range(6):
        drawn = generator.sample(state, Constraints(), _HALF)
        tick += drawn.gap
        played.append((tick, drawn.pitch))
        state = generator.step(state, HeldNote(tick, drawn.part, drawn.pitch, drawn.velocity))
    assert [pitch for _, pitch in played] == [55, 59, 62, 60, 48, 72]
    first, second, third = played[0][0], played[3][0], played[4][0]
    assert [tick for tick, _ in played] == [first] * 3 + [second] + [third] * 2
    assert first < second < third


def test_rhythm_touch_and_part_are_those_heard(generator: ElementGenerator) -> None:
    notes = [HeldNote(place * 7, Part.LEAD, 60, 33, off_tick=place * 7 + 5) for place in range(40)]
    drawn = generator.sample(generator.prime(notes), Constraints(min_gap=1), _HALF)
    assert (drawn.part, drawn.gap, drawn.velocity // 8, drawn.duration) == (Part.LEAD, 7, 33 // 8, 5)
    nothing = generator.sample(generator.initial(), Constraints(), _HALF)
    assert (nothing.gap, nothing.velocity // 8, nothing.duration) == (12, 10, 24)  # the paper's own


def test_an_end_that_is_not_known_yet_changes_nothing(generator: ElementGenerator) -> None:
    rows = [(place * 12, 60) for place in range(20)]
    held, ended = _notes(*rows), _notes(*rows)
    for note in held[-3:]:
        note.off_tick = math.inf
    for note in ended[-3:]:
        note.off_tick = 20 * 12 + 1000  # after all of them
    for uniform in np.linspace(0, 0.99, 20):
        draws = {
            generator.sample(generator.prime(notes), Constraints(), np.full(5, uniform)) for notes in (held, ended)
        }
        assert len(draws) == 1


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_what_is_forced_or_forbidden_is_so(data: st.DataObject) -> None:
    generator = ElementGenerator(Turning(), _VOCABULARY, "turning", "")
    rows = data.draw(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 127)), max_size=12))
    parts = st.sampled_from(list(Part))
    state = generator.prime([HeldNote(tick, data.draw(parts), pitch, 64) for tick, pitch in sorted(rows)])
    allowed = data.draw(st.sets(st.integers(0, 127), min_size=1))
    bias = np.full(PITCHES, -np.inf, np.float32)
    bias[list(allowed)] = 0.0
    low = data.draw(st.integers(0, 150))
    forced = data.draw(st.one_of(st.none(), parts))
    constraints = Constraints(
        part=forced, min_gap=low, pitch_bias=bias, min_duration=3, max_duration=9,
        temperature=data.draw(st.sampled_from((0.0, 1.0, 2.0))), top_p=data.draw(st.sampled_from((0.5, 1.0))),
    )  # fmt: skip
    uniforms = np.array(data.draw(st.lists(st.floats(0, 0.999), min_size=5, max_size=5)))
    drawn = generator.sample(state, constraints, uniforms)
    assert drawn.gap >= low
    assert 3 <= drawn.duration <= 9
    assert drawn.part == Part.DRUMS or drawn.pitch in allowed
    assert forced is None or drawn.part == forced
    assert 1 <= drawn.velocity <= 127
    assert -math.inf < drawn.log_prob <= 0.0
    assert drawn == generator.sample(state, constraints, uniforms)


def test_the_chances_of_all_there_is_add_up_to_one(generator: ElementGenerator) -> None:
    state = generator.prime(_notes((0, 60), (12, 60), (12, 64)))
    assert parts(state.notes).sum() == pytest.approx(1)
    for part in range(PARTS):
        gaps = generator._gaps(state, part)
        assert gaps.shape == (TIME_CLASSES,)
        assert gaps.sum() == pytest.approx(1)
        for gap in (0, 1, 2, 96):
            assert generator._pitches(state, part, gap).sum() == pytest.approx(1)


def test_nothing_allowed_is_told(generator: ElementGenerator) -> None:
    forbidden = np.full(PITCHES, -np.inf, np.float32)
    with pytest.raises(ValueError, match="forbidden"):
        generator.sample(generator.initial(), Constraints(part=0, pitch_bias=forbidden), _HALF)
    with pytest.raises(ValueError, match="forbidden"):
        generator.reply(generator.initial(), HeldNote(0, 0, 60, 80), Constraints(part=0, pitch_bias=forbidden), _HALF)


def test_a_reply_is_a_step_and_a_sample(generator: ElementGenerator) -> None:
    note, constraints = HeldNote(30, Part.LEAD, 64, 80), Constraints(part=Part.CHORDS, gap=0, duration=12)
    before = generator.prime(_notes((0, 55), (30, 60)))
    state, drawn = generator.reply(before, note, constraints, _HALF)
    assert drawn == generator.sample(generator.step(before, note), constraints, _HALF)
    assert (drawn.part, drawn.gap, drawn.pitch, drawn.duration) == (Part.CHORDS, 0, 67, 12)
    assert before.chord == (60,)  # the old state stays
    assert state.chord == (60, 64)


@pytest.fixture
def by_classes() -> ElementGenerator:
    vocabulary = Vocabulary.build([_ROW], Spelling.NORMAL_ORDER)

    class Always:
        """Expects a G major chord, whatever was played."""

        name, words = "always", len(vocabulary)

        def _logits(self) -> NDArray[np.float32]:
            logits = np.zeros((1, len(vocabulary)), np.float32)
            logits[0, vocabulary.encode([_G])[0]] = _CERTAIN
            return logits

        def window(self, tokens: Tokens) -> NDArray[np.float32]:
            return self._logits()

        def start(self, rows: int) -> int:
            return 0

        def step(self, tokens: Tokens, state: int) -> tuple[NDArray[np.float32], int]:
            return self._logits(), state + 1

    return ElementGenerator(Always(), vocabulary, "always", "")


def test_a_chord_of_pitch_classes_is_voiced_near_what_was_heard(by_classes: ElementGenerator) -> None:
    for low_note in (36, 60):
        state = by_classes.prime(_notes((0, low_note), (12, low_note), (24, low_note)))
        tick = 24
        played: list[tuple[int, int]] = []
        for _ in range(9):
            constraints = Constraints(min_gap=0 if played else 1)  # what sounds already is no chord of its own
            drawn = by_classes.sample(state, constraints, np.full(5, 0.4))
            tick += drawn.gap
            played.append((tick, drawn.pitch))
            state = by_classes.step(state, HeldNote(tick, drawn.part, drawn.pitch, drawn.velocity))
        chords = [sorted(pitch for at, pitch in played if at == tick) for tick in sorted({at for at, _ in played})]
        assert [sorted({pitch % 12 for pitch in chord}) for chord in chords] == [[2, 7, 11]] * 3
        assert all(len(chord) == 3 for chord in chords)
        assert abs(chords[0][0] - low_note) <= 12
        assert all(chord[-1] - chord[0] <= 30 for chord in chords)


def test_the_chances_of_words_are_kept_as_chances_of_notes() -> None:
    rng = np.random.default_rng(0)
    for spelling in Spelling:
        vocabulary = Vocabulary.build([[*_ROW, (60, 64), (72,)]], spelling)
        words = word_pitches(vocabulary)
        chances = np.append(0.0, rng.dirichlet(np.ones(len(vocabulary) - 1)))
        assert words.begins(chances, 50.0).sum() == pytest.approx(1.0)
        share, pitches = words.joins(chances, (60, 64))
        held = {word: chances[place] for place, word in enumerate(vocabulary.words)}
        two, three = ("C4.E4", "C4.E4.G4") if spelling is Spelling.PITCHES else ("0.4", "0.4.7")
        assert share == pytest.approx(held[three] / (held[two] + held[three]))
        assert pitches.sum() == pytest.approx(held[three])
        assert set(np.flatnonzero(pitches > 1e-9 * pitches.max()) % 12) == {7}
        assert words.joins(chances, (1, 2, 3))[0] == 0.0


@pytest.mark.parametrize("mode", ["follow", "answer", "continue", "accompany"])
def test_it_plays_in_every_mode(mode: str, generator: ElementGenerator) -> None:
    from antiphon.daemon.brain.engine import Engine
    from antiphon.daemon.messages import Kind, Record
    from antiphon.daemon.settings import Settings

    from tests.engine_rig import in_order, ns, of, phrase, run

    takes_over = [Record(Kind.TRIGGER, t_ns=ns(5.0))] if mode == "continue" else []
    inputs = in_order(phrase(1.0, [60, 62, 64, 65, 67, 69, 71, 72] * 2), takes_over)
    settings = Settings().with_value("mode", mode)
    log = run(Engine(generator, settings, seed=1), inputs, 14.0)
    assert len(of(log, Kind.NOTE)) >= 8
    assert run(Engine(generator, settings, seed=1), inputs, 14.0) == log


def test_drums_go_by_their_place_in_the_bar_and_a_bass_lies_low(generator: ElementGenerator) -> None:
    beat = [
        HeldNote(24 * place, Part.DRUMS, 38 if place % 2 else 36, 90, off_tick=24 * place + 3) for place in range(16)
    ]
    state, grid = generator.prime(beat), (0, 24, 4)
    for gap, drum in ((24, 36), (48, 38), (72, 36)):  # the last was a snare
        drawn = generator.sample(state, Constraints(part=Part.DRUMS, gap=gap, temperature=0.0), _HALF, grid)
        assert drawn.pitch == drum
    again = generator.sample(state, Constraints(part=Part.DRUMS, gap=0, temperature=0.0), _HALF, grid)
    assert again.pitch != 38  # it was struck just now
    lead = generator.prime(_notes((0, 72), (12, 76), (24, 79), part=Part.LEAD))
    drawn = generator.sample(lead, Constraints(part=Part.BASS, gap=12, temperature=0.0), _HALF)
    assert 28 <= drawn.pitch <= 52
