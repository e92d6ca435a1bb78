"""``antiphon evaluate``: how well generators foretell music they never saw, and what the music they make is like.

Nats a note beside nothing known, unigram and Kneser-Ney (`models.scoring`, `models.kneser_ney`); with ``--music``
takes beside real music (`models.music_evaluation`). What each figure means: docs/evaluation.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from antiphon.models.baselines import ATTRIBUTES, uniform_nll
from antiphon.models.corpus import load_pieces, read_corpus
from antiphon.models.errors import DataError, ModelError
from antiphon.models.generator import Generator
from antiphon.models.kneser_ney import COUNTED, HIGHEST_ORDER, KneserNey
from antiphon.models.load import load_generator
from antiphon.models.model_files import find_folder
from antiphon.models.music_evaluation import Takes, evaluate_music, show_music
from antiphon.models.notes import Piece
from antiphon.models.scoring import Losses, Score, labelled, limited, losses_of, score_of

__all__ = ["MUSIC", "Score", "evaluate", "main", "show"]

_USUAL = Takes()
#: Key of the takes' figures in the table; every other key is a data set's name.
MUSIC = "music metrics"


def evaluate(
    generator: Generator,
    train: tuple[Piece, ...],
    valid: tuple[Piece, ...],
    notes: int,
    window: int,
    hop: int,
    others: Sequence[Generator] = (),
    orders: int = HIGHEST_ORDER,
) -> dict[str, Any]:
    """Give the table: data set -> scorer -> score; also ``knN - NAME``, a generator's gain on the best order.

    Args:
        generator: the first to score.
        train: what the baselines count.
        valid: what is scored.
        notes: of each data set at most; 0: all.
        window: notes a generator remembers at least.
        hop: how many more at most.
        others: more to score, on the same notes.
        orders: the highest order of Kneser-Ney.
    """
    counted = KneserNey(train, orders)
    table: dict[str, Any] = {}
    sources = sorted({piece.source for piece in valid})
    every: dict[str, list[Losses]] = {}
    for source in sources:
        pieces = limited([piece for piece in valid if piece.source == source], notes)
        losses: dict[str, list[Losses]] = {"uniform": [uniform_nll(piece) for piece in pieces]}
        for piece in pieces:
            for name, loss in counted.named_nll(piece).items():
                losses.setdefault(name, []).append(loss)
        for name, scored in labelled((generator, *others), tuple(losses)).items():
            told = losses_of(scored, pieces, window, hop)
            if told is not None:
                losses[name] = told
        table[source] = _scores(losses)
        for name, of_pieces in losses.items():
            every.setdefault(name, []).extend(of_pieces)
    if len(sources) > 1:
        table["all"] = _scores(every)
    return table


def _scores(losses: dict[str, list[Losses]]) -> dict[str, Any]:
    """Give every scorer's score, and what each generator gains on the best order of Kneser-Ney, piece by piece."""
    scores = {name: score_of(of_pieces) for name, of_pieces in losses.items()}
    orders = [name for name in losses if name.startswith(COUNTED)]
    if orders:
        best = min(orders, key=lambda name: scores[name].total)
        for name in [name for name in losses if name not in ("uniform", "unigram", *orders)]:
            gains = [counted - mine for counted, mine in zip(losses[best], losses[name], strict=True)]
            scores[f"{best} - {name}"] = score_of(gains)
    return {name: score.as_dict() for name, score in scores.items()}


def show(table: dict[str, Any]) -> str:
    """Give the table as Markdown."""
    lines = ["| data | model | nats a note | " + " | ".join(ATTRIBUTES) + " | notes |", "| --- " * 9 + "|"]
    for source, scores in table.items():
        for name, score in scores.items() if source != MUSIC else ():
            parts = " | ".join(f"{score[attribute]:.3f}" for attribute in ATTRIBUTES)
            total = f"{score['total']:.3f} ± {score['interval']:.3f}"
            lines.append(f"| {source} | {name} | {total} | {parts} | {score['notes']} |")
    if MUSIC in table:
        lines += ["", show_music(table[MUSIC])]
    return "\n".join(lines)


