"""Folders of MIDI files to rows of elements: some to learn from, others held out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from antiphon.models.corpus import read_corpus
from antiphon.models.errors import DataError
from antiphon.models.lstm.elements import Element, elements_of
from antiphon.models.notes import Piece

#: Where a folder has no split of its own, one piece in this many is held out; of a single piece, its last such share.
_HELD_OUT = 10


@dataclass(frozen=True, slots=True)
class Music:
    """Pieces as elements."""

    train: tuple[tuple[Element, ...], ...]
    valid: tuple[tuple[Element, ...], ...]

    def facts(self) -> dict[str, int]:
        """Tell how much there is."""
        return {
            "pieces": len(self.train), "elements": sum(map(len, self.train)),
            "held_out_pieces": len(self.valid), "held_out_elements": sum(map(len, self.valid)),
        }  # fmt: skip


def read_music(folders: list[Path], pieces: int = 0, tell: Callable[[str], None] = lambda line: None) -> Music:
    """Read folders of MIDI files (or zipped data sets) as elements.

    Args:
        folders: as `models.corpus.read_corpus` takes them; their own splits and licences count.
        pieces: learn from so many pieces at most, and hold out a quarter as many; 0: all.
        tell: takes lines of progress.

    Raises:
        DataError: no music in them, or no piece has a pitched note; ``pieces`` is negative.
    """
    if pieces < 0:
        raise DataError(f"pieces: must be 0 (all) or more, got {pieces}")
    corpus = read_corpus(folders, tell)
    train, valid = _elements(corpus.train, pieces), _elements(corpus.valid, -(-pieces // 4))
    if not train and not valid:
        raise DataError(f"no pitched notes in {', '.join(map(str, folders))}; give music that is more than drums")
    if not train or not valid:
        train, valid = _split(train or valid)
    return Music(train, valid)


def _elements(pieces: Sequence[Piece], most: int) -> tuple[tuple[Element, ...], ...]:
    # by a hash of their names: as good as at random, and the same every time
    chosen = sorted(pieces, key=lambda piece: hashlib.sha256(f"{piece.source}/{piece.name}".encode()).digest())
    found = []
    for piece in chosen:
        elements = tuple(elements_of(piece.notes))
        if len(elements) > 1:
            found.append(elements)
        if most and len(found) == most:
            break
    return tuple(found)


def _split(
    pieces: tuple[tuple[Element, ...], ...],
) -> tuple[tuple[tuple[Element, ...], ...], tuple[tuple[Element, ...], ...]]:
    if len(pieces) > 1:
        kept = max(1, len(pieces) - max(1, len(pieces) // _HELD_OUT))
        return pieces[:kept], pieces[kept:]
    (piece,) = pieces
    cut = len(piece) - max(2, len(piece) // _HELD_OUT)
    if cut < 2:
        raise DataError(f"one piece of {len(piece)} elements is too little to learn from; give more music")
    return (piece[:cut],), (piece[cut:],)
