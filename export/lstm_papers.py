"""``antiphon papers lstm``: trains, exports, runs the paper's experiments, and writes our figures beside its own."""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from antiphon.export.lstm_onnx import export_run
from antiphon.models.errors import DataError
from antiphon.models.lstm.elements import Spelling
from antiphon.models.lstm.experiments import (
    baselines,
    lengths_of_files,
    nats,
    run_times,
    seed_row,
    sequence_lengths,
    step_s,
)
from antiphon.models.lstm.generation import Choice, GenerationError, by_state
from antiphon.models.lstm.music import read_music
from antiphon.models.lstm.network import CELLS, TorchPlayer
from antiphon.models.lstm.onnx_player import OnnxPlayer, check_folder
from antiphon.models.lstm.papers import ELEMENTS, OFFSETS, PAPER_ELEMENTS, PAPER_WINDOW, SEQUENCE_LENGTHS, page
from antiphon.models.lstm.recipe import SHIPPED, Recipe
from antiphon.models.lstm.training import CHECKPOINT, Run, load_network, train
from antiphon.models.lstm.vocabulary import UNKNOWN, Vocabulary
from antiphon.models.lstm.windows import batches, cut_every

#: What `--quick` means: minutes of training in all, pieces, elements by the slow method at each sequence length.
_QUICK_MINUTES, _QUICK_PIECES, _QUICK_ELEMENTS = 0.4, 12, 10
_MINUTES, _PIECES = 10.0, 40


