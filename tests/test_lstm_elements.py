"""Notes to elements, elements to words and numbers, and back to a MIDI file."""

from __future__ import annotations

import doctest
from pathlib import Path

import mido
import numpy as np
import pytest
from antiphon.models.errors import AntiphonError, DataError
from antiphon.models.lstm import elements, midi_write, papers
from antiphon.models.lstm.elements import Element, Spelling, elements_of, normal_order, pitches_of, spell, variety
from antiphon.models.lstm.generation import GenerationError
from antiphon.models.lstm.midi_write import duration_s, write_midi
from antiphon.models.lstm.vocabulary import UNKNOWN, Vocabulary
from antiphon.models.midi_read import read_midi
from antiphon.models.notes import NoteTable
from antiphon.models.parts import Part
from hypothesis import given, settings
from hypothesis import strategies as st

_CHORDS = st.sets(st.integers(0, 127), min_size=1, max_size=8).map(lambda pitches: tuple(sorted(pitches)))


def _notes(*rows: tuple[int, int, Part]) -> NoteTable:
    return np.array([(onset, 12, pitch, 80, part, -1) for onset, pitch, part in rows], np.int32)


@pytest.mark.parametrize("module", [elements, midi_write, papers])
def test_the_examples_in_the_text_hold(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted > 0
    assert result.failed == 0


def test_what_is_struck_together_is_one_element_and_drums_are_none() -> None:
    notes = _notes(
        (0, 64, Part.LEAD), (0, 36, Part.DRUMS), (1, 60, Part.CHORDS), (1, 60, Part.BASS), (2, 67, Part.CHORDS),
        (12, 55, Part.BASS), (14, 50, Part.BASS),
    )  # fmt: skip
    assert elements_of(notes) == [(60, 64), (67,), (55,), (50,)]
    assert elements_of(notes, together=2) == [(60, 64, 67), (50, 55)]
    assert elements_of(notes[:0]) == []


@given(_CHORDS)
def test_pitches_are_read_back_as_they_were(chord: tuple[int, ...]) -> None:
    assert pitches_of(spell(chord, Spelling.PITCHES)) == chord


@given(_CHORDS, st.integers(0, 11))
def test_the_normal_order_is_of_classes_only_and_spans_least(chord: tuple[int, ...], octaves: int) -> None:
    order = normal_order(chord)
    assert sorted(order) == sorted({pitch % 12 for pitch in chord})
    moved = tuple(sorted({(pitch + 12 * octaves * (place % 2)) for place, pitch in enumerate(chord)}))
    assert normal_order(moved) == order
    span = (order[-1] - order[0]) % 12
    rotations = [order[place:] + order[:place] for place in range(len(order))]
    assert span == min((rotation[-1] - rotation[0]) % 12 for rotation in rotations)
    if len(chord) > 1:
        assert {pitch % 12 for pitch in pitches_of(spell(chord, Spelling.NORMAL_ORDER))} == set(order)


@pytest.mark.parametrize("word", ["", "?", "H4", "E#4", "C10", "12", "4.", "C4.x", "4 7", "B-2"])
def test_what_is_no_word_is_told(word: str) -> None:
    with pytest.raises(DataError, match="element"):
        pitches_of(word)


def test_a_vocabulary_numbers_what_is_frequent_enough() -> None:
    pieces: list[list[Element]] = [[(60,), (60, 64, 67), (64, 67, 72)], [(60,), (61,)]]
    vocabulary = Vocabulary.build(pieces, Spelling.NORMAL_ORDER, fewest=2)
    assert vocabulary.words == ("?", "0.4.7", "C4")
    assert vocabulary.encode([(61,), (55, 60, 64), (60,)]).tolist() == [UNKNOWN, 1, 2]
    assert vocabulary.decode([2, 1, UNKNOWN]) == [(60,), (60, 64, 67), ()]
    assert Vocabulary.loads(vocabulary.dumps(), "x") == vocabulary
    assert len(Vocabulary.build(pieces, Spelling.PITCHES)) == 5
    with pytest.raises(DataError, match="must be 0 to 2, got 3"):
        vocabulary.decode([3])
    with pytest.raises(DataError, match="no element is frequent enough"):
        Vocabulary.build(pieces, Spelling.PITCHES, fewest=9)
    with pytest.raises(DataError, match="fewest: must be 1 or more, got 0"):
        Vocabulary.build(pieces, Spelling.PITCHES, fewest=0)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"words": ["?"]}', '{"words": ["?", 3], "spelling": "pitches"}', '{"words": ["?"], "spelling": "x"}',
     '{"words": ["C4", "?"], "spelling": "pitches"}', '{"words": ["?", "C4", "C4"], "spelling": "pitches"}',
     '{"words": ["?", "Q"], "spelling": "pitches"}', '{"words": ["?"], "spelling": "pitches"}'],
)  # fmt: skip
def test_a_broken_vocabulary_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    path.write_text(text)
    with pytest.raises(DataError):
        Vocabulary.load(path)
    with pytest.raises(DataError, match="not readable"):
        Vocabulary.load(tmp_path / "none.json")


@settings(max_examples=30)
@given(st.lists(_CHORDS, min_size=16, max_size=60), st.sampled_from((0.25, 0.5, 0.9, 2.0)))
def test_a_file_holds_the_elements_it_was_made_of(tmp_path_factory: pytest.TempPathFactory, chords: list[tuple[int, ...]], offset: float) -> None:  # fmt: skip  # noqa: E501
    path = tmp_path_factory.mktemp("midi") / "x.mid"
    write_midi(chords, path, offset, program=52)
    song = mido.MidiFile(path)
    assert song.length == pytest.approx(duration_s(len(chords), offset), abs=0.005)
    assert elements_of(read_midi(path.read_bytes(), "x").notes) == chords
    sounding: set[int] = set()
    for message in song:
        if message.type == "note_on" and message.velocity:
            assert message.note not in sounding
            sounding.add(message.note)
        elif message.type == "note_on":
            sounding.remove(message.note)
        elif message.type == "program_change":
            assert message.program == 52
    assert not sounding


def test_the_papers_durations_are_these_in_whole_seconds() -> None:
    for count, seconds in papers.DURATION_S.items():
        assert np.ceil(duration_s(count)) == seconds
    for offset, seconds in papers.OFFSET_S.items():
        assert np.ceil(duration_s(papers.PAPER_ELEMENTS, offset)) == seconds


@pytest.mark.parametrize(
    ("offset", "program", "told"),
    [(0.0, 0, "offset: must be"), (17.0, 0, "got 17"), (float("nan"), 0, "offset"), (0.5, 128, "instrument: must be"),
     (0.5, -1, "got -1")],
)  # fmt: skip
def test_what_cannot_be_written_is_told(offset: float, program: int, told: str, tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match=told):
        write_midi([(60,)], tmp_path / "x.mid", offset, program)
    with pytest.raises(AntiphonError, match="cannot be written"):
        write_midi([(60,)], tmp_path / "none" / "x.mid")


def test_variety() -> None:
    assert variety([(60,), (60,), (60, 64)]) == {"elements": 3, "unique": 2, "repeats": 0.5, "mean_size": 1.333}
    assert variety([])["unique"] == 0
