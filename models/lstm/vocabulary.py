"""The vocabulary: every note and chord of the music learnt from, as words, each with a number.

Number 0 is ``?``: what was seen too rarely, or never, to have a number of its own. It is an input and a target like any
other, so that a likelihood is one over all music, and it is never drawn.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from antiphon.models.errors import DataError
from antiphon.models.lstm.elements import Element, Spelling, pitches_of, spell
from numpy.typing import NDArray

UNKNOWN = 0
UNKNOWN_WORD = "?"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words by number.

    Args:
        words: of both notes and chords, the first being ``?``.
        spelling: how elements became words.

    Raises:
        DataError: no ``?``, a word twice, none beside ``?``, or one that stands for no pitch.
    """

    words: tuple[str, ...]
    spelling: Spelling
    _number: dict[str, int] = field(init=False, repr=False, compare=False)
    _pitches: tuple[Element, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.words or self.words[UNKNOWN] != UNKNOWN_WORD:
            raise DataError(f"vocabulary: word 0 must be {UNKNOWN_WORD!r}, got {self.words[:1]}; train again")
        if len(self.words) < 2:
            raise DataError("vocabulary: no element is frequent enough; give more music or a lower fewest")
        number = {word: place for place, word in enumerate(self.words)}
        if len(number) < len(self.words):
            raise DataError(f"vocabulary: {len(self.words) - len(number)} words are there twice; train again")
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_pitches", ((), *(pitches_of(word) for word in self.words[1:])))

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def build(cls, pieces: Iterable[Sequence[Element]], spelling: Spelling, fewest: int = 1) -> Vocabulary:
        """Number every element that is there at least ``fewest`` times, by the alphabet (as the paper does).

        Raises:
            DataError: there is none.
        """
        if fewest < 1:
            raise DataError(f"fewest: must be 1 or more, got {fewest}; 1 keeps every element")
        counts = Counter(spell(element, spelling) for piece in pieces for element in piece)
        kept = sorted(word for word, count in counts.items() if count >= fewest)
        return cls((UNKNOWN_WORD, *kept), spelling)

    def encode(self, elements: Iterable[Element]) -> NDArray[np.int64]:
        """Give each element's number [n]; 0 for what is not in the vocabulary."""
        return np.array([self._number.get(spell(element, self.spelling), UNKNOWN) for element in elements], np.int64)

    def decode(self, numbers: Iterable[int]) -> list[Element]:
        """Give the pitches that each number stands for; ``?`` is silence: no pitch at all.

        Raises:
            DataError: a number that is none of the vocabulary's.
        """
        found = []
        for number in numbers:
            if not 0 <= number < len(self.words):
                raise DataError(f"element number: must be 0 to {len(self.words) - 1}, got {number}")
            found.append(self._pitches[number])
        return found

    def dumps(self) -> str:
        """Give it as JSON."""
        return json.dumps({"spelling": str(self.spelling), "words": list(self.words)}, indent=0)

    @classmethod
    def loads(cls, text: str, name: str) -> Vocabulary:
        """Read what `dumps` gave.

        Raises:
            DataError: it is no vocabulary; ``name`` is told.
        """
        try:
            stored = json.loads(text)
            words, spelling = tuple(stored["words"]), Spelling(stored["spelling"])
            if not all(isinstance(word, str) for word in words):
                raise TypeError("a word is no text")
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{name} is not a vocabulary ({error!r}); train or export again") from None
        return cls(words, spelling)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read a vocabulary's file. Raises: DataError."""
        try:
            return cls.loads(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise DataError(f"{path} is not readable ({error.strerror}); train or export again") from None
