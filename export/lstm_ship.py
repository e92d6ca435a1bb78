"""``antiphon export lstm``: what `antiphon papers lstm` trained, as a model to play with: 8 bits, live graphs alone."""

from __future__ import annotations

import argparse
import shlex
from itertools import takewhile
from pathlib import Path
from typing import Any

from antiphon.export.paper_card import LICENCE, data_terms, read_report, told_command, write_folder
from antiphon.models.errors import ModelError
from antiphon.models.lstm.onnx_player import VOCABULARY, check_folder
from antiphon.models.lstm.papers import table
from antiphon.models.model_files import KINDS

CELLS = ("lstm", "gru")
_AGAIN = "give a folder that `antiphon papers lstm` wrote"
_WHAT = (
    "A stacked LSTM over a vocabulary of notes and chords, after the paper \"AI Music Generator\": it takes in one "
    "element (a note, or the notes of a chord) after the other and tells the next. Live it carries its state instead "
    "of feeding the last hundred elements again for each, and draws instead of always taking the likeliest."
)  # fmt: skip
_LIMITS = (
    "It knows which notes and chords follow which, and nothing else: rhythm, loudness, length and parts are those of "
    "the notes last heard, beside the paper's own (an element each half beat, a beat long, velocity 80).",
    "It does not hear what sounds, a beat, a bar or which part a note is of: an accompaniment of several parts is one "
    "line of harmony dealt out to them, and drums repeat the ones heard.",
    "It was trained for minutes on keyboard classics; a chord that its vocabulary lacks is taken in as unknown.",
    "It has no likelihood of a whole note (only of an element), so `antiphon evaluate` gives no nats a note of it.",
)


def ship(run: Path, out: Path, name: str, cell: str = "lstm") -> dict[str, Any]:
    """Write a model's folder with only what live play needs; give what its ``model.json`` holds.

    Args:
        run: what `antiphon papers lstm` wrote.
        out: the folder; made if it is not there.
        name: the model's.
        cell: which of its two.

    Raises:
        ModelError: ``run`` is not whole.
    """
    told = read_report(run / "papers.json", _AGAIN)
    folder = check_folder(run / cell / "model")
    facts = folder.facts
    try:
        cells = {row["cell"]: row for row in told["cells"]}
        mine, music, ratio = cells[cell], told["music"], told["ratio"]
        rows = [(row["cell"], row["parameters"], row["valid"], row["valid_8_bits"], row["accuracy"], row["step_ms"])
                for row in told["cells"]]  # fmt: skip
        nats = table(("cell", "parameters", "nats an element", "in 8 bits", "accuracy", "step ms"), rows)
        words = shlex.split(told["command"])[3:]
        data = [Path(word).name for word in takewhile(lambda word: not word.startswith("-"), words)]
        kept = {key: facts[key] for key in ("kind", "format", "opset", "words", "network", "parameters", "trained")}
        off = facts["off_torch_by"]
        baselines, machine = told["baselines"], told["machine"]
        scores = {
            "Held-out elements": f"`{told_command(told['command'])}`, {music['held_out_pieces']} pieces, "
            f"{music['held_out_elements']:,} elements:\n\n" + "\n".join(nats)
            + f"\n\nUniform {baselines['uniform']:.3f} nats, unigram {baselines['unigram']:.3f}.",
            "Run time": f"200 elements at window 100 on {machine['threads']} thread of {machine['processor']}: "
            f"{ratio['headline']:g} times as fast as the paper's own method, {ratio['onnxruntime']:g} times on one and "
            "the same runtime at full precision (same command).",
        }  # fmt: skip
        trained_for = (
            f"{facts['trained']['seconds'] / 60:.0f} minutes on {machine['threads']} processor thread, "
            f"{mine['epochs']} epochs (the {facts['trained']['best_epoch']}th kept), {music['pieces']} pieces, "
            f"{music['elements']:,} elements, a vocabulary of {music['words']} notes and chords."
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(f"export: {run / 'papers.json'} does not tell all ({error!r}); {_AGAIN}") from None
    files = {file: (folder.path / file).read_bytes() for file in KINDS["lstm"].needed}
    more = {
        "name": name, "licence": LICENCE, "what": _WHAT, "data": data_terms(data), "trained_for": trained_for,
        "command": told_command(told["command"]), "scores": scores, "limits": list(_LIMITS),
        "eight_bits_off_by": {"step8": off["step8"]},
    }  # fmt: skip
    assert VOCABULARY in files
    return write_folder(out, files, kept | more)


def main(argv: list[str]) -> int:
    """Run ``antiphon export lstm``."""
    parser = argparse.ArgumentParser(
        prog="antiphon export lstm", description="What `antiphon papers lstm` trained, as a model to play with."
    )
    parser.add_argument("run", type=Path, help="the folder that `antiphon papers lstm` wrote")
    parser.add_argument("--out", type=Path, required=True, help="the model folder to write")
    parser.add_argument("--name", help="the model's name (default: the folder's)")
    parser.add_argument("--cell", choices=CELLS, default="lstm")
    args = parser.parse_args(argv)
    written = ship(args.run, args.out, args.name or args.out.name, args.cell)
    for file, size in written["bytes"].items():
        print(f"{file}: {size} bytes")
    return 0
