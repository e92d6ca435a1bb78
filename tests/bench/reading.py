"""How fast folders of MIDI become note tables, on one core: notes a second, and where the time goes.

``python -m tests.bench.reading [DIR...]``: without folders, every set of ``../shared/data`` that the shipped model
learns from or is measured on. Reads all of it anew, with filters, duplicates and the cache of an interruptible reading,
then once more from that cache, then each step by itself.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import symusic
from antiphon.models.beat_grid import BeatGrid
from antiphon.models.corpus import read_corpus, save_pieces
from antiphon.models.errors import MidiFileError
from antiphon.models.filters import Seen, fault_of
from antiphon.models.midi_bytes import checked
from antiphon.models.midi_read import read_midi
from antiphon.models.music_files import BEATS_FILE, music_files
from antiphon.models.reading_cache import ReadingCache

#: The design's: 4 million notes in under 2 minutes on one core.
_NOTES, _SECONDS = 4_000_000, 120.0
_SETS = (
    "pop909", "pop909_cl", "openscore_lieder", "mutopia_keyboard", "groove", "openewld_mma", "freedoom", "simutrans",
    "piano_midi_de", "nottingham", "openmsx",
)  # fmt: skip


def main(argv: list[str]) -> int:
    """Read, time, print; 1 if it is slower than the design asks."""
    shared = Path(__file__).parents[3] / "shared" / "data"
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reading", description=__doc__)
    parser.add_argument("data", nargs="*", type=Path, default=[shared / name for name in _SETS])
    folders = parser.parse_args(argv).data
    one_core = hasattr(os, "sched_setaffinity")
    if one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(f"command: python -m tests.bench.reading {' '.join(argv)}; {'one core' if one_core else 'cores not limited'}")
    with tempfile.TemporaryDirectory() as kept:
        with ReadingCache(Path(kept)) as cache:
            began, cpu = time.perf_counter(), time.process_time()
            corpus = read_corpus(folders, print, cache=cache)
            save_pieces(Path(kept) / "train.npz", corpus.train)
            wall, busy = time.perf_counter() - began, time.process_time() - cpu
        print(corpus.report.table())
        with ReadingCache(Path(kept)) as cache:
            began = time.perf_counter()
            read_corpus(folders, cache=cache)
            again = time.perf_counter() - began
    notes = corpus.report.notes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{notes} notes in {wall:.1f} s ({busy:.1f} s of processor), tables kept: {notes / wall:.0f} a second")
    print(f"from the cache {again:.1f} s; peak memory {peak:.0f} MiB")
    _steps(folders, notes)
    scaled = wall * _NOTES / notes
    print(f"{_NOTES} notes at that pace: {scaled:.1f} s (asked for: under {_SECONDS:.0f})")
    return int(scaled >= _SECONDS)


def _steps(folders: list[Path], notes: int) -> None:
    spent = dict.fromkeys(("unpack", "walk the bytes", "symusic alone", "walk, parse and tabulate", "filter"), 0.0)
    seen = Seen()
    for folder in folders:
        with music_files(folder) as files:
            for file in files:
                times = [time.perf_counter()]
                try:
                    data, beats = file.read(file.name) or b"", file.beats()
                    times.append(time.perf_counter())
                    midi = checked(data, file.name)
                    times.append(time.perf_counter())
                    symusic.Score.from_midi(midi.data)
                    times.append(time.perf_counter())
                    found = read_midi(data, file.name, BeatGrid.parse(beats, BEATS_FILE) if beats else None).notes
                    times.append(time.perf_counter())
                    if fault_of(found) is None:
                        seen.fault(found, file.name)
                    times.append(time.perf_counter())
                except MidiFileError:
                    continue
                for step, (begin, end) in zip(spent, pairwise(times), strict=True):
                    spent[step] += end - begin
    print("each step by itself: " + ", ".join(f"{step} {s:.1f} s ({notes / s:.0f}/s)" for step, s in spent.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