def main(argv: list[str]) -> int:
    """Run ``antiphon papers lstm``."""
    parser = argparse.ArgumentParser(
        prog="antiphon papers lstm", allow_abbrev=False,
        description="The experiments of the AI Music Generator paper, our figures beside its own.",
        epilog="Writes papers.md, papers.json, MIDI files, and two models. A run that was killed goes on where it was.",
    )  # fmt: skip
    parser.add_argument("data", nargs="+", type=Path, help="folders of MIDI files, or of a zipped data set")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; training in it is resumed")
    parser.add_argument("--minutes", type=float, help=f"of training in all, half for each cell (default {_MINUTES:g})")
    parser.add_argument("--pieces", type=int, help=f"learn from so many at most, 0 all (default {_PIECES})")
    parser.add_argument("--quick", action="store_true", help="see that all of it runs, in under two minutes")
    parser.add_argument("--recipe", default=SHIPPED, help="sizes and training: a .toml file (default: the paper's)")
    parser.add_argument("--instrument", type=int, default=0, help="General MIDI program of the files (default 0)")
    parser.add_argument("--temperature", type=float, default=1.0, help="of what is drawn (default 1)")
    parser.add_argument("--top-p", type=float, default=0.95, help="of what is drawn (default 0.95)")
    parser.add_argument("--threads", type=int, default=1, help="of torch, for training and for the paper's method")
    args = parser.parse_args(argv)
    results = experiments(args, "antiphon papers lstm " + " ".join(argv))
    text = page(results)
    (args.out / "papers.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (args.out / "papers.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def experiments(args: argparse.Namespace, command: str) -> dict[str, Any]:
    """Run them all; give the results. Raises: AntiphonError, for what the user can mend."""
    quick: bool = args.quick
    minutes = args.minutes if args.minutes is not None else _QUICK_MINUTES if quick else _MINUTES
    pieces = args.pieces if args.pieces is not None else _QUICK_PIECES if quick else _PIECES
    if not 0.0 < minutes <= 1e5:
        raise DataError(f"--minutes: must be above 0 and at most 100000, got {minutes:g}")
    if not 1 <= args.threads <= 1024:
        raise DataError(f"--threads: must be 1 to 1024, got {args.threads}")
    if not 0 <= args.instrument <= 127:
        raise GenerationError(f"--instrument: must be a General MIDI program from 0 to 127, got {args.instrument}")
    torch.set_num_threads(args.threads)
    choice = Choice(args.temperature, args.top_p)
    recipe = replace(Recipe.load(args.recipe), minutes=minutes / len(CELLS))
    music = read_music(args.data, pieces, _say)
    vocabulary = Vocabulary.build(music.train, Spelling(recipe.spelling), recipe.fewest)
    learnt = [vocabulary.encode(piece) for piece in music.train]
    held_out = [vocabulary.encode(piece) for piece in music.valid]
    row = seed_row([*learnt, *held_out], max(SEQUENCE_LENGTHS))  # the paper begins from what it learnt
    _say(f"{music.facts()}, {len(vocabulary)} words")
    cells = [_cell(cell, recipe, vocabulary, learnt, held_out, args.out) for cell in CELLS]

    folder = check_folder(args.out / CELLS[0] / "model")
    paper = TorchPlayer(load_network(args.out / CELLS[0] / CHECKPOINT)[0])
    full, ours = OnnxPlayer(folder, eight_bits=False), OnnxPlayer(folder)
    _say("run times")
    ratio = run_times([paper, full], [paper, full, ours], row[-PAPER_WINDOW:], PAPER_ELEMENTS)
    made = _QUICK_ELEMENTS if quick else PAPER_ELEMENTS
    lengths = sequence_lengths(paper, ours, vocabulary, row, SEQUENCE_LENGTHS, made, choice, _say)
    uniforms = np.random.default_rng(recipe.seed).random(max(ELEMENTS))
    numbers = by_state(ours, row[-PAPER_WINDOW:], uniforms, choice)
    durations, offsets = lengths_of_files(
        vocabulary, numbers, args.out, ELEMENTS, OFFSETS, PAPER_ELEMENTS, args.instrument
    )
    return {
        "command": command, "quick": quick, "recipe": asdict(recipe), "elements_made": made,
        "temperature": choice.temperature, "top_p": choice.top_p,
        "music": music.facts() | {
            "words": len(vocabulary), "spelling": recipe.spelling, "fewest": recipe.fewest,
            "unknown_share": float(np.mean(np.concatenate(held_out) == UNKNOWN)),
        },
        "machine": {
            "processor": platform.processor() or platform.machine(), "threads": args.threads,
            "torch": torch.__version__, "onnxruntime": onnxruntime.__version__,
        },
        "sequence_lengths": lengths, "ratio": ratio, "durations": durations, "offsets": offsets, "cells": cells,
        "baselines": baselines(learnt, held_out, len(vocabulary)),
        "files": {
            **{f"{cell}/model": f"the {cell.upper()} as it plays: graphs, vocabulary, model.json" for cell in CELLS},
            "elements-N.mid": "N elements drawn, offset 0.5", "offset-X.mid": f"{PAPER_ELEMENTS} elements, offset X",
        },
    }  # fmt: skip


def _cell(
    cell: str, recipe: Recipe, vocabulary: Vocabulary, learnt: list[Any], held_out: list[Any], out: Path
) -> dict[str, Any]:
    """Train and export one kind of cell; give how it went."""
    _say(f"{cell}: {recipe.minutes:g} minutes at most")
    run = Run(out / cell, replace(recipe, network={**recipe.network, "cell": cell}), vocabulary)
    if run.resume():
        _say(f"resumed after epoch {run.epoch}, {run.trained_s:.0f} s")
    train(run, learnt, held_out, _say)
    told = export_run(out / cell / CHECKPOINT, out / cell / "model")
    best = run.log[run.best_epoch - 1]
    player = OnnxPlayer(check_folder(out / cell / "model"))
    checks = batches(cut_every(held_out, recipe.window, None), recipe.batch, None)
    _say(f"{cell}: {run.why_over}; {best['valid']} nats")
    return {
        "cell": cell, "parameters": told["parameters"], "epochs": run.epoch, "log": run.log, "why_over": run.why_over,
        "s_per_epoch": round(run.trained_s / run.epoch, 1), "valid": best["valid"], "accuracy": best["accuracy"],
        "step_ms": round(1e3 * step_s(player), 3), "mb": round(told["bytes"]["step8.onnx"] / 1e6, 1),
        "off_torch_by": told["off_torch_by"], "valid_8_bits": round(nats(player, checks), 4),
    }  # fmt: skip


def _say(line: str) -> None:
    print(line, flush=True)