def main(argv: list[str], draw: Callable[[dict[str, Any], Path], Sequence[Path]]) -> int:
    """Run ``antiphon evaluate``.

    Args:
        argv: its arguments.
        draw: draws a table into a folder, and gives the pictures' paths.
    """
    args = _parser().parse_args(argv)
    names = [name for name in args.what if not _is_music(Path(name))]
    folders = [Path(name) for name in args.what if _is_music(Path(name))]
    _check(args, names, folders)
    plan = None
    if args.music:
        plan = Takes(
            args.takes, args.window, args.take_notes, args.take_beats, args.copied, args.seed,
            args.temperature, args.top_p,
        )  # fmt: skip
    generators = [load_generator(name) for name in names]
    train, valid = _pieces(args, folders)
    first, *others = generators
    table = evaluate(first, train, valid, args.notes, args.window, args.hop, others, args.orders)
    if plan is not None:
        table[MUSIC] = evaluate_music(generators, train, valid, plan)
    print(show(table))
    if args.json:
        args.json.write_text(json.dumps(table, indent=1, allow_nan=False) + "\n")
    if args.plots:
        for picture in draw(table, args.plots):
            print(picture)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="antiphon evaluate", description="Score models on music they never saw.")
    parser.add_argument(
        "what", nargs="+", metavar="MODEL_OR_DATA",
        help="models (that ship, or model folders), and folders of music whose validation parts are scored",
    )  # fmt: skip
    parser.add_argument("--run", type=Path, help="a training run's folder: its corpus is used as it is")
    parser.add_argument("--only", help="data sets to score, joined by commas")
    parser.add_argument("--notes", type=int, default=20_000, help="notes of each data set at most (0: all)")
    parser.add_argument("--window", type=int, default=128)
    parser.add_argument("--hop", type=int, default=128)
    parser.add_argument("--orders", type=int, default=HIGHEST_ORDER, help="the highest order of Kneser-Ney")
    parser.add_argument("--json", type=Path, help="write the table here too")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the table here too: a PNG a data set")
    music = parser.add_argument_group("music", "figures of takes that the models make, beside real music")
    music.add_argument("--music", action="store_true", help="make takes and measure them, too")
    music.add_argument("--takes", type=int, default=_USUAL.takes, help="takes of each kind")
    music.add_argument("--take-notes", type=int, default=_USUAL.notes, help="notes of a continuation")
    music.add_argument("--take-beats", type=int, default=_USUAL.beats, help="beats of an accompaniment")
    music.add_argument("--copied", type=int, default=_USUAL.copied, help="notes from which on a run counts as copied")
    music.add_argument("--seed", type=int, default=0)
    music.add_argument("--temperature", type=float, default=_USUAL.temperature, help="live play's is 0.9")
    music.add_argument("--top-p", type=float, default=_USUAL.top_p, help="live play's is 0.9")
    return parser


def _check(args: argparse.Namespace, names: list[str], folders: list[Path]) -> None:
    """Refuse what would only be told after minutes of scoring. Raises: DataError."""
    if not names:
        given = ", ".join(args.what)
        raise DataError(f"evaluate: no model, got {given}; give one that ships, or a model's folder, before the music")
    if args.run is None and not folders:
        given = "; ".join(map(_what_else, names))
        raise DataError(
            f"evaluate: nothing to score on: {given}; give folders of MIDI files, or --run with a training run"
        )
    _check_range("--orders", args.orders, 0, 7)
    _check_range("--window", args.window, 1, 4096)
    _check_range("--hop", args.hop, 1, 4096)
    _check_range("--notes", args.notes, 0, 1 << 31)
    if args.json is not None and not args.json.resolve().parent.is_dir():
        raise DataError(f"evaluate: --json {args.json}: there is no such folder; make it, or give another file")
    if args.plots is not None and not (args.plots.is_dir() or _can_be_made(args.plots)):
        raise DataError(f"evaluate: --plots {args.plots}: no folder, and none can be made there; give another one")


def _pieces(args: argparse.Namespace, folders: list[Path]) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Give the music that the baselines count, and the music that is scored. Raises: DataError."""
    if args.run is not None:
        train, valid = load_pieces(args.run / "train.npz"), load_pieces(args.run / "valid.npz")
    else:
        corpus = read_corpus(folders)
        train, valid = corpus.train, corpus.valid
    valid = tuple(piece for piece in valid if len(piece.notes) > 1)
    if not valid:
        raise DataError("evaluate: there is no held-out music in what was given; give more files")
    if args.only:
        valid = _only(valid, args.only.split(","))
    if not any(len(piece.notes) > 1 for piece in train):
        raise DataError("evaluate: there is no music for the baselines to count; give more files")
    return train, valid


def _only(pieces: tuple[Piece, ...], wanted: list[str]) -> tuple[Piece, ...]:
    known = sorted({piece.source for piece in pieces})
    missing = [name for name in wanted if name not in known]
    if missing:
        raise DataError(
            f"evaluate: --only names {', '.join(missing)}, held out are {', '.join(known)}; give some of these"
        )
    return tuple(piece for piece in pieces if piece.source in wanted)


def _is_music(path: Path) -> bool:
    return path.is_dir() and not (path / "model.json").is_file()


def _what_else(name: str) -> str:
    """Say what a word of the command line is that is no folder of music."""
    try:
        find_folder(name)
    except ModelError:
        return f"{name} is a file" if Path(name).is_file() else f"there is no {name}"
    return f"{name} is a model"


def _can_be_made(folder: Path) -> bool:
    return not folder.exists() and folder.resolve().parent.is_dir()


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise DataError(f"evaluate: {name} is {value}; give {low} to {high}")
