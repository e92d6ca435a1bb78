"""Folders of MIDI to the tables that training learns from, in a folder that a reading can be killed in and resumed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from antiphon.models.corpus import load_pieces, read_corpus, save_pieces
from antiphon.models.errors import DataError
from antiphon.models.normalise import AS_PLAYED, Normal
from antiphon.models.notes import Piece
from antiphon.models.reading_cache import ReadingCache

TRAIN, VALID, REPORT = "train.npz", "valid.npz", "report.json"
#: One to learn from, one to check with.
_FEWEST_PIECES = 2

Pieces = tuple[Piece, ...]


def prepare(
    folders: list[Path], out: Path, tell: Callable[[str], None] = print, normal: Normal = AS_PLAYED
) -> tuple[Pieces, Pieces]:
    """Give the pieces to learn from and to check with: those that ``out`` holds, else read from ``folders``.

    Args:
        folders: of MIDI files, or of a zipped data set.
        out: where the tables go, and what of them is read already.
        tell: is given progress and, at the end, the report as a table.
        normal: what is done to every piece.

    Beside them ``out`` then holds `REPORT`: what was dropped and why. A reading that was killed goes on where it was.

    Raises:
        DataError: there is no music, one piece only, or ``out`` holds what was read from other folders.
    """
    train, valid, told = out / TRAIN, out / VALID, out / REPORT
    if train.is_file() and valid.is_file():
        _check_same(told, folders, normal)
        return load_pieces(train), load_pieces(valid)
    with ReadingCache(out) as cache:
        if len(cache):
            tell(f"{len(cache)} files were read already; going on from there")
        corpus = read_corpus(folders, tell, cache=cache)
    asked = {"folders": [str(folder) for folder in folders], "normal": asdict(normal)}
    report = {**asked, **corpus.report.as_dict()}
    told.write_text(json.dumps(report, indent=1) + "\n")
    tell(corpus.report.table())
    if len(corpus.train) + len(corpus.valid) < _FEWEST_PIECES or not corpus.train:
        raise DataError(
            f"{len(corpus.train)} pieces to learn from and {len(corpus.valid)} to check with; at least 1 of each is "
            f"needed, so {_FEWEST_PIECES} files of music: give more ({told} tells what was dropped and why)"
        )
    pieces, held_out = tuple(map(normal.of, corpus.train)), tuple(map(normal.of, corpus.valid))
    save_pieces(train, pieces)
    save_pieces(valid, held_out)
    return pieces, held_out


def _check_same(told: Path, folders: list[Path], normal: Normal) -> None:
    """Refuse tables of other folders, or changed otherwise; a folder may have moved, so names are compared."""
    if not told.is_file():
        return
    try:
        report = json.loads(told.read_text())
        before = {Path(folder).name for folder in report["folders"]}
        normal_before = Normal(**report["normal"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{told} is not a reading's report ({error}); take another --out") from None
    asked = {folder.name for folder in folders}
    if before != asked:
        raise DataError(
            f"{told.parent} holds what was read from {', '.join(sorted(before))}, asked for was "
            f"{', '.join(sorted(asked)) or 'nothing'}; take another --out"
        )
    if normal_before != normal:
        raise DataError(
            f"{told.parent} holds pieces read with {normal_before}; asked for was {normal}; take another --out"
        )


def main(argv: list[str]) -> int:
    """Run ``antiphon corpus``."""
    parser = argparse.ArgumentParser(
        prog="antiphon corpus", description="Read folders of MIDI into note tables; tell what was dropped and why."
    )
    parser.add_argument("data", nargs="+", type=Path, help="folders of MIDI files, or of a zipped data set")
    parser.add_argument("--out", type=Path, required=True, help="where tables and report go; a reading is resumed")
    parser.add_argument("--quantise", type=int, default=0, metavar="PLACES", help="of a beat, as 4; 0 (default): none")
    parser.add_argument("--one-key", action="store_true", help="transpose every piece to C major or A minor")
    args = parser.parse_args(argv)
    train, valid = prepare(args.data, args.out, normal=Normal(args.quantise, args.one_key))
    print(f"{args.out}: {len(train)} pieces to learn from, {len(valid)} held out")
    return 0
