"""A user's own music, split by piece: most to learn from, some held out to tell whether anything was learnt."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from antiphon.models.corpus import read_corpus
from antiphon.models.errors import DataError
from antiphon.models.learn_versions import versions
from antiphon.models.notes import Piece
from antiphon.models.reading_cache import ReadingCache

PLAN = "learn.json"
_ONE_OF = 5  # is held out
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Split:
    """Pieces to learn from and pieces held out; none has a version of itself on the other side."""

    learnt: tuple[Piece, ...]
    held_out: tuple[Piece, ...]


def read_split(folder: Path, work: Path, seed: int, tell: Callable[[str], None]) -> Split:
    """Read a folder and split it: the same folder and seed give the same split, whatever the files are called.

    Args:
        folder: of MIDI files.
        work: where what was read is kept, so that a reading that was killed goes on.
        seed: of the split.
        tell: is given progress, and what was dropped and why.

    Raises:
        DataError: fewer than two pieces, or all are versions of one.
    """
    with ReadingCache(work) as cache:
        corpus = read_corpus([folder], tell, cache=cache)
    for drop in corpus.dropped[:5]:
        tell(f"left out {drop.name}: {drop.why}")
    if len(corpus.dropped) > 5:
        tell(f"left out {len(corpus.dropped) - 5} more")
    pieces = sorted((piece for piece in (*corpus.train, *corpus.valid) if len(piece.notes) > 1), key=digest)
    if len(pieces) < _FEWEST:
        raise DataError(
            f"{folder} holds {len(pieces)} pieces of music ({len(corpus.dropped)} files were left out); at least "
            f"{_FEWEST} are needed, one to learn from and one to check with: add more"
        )
    return split(pieces, seed)


def split(pieces: list[Piece], seed: int) -> Split:
    """Hold out one of five pieces, at least one; versions of a piece stay together, as if they were one.

    Raises:
        DataError: they are all versions of one piece.
    """
    groups = versions(pieces)
    if len(groups) < _FEWEST:
        raise DataError(
            f"the {len(pieces)} pieces are versions of one (most of their figures are the same), so none can tell "
            "what was learnt from the others; add another piece"
        )
    # one of every five, from the longest on: what is held out is then like the rest, not by chance a few fills
    order = sorted(groups, key=lambda group: (-sum(len(pieces[index].notes) for index in group), group))
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for first in range(0, max(1, len(order) - _ONE_OF + 1), _ONE_OF):
        among = order[first : first + _ONE_OF]
        chosen += among[int(rng.integers(len(among)))]
    held = set(chosen)
    return Split(
        tuple(piece for index, piece in enumerate(pieces) if index not in held),
        tuple(piece for index, piece in enumerate(pieces) if index in held),
    )


def digest(piece: Piece) -> str:
    """Give a hash of a piece's notes."""
    return hashlib.sha256(np.ascontiguousarray(piece.notes).tobytes()).hexdigest()


def keep_plan(work: Path, found: Split, base: str, seed: int) -> None:
    """Note in ``work`` what is learnt from what, or check that it is what was noted.

    Raises:
        DataError: ``work`` holds what was learnt from other pieces, another base or seed.
    """
    plan = {
        "base": base, "seed": seed,
        "learnt": [digest(piece) for piece in found.learnt], "held_out": [digest(piece) for piece in found.held_out],
    }  # fmt: skip
    path = work / PLAN
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path} is not readable ({error}); take another --out, or remove {work}") from None
        different = [key for key in plan if before.get(key) != plan[key]]
        if different:
            raise DataError(
                f"{work} holds what was learnt otherwise ({', '.join(different)}: not the same); "
                "take another --out, or remove it to begin anew"
            )
        return
    fresh = work / (PLAN + ".new")
    fresh.write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
    os.replace(fresh, path)
