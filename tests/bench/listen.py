"""How it sounds: takes of different performances, rendered and measured. No ports, no real time.

``python -m tests.bench.listen [--out DIR] [--data DIR] [--seed N] [NAME=VALUE ...]``: a MIDI file, a WAV and a picture
of each in DIR, and a table. Beside each take stands a control: the same without a key to keep to, and, where the
performance is held out of a data set, what people played along with it.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.offline import engine_log, run_offline, wire_log
from antiphon.daemon.settings import Settings
from antiphon.daemon.takes import take_from_records
from antiphon.export.take_midi import midi_bytes
from antiphon.export.take_render import render_take
from antiphon.models.onnx_generator import OnnxGenerator
from antiphon.models.take import Take

from tests.bench.listen_figures import Figures, figures
from tests.bench.listen_music import Performance, performances

_COLUMNS = (
    ("notes", "notes", "d"), ("in key", "in_key", ".2f"), ("alike", "alike", ".2f"), ("clash", "clash", ".2f"),
    ("rate/s", "rate", ".2f"), ("theirs", "their_rate", ".2f"), ("repeat", "repeated", ".2f"),
    ("theirs", "their_repeated", ".2f"), ("low", "low", "d"), ("high", "high", "d"), ("silence s", "silence_s", ".2f"),
    ("voices", "polyphony", ".2f"), ("theirs", "their_polyphony", ".2f"), ("overlap", "overlap", ".2f"),
    ("grid", "on_grid", ".2f"), ("drums 8", "drums_on_eighths", ".2f"), ("chord", "chord_size", ".2f"),
    ("tonic end", "ends_in_tonic", ".2f"),
)  # fmt: skip


def play(generator: OnnxGenerator, performance: Performance, seed: int, changes: dict[str, str]) -> Take:
    """Play one performance through the engine."""
    settings = Settings()
    for name, value in {**performance.settings, **changes}.items():
        settings = settings.with_value(name, value)
    log = run_offline(Engine(generator, settings, seed), performance.records, round(performance.end_s * 1e9))
    shown = {name: getattr(settings, name) for name in settings.__slots__}
    return take_from_records(wire_log(log), engine_log(log), {"settings": shown, "t0_ns": 0}, {})


def main(argv: list[str]) -> int:
    """Make the takes and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.listen", description=__doc__)
    parser.add_argument("--out", type=Path, help="where the takes go (a new temporary folder)")
    parser.add_argument("--data", type=Path, help="a data set's folder: a held-out melody is accompanied too")
    parser.add_argument("--model", default="antiphon")
    parser.add_argument("--seed", type=int, action="append", help="may be given often; the first one's are rendered")
    parser.add_argument("--only", default="", help="only performances whose name holds this")
    parser.add_argument("changes", nargs="*", metavar="NAME=VALUE", help="settings other than the defaults")
    args = parser.parse_args(argv)
    out = args.out or Path(tempfile.mkdtemp(prefix="antiphon-listen-"))
    out.mkdir(parents=True, exist_ok=True)
    changes = dict(change.split("=", 1) for change in args.changes)
    seeds = args.seed or [1]
    generator = OnnxGenerator.load(args.model)
    print(f"{'take':22}" + "".join(f"{title:>10}" for title, _, _ in _COLUMNS))
    for performance in performances(args.data):
        if args.only not in performance.name:
            continue
        for label, extra in (("", {}), (" key=off", {"key": "off"})):
            takes = [play(generator, performance, seed, {**changes, **extra}) for seed in seeds]
            _row(performance.name + label, [figures(take, performance.end_s, performance.bpm) for take in takes])
            if not label:
                path = out / f"{performance.name}.mid"
                path.write_bytes(midi_bytes(takes[0]))
                render_take(path)
        if performance.real:
            theirs = takes[0].notes_of("performer")
            real = dataclasses.replace(takes[0], notes=(*theirs, *performance.real))
            _row(performance.name + " people", [figures(real, performance.end_s, performance.bpm)])
    print(f"takes, sound and pictures: {out}")
    return 0


def _row(name: str, found: list[Figures]) -> None:
    """Print the mean over the seeds; the lowest and highest of the range."""
    cells = []
    for _, field, form in _COLUMNS:
        values = [getattr(one, field) for one in found]
        # nan is a figure that does not apply
        value = min(values) if field == "low" else max(values) if field == "high" else sum(values) / len(values)
        cells.append(f"{round(value) if form == 'd' else value:>10{form}}")
    print(f"{name:22.22}" + "".join(cells), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
